//! The proof: what the sandboxes hold and received, compared with what the business did. The hub is never asked.

use std::collections::BTreeMap;

use sandbox::Books;
use sandbox::shelf::{Actor, Object};

use super::diary::{Diary, Entry, FieldDiary, Key, Often, Place, Policy, Said};
use super::timeline::{self, Read, Step};
use super::views::View;

/// The counter of messages in marketing's books.
const TOLD: &str = "events_received";

/// A time in which a system was kept from working.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Outage {
    pub(crate) place: Place,
    pub(crate) from_ms: u64,
    pub(crate) until_ms: u64,
}

/// What came out.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Findings {
    /// Changes that a target should know, one per target.
    pub(crate) expected: u64,
    /// Of these: the very value arrived.
    pub(crate) delivered: u64,
    /// Of these: a newer value arrived in its place.
    pub(crate) superseded: u64,
    /// Of these: neither.
    pub(crate) lost: u64,
    /// Live objects with one business id, and side effects that happened twice.
    pub(crate) duplicate_effects: u64,
    /// Older values that arrived after newer ones.
    pub(crate) out_of_order: u64,
    /// Writes over an owner's value, and strays that reached another system.
    pub(crate) ownership_violations: u64,
    /// Records, and how many are as they should be in every system.
    pub(crate) records: u64,
    pub(crate) agreeing: u64,
    /// Times from an edit to the target in ms, sorted: in calm times,
    pub(crate) calm_ms: Vec<u64>,
    /// between systems that were well while another was not,
    pub(crate) beside_ms: Vec<u64>,
    /// (the two, per way from one system to another)
    ways: BTreeMap<(Place, Place), Way>,
    /// and to or from systems that were not.
    pub(crate) outage_ms: BTreeMap<Place, Vec<u64>>,
    /// The first few things that are wrong, for people.
    pub(crate) complaints: Vec<String>,
}

/// Times on the way from one system to another, in calm times and beside an outage of a third.
#[derive(Clone, PartialEq, Debug, Default)]
struct Way {
    calm_ms: Vec<u64>,
    beside_ms: Vec<u64>,
}

/// Below so many calm times a way has no p95 of its own.
const CALM_MIN: usize = 10;
/// What a busy machine may add to any time.
const BUSY_MS: u64 = 250;

/// Complaints kept for people.
const COMPLAINTS_MAX: usize = 40;

/// Proves.
pub(crate) fn prove(
    diary: &Diary,
    books: &BTreeMap<Place, Books>,
    views: &[View],
    outages: &[Outage],
) -> Findings {
    let (shelves, names) = (BTreeMap::new(), BTreeMap::new());
    let mut proof = Prover { diary, views, outages, found: Findings::default(), shelves, names };
    for (place, books) in books {
        proof.shelve(*place, books);
        proof.effects(*place, books);
    }
    for (key, entry) in &diary.records {
        proof.record(key, entry);
    }
    let mut found = proof.found;
    let times = [&mut found.calm_ms, &mut found.beside_ms];
    let ways = found.ways.values_mut().map(|way| &mut way.calm_ms);
    times.into_iter().chain(ways).chain(found.outage_ms.values_mut()).for_each(|times| times.sort_unstable());
    found
}

type ObjectKey = (Place, &'static str, String);

struct Prover<'p> {
    diary: &'p Diary,
    views: &'p [View],
    outages: &'p [Outage],
    found: Findings,
    /// Live objects by business id; a second one of an id is a duplicate.
    shelves: BTreeMap<ObjectKey, Vec<&'p Object>>,
    /// Business ids by the vendors' ids.
    names: BTreeMap<ObjectKey, String>,
}

impl<'p> Prover<'p> {
    fn complain(&mut self, what: String) {
        if self.found.complaints.len() < COMPLAINTS_MAX {
            self.found.complaints.push(what);
        }
    }

