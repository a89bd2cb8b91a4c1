//! What must hold at all times, watched as it happens: from outside, by what is acknowledged, sent and applied. The
//! store is asked only whether what the hub promised is durable.

#[cfg(test)]
mod tests;
mod written;

use std::sync::mpsc::channel;

use canonical::System;
use connector::{Request, Seen};
use hub::{Mark, Taken, TakenAs};
use intake::{Ask, Decision, DecisionKind};
use ledger::Intent;
use serde_json::Value;
use store::browse::{Look, Page};
use store::{HeldPart, Op, Query, Rows, Store as _, Unit};

use super::{Violation, files};
use crate::driver::Simulation;
use crate::vendor::Effect;

/// What was admitted before a breaker opened, or an edit was known, may still be on its way for so many microseconds.
const ON_ITS_WAY: u64 = 8_000_000;
/// What is answered is heard and durable within so many microseconds.
const HEARD_BY: u64 = 60_000;
/// The healthy target has a change at the latest so many microseconds after it was acknowledged.
const OWED_MAX: u64 = 28_000_000;
/// A breaker opens for what happened within so many microseconds.
const ILL_LATELY: u64 = 60_000_000;

impl Simulation {
    pub(crate) fn violated(&mut self, invariant: &'static str, about: &str, what: String) {
        let at = self.now;
        self.remember(&format!("! {invariant} is broken: {what}"));
        if let Some(estate) = &mut self.estate {
            estate.violations.push(Violation { invariant, at, what, about: about.to_owned() });
        }
    }

    fn asked(&self, query: Query) -> Option<Rows> {
        let (tell, told) = channel();
        self.store.find(query, Box::new(move |rows| drop(tell.send(rows))));
        told.try_recv().ok()?.ok()
    }

    /// I2: what is acknowledged is durable. I16: what was acknowledged before is a duplicate.
    pub(crate) fn watch_ack(&mut self, index: usize, taken: &[Taken]) {
        let Some(estate) = &mut self.estate else { return };
        estate.accepted += taken.iter().filter(|taken| taken.how == TakenAs::Accepted).count() as u64;
        let Some(saying) = self.sayings.get(index).cloned() else { return };
        let (Some(event_id), source) = (saying.observation.event_id.clone(), saying.source.clone()) else {
            return;
        };
        let ask = Ask { event: Some((source.clone(), event_id.clone())), ..Ask::default() };
        let query = Query::Intake { tenant: self.config.tenant.clone(), asks: vec![ask] };
        let Some(Rows::Intake(view)) = self.asked(query) else { return };
        if !view.seen.contains_key(&(source.clone(), event_id.clone())) {
            let what = format!("{event_id} of {source} was acknowledged, and the store does not have it");
            self.violated("I2", &event_id, what);
        }
        let forgotten = self.estate.as_mut().is_some_and(|estate| estate.forgotten.remove(&index));
        if saying.acknowledged && !forgotten {
            if taken.iter().any(|taken| taken.how == TakenAs::Accepted) {
                let what = format!("{event_id} of {source} was taken in twice");
                self.violated("I16", &event_id, what);
            }
            return;
        }
        self.now_owed(&saying.source, &saying.observation);
    }

    /// What follows from a message that was acknowledged for the first time.
    fn now_owed(&mut self, source: &System, observation: &connector::Observation) {
        let now = self.now;
        let Some(estate) = &mut self.estate else { return };
        let (Seen::State { fields }, Ok(id)) = (&observation.seen, observation.external_id.parse()) else {
            return;
        };
        if source.as_str() == files::UP
            && let Some(note) = fields.get("note").and_then(Value::as_str)
            && note.starts_with("person")
        {
            estate.notes.acknowledged(id, note, observation.order, now);
        }
        let thing = source.as_str() == files::SOURCE && observation.object.as_str() == "things";
        let key = fields.get("key").and_then(Value::as_str).unwrap_or_default();
        // What was thrown away there without a word is not known to be missing.
        let held = self.targets.get(&estate.healthy).and_then(|vendor| {
            let items = vendor.objects.values().filter(|item| item.kind == "items" && item.name_is(key));
            items.filter_map(|item| item.fields.get("value")?.as_i64()).max()
        });
        // Without its group it waits, and rightly.
        let group = fields.get("group").and_then(Value::as_str).and_then(|id| id.parse::<u64>().ok());
        let source = self.targets.get(&super::system(files::SOURCE));
        let group = group.and_then(|id| source?.objects.get(&id)).map(|group| group.name.as_str());
        let knows_group = self.targets.get(&estate.healthy).is_some_and(|vendor| {
            vendor
                .objects
                .values()
                .any(|item| item.kind == "groups" && group.is_some_and(|key| item.name_is(key)))
        });
        if thing
            && !estate.is_one_of_two(id)
            && estate.things.contains(&id)
            && let Some(value) = fields.get("value").and_then(Value::as_i64)
            && held < Some(value)
            && knows_group
        {
            let owed = estate.owed.entry(id).or_insert((value, now));
            if value > owed.0 {
                owed.0 = value;
            }
        }
    }

