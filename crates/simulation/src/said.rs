//! What people do, and what targets say by themselves: that a person there changed something, and what became of our
//! writes.

use std::collections::BTreeMap;
use std::time::Duration;

use canonical::{Object, OrderToken, System};
use connector::{Observation, Seen};
use hub::{Delivery, Input, MachineId, Notice, Order, Ticket};
use ledger::State;
use serde_json::json;
use store::browse::{DeliveryFilter, Look, Page};

use crate::driver::{Event, Simulation, micros};
use crate::outside::HEEDLESS;

/// A target says what it has to say within so many microseconds, before or after it answers.
const TALK_WITHIN: u64 = 30_000;

impl Simulation {
    /// At `after`, a person at the target writes `note` on all its objects.
    pub fn annotate_at(&mut self, after: Duration, system: &System, note: &str) {
        self.at(micros(after), Event::Annotate { system: system.clone(), note: note.to_owned() });
    }

    pub(crate) fn annotate(&mut self, system: &System, note: &str) {
        let now = self.now;
        let Some(target) = self.targets.get_mut(system) else { return };
        let ids: Vec<u64> = target.objects.keys().copied().collect();
        let fields = BTreeMap::from([("note".to_owned(), json!(note))]);
        ids.iter().for_each(|id| target.change(*id, &fields, now));
        for id in ids {
            let Some(shown) = self.targets.get(system).and_then(|target| target.shown(id)) else { continue };
            self.annotated.push(id);
            let fields = json!({"id": shown["id"], "key": shown["key"], "note": note});
            self.say_of(system, id, &fields, format!("{id}/{note}"), 50);
        }
    }

    /// What the objects that a person annotated hold now.
    pub fn annotated(&self, system: &System) -> impl Iterator<Item = &str> {
        let target = self.targets.get(system).into_iter();
        target
            .flat_map(|target| self.annotated.iter().filter_map(|id| target.objects.get(id)))
            .filter_map(|item| item.fields.get("note")?.as_str())
    }

    /// At `after`, a person who has looked at the target, and seen to what it refused, tries everything again that is
    /// uncertain or dead there, unless it only waits for something else.
    pub fn retry_at(&mut self, after: Duration, system: &System) {
        self.at(micros(after), Event::Retry(system.clone()));
    }

    pub(crate) fn retry(&mut self, system: &System) {
        let filter = DeliveryFilter {
            system: Some(system.clone()),
            states: vec![State::Uncertain, State::Dead],
            limit: 100,
            ..DeliveryFilter::default()
        };
        let Some(Page::Deliveries(rows)) = self.page(Look::Deliveries(filter)) else { return };
        if let Some(vendor) = self.targets.get_mut(system) {
            vendor.refused.clear();
        }
        for (number, (_, row)) in (1_000_000..).zip(rows.into_iter().filter(|(_, row)| row.waiting.is_none()))
        {
            let delivery = Delivery { key: row.key, record: row.record, object: row.object };
            let order = Order::Retry { delivery, reason: "ann: it is not there".to_owned() };
            let input = Input::Told(Notice::Do(Ticket(number), order));
            self.at(self.now + 50, Event::Input(MachineId::Spoke(system.clone()), input));
        }
    }

    /// What is dead at a target: classes and messages.
    #[cfg(test)]
    pub(crate) fn dead(&self, system: &System) -> Vec<(String, String)> {
        let states = vec![State::Dead];
        let filter =
            DeliveryFilter { system: Some(system.clone()), states, limit: 100, ..DeliveryFilter::default() };
        let Some(Page::Deliveries(rows)) = self.page(Look::Deliveries(filter)) else { return Vec::new() };
        rows.into_iter().filter_map(|(_, row)| row.reason).map(|why| (why.class, why.message)).collect()
    }

    /// At that time a person passes over everything that is open at a target, as far as the hub lets it.
    pub fn skip_at(&mut self, at: Duration, system: &System) {
        self.at(micros(at), Event::Skip(system.clone()));
    }

    pub(crate) fn skip(&mut self, system: &System) {
        let filter = DeliveryFilter {
            system: Some(system.clone()),
            states: vec![State::Pending, State::Retrying],
            limit: 100,
            ..DeliveryFilter::default()
        };
        let Some(Page::Deliveries(rows)) = self.page(Look::Deliveries(filter)) else { return };
        for (number, (_, row)) in (2_000_000..).zip(rows) {
            let delivery = Delivery { key: row.key, record: row.record, object: row.object };
            let order = Order::Skip { delivery, reason: "ann: not this one".to_owned() };
            let input = Input::Told(Notice::Do(Ticket(number), order));
            self.at(self.now + 50, Event::Input(MachineId::Spoke(system.clone()), input));
        }
    }

    /// From now on the target says what became of every write, as webhooks do: before its answer comes, or after.
    pub fn make_talkative(&mut self, system: &System) {
        self.talkative.insert(system.clone());
    }

    /// Something was applied at the target just now, perhaps: then it says how the object stands.
    pub(crate) fn tell(&mut self, system: &System) {
        if self.shared.is_some() {
            return self.says_write(system);
        }
        let now = self.now;
        let Some(target) = self.targets.get(system).filter(|_| self.talkative.contains(system)) else {
            return;
        };
        let Some(effect) = target.effects.last().filter(|effect| effect.at == now) else { return };
        let id = effect.id;
        let Some(shown) = target.shown(id) else { return };
        let fields = json!({
            "id": shown["id"], "key": shown["key"], "value": shown["value"], "note": shown["note"]
        });
        let count = target.effects.len();
        let after = self.between(50, TALK_WITHIN);
        self.say_of(system, id, &fields, format!("effect {count}"), after);
    }

    fn say_of(&mut self, system: &System, id: u64, fields: &serde_json::Value, event_id: String, after: u64) {
        let now = self.clock().wall;
        #[expect(clippy::expect_used, reason = "a literal that is a name")]
        let object = Object::new("items").expect("a name");
        let observation = Observation {
            version: None,
            object,
            external_id: id.to_string(),
            seen: Seen::State {
                fields: fields.as_object().cloned().unwrap_or_default().into_iter().collect(),
            },
            order: Some(OrderToken(now.micros())),
            event_id: Some(event_id),
            occurred_at: Some(now),
            changed_at: None,
            trace: None,
        };
        self.push(HEEDLESS, system, observation, after);
    }
}