    /// Sorts a system's live objects by their business ids.
    fn shelve(&mut self, place: Place, books: &'p Books) {
        for view in self.views.iter().filter(|view| view.place == place) {
            for object in books.objects.get(view.object).into_iter().flat_map(BTreeMap::values) {
                let id = timeline::look(&object.values, view.id, Read::Text);
                if let Some(id) = &id {
                    self.names.insert((place, view.object, object.id.clone()), id.clone());
                }
                if let Some(id) = id.filter(|_| object.archived_ms.is_none()) {
                    let shelf = self.shelves.entry((place, view.object, id)).or_default();
                    // Two kinds of record may share an object type, and so two views.
                    if !shelf.iter().any(|known| known.id == object.id) {
                        shelf.push(object);
                    }
                }
            }
        }
        let twice: Vec<String> = (self.shelves.iter())
            .filter(|((at, _, _), shelf)| *at == place && shelf.len() > 1)
            .map(|((_, object, id), shelf)| {
                format!("{}: {} live {object} are {id}", place.name(), shelf.len())
            })
            .collect();
        self.found.duplicate_effects += twice.len() as u64;
        twice.into_iter().for_each(|what| self.complain(what));
    }

    /// Counts what cannot be taken back against what the business caused.
    fn effects(&mut self, place: Place, books: &Books) {
        for (counter, counts) in &books.effects {
            for (id, count) in counts {
                let told = self.diary.told.get(&(place, id.clone())).copied();
                let most = told.map_or(1, |often| often.most);
                if *count > most {
                    self.found.duplicate_effects += count - most;
                    self.complain(format!(
                        "{}: {counter} moved {count} times for {id}, not {most}",
                        place.name()
                    ));
                }
            }
        }
        let received = books.effects.get(TOLD);
        for ((_, id), Often { least, .. }) in self.diary.told.iter().filter(|((at, _), _)| *at == place) {
            let count = received.and_then(|counts| counts.get(id)).copied().unwrap_or(0);
            self.found.expected += least;
            self.found.delivered += count.min(*least);
            if count < *least {
                self.found.lost += least - count;
                self.complain(format!("{}: told {count} times of {id}, not {least}", place.name()));
            }
        }
    }

    fn record(&mut self, key: &'p Key, entry: &'p Entry) {
        let mut agrees = true;
        for view in self.views.iter().filter(|view| view.kind == key.kind) {
            let shelf = self.shelves.get(&(view.place, view.object, key.id.clone()));
            let object = shelf.and_then(|shelf| shelf.first().copied());
            let never = view.applies_from(entry, 0).is_none();
            let now = view.applies_from(entry, u64::MAX).is_some();
            match object {
                None if now => {
                    agrees = false;
                    self.missing(view, key, entry);
                }
                None => {}
                Some(_) if never => {
                    agrees = false;
                    self.complain(format!(
                        "{}: {} {} should not be there",
                        view.place.name(),
                        key.kind.name(),
                        key.id
                    ));
                }
                Some(object) => {
                    for (field, path, read) in view.fields {
                        let equal = self.field(view, key, entry, object, (field, path, *read));
                        // Who has left is not kept up to date.
                        agrees &= equal || !now;
                    }
                }
            }
        }
        self.found.records += 1;
        self.found.agreeing += u64::from(agrees);
    }

    /// A record that a system never got: everything said about it is lost there.
    fn missing(&mut self, view: &View, key: &Key, entry: &Entry) {
        let said = view
            .fields
            .iter()
            .filter_map(|(field, _, _)| entry.fields.get(field))
            .flat_map(|field| &field.said);
        let lost = said.filter(|said| said.place != view.place).count().max(1) as u64;
        self.found.expected += lost;
        self.found.lost += lost;
        self.complain(format!("{}: {} {} is not there", view.place.name(), key.kind.name(), key.id));
    }