    /// I10: the healthy target is not held up by the others.
    pub(super) fn watch_owed(&mut self) {
        let now = self.now;
        // Once all are well, nobody can be held up by the ill; then everything is touched at once, beyond all limits.
        if self.healed() {
            return;
        }
        let Some(estate) = &mut self.estate else { return };
        estate.forgive_the_merged();
        if now < estate.unfair_until.max(estate.behind_until).max(estate.busy_until) || estate.full {
            estate.owed.values_mut().for_each(|owed| owed.1 = now);
            return;
        }
        let late = estate.owed.iter().find(|(_, owed)| now > owed.1 + OWED_MAX);
        let Some((id, (value, since))) = late.map(|(id, owed)| (*id, *owed)) else { return };
        estate.owed.remove(&id);
        let row = self.row_of_thing(id);
        // What waits for a link there waits for its own kind. What may be there since before a restore waits for a person:
        // that is promised (`uncertain`, class `restored`), and no other system's doing.
        let asked = |row: &ledger::Obligation| {
            row.state == ledger::State::Uncertain
                && row.reason.as_ref().is_some_and(|why| why.class == "restored")
        };
        if row.as_ref().is_some_and(|row| row.state == ledger::State::Parked || asked(row)) {
            return;
        }
        // What waits for a time that will not come for long is not held up by others.
        self.judge_dues();
        let Some(estate) = &self.estate else { return };
        let healthy = estate.healthy.clone();
        let waits = (now - since) / 1_000_000;
        let source = self.targets.get(&super::system(files::SOURCE));
        let name = source.and_then(|source| Some(source.objects.get(&id)?.name.clone())).unwrap_or_default();
        let class = |row: ledger::Obligation| row.reason.map(|why| why.class).unwrap_or_default();
        let stands = row.map_or_else(String::new, |row| format!("{} {}", row.state.name(), class(row)));
        let what = format!(
            "{name} at {value} is not at {healthy}, which is well, after {waits} s; the ledger has it {stands}"
        );
        self.violated("I10", &format!("{name} things/{id}/"), what);
    }

    /// How the delivery of a thing to the healthy target stands.
    fn row_of_thing(&self, id: u64) -> Option<ledger::Obligation> {
        let healthy = self.estate.as_ref()?.healthy.clone();
        let look = Look::RecordByLink {
            system: super::system(files::SOURCE),
            object: None,
            external_id: id.to_string(),
        };
        let Some(Page::Record(Some(sheet))) = self.page(look) else { return None };
        let mut rows = sheet.obligations.into_iter().filter(|row| row.system == healthy);
        rows.find(|row| row.object.as_str() == "items")
    }

    /// I3: what is sent is durable before. I5: no owner's value is written over. I12: not while a breaker is open.
    pub(crate) fn watch_send(&mut self, system: &System, request: &Request) {
        if self.estate.is_none() {
            return;
        }
        let now = self.now;
        if let Some(estate) = &mut self.estate {
            estate.sent.entry(system.clone()).or_default().push(now);
        }
        let writes = request.method != "GET";
        let opened = |group: &str| {
            let open = &self.estate.as_ref()?.open;
            open.get(&(system.clone(), group.to_owned())).copied()
        };
        let open: Option<Vec<u64>> = breakers(request).iter().map(|group| opened(group)).collect();
        let open = open.and_then(|since| since.into_iter().max());
        if open.is_some_and(|since| now > since + ON_ITS_WAY) && !self.is_full() {
            let what =
                format!("{} {} goes to {system} while its breaker is open", request.method, request.path);
            self.violated("I12", system.as_str(), what);
        }
        if writes {
            self.watch_write(system, request);
        }
    }

    fn is_full(&self) -> bool {
        self.estate.as_ref().is_some_and(|estate| estate.full || self.now < estate.unfair_until)
    }

    fn is_forced_open(&self, system: &System) -> bool {
        let query = Query::System { tenant: self.config.tenant.clone(), system: system.clone() };
        let Some(Rows::System(Some(state), ..)) = self.asked(query) else { return false };
        state.standing.forced.iter().any(|forced| forced.open)
    }

