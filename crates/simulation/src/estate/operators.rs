//! What operators do: hold a system and let it go on, try again, give up. They look at the targets before they decide,
//! as the runbook says.

use std::collections::BTreeSet;

use canonical::{RecordId, System};
use dispatch::Forced;
use hub::{Delivery, Input, MachineId, Notice, Order, Ticket};
use intake::{Choice, DecisionKind, MessageState};
use ledger::{IntentState, Obligation, State, Subject};
use serde_json::json;
use store::browse::{DecisionFilter, DeliveryFilter, Look, MessageFilter, Page};
use store::{Browse as _, HeldPart};

use super::{Happening, Standing, files, system};
use crate::driver::{Event, Simulation};

/// An operator decides about what has been quiet for so many microseconds.
const QUIET: i64 = 30_000_000;

impl Simulation {
    /// Holds a system, or a part of its work, or forces its breakers, for a while.
    pub(super) fn stand(&mut self) {
        let place = usize::try_from(self.between(0, files::TARGETS.len() as u64)).unwrap_or(0);
        let Some(chosen) = files::TARGETS.get(place).map(|(name, _)| system(name)) else { return };
        if self.estate.as_ref().is_some_and(|estate| estate.healthy == chosen) {
            return;
        }
        let standing = match self.between(0, 8) {
            0..3 => Standing::Paused,
            3 => Standing::Forced(true),
            4 => Standing::Forced(false),
            _ => match self.part_of(&chosen) {
                Some(scope) => Standing::Held(scope),
                None => return,
            },
        };
        if let Some(estate) = &mut self.estate {
            estate.standing.insert((chosen.clone(), standing.clone()));
        }
        let reason = "ann: looking at it".to_owned();
        let order = match &standing {
            Standing::Paused => Order::Pause { reason },
            Standing::Held(scope) => Order::Hold { scope: scope.clone(), reason },
            Standing::Forced(open) => {
                let forced = Some(if *open { Forced::Open } else { Forced::Closed });
                Order::Force { operation: None, forced, reason }
            }
        };
        self.did(match &standing {
            Standing::Paused => "OperatorPaused",
            Standing::Held(_) => "OperatorHeld",
            Standing::Forced(_) => "OperatorForced",
        });
        self.order(&chosen, order);
        let last = self.between(5_000_000, 90_000_000);
        self.at(self.now + last, Event::Happen(Happening::Undo(chosen, standing)));
    }

    /// A part of a system's work: a type, a route, or a record.
    fn part_of(&mut self, system: &System) -> Option<HeldPart> {
        let filter = DeliveryFilter { system: Some(system.clone()), limit: 40, ..DeliveryFilter::default() };
        let Some(Page::Deliveries(rows)) = self.page(Look::Deliveries(filter)) else { return None };
        let place = self.between(0, rows.len().max(1) as u64);
        let (_, row) = rows.into_iter().nth(usize::try_from(place).unwrap_or(0))?;
        Some(match self.between(0, 3) {
            0 => HeldPart::Entity(row.entity),
            1 => HeldPart::Route(row.key.route),
            _ => HeldPart::Record(row.record),
        })
    }

    pub(super) fn undo(&mut self, chosen: &System, standing: &Standing) {
        if let Some(estate) = &mut self.estate {
            estate.standing.remove(&(chosen.clone(), standing.clone()));
        }
        let reason = "ann: done".to_owned();
        let order = match standing {
            Standing::Paused => Order::Resume { reason },
            Standing::Held(scope) => Order::Release { scope: scope.clone(), reason },
            Standing::Forced(_) => Order::Force { operation: None, forced: None, reason },
        };
        self.order(chosen, order);
    }

    fn order(&mut self, to: &System, order: Order) {
        let Some(estate) = &mut self.estate else { return };
        estate.next_order += 1;
        let ticket = Ticket(estate.next_order);
        let input = Input::Told(Notice::Do(ticket, order));
        self.at(self.now + 50, Event::Input(MachineId::Spoke(to.clone()), input));
    }

