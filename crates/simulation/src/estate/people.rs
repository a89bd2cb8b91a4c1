//! What people do at the source and at the targets, and what the systems then say: promptly, late, twice, out of
//! order, as a hint, or not at all.

use std::collections::BTreeMap;
use std::time::Duration;

use canonical::{Object, OrderToken, System};
use connector::{Observation, Seen};
use serde_json::{Value, json};

use super::{Happening, files, system};
use crate::driver::{Event, Saying, Simulation};
use crate::outside::HEEDLESS;

/// A message takes at least and at most so many microseconds to arrive.
const TRAVEL: (u64, u64) = (20_000, 400_000);
/// A late one at most so many.
const LATE: u64 = 25_000_000;
/// Things that change beside one of them.
const FLURRY: usize = 7;

type Values = BTreeMap<String, Value>;

impl Simulation {
    pub(super) fn add_group(&mut self) -> u64 {
        let key = format!("group-{}", self.serial());
        let value = self.serial();
        let id = self.source_object("groups", &key, BTreeMap::from([("value".to_owned(), json!(value))]));
        if let Some(estate) = &mut self.estate {
            estate.groups.push(id);
        }
        id
    }

    pub(super) fn add_thing(&mut self) {
        // Now and then its group is new, too, and heard of later.
        let group = if self.between(0, 10) == 0 { Some(self.add_group()) } else { self.some_group() };
        let key = format!("thing-{}", self.serial());
        let value = self.serial();
        let fields = [
            ("value", json!(value)),
            ("stage", json!("open")),
            ("round", json!(value)),
            ("active", json!(true)),
            ("label", json!(format!("label {value}"))),
            ("note", json!("from the source")),
            ("group", json!(group.map(|group| group.to_string()))),
        ];
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let id = self.source_object("things", &key, fields);
        if let Some(estate) = &mut self.estate {
            estate.things.push(id);
        }
    }

    fn source_object(&mut self, kind: &str, key: &str, mut fields: Values) -> u64 {
        fields.insert("key".to_owned(), json!(key));
        let now = self.now;
        let Some(source) = self.targets.get_mut(&system(files::SOURCE)) else { return 0 };
        let id = source.insert(kind, key.to_owned(), now);
        source.change(id, &fields, now);
        self.source_says(id);
        id
    }

    fn some_group(&mut self) -> Option<u64> {
        let groups = self.estate.as_ref().map_or(0, |estate| estate.groups.len()) as u64;
        let place = usize::try_from(self.between(0, groups.max(1))).ok()?;
        self.estate.as_ref()?.groups.get(place).copied()
    }

    pub(super) fn some_thing(&mut self) -> Option<u64> {
        let things = self.estate.as_ref().map_or(0, |estate| estate.things.len()) as u64;
        let place = usize::try_from(self.between(0, things.max(1))).ok()?;
        self.estate.as_ref()?.things.get(place).copied()
    }

    pub(super) fn serial(&mut self) -> i64 {
        let Some(estate) = &mut self.estate else { return 0 };
        estate.serial += 1;
        estate.serial
    }

    /// An edit at the source.
    pub(super) fn edit(&mut self) {
        match self.between(0, 100) {
            0..3 => self.add_thing(),
            3..6 => {
                let Some(id) = self.some_group() else { return };
                let value = self.serial();
                self.source_change(id, BTreeMap::from([("value".to_owned(), json!(value))]));
            }
            6 => self.source_delete(),
            _ => {
                let Some(id) = self.some_thing() else { return };
                let fields = self.new_fields(id);
                self.may_take_back(id, &fields);
                self.source_change(id, fields);
            }
        }
    }

    /// Now and then somebody changes their mind within seconds.
    fn may_take_back(&mut self, id: u64, changes: &Values) {
        let source = self.targets.get(&system(files::SOURCE));
        let Some(item) = source.and_then(|source| source.objects.get(&id)) else { return };
        let was = |name: &str| Some((name.to_owned(), item.fields.get(name)?.clone()));
        let before: Values = ["active", "label", "group"]
            .into_iter()
            .filter(|name| changes.contains_key(*name))
            .filter_map(was)
            .collect();
        if !before.is_empty() && self.between(0, 3) == 0 {
            let after = self.between(200_000, 12_000_000);
            self.at(self.now + after, Event::Happen(Happening::TakeBack(id, before)));
        }
    }

    /// What was changed is as it was.
    pub(super) fn take_back(&mut self, id: u64, mut fields: Values) {
        if self.estate.as_ref().is_some_and(|estate| estate.things.contains(&id)) {
            fields.insert("value".to_owned(), json!(self.serial()));
            self.source_change(id, fields);
        }
    }

