//! The timeline of a seed that does not hold: of one thing what people did, what was told, what was written, what was decided.

use std::collections::BTreeSet;

use super::key;
use crate::driver::Simulation;

impl Simulation {
    /// The lines about a thing, in order.
    pub(crate) fn existence_timeline(&self, about: &str) -> String {
        let Some(shared) = &self.shared else { return String::new() };
        let Some(existence) = &shared.existence else { return String::new() };
        let mut lines: Vec<(u64, String)> = Vec::new();
        let told = |line: &str| line.starts_with('!') && line.contains(about);
        lines.extend(shared.diary.iter().filter(|(_, line)| told(line)).cloned());
        for (name, vendor) in &self.targets {
            let done = existence.done.iter().filter(|done| key(done.deed.thing) == about);
            let mut ids: BTreeSet<u64> = done
                .filter(|done| super::place_of(name) == Some(done.deed.place))
                .map(|done| done.id)
                .collect();
            ids.extend(vendor.objects.iter().filter(|(_, item)| item.name_is(about)).map(|(id, _)| *id));
            for (at, system, said) in &shared.heard {
                if system == name && ids.iter().any(|id| id.to_string() == said.external_id) {
                    let seen = format!("{:?}", said.seen);
                    lines.push((
                        *at,
                        format!("    {name} tells of {}: {seen} {:?}", said.external_id, said.order),
                    ));
                }
            }
            let writes = vendor.effects.iter().filter(|effect| ids.contains(&effect.id));
            lines.extend(writes.map(|effect| {
                let made = if effect.created { " (new)" } else { "" };
                (effect.at, format!("  {name} {}{made} is written {:?}", effect.id, effect.fields))
            }));
            let calls = shared.diary.iter().filter(|(_, line)| {
                ids.iter()
                    .any(|id| line.ends_with(&format!("/items/{id}/")) && line.starts_with(name.as_str()))
            });
            lines.extend(calls.map(|(at, line)| (*at, format!("   {line}"))));
            for id in &ids {
                let Some(sheet) = self.sheet_of(name, *id) else { continue };
                lines.extend(sheet.decisions.iter().map(|made| {
                    let at = u64::try_from(made.at.micros() - crate::driver::START.0).unwrap_or(0);
                    (
                        at,
                        format!(
                            "    * {} {} v{}: {}",
                            made.system,
                            made.kind.name(),
                            made.version,
                            made.rule
                        ),
                    )
                }));
                lines.push((
                    self.now,
                    format!("{name} {id}: record {} {:?}", sheet.record.id, sheet.record.alive),
                ));
            }
        }
        lines.push((0, format!("{:?}", existence.rules)));
        lines.sort();
        lines.dedup();
        lines.into_iter().map(|(at, line)| format!("{at:>10} {line}\n")).collect()
    }
}
