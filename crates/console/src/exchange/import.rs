//! Import: what an export has, said again by the systems that had said it. By the rules of intake: what is older than
//! what is known changes nothing, an owner's value stands, the same line counts once (I16), and no event is made of what
//! happened before. A line that can't be taken keeps no other from being taken.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use canonical::{EntitySchema, ExternalRef, Fields, OrderToken, Record, RecordId, System, Wall};
use config::Upcaster;
use http::HeaderMap;
use hub::{Arrival, Stated, TakenAs};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use web::body::Bound;
use web::{Caller, Problem, kinds};

use super::{ExportRow, LinkRow};
use crate::desk::Desk;
use crate::order::{self, Given};

/// Bounds of a part that is sent at once.
const PART: Bound = Bound { bytes_max: 8 * 1024 * 1024, within: Duration::from_secs(60) };
/// Lines in a part.
const LINES_MAX: usize = 200;

/// The account that each system is connected to, where it told.
type Accounts = BTreeMap<System, String>;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Sent {
    #[serde(default)]
    reason: Option<String>,
    /// Each with its number in the file.
    #[serde(default)]
    lines: Vec<(u64, Value)>,
}

impl Given for Sent {
    const WANTED: &'static str =
        "the body must be a JSON object with `reason` and `lines`: pairs of a line's number and the line";
    fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

/// What became of each line.
#[derive(Serialize)]
pub(crate) struct Imported {
    lines: Vec<LineRow>,
}

#[derive(Serialize)]
struct LineRow {
    line: u64,
    /// `new`, `older` (at least as new was known), `repeated`, `quarantined` or `refused`.
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// Systems whose objects are not linked here: what they had said is left to them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unlinked: Vec<String>,
}

pub(crate) async fn import(
    State(desk): State<Arc<Desk>>,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Imported>, Problem> {
    let (sent, reason) = order::read_within::<Sent>(&caller, &headers, body, PART).await?;
    if sent.lines.len() > LINES_MAX {
        let said = format!("`lines`: at most {LINES_MAX} at once");
        return Err(Problem::new(kinds::MALFORMED, said));
    }
    let count = sent.lines.len();
    let systems = desk.systems().await?.into_iter();
    let accounts: Accounts = systems.filter_map(|(state, _)| Some((state.system, state.instance?))).collect();
    let tenant = desk.hub.tenant();
    tracing::info!(target: "concord", %tenant, class = "import", lines = count, detail = reason, "a person imports records");
    let mut lines = Vec::with_capacity(count);
    for (line, value) in sent.lines {
        lines.push(desk.import(line, value, &accounts).await?);
    }
    Ok(Json(Imported { lines }))
}

impl Desk {
    async fn import(&self, line: u64, value: Value, accounts: &Accounts) -> Result<LineRow, Problem> {
        let refused =
            |why: String| LineRow { line, outcome: "refused", why: Some(why), unlinked: Vec::new() };
        let row: ExportRow = match serde_json::from_value(value) {
            Ok(row) => row,
            // Its words may quote what stands there.
            Err(_) => return Ok(refused("it is no record of an export".to_owned())),
        };
        let (row, id, schema) = match self.readable(row) {
            Ok(read) => read,
            Err(why) => return Ok(refused(why)),
        };
        if let Some(why) = row.links.iter().find_map(|link| foreign(link, accounts)) {
            return Ok(refused(why));
        }
        // Whose object is known here, as which record.
        let mut known: Vec<Option<Record>> = Vec::new();
        for link in &row.links {
            let object = Some(link.object.clone());
            let here = self.record_linked(link.system.clone(), object, link.id.clone()).await?;
            known.push(here.map(|sheet| sheet.record));
        }
        let nobody = known.iter().all(Option::is_none);
        let (mut outcomes, mut unlinked) = (Vec::new(), Vec::new());
        let mut made = false;
        for (link, here) in row.links.iter().zip(&known) {
            let Some(stated) = self.stated(&row, id, link) else { continue };
            // One that may make the record says it first; the others' objects are found as ever.
            let makes = nobody && !made && schema.creators.contains(&link.system);
            if here.is_none() && !makes {
                unlinked.push(link.system.to_string());
                continue;
            }
            made = true;
            let news = here.as_ref().is_none_or(|record| is_news(record, &stated));
            outcomes.push(self.offer(stated, news).await?);
        }
        let (outcome, why) = outcomes.into_iter().min_by_key(|(outcome, _)| rank(outcome)).unwrap_or((
            "refused",
            Some(
                "none of its objects is linked here, and none may make it: let its source say it".to_owned(),
            ),
        ));
        Ok(LineRow { line, outcome, why, unlinked })
    }

    /// The line as it can be taken, its record's id, and the type's schema.
    fn readable(&self, row: ExportRow) -> Result<(ExportRow, RecordId, Arc<EntitySchema>), String> {
        if row.kind != "record" {
            return Err(format!("it is a {}, not a record", row.kind));
        }
        if row.masked {
            return Err("its values are hidden: export with --unmask".to_owned());
        }
        if row.alive != "live" {
            return Err(format!("the record was {}: only live ones are put back", row.alive));
        }
        let id = row.id.parse().map_err(|_| "it has no record's id".to_owned())?;
        let schema = self.configuration.entities.iter().find(|(entity, _)| entity.as_str() == row.entity);
        let (entity, schema) = schema.ok_or_else(|| "there is no such type here".to_owned())?;
        let row = match self.configuration.upcaster(entity) {
            Some(upcaster) => upcast(row, upcaster),
            None => row,
        };
        for (name, value) in &row.fields {
            let Some(spec) = schema.fields.get(name.as_str()) else { continue };
            let fits = value.is_null() || canonical::value::normal(&spec.kind, value.clone()).is_ok();
            if !fits {
                return Err(format!("the value of {name} is none of its type"));
            }
        }
        Ok((row, id, Arc::clone(schema)))
    }

    /// What a system had said of it: the values that came from there.
    fn stated(&self, row: &ExportRow, record: RecordId, link: &LinkRow) -> Option<Stated> {
        let (_, schema) = self.configuration.inbound(&link.system, &link.object)?;
        let own: BTreeSet<&str> = row
            .provenance
            .iter()
            .filter(|(_, from)| from.system == link.system)
            .map(|(field, _)| field.as_str())
            .collect();
        let is_reference = |name: &str| {
            let spec = schema.fields.get(name);
            spec.is_some_and(|spec| matches!(spec.kind, canonical::FieldType::Reference(_)))
        };
        let fields = row.fields.iter().filter(|(name, _)| own.contains(name.as_str()) && !is_reference(name));
        let fields: Fields = fields.map(|(name, value)| (name.clone(), value.clone())).collect();
        if fields.is_empty() {
            return None;
        }
        let marks = row.marks.get(&link.system);
        // The oldest: what is newer by that system's own order is never undone.
        let orders: Option<Vec<OrderToken>> =
            fields.keys().map(|name| marks?.of(&canonical::Field::new(name).ok()?)).collect();
        let said = row.provenance.values().filter(|from| from.system == link.system);
        let as_of = said.filter_map(|from| Wall::from_rfc3339(&from.at)).min();
        Some(Stated {
            about: ExternalRef {
                system: link.system.clone(),
                object: link.object.clone(),
                id: link.id.clone(),
            },
            fields,
            schema: schema.version,
            extensions: row.extensions.get(&link.system).cloned().unwrap_or_default(),
            order: orders.and_then(|orders| orders.into_iter().min()),
            as_of: as_of.or_else(|| Wall::from_rfc3339(&row.updated_at))?,
            record,
            version: row.version,
        })
    }

    async fn offer(&self, stated: Stated, news: bool) -> Result<(&'static str, Option<String>), Problem> {
        let source: System = stated.about.system.clone();
        let bytes = serde_json::to_vec(&stated).map_or(0, |bytes| bytes.len());
        let taken = self.hub.offer_posted(&source, vec![Arrival::Stated(Box::new(stated))], bytes).await;
        let kind = |busy: &hub::Busy| if busy.backlog { kinds::BACKLOG } else { kinds::BUSY };
        let taken =
            taken.map_err(|busy| Problem::new(kind(&busy), busy.why).retry_after(busy.retry_after))?;
        Ok(match taken.into_iter().next().map(|taken| taken.how) {
            Some(TakenAs::Duplicate) => ("repeated", None),
            Some(TakenAs::Quarantined(why)) => ("quarantined", Some(why)),
            _ if news => ("new", None),
            _ => ("older", None),
        })
    }
}

/// A line of an older schema, as it is read under the one that counts here.
fn upcast(mut row: ExportRow, upcaster: &Upcaster) -> ExportRow {
    upcaster.fields(row.schema, &mut row.fields);
    for (was, is, gone) in upcaster.heirs(row.schema) {
        let known = match gone {
            true => row.provenance.remove(was.as_str()),
            false => row.provenance.get(was.as_str()).cloned(),
        };
        if let Some(known) = known.filter(|_| row.fields.contains_key(is.as_str())) {
            row.provenance.insert(is.to_string(), known);
        }
        for marks in row.marks.values_mut().filter(|_| gone) {
            marks.fields.remove(was).map(|mark| marks.fields.insert(is.clone(), mark));
        }
    }
    row
}

/// Why an object is none of the account that is connected here: its id would name another object.
fn foreign(link: &LinkRow, accounts: &Accounts) -> Option<String> {
    let here = accounts.get(&link.system).filter(|here| !here.is_empty())?;
    let other = !link.instance.is_empty() && link.instance != *here;
    other.then(|| {
        let (system, from) = (&link.system, &link.instance);
        format!(
            "its object of {system} is of the account {from}, and {here} is connected here: import it there"
        )
    })
}

/// Whether something of it is newer than what is known, by the source's own order, or was never known.
fn is_news(record: &Record, stated: &Stated) -> bool {
    let marks = record.marks.get(&stated.about.system);
    let order = stated.order.unwrap_or(OrderToken(stated.as_of.micros()));
    stated.fields.keys().any(|name| {
        let mark = canonical::Field::new(name).ok().and_then(|field| marks?.of(&field));
        !record.fields.contains_key(name) || mark.is_none_or(|mark| mark < order)
    })
}

/// What matters most of several.
fn rank(outcome: &str) -> usize {
    ["quarantined", "new", "older", "repeated"].iter().position(|known| *known == outcome).unwrap_or(9)
}