    fn new_fields(&mut self, id: u64) -> Values {
        let value = self.serial();
        let mut fields = BTreeMap::from([("value".to_owned(), json!(value))]);
        let dice = self.between(0, 100);
        let source = self.targets.get(&system(files::SOURCE));
        let item = source.and_then(|source| source.objects.get(&id));
        let is = |name: &str, wanted: Value| item.is_some_and(|item| item.fields.get(name) == Some(&wanted));
        match dice {
            0..12 => {
                let closing = !is("stage", json!("closed"));
                fields.insert("stage".to_owned(), json!(if closing { "closed" } else { "open" }));
                if closing {
                    fields.insert("round".to_owned(), json!(value));
                }
            }
            12..22 => drop(fields.insert("active".to_owned(), json!(!is("active", json!(true))))),
            22..40 => drop(fields.insert("label".to_owned(), json!(format!("label {value}")))),
            40..46 => drop(fields.insert("note".to_owned(), json!(format!("source note {value}")))),
            46..52 => {
                if let Some(group) = self.some_group() {
                    fields.insert("group".to_owned(), json!(group.to_string()));
                }
            }
            // Back to what it was: an undo.
            52..56 => drop(fields.insert("label".to_owned(), json!("plain"))),
            _ => {}
        }
        fields
    }

    pub(super) fn source_change(&mut self, id: u64, fields: Values) {
        let now = self.now;
        let Some(source) = self.targets.get_mut(&system(files::SOURCE)) else { return };
        source.change(id, &fields, now);
        self.source_says(id);
    }

    fn source_delete(&mut self) {
        let Some(id) = self.some_thing() else { return };
        if let Some(estate) = &mut self.estate {
            // Of two that are one, both stand at the source.
            if estate.things.len() < 12 || estate.is_one_of_two(id) {
                return;
            }
            estate.things.retain(|thing| *thing != id);
            estate.owed.remove(&id);
        }
        let now = self.now;
        let Some(source) = self.targets.get_mut(&system(files::SOURCE)) else { return };
        source.change(id, &BTreeMap::new(), now);
        if let Some(item) = source.objects.get_mut(&id) {
            item.gone = true;
        }
        self.source_says(id);
    }

    /// One record changes many times within seconds.
    pub(super) fn burst(&mut self) {
        let Some(id) = self.some_thing() else { return };
        let count = self.between(20, 80);
        for _ in 0..count {
            let value = self.serial();
            self.source_change(id, BTreeMap::from([("value".to_owned(), json!(value))]));
        }
    }

    /// Many things change at once, among them that one.
    pub(super) fn flurry(&mut self, id: u64) {
        let things = self.estate.as_ref().map(|estate| estate.things.clone()).unwrap_or_default();
        let others = things.iter().copied().filter(|thing| *thing != id);
        let there = things.contains(&id).then_some(id);
        for thing in others.take(FLURRY).chain(there) {
            let value = self.serial();
            self.source_change(thing, BTreeMap::from([("value".to_owned(), json!(value))]));
        }
    }

    /// One record opens and closes again and again, so that one event of it follows the other.
    pub(super) fn swing(&mut self) {
        let Some(id) = self.some_thing() else { return };
        for turn in 0..self.between(6, 16) {
            let closes = turn % 2 == 1;
            let value = self.serial();
            let mut fields = BTreeMap::from([
                ("value".to_owned(), json!(value)),
                ("stage".to_owned(), json!(if closes { "closed" } else { "open" })),
            ]);
            fields.extend(closes.then(|| ("round".to_owned(), json!(value))));
            self.source_change(id, fields);
        }
    }

    /// The source says how an object stands now.
    fn source_says(&mut self, id: u64) {
        let source = system(files::SOURCE);
        let Some((kind, revision)) = self.standing(&source, id) else { return };
        let dice = if self.healed() { 0 } else { self.between(0, 100) };
        let prompt = self.between(TRAVEL.0, TRAVEL.1);
        let late = self.between(TRAVEL.1, LATE);
        let Some(seen) = self.seen(&source, id) else { return };
        let hint = (78..86).contains(&dice);
        if hint {
            self.count("webhook_hint");
        }
        let seen = if hint && matches!(seen, Seen::State { .. }) { Seen::Hint } else { seen };
        let observation = self.observation(&kind, id, seen, Some(revision));
        match dice {
            86..94 => {
                // Lost on its way: only a poll can tell.
                self.count("webhook_lost");
            }
            70..78 => {
                self.count("webhook_twice");
                let index = self.will_say(&source, observation, prompt);
                self.repeat(index, late);
            }
            94..100 => {
                self.count("webhook_late");
                self.will_say(&source, observation, late);
            }
            _ => drop(self.will_say(&source, observation, prompt)),
        }
    }