    /// I12: of what an operator holds back nothing new goes.
    fn watch_held(&mut self, system: &System, intent: &Intent) {
        let query = Query::System { tenant: self.config.tenant.clone(), system: system.clone() };
        let Some(Rows::System(Some(state), ..)) = self.asked(query) else { return };
        let on_its_way = i64::try_from(ON_ITS_WAY).unwrap_or(i64::MAX);
        let held = state.standing.holds.into_iter().find(|hold| {
            let covers = match &hold.scope {
                HeldPart::Entity(entity) => {
                    let route = self.config.route(&intent.obligation.route);
                    route.is_some_and(|route| route.entity == *entity)
                }
                HeldPart::Route(route) => intent.obligation.route == *route,
                HeldPart::Record(record) => intent.record == *record,
            };
            covers && intent.created_at.micros() > hold.since.micros() + on_its_way
        });
        if let Some(hold) = held.filter(|_| !self.is_full()) {
            let what =
                format!("{} goes to {system}, although {} is held", intent.obligation.route, hold.scope);
            self.violated("I12", system.as_str(), what);
        }
    }

    /// I3: nothing is made twice. I4: nothing goes backwards. I12: Retry-After is kept.
    pub(crate) fn watch_effects(&mut self, system: &System) {
        if self.estate.is_none() {
            return;
        }
        let from = self.estate.as_ref().and_then(|estate| estate.read.get(system).copied()).unwrap_or(0);
        let Some(vendor) = self.targets.get_mut(system) else { return };
        let impatient = std::mem::take(&mut vendor.impatient);
        let asked_at = vendor.ignored;
        let effects: Vec<Effect> = vendor.effects.get(from..).unwrap_or_default().to_vec();
        if let Some(estate) = &mut self.estate {
            estate.read.insert(system.clone(), from + effects.len());
        }
        for effect in effects {
            self.watch_effect(system, &effect);
        }
        // What it said as the hub died was not heard, or not written down.
        let unheard = self.estate.as_ref().is_some_and(|estate| {
            let mut crashes = estate.crashed_at.iter();
            crashes.any(|at| at + HEARD_BY >= asked_at && *at <= asked_at + HEARD_BY)
                || estate.another_clock_at >= asked_at
                || (estate.unwritten.0..=estate.unwritten.1).contains(&(asked_at + HEARD_BY))
        });
        if impatient > 0 && !unheard {
            let what = format!("{system} was called although it had asked to be left alone");
            self.violated("I12", system.as_str(), what);
        }
    }

    fn watch_effect(&mut self, system: &System, effect: &Effect) {
        let Effect { id, kind, name, .. } = effect;
        self.remember(&format!("{system} applies {kind}/{id} {name} {:?}", effect.value()));
        if effect.created {
            self.watch_created(system, effect);
        }
        if let Some(value) = effect.value() {
            let estate = self.estate.as_mut();
            let last = estate.and_then(|estate| estate.values.insert((system.clone(), *id), value));
            let was_two = self.was_one_of_two(system, *id);
            // It stood for the one, and then for the other.
            if last.is_some_and(|last| last > value) && !was_two {
                let what = format!("{kind}/{id} {name} at {system} went from {last:?} back to {value}");
                self.violated("I4", name, what);
            }
        }
        let healthy = self.estate.as_ref().is_some_and(|estate| estate.healthy == *system);
        if healthy && kind == "items" {
            self.no_longer_owed(*id, system);
        }
        let gone = self.targets.get(system).and_then(|v| v.objects.get(id)).is_some_and(|item| item.gone);
        if kind != "marks" && !gone && self.between(0, 10) < 6 {
            self.target_says(system, *id, false);
        }
    }

    fn watch_created(&mut self, system: &System, effect: &Effect) {
        let Some(vendor) = self.targets.get(system) else { return };
        let Some(made) = vendor.objects.get(&effect.id) else { return };
        let same =
            |field: &str, other: &crate::vendor::Item| other.fields.get(field) == made.fields.get(field);
        let twins = vendor.objects.iter().filter(|(id, other)| {
            other.kind == made.kind
                && !other.gone
                && same("key", other)
                && (made.kind != "marks" || same("round", other))
                && (**id == effect.id || !self.is_anothers_again(system, **id))
        });
        let count = twins.count();
        if count > 1 {
            let key = made.fields.get("key").and_then(Value::as_str).unwrap_or_default();
            let what = format!("{system} has {count} {} for {key}", effect.kind);
            let mark = made.fields.get("mark").and_then(Value::as_str).unwrap_or_default();
            let about = format!("{key} {} {mark}", effect.name);
            self.violated("I3", &about, what);
        }
    }

