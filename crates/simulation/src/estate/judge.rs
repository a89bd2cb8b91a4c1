//! The last judgement: after the faults are over, all must agree, and the ledger must say what the world shows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use canonical::System;
use ledger::State;
use serde_json::{Value, json};
use store::browse::{DeliveryFilter, EventFilter, GroupFilter, Look, MessageFilter, Page};

use super::{Mode, files, system};
use crate::driver::Simulation;
use crate::vendor::{Item, Vendor};

/// Nothing is put off for longer.
const PUT_OFF_MAX: Duration = Duration::from_secs(900);

impl Simulation {
    /// Everything at the source is said once more.
    pub(super) fn touch_all(&mut self) {
        let Some(estate) = &self.estate else { return };
        let ids: Vec<u64> = estate.groups.iter().chain(&estate.things).copied().collect();
        for id in ids {
            let value = self.serial();
            self.source_change(id, BTreeMap::from([("value".to_owned(), json!(value))]));
        }
    }

    /// Judges what can only be judged in the end.
    pub(crate) fn judge_estate(&mut self) {
        let Some(mode) = self.estate.as_ref().map(|estate| estate.mode) else { return };
        self.judge_rates();
        if mode == Mode::Safety {
            return;
        }
        let deaf: Vec<String> = self
            .sayings
            .iter()
            .filter(|saying| !saying.acknowledged)
            .filter_map(|saying| saying.observation.event_id.clone())
            .collect();
        if let Some(first) = deaf.first() {
            let what = format!("{} messages were never acknowledged, {first} first", deaf.len());
            self.violated("I1", &first.clone(), what);
        }
        let open = DeliveryFilter {
            states: vec![State::Pending, State::Retrying, State::Parked, State::Uncertain, State::Dead],
            limit: 1000,
            ..DeliveryFilter::default()
        };
        if let Some(Page::Deliveries(rows)) = self.page(Look::Deliveries(open))
            && let Some((_, row)) = rows.first()
        {
            let why = row.reason.as_ref().map_or("", |reason| reason.message.as_str());
            let what = format!(
                "{} deliveries did not come to rest, one to {} as {}: {} {why}",
                rows.len(),
                row.system,
                row.object,
                row.state.name()
            );
            let about = row.record.to_string();
            self.violated("I1", &about, what);
        }
        self.judge_messages();
        self.judge_targets();
        self.judge_marks();
        self.judge_rows();
        self.judge_bulk();
        self.judge_merges();
        self.judge_groups();
    }

    /// I8: where nothing needs a person any more, no group of failures says that something does.
    fn judge_groups(&mut self) {
        let open = GroupFilter { open: Some(true), limit: 1000, ..GroupFilter::default() };
        let Some(Page::Groups(groups)) = self.page(Look::Groups(open)) else { return };
        if let Some((_, group)) = groups.first() {
            let what = format!(
                "{} groups of failures are open, and nothing is in them; the first counts {} waiting, {} again: {}",
                groups.len(),
                group.waiting,
                group.again,
                group.why.class
            );
            self.violated("I8", group.system.as_str(), what);
        }
    }

    /// What was said before the last replays is there without them: a replay is no way to heal.
    pub(super) fn judge_targets(&mut self) {
        self.judge_dues();
        for (name, _) in files::TARGETS {
            self.judge_target(&system(name));
        }
    }

    /// I17: nothing waits for a time that lies further ahead than anything is ever put off.
    pub(super) fn judge_dues(&mut self) {
        let open = DeliveryFilter {
            states: vec![State::Pending, State::Retrying],
            limit: 1000,
            ..DeliveryFilter::default()
        };
        let Some(Page::Deliveries(rows)) = self.page(Look::Deliveries(open)) else { return };
        let now = self.clock().wall;
        let late = rows.iter().find(|(_, row)| row.due.since(now) > PUT_OFF_MAX);
        if let Some((_, row)) = late {
            let ahead = row.due.since(now).as_secs();
            let what = format!("a delivery to {} is due in {ahead} s by a clock that jumped", row.system);
            let about = row.record.to_string();
            self.violated("I17", &about, what);
        }
    }

    fn judge_messages(&mut self) {
        let states = vec![
            intake::MessageState::Quarantined,
            intake::MessageState::Parked,
            intake::MessageState::Ready,
        ];
        let filter = MessageFilter { states, limit: 1000, ..MessageFilter::default() };
        let Some(Page::Messages(messages)) = self.page(Look::Messages(filter)) else { return };
        if let Some((_, message)) = messages.first() {
            let why = message.reason.as_ref().map_or("", |reason| reason.message.as_str());
            let about = message.event_id.clone().unwrap_or_default();
            let what = format!(
                "{} messages did not come to rest, {about} as {:?}: {why}",
                messages.len(),
                message.state
            );
            self.violated("I1", &about, what);
        }
    }