    fn standing(&self, of: &System, id: u64) -> Option<(String, u64)> {
        let item = self.targets.get(of)?.objects.get(&id)?;
        Some((item.kind.clone(), item.revision))
    }

    fn seen(&self, of: &System, id: u64) -> Option<Seen> {
        let vendor = self.targets.get(of)?;
        if vendor.objects.get(&id)?.gone {
            return Some(Seen::Deleted);
        }
        let shown = vendor.shown(id)?;
        let fields = shown.as_object().cloned().unwrap_or_default().into_iter().collect();
        Some(Seen::State { fields })
    }

    #[expect(clippy::expect_used, reason = "kinds of objects are names")]
    fn observation(&self, kind: &str, id: u64, seen: Seen, revision: Option<u64>) -> Observation {
        let number = revision.and_then(|revision| i64::try_from(revision).ok());
        Observation {
            version: None,
            object: Object::new(kind).expect("a name"),
            external_id: id.to_string(),
            seen,
            order: number.map(OrderToken),
            event_id: Some(format!("{kind}/{id}/{}", self.events_so_far())),
            occurred_at: None,
            changed_at: None,
            trace: None,
        }
    }

    fn events_so_far(&self) -> usize {
        self.sayings.len()
    }

    /// It is said after so many microseconds, and again until it is acknowledged.
    fn will_say(&mut self, source: &System, observation: Observation, after: u64) -> usize {
        let index = self.sayings.len();
        let at = Duration::from_micros(self.now + after);
        self.sayings.push(Saying { at, source: source.clone(), observation, acknowledged: false });
        self.at(self.now + after, Event::Say(index));
        index
    }

    /// A saying is said once more, whether it was acknowledged or not.
    fn repeat(&mut self, index: usize, after: u64) {
        let Some(saying) = self.sayings.get(index).cloned() else { return };
        self.push(index as u64, &saying.source, saying.observation, after);
    }

    /// What was said lately is said again, all at once.
    pub(super) fn replay(&mut self) {
        let count = self.sayings.len() as u64;
        let from = self.between(count.saturating_sub(150), count.max(1));
        for index in from..(from + 12).min(count) {
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            self.count("replayed");
            let after = self.between(TRAVEL.0, TRAVEL.1);
            self.repeat(index, after);
        }
    }

    /// Somebody edits an object at a target.
    pub(super) fn person(&mut self) {
        let (name, field) = match self.between(0, 3) {
            0 => (files::KEYED, "label"),
            1 => (files::FINDER, "label"),
            _ => (files::UP, "note"),
        };
        let target = system(name);
        let Some(vendor) = self.targets.get(&target) else { return };
        let live: Vec<u64> = vendor
            .objects
            .iter()
            .filter(|(_, item)| item.kind == "items" && !item.gone)
            .map(|(id, _)| *id)
            .collect();
        let place = self.between(0, (live.len() as u64).max(1));
        let Some(id) = usize::try_from(place).ok().and_then(|place| live.get(place).copied()) else { return };
        self.edits_there(&target, id, field);
        // Some save twice: the second time while the first is being read.
        if self.between(0, 2) == 0 {
            let after = self.between(1_000, 500_000);
            self.at(self.now + after, Event::Happen(Happening::EditThere(target, id, field)));
        }
    }

    /// Somebody writes a field of an object there.
    pub(super) fn edits_there(&mut self, target: &System, id: u64, field: &str) {
        let value = json!(format!("person {}", self.serial()));
        let now = self.now;
        match self.targets.get_mut(target) {
            Some(vendor) if vendor.objects.get(&id).is_some_and(|item| !item.gone) => {
                vendor.change(id, &BTreeMap::from([(field.to_owned(), value)]), now);
            }
            _ => return,
        }
        self.remember(&format!("! somebody edits {field} of {id} at {target}"));
        self.did("SomebodyEdited");
        self.target_says(target, id, true);
    }

    /// A target says how an object stands: of a person's edit it surely does.
    pub(super) fn target_says(&mut self, target: &System, id: u64, surely: bool) {
        let Some((kind, revision)) = self.standing(target, id) else { return };
        let Some(seen) = self.seen(target, id) else { return };
        let order = (target.as_str() == files::UP).then_some(revision);
        let observation = self.observation(&kind, id, seen, order);
        let travel = if self.between(0, 8) == 0 { LATE / 5 } else { TRAVEL.1 };
        let after = self.between(50, travel);
        if surely {
            self.will_say(target, observation, after);
            return;
        }
        self.push(HEEDLESS, target, observation, after);
    }
}
