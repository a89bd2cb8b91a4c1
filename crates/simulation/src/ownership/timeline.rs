//! The timeline of a seed that does not hold: of one field of one record what people did, what was told, what stood where,
//! what was decided.

use serde_json::{Value, json};
use store::browse::{Look, Page};

use super::history::{RECORDS, key};
use super::table::SYSTEMS;
use crate::driver::{START, Simulation};

impl Simulation {
    /// The lines about `FIELD of KEY`, in order.
    pub(crate) fn shared_timeline(&self, about: &str) -> String {
        let (Some(shared), Some((field, named))) = (&self.shared, about.split_once(" of ")) else {
            return String::new();
        };
        let Some(record) = (0..RECORDS).find(|record| key(*record) == named) else { return String::new() };
        let edited =
            |line: &str| line.starts_with('!') && line.contains(field) && line.contains(&key(record));
        let mut lines: Vec<(u64, String)> =
            shared.diary.iter().filter(|(_, line)| edited(line)).cloned().collect();
        for (name, vendor) in &self.targets {
            let Some(id) = vendor.object_of(&key(record)) else { continue };
            for (at, system, said) in &shared.heard {
                if system == name && said.external_id == id.to_string() {
                    let value = match &said.seen {
                        connector::Seen::State { fields } => fields.get(field).map(Value::to_string),
                        _ => Some("?".to_owned()),
                    };
                    let order = said.order.map(|order| order.0);
                    lines.push((*at, format!("    {name} tells {value:?} {order:?}")));
                }
            }
            for item in vendor.past.get(&id).into_iter().flatten() {
                let value = json!(item.fields.get(field));
                lines.push((item.changed, format!("  {name} r{} has {value}", item.revision)));
            }
            let writes = vendor.effects.iter().filter(|effect| effect.id == id);
            lines.extend(writes.map(|effect| {
                let value = json!(effect.fields.get(field));
                (effect.at, format!("  {name} is written {value}"))
            }));
        }
        lines.extend(self.sheet_lines(record, field, shared.table.creator));
        lines.sort();
        lines.into_iter().map(|(at, line)| format!("{at:>10} {line}\n")).collect()
    }

    fn sheet_lines(&self, record: usize, field: &str, creator: usize) -> Vec<(u64, String)> {
        let mut lines = Vec::new();
        let Some((name, vendor)) =
            self.targets.iter().find(|(name, _)| Some(&name.as_str()) == SYSTEMS.get(creator))
        else {
            return lines;
        };
        let Some(id) = vendor.object_of(&key(record)) else { return lines };
        let look = Look::RecordByLink { system: name.clone(), object: None, external_id: id.to_string() };
        let Some(Page::Record(Some(sheet))) = self.page(look) else { return lines };
        let time = |micros: i64| u64::try_from(micros - START.0).unwrap_or(0);
        for made in &sheet.decisions {
            let about = made.field.as_ref().map_or("", |field| field.as_str());
            if about.is_empty() || about == field {
                let line = format!(
                    "    * {} {} {about} v{}: {}",
                    made.system,
                    made.kind.name(),
                    made.version,
                    made.rule
                );
                lines.push((time(made.at.micros()), line));
            }
        }
        for fact in sheet.facts.iter().filter(|fact| fact.data.contains_key(field)) {
            let line = format!("    = v{} by {}: {}", fact.version, fact.source, json!(fact.data.get(field)));
            lines.push((time(fact.at.micros()), line));
        }
        for shadow in &sheet.shadows {
            let value = json!(shadow.fields.get(field));
            lines.push((self.now, format!("  shadow of {}: {value} {:?}", shadow.system, shadow.unknown)));
        }
        let value = json!(sheet.record.fields.get(field));
        lines.push((self.now, format!("record: {value}; open {:?}", sheet.record.open)));
        lines
    }
}