    /// I1, I5, I6, I8: what a target holds of every live object of the source.
    fn judge_target(&mut self, target: &System) {
        let source = self.targets.get(&system(files::SOURCE)).cloned();
        let (Some(source), Some(vendor)) = (source, self.targets.get(target).cloned()) else { return };
        let notes = self.targets.get(&system(files::UP)).cloned().unwrap_or_else(|| vendor.clone());
        for item in source.objects.values() {
            let kind = if item.kind == "things" { "items" } else { "groups" };
            let held: Vec<&Item> = live(&vendor, kind, &item.name).collect();
            let wanted = kind == "groups"
                || target.as_str() != files::KEYED
                || item.fields.get("active") == Some(&json!(true));
            let what = match held.as_slice() {
                [_] if item.gone && kind == "items" && files::ENDING.contains(&target.as_str()) => {
                    Some(("I8", "is still there, although it is deleted".to_owned()))
                }
                [] | [_] if item.gone => continue,
                [] if !wanted => continue,
                [_] if !wanted => Some(("I8", "is still there, although it left the filter".to_owned())),
                [] => Some(("I1", "is not there".to_owned())),
                [held] => differs(target, item, held, &vendor, &source, &notes),
                more => Some(("I3", format!("is there {} times", more.len()))),
            };
            if let Some((invariant, what)) = what {
                // What a person gave up, with a reason, stays as it was.
                let given_up = |ledger: &str| {
                    invariant == "I8"
                        && (ledger.starts_with("discarded") || ledger.starts_with("skipped (ann"))
                };
                let ledger = self.in_ledger(target, &item.name);
                // No listing shows what was made after the backup and deleted before it was read again.
                let unborn = self.estate.as_ref().is_some_and(|estate| estate.unborn.contains(&item.name));
                if given_up(&ledger) || item.gone && unborn && ledger == "not" {
                    continue;
                }
                // What is said to be there and is not is the ledger's lie.
                let invariant =
                    if ledger.starts_with("delivered") && invariant == "I1" { "I8" } else { invariant };
                let what = format!("{} {what} at {target}; the ledger has it {ledger}", item.name);
                self.violated(invariant, &item.name, what);
            }
        }
    }

    /// What the ledger says of a key at a target.
    fn in_ledger(&self, target: &System, key: &str) -> String {
        let filter =
            DeliveryFilter { system: Some(target.clone()), limit: 1000, ..DeliveryFilter::default() };
        let Some(Page::Deliveries(rows)) = self.page(Look::Deliveries(filter)) else { return String::new() };
        for (_, row) in rows {
            let Some(Page::Record(Some(sheet))) = self.page(Look::Record(row.record)) else { continue };
            if sheet.record.fields.get("key").and_then(Value::as_str) == Some(key)
                && row.object.as_str() != "marks"
            {
                let why = row.reason.as_ref().map_or("", |reason| reason.message.as_str());
                return format!(
                    "{} ({why}), record {} {:?}",
                    row.state.name(),
                    row.record,
                    sheet.record.alive
                );
            }
        }
        "not".to_owned()
    }

    /// I3, I8: each closing that became an event came once.
    fn judge_marks(&mut self) {
        let filter =
            EventFilter { kind: Some("ThingClosed".to_owned()), limit: 1000, ..EventFilter::default() };
        let Some(Page::Events(events)) = self.page(Look::Events(filter)) else { return };
        let delivered = DeliveryFilter {
            route: Some("closed.keyed".to_owned()),
            states: vec![State::Delivered],
            limit: 1000,
            ..DeliveryFilter::default()
        };
        let Some(Page::Deliveries(rows)) = self.page(Look::Deliveries(delivered)) else { return };
        let Some(vendor) = self.targets.get(&system(files::KEYED)).cloned() else { return };
        for (_, event) in events {
            let told = rows.iter().any(|(_, row)| row.key.subject == ledger::Subject::Event(event.id));
            let same = |item: &&Item, field: &str| item.fields.get(field) == event.data.get(field);
            let marks = vendor
                .objects
                .values()
                .filter(|item| item.kind == "marks" && same(item, "key") && same(item, "round"));
            let count = marks.count();
            if told && count == 0 {
                let key = event.data.get("key").and_then(Value::as_str).unwrap_or_default().to_owned();
                let what =
                    format!("the closing of {key} is said to be delivered, and {} has no mark", files::KEYED);
                self.violated("I8", &key, what);
            }
        }
    }

