//! What people do in the three systems, per seed, and how the systems tell of it.

use std::collections::BTreeMap;

use canonical::{Object, OrderToken, System};
use connector::{Observation, Seen};
use serde_json::Value;

use super::Shared;
use super::table::{BETA, Dice, GAMMA, Rule, SHOUTED, STATE, SYSTEMS, Table};
use crate::driver::{Event, Simulation};
use crate::estate::system;
use crate::outside::HEEDLESS;
use crate::vendor::habit::stamp;

/// Records.
pub(super) const RECORDS: usize = 2;
/// Until then the records are made, and nothing goes wrong.
pub(super) const CALM: u64 = 4_000_000;
/// Until then people edit.
pub(super) const EDITED_UNTIL: u64 = 50_000_000;
/// What is said promptly, and late, in microseconds.
const PROMPT: (u64, u64) = (20_000, 300_000);
const LATE: (u64, u64) = (300_000, 3_000_000);

/// What a person writes.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// The value of a number.
    Number(u64),
    /// What stood there before the last edit.
    Back,
    /// What stood there at some time.
    Earlier(u64),
}

/// An edit to be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planned {
    pub(super) at: u64,
    pub(super) system: usize,
    pub(super) record: usize,
    pub(super) field: usize,
    what: What,
}

/// An edit that was made.
#[derive(Clone, Debug)]
pub(super) struct Edit {
    pub(super) at: u64,
    pub(super) system: usize,
    pub(super) record: usize,
    pub(super) field: &'static str,
    pub(super) before: Value,
    pub(super) value: Value,
}

/// Whether two values of a field mean the same in a system.
pub(super) fn alike(system: usize, field: &str, one: &Value, other: &Value) -> bool {
    let folded = |value: &Value| value.as_str().map(|text| text.trim().to_lowercase());
    let folds = system == GAMMA && field == SHOUTED;
    one == other || folds && folded(one).is_some() && folded(one) == folded(other)
}

/// The key of a record.
pub(super) fn key(record: usize) -> String {
    format!("thing-{record}")
}

/// What people will do.
pub(super) fn plan(table: &Table, seed: u64) -> Vec<Planned> {
    let mut dice = Dice(seed ^ 0x00ed_1750);
    let mut out = Vec::new();
    for record in 0..RECORDS {
        let governs = table.rules.iter().position(|rule| rule.field == STATE);
        if let Some((field, system)) = governs.and_then(|at| Some((at, table.rules.get(at)?.owner?))) {
            // Early, so that something is said under the last owner, too.
            for _ in 0..1 + dice.below(3) {
                let at = CALM + dice.below(22_000_000);
                out.push(Planned { at, system, record, field, what: What::Number(dice.below(3)) });
            }
            // Or at the very end: then nobody says anything any more unless he is asked.
            if dice.in_hundred(50) {
                let at = EDITED_UNTIL - dice.below(1_000_000);
                out.push(Planned { at, system, record, field, what: What::Number(dice.below(3)) });
            }
        }
        for _ in 0..6 + dice.below(6) {
            let at = CALM + dice.below(EDITED_UNTIL - CALM - 2_000_000);
            let field = usize::try_from(dice.below(table.rules.len() as u64)).unwrap_or(0);
            let edit = Planned { at, system: dice.system(), record, field, what: what(&mut dice) };
            out.push(edit);
            match dice.below(10) {
                // Once more, while the first is told.
                0..2 => {
                    out.push(Planned { at: at + 1_000 + dice.below(600_000), what: what(&mut dice), ..edit });
                }
                // And back again, soon or late.
                2..4 => {
                    let soon = if dice.in_hundred(50) { 400_000 } else { 8_000_000 };
                    let at = (at + 1_000 + dice.below(soon)).min(EDITED_UNTIL);
                    out.push(Planned { at, what: What::Back, ..edit });
                }
                // At the same moment in another system.
                4..6 => {
                    let system = (edit.system + 1 + usize::try_from(dice.below(2)).unwrap_or(0)) % 3;
                    out.push(Planned { at: at + dice.below(40_000), system, what: what(&mut dice), ..edit });
                }
                _ => {}
            }
        }
    }
    out
}

fn what(dice: &mut Dice) -> What {
    match dice.below(10) {
        0..2 => What::Earlier(dice.next()),
        2..4 => What::Number(1 + dice.below(4)),
        _ => What::Number(10 + dice.below(300)),
    }
}

impl Simulation {
    /// A person makes the so-manieth edit of the plan.
    pub(crate) fn edits(&mut self, index: usize) {
        let Some(shared) = &self.shared else { return };
        if shared.existence.is_some() {
            return self.does(index);
        }
        if shared.merging.is_some() {
            return self.does_of_pairs(index);
        }
        let Some(planned) = shared.plan.get(index).copied() else { return };
        let Some(rule) = shared.table.rules.get(planned.field).cloned() else { return };
        let name = system(SYSTEMS.get(planned.system).copied().unwrap_or_default());
        let Some(vendor) = self.targets.get_mut(&name) else { return };
        let Some(id) = vendor.object_of(&key(planned.record)) else { return };
        let before = vendor.value(id, rule.field).unwrap_or_default();
        let stood = || vendor.past.get(&id).into_iter().flatten();
        let value = match planned.what {
            What::Number(number) => Some(rule.kind.value(number)),
            What::Back => shared.last(&planned, rule.field).map(|edit| edit.before.clone()),
            What::Earlier(dice) => {
                let mut values = stood().filter_map(|item| item.fields.get(rule.field).cloned());
                let count = (stood().count() as u64).max(1);
                values.nth(usize::try_from(dice % count).unwrap_or(0))
            }
        };
        let Some(value) = value.filter(|value| !alike(planned.system, rule.field, value, &before)) else {
            return;
        };
        let now = self.now;
        vendor.change(id, &BTreeMap::from([(rule.field.to_owned(), value.clone())]), now);
        self.remember(&format!("! {} of {} at {name}: {before} to {value}", rule.field, key(planned.record)));
        let edit = Edit {
            at: now,
            system: planned.system,
            record: planned.record,
            field: rule.field,
            before,
            value,
        };
        if let Some(shared) = &mut self.shared {
            shared.edits.push(edit);
        }
        self.says(planned.system, id, &[rule.field]);
    }