    pub(crate) fn page(&self, look: Look) -> Option<Page> {
        let (tell, told) = std::sync::mpsc::channel();
        self.store.look(self.config.tenant.clone(), look, Box::new(move |page| drop(tell.send(page))));
        told.try_recv().ok()?.ok()
    }

    /// What is held and should not be: an order that came while the hub was down was not heard.
    fn forgotten(&self) -> Vec<(System, Standing)> {
        let Some(Page::Systems(systems)) = self.page(Look::Systems) else { return Vec::new() };
        let stands = systems.into_iter().flat_map(|(state, _)| {
            let paused = state.paused.map(|_| Standing::Paused);
            let held = state.standing.holds.into_iter().map(|hold| Standing::Held(hold.scope));
            let forced = state.standing.forced.into_iter().map(|forced| Standing::Forced(forced.open));
            let all: Vec<Standing> = paused.into_iter().chain(held).chain(forced).collect();
            all.into_iter().map(move |standing| (state.system.clone(), standing))
        });
        let meant = |one: &(System, Standing)| {
            self.estate.as_ref().is_some_and(|estate| estate.standing.contains(one))
        };
        stands.filter(|one| !meant(one)).collect()
    }

    /// Looks through what needs a person.
    pub(super) fn operate(&mut self) {
        for (system, standing) in self.forgotten() {
            self.undo(&system, &standing);
        }
        for (name, _) in files::TARGETS {
            let target = system(name);
            let filter = DeliveryFilter {
                system: Some(target.clone()),
                states: vec![State::Uncertain, State::Dead],
                limit: 200,
                ..DeliveryFilter::default()
            };
            let Some(Page::Deliveries(rows)) = self.page(Look::Deliveries(filter)) else { continue };
            // A paused system's are left until it goes on.
            let paused = (target.clone(), Standing::Paused);
            if self.estate.as_ref().is_some_and(|estate| estate.standing.contains(&paused)) {
                continue;
            }
            for (_, row) in rows {
                if self.healed() || self.between(0, 10) < 6 {
                    self.decide_about(&target, row);
                }
            }
        }
        self.settle_open();
        let filter =
            MessageFilter { states: vec![MessageState::Quarantined], limit: 200, ..MessageFilter::default() };
        let Some(Page::Messages(messages)) = self.page(Look::Messages(filter)) else { return };
        for (_, message) in messages {
            let Some(estate) = &mut self.estate else { return };
            estate.next_order += 1;
            let ticket = Ticket(estate.next_order);
            let nobodys = message.reason.as_ref().is_some_and(|reason| reason.class == "not_a_creator");
            let reason = "ann: looked at it".to_owned();
            // An object whose thing is deleted is nobody's.
            let order = if nobodys {
                Order::DiscardMessage { message: message.id, reason }
            } else {
                Order::Retake { message: message.id, reason }
            };
            let input = Input::Told(Notice::Do(ticket, order));
            self.at(self.now + 50, Event::Input(MachineId::Intake, input));
        }
    }

    /// What was written back too often is looked at, and counts as the record has it.
    fn settle_open(&mut self) {
        let filter =
            DecisionFilter { kinds: vec![DecisionKind::Frozen], limit: 200, ..DecisionFilter::default() };
        let Some(Page::Decisions(frozen)) = self.page(Look::Decisions(filter)) else { return };
        let records: BTreeSet<RecordId> = frozen.iter().map(|(_, decision)| decision.record).collect();
        for id in records {
            let Some(Page::Record(Some(sheet))) = self.page(Look::Record(id)) else { continue };
            for field in sheet.record.open.keys() {
                if !self.healed() && self.between(0, 10) >= 6 {
                    continue;
                }
                let Some(estate) = &mut self.estate else { return };
                estate.next_order += 1;
                let ticket = Ticket(estate.next_order);
                let order = Order::Settle {
                    record: id,
                    field: field.clone(),
                    choice: Choice::Record,
                    reason: "ann: the owner's counts".to_owned(),
                };
                self.did("OperatorSettled");
                self.at(
                    self.now + 50,
                    Event::Input(MachineId::Intake, Input::Told(Notice::Do(ticket, order))),
                );
            }
        }
    }

