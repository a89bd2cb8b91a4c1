//! What goes to a target is what a stored intent says, and goes over nothing that an owner has said. In a batch that is
//! so of each.

use std::time::Duration;

use canonical::System;
use connector::{Part, Request};
use ledger::{Intent, Subject};
use serde_json::Value;
use store::browse::{DeliveryFilter, Look, Page};
use store::{Query, Rows};

use super::ON_ITS_WAY;
use crate::driver::Simulation;
use crate::estate::files;

/// An intent that is durable is sent for the first time within this.
const FIRST_SEND: Duration = Duration::from_secs(1);

impl Simulation {
    pub(super) fn watch_write(&mut self, system: &System, request: &Request) {
        let query = Query::Intents { tenant: self.config.tenant.clone(), system: system.clone() };
        let Some(Rows::Intents(intents)) = self.asked(query) else { return };
        let said = said_in(request);
        match in_intents(request, &said, &intents) {
            Some(found) => found.iter().for_each(|intent| {
                self.watch_held(system, intent);
                self.watch_line(system, intent);
            }),
            None => {
                let what = format!(
                    "{} {} goes to {system}, and no stored intent says so",
                    request.method, request.path
                );
                self.violated("I3", &request.path, what);
            }
        }
        for said in said.iter().filter(|_| system.as_str() == files::UP) {
            self.watch_note(system, said);
        }
    }

    /// I4: an event goes after the earlier ones of its record that are still to go. One that a person has reopened
    /// meanwhile does not call back what is on its way.
    fn watch_line(&mut self, system: &System, intent: &Intent) {
        let Subject::Event(_) = intent.obligation.subject else { return };
        let now = self.clock().wall;
        if intent.sends > 1 || now.since(intent.created_at) > FIRST_SEND {
            return;
        }
        let filter = DeliveryFilter {
            record: Some(intent.record),
            route: Some(intent.obligation.route.as_str().to_owned()),
            limit: 1000,
            ..DeliveryFilter::default()
        };
        let Some(Page::Deliveries(rows)) = self.page(Look::Deliveries(filter)) else { return };
        let own = rows.iter().find(|(_, row)| row.key == intent.obligation).map(|(seq, _)| *seq);
        let earlier = rows.iter().find(|(seq, row)| Some(*seq) < own && row.state.is_open());
        if let Some((_, row)) = earlier {
            let what = format!(
                "an event of {} goes to {system} although an earlier one is {}",
                intent.record,
                row.state.name()
            );
            let about = self.about_record(intent.record);
            self.violated("I4", &about, what);
        }
    }

    /// I5: what an owner has said is not written over.
    fn watch_note(&mut self, system: &System, said: &Said) {
        let Some(note) = said.fields.get("note").and_then(Value::as_str) else { return };
        let name = said.name.as_str();
        let Some(owner) = self.targets.get(system) else { return };
        // By its own id; or by the record's, which it keeps when it is made anew in place of one that is gone.
        let by_name = || {
            let items = owner.objects.iter().filter(|(_, item)| item.kind == "items" && item.name == name);
            items.max_by_key(|(id, item)| (!item.gone, **id)).map(|(id, _)| *id)
        };
        let Some(id) = name.parse::<u64>().ok().or_else(by_name) else { return };
        let gone = owner.objects.get(&id).is_none_or(|item| item.gone);
        let known = self.estate.as_ref().and_then(|estate| estate.notes.stands(id, gone));
        let known = known.map(|(owned, since)| (owned.to_owned(), since));
        if let Some((owned, since)) = known
            && owned != note
            && self.now > since + ON_ITS_WAY
            && !self.is_full()
        {
            let what = format!("{note:?} goes over {owned:?}, which {system} owns and had said");
            self.violated("I5", name, what);
        }
    }
}

/// What a request says of one object.
struct Said {
    name: String,
    fields: Value,
    /// In a batch: the intent that it is of.
    intent: Option<String>,
}

/// What a request says: of one object, or in a batch of several.
fn said_in(request: &Request) -> Vec<Said> {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    match body.get("inputs").and_then(Value::as_array) {
        Some(inputs) => inputs
            .iter()
            .map(|input| {
                let text =
                    |name: &str| input.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                let fields = input.get("fields").cloned().unwrap_or_default();
                Said { name: text("name"), fields, intent: Some(text("trace")) }
            })
            .collect(),
        None => {
            let name = request.path.trim_start_matches("/items/").to_owned();
            vec![Said { name, fields: body, intent: None }]
        }
    }
}

/// The stored intents that say just that, to the byte; `None` where there are none.
fn in_intents(request: &Request, said: &[Said], intents: &[Intent]) -> Option<Vec<Intent>> {
    if said.iter().all(|said| said.intent.is_none()) {
        let bytes = request.to_bytes();
        return intents.iter().find(|intent| *intent.request == *bytes).map(|intent| vec![intent.clone()]);
    }
    let mut found = Vec::new();
    for said in said {
        let id = said.intent.as_deref()?;
        found.push(intents.iter().find(|intent| intent.id.to_string() == id)?.clone());
    }
    let parts: Option<Vec<Part>> = found.iter().map(|intent| Part::from_bytes(&intent.request)).collect();
    let whole = Part::join(&parts?)?;
    (whole.to_bytes() == request.to_bytes()).then_some(found)
}