    /// Whether the records of three systems are just being made: until then nothing goes wrong.
    pub(crate) fn begins(&self) -> bool {
        self.shared.is_some() && self.now < CALM
    }

    /// A system says, perhaps, what became of our write.
    pub(crate) fn says_write(&mut self, name: &System) {
        let Some(place) = SYSTEMS.iter().position(|known| *known == name.as_str()) else { return };
        let now = self.now;
        let Some(vendor) = self.targets.get(name) else { return };
        let Some(effect) = vendor.effects.last().filter(|effect| effect.at == now) else { return };
        let (id, created) = (effect.id, effect.created);
        let Some(shared) = &self.shared else { return };
        let surely = vendor.habits().lags > 0 || shared.table.is_asked(place) || created;
        let often = if shared.table.moves() { 20 } else { 60 };
        if surely || self.between(0, 100) < often {
            self.says(place, id, &[]);
        }
    }

    /// How an object stands is said: at once or late, twice, as a hint, or only what was changed.
    pub(super) fn says(&mut self, place: usize, id: u64, changed: &[&str]) {
        let name = system(SYSTEMS.get(place).copied().unwrap_or_default());
        let calm = self.now < CALM;
        let (dice, partial) = (self.between(0, 100), self.between(0, 100) < 30);
        let Some(vendor) = self.targets.get(&name) else { return };
        let Some(Value::Object(mut shown)) = vendor.shown(id) else { return };
        let Some(item) = vendor.objects.get(&id) else { return };
        let at = stamp(item.changed, Table::clock_off(place));
        let order = match (place, self.shared.as_ref().is_some_and(|shared| shared.table.timed)) {
            (BETA, _) => None,
            (GAMMA, _) => Some(at.millis()),
            (_, true) => Some(at.micros()),
            (_, false) => i64::try_from(item.revision).ok(),
        };
        if partial && !changed.is_empty() && order.is_some() {
            shown.retain(|name, _| changed.contains(&name.as_str()));
        }
        let hint = !calm && (70..85).contains(&dice);
        let seen = match vendor.merged_into(id) {
            _ if hint => Seen::Hint,
            Some(into) => Seen::Merged { into: into.to_string() },
            None if item.gone => Seen::Deleted,
            None => Seen::State { fields: shown.into_iter().collect() },
        };
        #[expect(clippy::expect_used, reason = "a literal that is a name")]
        let object = Object::new("items").expect("a name");
        let number = self.shared.as_mut().map_or(0, |shared| shared.number());
        let said = Observation {
            version: None,
            object,
            external_id: id.to_string(),
            seen,
            order: order.map(OrderToken).filter(|_| !hint),
            event_id: Some(format!("{name}/{number}")),
            occurred_at: None,
            changed_at: Some(at).filter(|_| order.is_some() && !hint),
            trace: None,
        };
        let prompt = self.between(PROMPT.0, PROMPT.1);
        let late = self.between(LATE.0, LATE.1);
        let after = if !calm && (45..70).contains(&dice) { late } else { prompt };
        self.tells(&name, &said, after);
        if !calm && dice >= 85 {
            self.tells(&name, &said, late);
        }
    }

    /// A message arrives after so many microseconds.
    fn tells(&mut self, name: &System, said: &Observation, after: u64) {
        let at = self.now + after;
        if let Some(shared) = &mut self.shared {
            shared.heard.push((at, name.clone(), said.clone()));
        }
        self.push(HEEDLESS, name, said.clone(), after);
    }
}

impl Shared {
    /// The last edit of that field there.
    fn last(&self, planned: &Planned, field: &str) -> Option<&Edit> {
        self.edits.iter().rev().find(|edit| {
            edit.system == planned.system && edit.record == planned.record && edit.field == field
        })
    }

    /// A number for what is said.
    const fn number(&mut self) -> u64 {
        self.said += 1;
        self.said
    }
}

/// How the creator tells of its records in the beginning.
pub(super) fn begin(run: &mut Simulation, table: &Table) {
    let name = system(SYSTEMS.get(table.creator).copied().unwrap_or_default());
    let mut ids = Vec::new();
    for record in 0..RECORDS {
        let Some(vendor) = run.targets.get_mut(&name) else { return };
        let id = vendor.insert("items", key(record), 0);
        let mut fields = BTreeMap::from([("key".to_owned(), Value::String(key(record)))]);
        fields.extend(table.rules.iter().map(|rule| (rule.field.to_owned(), initial(rule))));
        vendor.change(id, &fields, 0);
        ids.push(id);
    }
    for id in ids {
        run.says(table.creator, id, &[]);
    }
    let edits = run.shared.as_ref().map(|shared| shared.plan.clone()).unwrap_or_default();
    for (index, planned) in edits.into_iter().enumerate() {
        run.at(planned.at, Event::Edit(index));
    }
}

/// What a record is made with.
pub(super) fn initial(rule: &Rule) -> Value {
    rule.kind.value(5)
}