    fn decide_about(&mut self, target: &System, row: Obligation) {
        let key = row.key.clone();
        let intents = match self.page(Look::Delivery(key.clone())) {
            Some(Page::Delivery(Some((_, intents, _)))) => intents,
            _ => return,
        };
        let now = self.clock().wall;
        let open = intents.iter().find(|intent| intent.state != IntentState::Closed);
        // What may still arrive is not decided about.
        let quiet = |intent: &ledger::Intent| now.micros() - intent.arrives_until.micros() > QUIET;
        if open.is_some_and(|intent| !quiet(intent)) {
            return;
        }
        let delivery = Delivery { key, record: row.record, object: row.object.clone() };
        let retry = Order::Retry { delivery: delivery.clone(), reason: "ann: again".to_owned() };
        let skip = Order::Skip { delivery: delivery.clone(), reason: "ann: next time".to_owned() };
        let discard = |reason: &str| Order::Discard { delivery, reason: reason.to_owned() };
        let restored = row.reason.as_ref().is_some_and(|reason| reason.class == "restored");
        let order = match (&row.key.subject, open.is_some()) {
            (Subject::Event(event), false) if restored && self.has_mark(target, *event) => {
                discard("ann: it came before the restore")
            }
            (Subject::Record(_), false) if restored && self.is_deleted(row.record) => {
                discard("ann: it is deleted")
            }
            (Subject::Record(_), false) if restored && self.announce(target, &row) => return,
            _ if restored => retry,
            // Whether an event's mark came can be seen at the target.
            (Subject::Event(event), true) => {
                if self.has_mark(target, *event) {
                    discard("ann: it came")
                } else {
                    retry
                }
            }
            (Subject::Record(_), true) if self.is_deleted(row.record) => discard("ann: it is deleted"),
            (Subject::Record(_), true) if [files::BLIND, files::MARKED].contains(&target.as_str()) => {
                if self.announce(target, &row) {
                    return;
                }
                retry
            }
            _ if !self.healed() && self.between(0, 8) == 0 => discard("ann: not worth it"),
            (Subject::Record(_), false) if !self.healed() && self.between(0, 8) == 0 => skip,
            _ => retry,
        };
        self.did("OperatorDecided");
        self.remember(&format!("! an operator decides about {target} {}: {order:?}", row.state.name()));
        self.order(target, order);
    }

    fn is_deleted(&self, record: canonical::RecordId) -> bool {
        match self.page(Look::Record(record)) {
            Some(Page::Record(Some(sheet))) => sheet.record.alive != canonical::Alive::Live,
            _ => true,
        }
    }

    /// Whether the target has what the event says.
    fn has_mark(&self, target: &System, event: canonical::EventId) -> bool {
        let Some(Page::Events(events)) = self.page(Look::Event(event)) else { return false };
        let Some((_, fact)) = events.into_iter().next() else { return false };
        let wanted = |name: &str| fact.data.get(name).cloned().unwrap_or(json!(null));
        let (key, round) = (wanted("key"), wanted("round"));
        self.targets.get(target).is_some_and(|vendor| {
            vendor.objects.values().any(|item| {
                item.kind == "marks"
                    && item.fields.get("key") == Some(&key)
                    && item.fields.get("round") == Some(&round)
            })
        })
    }

    /// The object may be there and not be known: then somebody touches it, so that the target says so. Says whether
    /// it is there unlinked.
    fn announce(&mut self, target: &System, row: &Obligation) -> bool {
        let Some(Page::Record(Some(sheet))) = self.page(Look::Record(row.record)) else { return false };
        if sheet.links.iter().any(|link| link.system == *target) {
            return false;
        }
        let key = sheet.record.fields.get("key").cloned().unwrap_or(json!(null));
        let Some(vendor) = self.targets.get(target) else { return false };
        let found = vendor.objects.iter().find(|(_, item)| {
            item.kind == row.object.as_str() && !item.gone && item.fields.get("key") == Some(&key)
        });
        let Some(id) = found.map(|(id, _)| *id) else { return false };
        self.target_says(target, id, true);
        true
    }
}
