//! The timeline of a seed that does not hold: of one pair what people did, what was told, what was written, what was decided.

use crate::driver::Simulation;
use crate::estate::system;

use super::super::table::SYSTEMS;
use super::PAIRS;

impl Simulation {
    /// The lines about a pair, or about all, in order.
    pub(crate) fn merging_timeline(&self, about: &str) -> String {
        let all = (0..PAIRS).map(|number| format!("pair-{number}"));
        let told = all.filter(|named| about.is_empty() || named == about);
        told.map(|named| self.timeline_of_pair(&named)).collect()
    }

    fn timeline_of_pair(&self, about: &str) -> String {
        let number = about.strip_prefix("pair-").and_then(|number| number.parse().ok());
        let pair = number.and_then(|number| self.pair_of(number));
        let (Some(shared), Some(pair)) = (&self.shared, pair) else { return String::new() };
        let mut lines: Vec<(u64, String)> = Vec::new();
        let told = |line: &str| line.starts_with('!') && line.contains(about);
        lines.extend(shared.diary.iter().filter(|(_, line)| told(line)).cloned());
        for (place, name) in SYSTEMS.iter().enumerate() {
            let (name, ids) = (system(name), pair.objects.get(place).copied().unwrap_or_default());
            let Some(vendor) = self.targets.get(&name) else { continue };
            for (at, _, said) in shared.heard.iter().filter(|(_, system, _)| *system == name) {
                if ids.iter().any(|id| id.to_string() == said.external_id) {
                    lines.push((
                        *at,
                        format!("    {name} tells of {}: {:?} {:?}", said.external_id, said.seen, said.order),
                    ));
                }
            }
            let writes = vendor.effects.iter().filter(|effect| ids.contains(&effect.id));
            lines.extend(writes.map(|effect| {
                let made = if effect.created { " (new)" } else { "" };
                (effect.at, format!("  {name} {}{made} is written {:?}", effect.id, effect.fields))
            }));
            let calls = shared.diary.iter().filter(|(_, line)| {
                ids.iter().any(|id| line.contains(&format!("/items/{id}/")))
                    && line.starts_with(name.as_str())
            });
            lines.extend(calls.map(|(at, line)| (*at, format!("   {line}"))));
            for id in ids {
                let shown =
                    vendor.objects.get(&id).map(|item| format!("{:?} gone {}", item.fields, item.gone));
                lines.push((self.now, format!("{name} {id}: {}", shown.unwrap_or_default())));
            }
        }
        for id in pair.records.iter().flatten() {
            let Some(store::browse::Page::Record(Some(sheet))) = self.page(store::browse::Look::Record(*id))
            else {
                continue;
            };
            lines.extend(sheet.decisions.iter().map(|made| {
                let at = u64::try_from(made.at.micros() - crate::driver::START.0).unwrap_or(0);
                let field = made.field.as_ref().map_or("", |field| field.as_str());
                (
                    at,
                    format!(
                        "    * {} {} {field} v{}: {}",
                        made.system,
                        made.kind.name(),
                        made.version,
                        made.rule
                    ),
                )
            }));
            let rows = sheet.obligations.iter().map(|row| {
                let line = format!(
                    "  delivery to {}: {} {:?} of {:?}",
                    row.system,
                    row.state.name(),
                    row.reached,
                    row.wanted
                );
                (self.now, line)
            });
            lines.extend(rows);
            let record = &sheet.record;
            lines.push((
                self.now,
                format!("record {id} {:?} v{}: {:?}", record.alive, record.version, record.fields),
            ));
        }
        lines.push((0, format!("{:?}", shared.table)));
        lines.push((0, format!("{:?}", pair)));
        lines.sort();
        lines.dedup();
        lines.into_iter().map(|(at, line)| format!("{at:>10} {line}\n")).collect()
    }
}