    fn no_longer_owed(&mut self, id: u64, system: &System) {
        let Some(item) = self.targets.get(system).and_then(|vendor| vendor.objects.get(&id)) else { return };
        let held = item.fields.get("value").and_then(Value::as_i64);
        let key = item.fields.get("key").and_then(Value::as_str).unwrap_or_default();
        let Some(source) = self.targets.get(&super::system(files::SOURCE)) else { return };
        let thing = source.objects.iter().find(|(_, item)| item.name == key).map(|(id, _)| *id);
        let (Some(thing), Some(estate)) = (thing, &mut self.estate) else { return };
        if let Some((value, since)) = estate.owed.get_mut(&thing) {
            if held >= Some(*value) {
                estate.owed.remove(&thing);
            } else {
                // Something newer was said meanwhile; it goes next.
                *since = self.now;
            }
        }
    }

    /// I6: what Concord wrote is nobody's edit.
    pub(crate) fn watch_commit(&mut self, units: &[Unit]) {
        if self.estate.is_none() {
            return;
        }
        let ops = || units.iter().flat_map(|unit| &unit.ops);
        let jobs = ops().filter_map(|op| if let Op::PutJob(job) = op { Some(job) } else { None });
        jobs.for_each(|job| self.watch_job(job));
        let decisions: Vec<Decision> = ops()
            .filter_map(|op| match op {
                Op::PutDecision(decision) => Some(decision.clone()),
                _ => None,
            })
            .collect();
        for decision in decisions {
            let judged = matches!(
                decision.kind,
                DecisionKind::Rejected | DecisionKind::Reverted | DecisionKind::Frozen
            );
            let field = decision.field.as_ref().map_or("", canonical::Field::as_str);
            // What people edit there; at the source, and of deletions, anything goes.
            let edited = match decision.system.as_str() {
                files::SOURCE => true,
                files::KEYED | files::FINDER => field == "label" || field.is_empty(),
                _ => field.is_empty(),
            };
            if judged && !edited {
                let what = format!(
                    "{field} of {} was taken for an edit at {}, where nobody edits it ({})",
                    decision.record,
                    decision.system,
                    decision.kind.name()
                );
                let about = self.about_record(decision.record);
                self.violated("I6", &about, what);
            }
        }
    }

    /// By what the diary knows a record: its id, its key, and its objects' addresses.
    pub(super) fn about_record(&self, record: canonical::RecordId) -> String {
        let mut about = record.to_string();
        if let Some(Page::Record(Some(sheet))) = self.page(Look::Record(record)) {
            about +=
                &format!(" {}", sheet.record.fields.get("key").and_then(Value::as_str).unwrap_or_default());
            for link in &sheet.links {
                about += &format!(" {}/{}/", link.object, link.external_id);
            }
        }
        about
    }

    /// I12: throttling opens no breaker. I19: what is held in memory is bounded.
    pub(crate) fn watch_mark(&mut self, mark: &Mark) {
        let now = self.now;
        // A restored store has the orders of its time.
        let restored = match mark {
            Mark::Breaker { system, state: "open", .. } => self.is_forced_open(system),
            _ => false,
        };
        let Some(estate) = &mut self.estate else { return };
        match mark {
            Mark::Breaker { system, operation, state } => {
                let key = (system.clone(), operation.clone());
                if *state != "open" {
                    estate.open.remove(&key);
                    if *state == "half_open" {
                        estate.trying.insert(key);
                    } else {
                        estate.trying.remove(&key);
                    }
                    return;
                }
                estate.open.entry(key.clone()).or_insert(now);
                // One bad answer to a trial is enough.
                let ill = estate.trying.remove(&key);
                let failed = self.targets.get(system).and_then(|vendor| vendor.failed_at);
                let forced = estate.standing.contains(&(system.clone(), super::Standing::Forced(true)));
                let ill = ill || forced || restored || failed.is_some_and(|last| now <= last + ILL_LATELY);
                if !ill {
                    let what = format!("the breaker of {system} opened although nothing was wrong there");
                    self.violated("I12", system.as_str(), what);
                }
            }
            // It starts again with breakers that know nothing.
            Mark::Configured { system, renewed: true } => {
                estate.open.retain(|(of, _), _| of != system);
                estate.trying.retain(|(of, _)| of != system);
            }
            Mark::Gauges { system, held, .. } => {
                let held: usize = held.iter().sum();
                // Each lane may fill its third although the window is full.
                if held > files::WINDOW * 2 + 6 {
                    let what = format!("{system} holds {held} deliveries in memory");
                    self.violated("I19", system.as_str(), what);
                }
            }
            _ => {}
        }
    }
}

/// The breakers of a call's operations: one that is closed lets it go. A look by key or by mark belongs to the write that it is
/// for, or stands for itself.
fn breakers(request: &Request) -> Vec<String> {
    let object = request.path.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default();
    let (write, read) = (format!("write {object}"), "read".to_owned());
    let looks = request.path.contains("?key=") || request.path.contains("?mark=");
    match (request.method.as_str(), looks) {
        ("GET", true) => vec![write, read],
        ("GET", false) => vec![read],
        _ => vec![write],
    }
}
