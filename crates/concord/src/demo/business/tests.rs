//! The business is the same for the same seed, does everything it is meant to, and a hub that makes no mistake passes
//! the proof: so a broken proof is the hub's fault.

use std::collections::{BTreeMap, BTreeSet};

use sandbox::Books;
use sandbox::shelf::Values;
use serde_json::{Value, json};

use super::{Business, Change, Deed, Mood, Screen};
use crate::demo::diary::{Key, Kind, Place, Policy};
use crate::demo::proof::{Findings, prove};
use crate::demo::views::{self, View};

const WORK: Mood = Mood { away: None, winding_down: false };

/// Three systems, and a hub that does at once what it should.
#[derive(Default)]
struct World {
    objects: BTreeMap<(Place, &'static str), BTreeMap<String, Value>>,
    screen: Screen,
    told: BTreeMap<String, u64>,
    next: u64,
}

impl World {
    fn write(&mut self, view: &View, key: &Key, actor: &str, changes: &[Change], at_ms: u64) {
        let at = (view.place, key.clone());
        let mut changed = Values::new();
        let fresh = !self.screen.contains_key(&at);
        if fresh {
            self.next += 1;
            self.screen.insert(at.clone(), self.next.to_string());
            views::put_id(view, &key.id, &mut changed);
        }
        for change in changes {
            let id = match change {
                Change::Refer(_, to) => self.screen.get(&(view.place, to.clone())).map(String::as_str),
                Change::Set(..) => None,
            };
            view.typed(change.field(), change.value(), id, &mut changed);
        }
        let id = self.screen[&at].clone();
        let shelf = self.objects.entry((view.place, view.object)).or_default();
        let empty = json!({"id": id, "values": {}, "created_ms": at_ms, "updated_ms": at_ms, "archived_ms": null, "history": []});
        let object = shelf.entry(id).or_insert(empty);
        for (name, value) in &mut changed {
            // Nested values are kept beside those that are there.
            if let (Some(Value::Object(held)), Value::Object(new)) = (object["values"].get(name), &*value) {
                *value =
                    held.clone().into_iter().chain(new.clone()).collect::<serde_json::Map<_, _>>().into();
            }
            object["values"][name] = value.clone();
        }
        let action = if fresh { "create" } else { "update" };
        let step = json!({"at_ms": at_ms, "actor": actor, "action": action, "changed": changed, "version": null, "key": null});
        object["history"].as_array_mut().unwrap().push(step);
    }

    /// Brings a record up to the diary in every system, except that `lazy` is left out.
    fn sync(&mut self, business: &Business, key: &Key, all: &[View], at_ms: u64, lazy: Option<Place>) {
        if let Some(entry) = business.diary.records.get(key) {
            for view in all.iter().filter(|view| view.kind == key.kind && Some(view.place) != lazy) {
                if view.applies_from(entry, u64::MAX).is_none() {
                    continue;
                }
                let known = view.fields.iter().filter_map(|(field, _, read)| {
                    let value = entry.now(field)?.to_owned();
                    Some(match read {
                        crate::demo::timeline::Read::Ref(_) => {
                            Change::Refer(field, Key::new(Kind::Account, value))
                        }
                        _ => Change::Set(field, value),
                    })
                });
                let known: Vec<Change> = known.collect();
                let differs =
                    |change: &&Change| self.shows(view, key, change) != change.value().map(str::to_owned);
                let due: Vec<Change> = known.iter().filter(differs).cloned().collect();
                if !due.is_empty() || !self.screen.contains_key(&(view.place, key.clone())) {
                    self.write(view, key, "integration", &due, at_ms);
                }
            }
        }
        for ((_, id), often) in &business.diary.told {
            self.told.insert(id.clone(), often.least);
        }
    }

    fn shows(&self, view: &View, key: &Key, change: &Change) -> Option<String> {
        let id = self.screen.get(&(view.place, key.clone()))?;
        let values: Values =
            serde_json::from_value(self.objects[&(view.place, view.object)][id]["values"].clone()).unwrap();
        let (_, path, read) = view.fields.iter().find(|(field, _, _)| *field == change.field())?;
        let shown = crate::demo::timeline::look(&values, path, *read)?;
        let named = |(at, _): &(&(Place, Key), &String)| at.0 == view.place && at.1.kind == Kind::Account;
        let by_id = |shown: &String| {
            self.screen.iter().find(|entry| named(entry) && entry.1 == shown).map(|(at, _)| at.1.id.clone())
        };
        match read {
            crate::demo::timeline::Read::Ref(_) => by_id(&shown),
            _ => Some(shown),
        }
    }