    /// Judges one field of one object. Whether it is as it should be.
    fn field(
        &mut self,
        view: &View,
        key: &Key,
        entry: &Entry,
        object: &Object,
        (field, path, read): (&'static str, &str, Read),
    ) -> bool {
        let Some(diary) = entry.fields.get(field) else { return true };
        let mut steps = timeline::of(object, path, read);
        if let Read::Ref(to) = read {
            for id in steps.iter_mut().filter_map(|step| step.value.as_mut()) {
                if let Some(name) = self.names.get(&(view.place, to, id.clone())) {
                    id.clone_from(name);
                }
            }
        }
        let name = format!("{}: {} {} {field}", view.place.name(), key.kind.name(), key.id);
        if diary.owner == view.place {
            self.owned(&name, &steps);
        }
        self.arrivals(view, &name, entry, diary, &steps);
        self.strays(view.place, key, field, &name, diary, &steps);
        let holds = steps.last().and_then(|step| step.value.as_deref());
        let wanted = entry.now(field);
        let agrees = holds == wanted
            || self.standing(view.place, key, field).is_some_and(|stray| holds == Some(stray));
        if !agrees && view.applies_from(entry, u64::MAX).is_some() {
            self.complain(format!("{name} is {holds:?}, not {wanted:?}"));
        }
        agrees
    }

    /// Nobody but people may change a field in its owner's system; where it was empty, a first value may come in.
    fn owned(&mut self, name: &str, steps: &[Step]) {
        for pair in steps.windows(2) {
            let (held, step) = (&pair[0], &pair[1]);
            if step.by == Actor::Integration && held.value.is_some() {
                self.found.ownership_violations += 1;
                self.complain(format!("{name} was overwritten in its owner's system with {:?}", step.value));
            }
        }
    }

    /// What arrived of what was said elsewhere, how soon, and in which order.
    fn arrivals(&mut self, view: &View, name: &str, entry: &Entry, diary: &FieldDiary, steps: &[Step]) {
        let written: Vec<&Step> = steps.iter().filter(|step| step.by == Actor::Integration).collect();
        let positions = self.positions(name, &diary.said, &written);
        // Nobody needs telling that a field which was never set is not set.
        let known = diary.said.iter().enumerate().skip_while(|(_, said)| said.value.is_none());
        for (index, said) in known.filter(|(_, said)| said.place != view.place) {
            // Nothing is due there before the record is; by then it may be old news.
            let Some(due_ms) = view.applies_from(entry, said.at_ms) else { continue };
            if due_ms > said.at_ms && diary.said.get(index + 1).is_some_and(|next| next.at_ms <= due_ms) {
                continue;
            }
            self.found.expected += 1;
            let arrived = positions.iter().find(|(position, _)| *position >= index);
            match arrived {
                Some((position, at_ms)) if *position == index => {
                    self.found.delivered += 1;
                    self.time(view.place, said.place, due_ms, *at_ms);
                }
                Some(_) => self.found.superseded += 1,
                // The last word of a field that holds the right value anyway needed no write.
                None if steps.last().and_then(|step| step.value.as_ref())
                    == diary.said.last().and_then(|said| said.value.as_ref()) =>
                {
                    self.found.superseded += 1;
                }
                // Who has left is not kept up to date.
                None if view.applies_from(entry, u64::MAX).is_none() => self.found.superseded += 1,
                None => {
                    self.found.lost += 1;
                    self.complain(format!("{name}: {:?} never arrived", said.value));
                }
            }
        }
    }

    /// Which of the said values each write was, oldest first; a write that fits only further back went backwards.
    fn positions(&mut self, name: &str, said: &[Said], written: &[&Step]) -> Vec<(usize, u64)> {
        let mut positions: Vec<(usize, u64)> = Vec::new();
        let mut from = 0;
        for step in written {
            let fits = |said: &Said| said.value == step.value && said.at_ms <= step.at_ms;
            let ahead = said.iter().enumerate().skip(from).find(|(_, said)| fits(said));
            match ahead {
                Some((position, _)) => {
                    from = position;
                    positions.push((position, step.at_ms));
                }
                None if said[..from].iter().any(fits) => {
                    self.found.out_of_order += 1;
                    self.complain(format!("{name}: the older {:?} came after a newer value", step.value));
                }
                // A value that nobody said is judged with the strays.
                None => {}
            }
        }
        positions
    }

    /// A stray must not be carried anywhere by the hub.
    fn strays(
        &mut self,
        place: Place,
        key: &Key,
        field: &str,
        name: &str,
        diary: &FieldDiary,
        steps: &[Step],
    ) {
        let meant = |value: &String| diary.said.iter().any(|said| said.value.as_ref() == Some(value));
        let strays: Vec<String> = (self.diary.strays.iter())
            .filter(|stray| stray.key == *key && stray.field == field && stray.place != place)
            .map(|stray| stray.value.clone())
            // A word that the owner uses, too, tells nothing.
            .filter(|value| !meant(value))
            .collect();
        for step in steps.iter().filter(|step| step.by == Actor::Integration) {
            if step.value.as_ref().is_some_and(|value| strays.contains(value)) {
                self.found.ownership_violations += 1;
                self.complain(format!(
                    "{name}: {:?}, which its owner never said, was carried here",
                    step.value
                ));
            }
        }
    }

    /// The last edit of somebody who does not own the field, where it may stay.
    fn standing(&self, place: Place, key: &Key, field: &str) -> Option<&'p str> {
        let stray =
            self.diary.strays.iter().rev().find(|s| s.key == *key && s.field == field && s.place == place)?;
        let spoke = self.diary.records.get(key).and_then(|entry| entry.fields.get(field)?.said.last());
        let overruled = spoke.is_some_and(|said| said.at_ms > stray.at_ms);
        (stray.policy == Policy::Reject && !overruled).then_some(stray.value.as_str())
    }