    /// I9: in no window were there more calls than the limits allow.
    fn judge_rates(&mut self) {
        let Some(estate) = &self.estate else { return };
        let mut found = None;
        for (system, calls) in &estate.sent {
            for window in [1_u64, 10, 60] {
                let most = most_within(calls, window * 1_000_000);
                for (size, per) in files::LIMITS {
                    let allowed = size + size * window / per + 1;
                    if most > allowed {
                        found = Some((
                            system.clone(),
                            format!(
                                "{system} had {most} calls within {window} s; {size} in {per} s allow {allowed}"
                            ),
                        ));
                    }
                }
            }
        }
        if let Some((system, what)) = found {
            self.violated("I9", system.as_str(), what);
        }
    }

    /// I3: one record per object of the source. I19: one obligation per record and route, however many changes there
    /// were.
    fn judge_rows(&mut self) {
        let source = self.targets.get(&system(files::SOURCE));
        let objects = source.map_or(0, |source| source.objects.len());
        let all = DeliveryFilter { limit: 1000, ..DeliveryFilter::default() };
        let Some(Page::Deliveries(rows)) = self.page(Look::Deliveries(all)) else { return };
        let sync = rows.iter().filter(|(_, row)| matches!(row.key.subject, ledger::Subject::Record(_)));
        let (count, records) =
            (sync.clone().count(), sync.map(|(_, row)| row.record).collect::<BTreeSet<_>>().len());
        if records > objects {
            self.violated("I3", "", format!("{records} records for {objects} objects of the source"));
        }
        if count > records * files::TARGETS.len() {
            self.violated("I19", "", format!("{count} obligations for {records} records"));
        }
    }
}

fn live<'v>(vendor: &'v Vendor, kind: &str, key: &str) -> impl Iterator<Item = &'v Item> {
    let (kind, key) = (kind.to_owned(), json!(key));
    vendor
        .objects
        .values()
        .filter(move |item| item.kind == kind && !item.gone && item.fields.get("key") == Some(&key))
}

/// What an object at a target lacks.
fn differs(
    target: &System,
    item: &Item,
    held: &Item,
    vendor: &Vendor,
    source: &Vendor,
    notes: &Vendor,
) -> Option<(&'static str, String)> {
    let shown =
        |fields: &BTreeMap<String, Value>, name: &str| fields.get(name).cloned().unwrap_or(json!(null));
    let names: &[&str] =
        if item.kind == "things" { &["value", "stage", "active", "label"] } else { &["value"] };
    for name in names {
        let (wanted, has) = (shown(&item.fields, name), shown(&held.fields, name));
        if wanted != has {
            // What a person wrote over the owner's value stands.
            let persons = has.as_str().is_some_and(|text| text.starts_with("person"));
            let invariant = if persons { "I5" } else { "I1" };
            return Some((invariant, format!("has {name} {has} instead of {wanted}")));
        }
    }
    if item.kind != "things" {
        return None;
    }
    // Its group there is the group it has at the source.
    let group = shown(&held.fields, "group").as_str().and_then(|id| id.parse().ok());
    let group = group.and_then(|id: u64| vendor.objects.get(&id)).map(|group| shown(&group.fields, "key"));
    let wanted = shown(&item.fields, "group").as_str().and_then(|id| id.parse().ok());
    let wanted = wanted.and_then(|id: u64| source.objects.get(&id)).map(|group| shown(&group.fields, "key"));
    if group != wanted {
        return Some(("I1", format!("belongs to {group:?} instead of {wanted:?}")));
    }
    // The note is its owner's.
    let owned = live(notes, "items", &item.name).next().map(|owner| shown(&owner.fields, "note"));
    let note = shown(&held.fields, "note");
    if target.as_str() != files::UP && owned.as_ref().is_some_and(|owned| *owned != note) {
        return Some(("I5", format!("has note {note} instead of its owner's {owned:?}")));
    }
    None
}

/// The most calls within any window of that length.
fn most_within(calls: &[u64], window: u64) -> u64 {
    let (mut first, mut most) = (0, 0);
    for (last, at) in calls.iter().enumerate() {
        while calls.get(first).is_some_and(|begin| begin + window <= *at) {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most as u64
}