    fn books(&self) -> BTreeMap<Place, Books> {
        let mut all = BTreeMap::new();
        for place in [Place::Crm, Place::Erp, Place::Marketing] {
            let objects: BTreeMap<&str, &BTreeMap<String, Value>> = self
                .objects
                .iter()
                .filter(|((at, _), _)| *at == place)
                .map(|((_, object), shelf)| (*object, shelf))
                .collect();
            let effects =
                if place == Place::Marketing { json!({"events_received": self.told}) } else { json!({}) };
            let calls = json!({"total": 0, "by_operation": {}, "by_status": {}, "per_second": {}, "peak_concurrency": 0});
            let webhooks = json!({"events": 0, "unheard": 0, "sent": 0, "acked": 0, "failed": 0, "given_up": 0, "pending": 0});
            let books = json!({"account": "1", "objects": objects, "duplicates": [], "backwards": [], "effects": effects,
                "calls": calls, "webhooks": webhooks, "faults": {}, "lanes": {}});
            all.insert(place, serde_json::from_value(books).unwrap());
        }
        all
    }
}

/// Runs the business; `lazy` is never brought up to date.
fn run(seed: u64, deeds: u64, lazy: Option<Place>) -> (Business, Vec<Deed>, Findings) {
    let (mut business, mut world, all) = (Business::new(seed), World::default(), views::all());
    let mut done = Vec::new();
    for at_ms in (0..deeds).map(|step| step * 10) {
        let Some(deed) = business.next(&world.screen, WORK) else { continue };
        let view = *views::of(&all, deed.key.kind, deed.place).unwrap();
        world.write(&view, &deed.key, "person", &deed.changes, at_ms);
        business.done(&deed, at_ms);
        world.sync(&business, &deed.key, &all, at_ms + 5, lazy);
        done.push(deed);
    }
    let found = prove(&business.diary, &world.books(), &all, &[]);
    (business, done, found)
}

#[test]
fn a_hub_without_mistakes_passes() {
    for seed in [1, 2, 3] {
        let (_, _, found) = run(seed, 350, None);
        assert_eq!(found.complaints, Vec::<String>::new(), "seed {seed}");
        assert!(found.settled() && found.expected > 300, "seed {seed}: {found:?}");
        let wrong = found.duplicate_effects + found.out_of_order + found.ownership_violations;
        assert_eq!(wrong, 0, "seed {seed}");
    }
}

#[test]
fn a_hub_that_forgets_a_system_does_not() {
    let (_, _, found) = run(1, 100, Some(Place::Erp));
    assert!(found.lost > 0 && found.agreement() < 1.0);
}

#[test]
fn the_same_seed_makes_the_same_business() {
    let (first, second, other) = (run(7, 200, None), run(7, 200, None), run(8, 200, None));
    assert_eq!(first.0.diary, second.0.diary);
    assert_ne!(first.0.diary, other.0.diary);
}

#[test]
fn people_do_all_that_there_is_to_do() {
    let (business, done, _) = run(5, 700, None);
    let kinds: BTreeSet<Kind> = business.diary.records.keys().map(|key| key.kind).collect();
    assert_eq!(kinds.len(), 8);
    let policies = |wanted| business.diary.strays.iter().filter(|stray| stray.policy == wanted).count();
    assert!(policies(Policy::Revert) > 0 && policies(Policy::Reject) > 0);
    assert!(!business.diary.told.is_empty());
    let places: BTreeSet<Place> = done.iter().filter(|deed| deed.creates).map(|deed| deed.place).collect();
    assert_eq!(places.len(), 3, "records begin in every system");
}

#[test]
fn nobody_works_in_a_system_that_is_away() {
    let mut business = Business::new(3);
    let mood = Mood { away: Some(Place::Crm), winding_down: false };
    for _ in 0..200 {
        if let Some(deed) = business.next(&Screen::new(), mood) {
            assert_ne!(deed.place, Place::Crm);
            business.done(&deed, 1);
        }
    }
}