    fn time(&mut self, place: Place, from: Place, said_ms: u64, arrived_ms: u64) {
        let took = arrived_ms.saturating_sub(said_ms);
        let during = |outage: &&Outage| said_ms < outage.until_ms && arrived_ms >= outage.from_ms;
        let met: Vec<Place> = self.outages.iter().filter(during).map(|outage| outage.place).collect();
        let found = &mut self.found;
        // What an ill system says is late, too: it cannot be read.
        if let Some(ill) = [place, from].into_iter().find(|place| met.contains(place)) {
            found.outage_ms.entry(ill).or_default().push(took);
        } else if met.is_empty() {
            found.calm_ms.push(took);
            found.ways.entry((from, place)).or_default().calm_ms.push(took);
        } else {
            found.beside_ms.push(took);
            found.ways.entry((from, place)).or_default().beside_ms.push(took);
        }
    }
}

impl Findings {
    /// Share of records that are as they should be in every system.
    pub(crate) fn agreement(&self) -> f64 {
        if self.records == 0 { 0.0 } else { self.agreeing as f64 / self.records as f64 }
    }

    /// How many changes between two systems that were well took longer, beside an outage of the third, than half as
    /// much again as 95 % do on the same way in calm times. Were there no outage, 5 % would.
    pub(crate) fn late_beside(&self) -> u64 {
        let late = self.ways.values().map(|way| {
            let calm = if way.calm_ms.len() >= CALM_MIN { &way.calm_ms } else { &self.calm_ms };
            let bound = quantile(calm, 0.95).unwrap_or(0) * 3 / 2 + BUSY_MS;
            way.beside_ms.iter().filter(|took| **took > bound).count() as u64
        });
        late.sum()
    }

    /// Whether nothing is wrong and nothing is still to come.
    pub(crate) fn settled(&self) -> bool {
        self.lost == 0 && self.agreeing == self.records
    }
}

/// The time that a share of the sorted times is at or under.
pub(crate) fn quantile(sorted: &[u64], share: f64) -> Option<u64> {
    let last = sorted.len().checked_sub(1)?;
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1).min(last)).copied()
}

#[cfg(test)]
mod tests;
