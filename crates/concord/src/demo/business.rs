//! A subscription business: seeded people in three systems who sell, bill, market, and sometimes edit in the wrong
//! place. Pure: it says what somebody does next, and writes its diary when that was done.

mod people;
mod trades;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::diary::{Counted, Diary, Key, Kind, Often, Place, Policy, Stray, owner};
use super::dice::Dice;

/// What somebody does in one system's own screens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Deed {
    pub(crate) place: Place,
    pub(crate) key: Key,
    /// Whether the record is made by it.
    pub(crate) creates: bool,
    pub(crate) changes: Vec<Change>,
    /// Not the owner's: what must become of it.
    pub(crate) stray: Option<Policy>,
    /// What a target is told because of it, in place of what it would have been told.
    pub(crate) tells: Option<(Counted, Often)>,
}

/// One field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    Set(&'static str, String),
    /// To another record, which must be visible in the same system.
    Refer(&'static str, Key),
}

/// What can be seen in the systems' screens: the vendors' ids by record.
pub(crate) type Screen = BTreeMap<(Place, Key), String>;

/// Who of the business may work now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mood {
    /// Nobody can work in this system.
    pub(crate) away: Option<Place>,
    /// Nobody edits in the wrong place any more, nothing new is begun: the end is near.
    pub(crate) winding_down: bool,
}

/// The business.
#[derive(Debug)]
pub(crate) struct Business {
    dice: Dice,
    pub(crate) diary: Diary,
    numbers: BTreeMap<Kind, u32>,
    counters: BTreeMap<(Key, &'static str), u32>,
    ranks: BTreeMap<Kind, Vec<Key>>,
    /// Deeds that belong together, one after the other.
    queue: VecDeque<Deed>,
    /// How far each thing that moves on has come.
    stages: BTreeMap<Key, usize>,
    /// The account of each thing that has one.
    accounts: BTreeMap<Key, Key>,
    /// Opportunities with an order.
    ordered: BTreeSet<Key>,
    /// Accounts whose card nobody can make sense of just now.
    garbled: BTreeSet<Key>,
}

impl Change {
    /// The field.
    pub(crate) fn field(&self) -> &'static str {
        match self {
            Self::Set(field, _) | Self::Refer(field, _) => field,
        }
    }

    /// The value, in the words of the business.
    pub(crate) fn value(&self) -> Option<&str> {
        match self {
            Self::Set(_, value) => Some(value),
            Self::Refer(_, key) => Some(&key.id),
        }
    }
}

impl Business {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            diary: Diary::default(),
            numbers: BTreeMap::new(),
            counters: BTreeMap::new(),
            ranks: BTreeMap::new(),
            queue: VecDeque::new(),
            stages: BTreeMap::new(),
            accounts: BTreeMap::new(),
            ordered: BTreeSet::new(),
            garbled: BTreeSet::new(),
        }
    }

    /// What somebody does next; `None` when nobody finds anything to do.
    pub(crate) fn next(&mut self, screen: &Screen, mood: Mood) -> Option<Deed> {
        let mut deed = self.choose(screen, mood)?;
        self.number(&mut deed);
        Some(deed)
    }

    /// The cards in the owner's system count their changes.
    fn number(&mut self, deed: &mut Deed) {
        let counts = deed.key.kind != Kind::Product && deed.stray.is_none();
        if counts && owner(deed.key.kind, "version") == deed.place {
            let version = self.count(&deed.key, "version");
            deed.changes.push(Change::Set("version", version.to_string()));
        }
    }

    fn choose(&mut self, screen: &Screen, mood: Mood) -> Option<Deed> {
        if let Some(position) = self.queue.iter().position(|deed| can(deed, screen, mood)) {
            return self.queue.remove(position);
        }
        for _ in 0..12 {
            let drawn = self.draw(screen, mood);
            let mut possible = drawn.into_iter();
            if let Some(deed) = possible.next().filter(|deed| can(deed, screen, mood)) {
                self.queue.extend(possible);
                return Some(deed);
            }
        }
        None
    }

    /// What was begun and not brought to its end; nothing new.
    pub(crate) fn left_over(&mut self, screen: &Screen) -> Option<Deed> {
        let mood = Mood { away: None, winding_down: true };
        let position = self.queue.iter().position(|deed| can(deed, screen, mood))?;
        let mut deed = self.queue.remove(position)?;
        self.number(&mut deed);
        Some(deed)
    }

    /// It was done: the diary says so.
    pub(crate) fn done(&mut self, deed: &Deed, at_ms: u64) {
        self.diary.edits += 1;
        if let Some((what, often)) = &deed.tells {
            self.diary.told.insert(what.clone(), *often);
        }
        if deed.stray == Some(Policy::Garbage) {
            self.diary.bad_messages += 1;
            return;
        }
        if deed.creates {
            self.ranks.entry(deed.key.kind).or_default().push(deed.key.clone());
        }
        for change in &deed.changes {
            match (deed.stray, change.value()) {
                (None, value) => self.diary.say(&deed.key, change.field(), deed.place, value, at_ms),
                (Some(policy), Some(value)) => self.diary.strays.push(Stray {
                    key: deed.key.clone(),
                    field: change.field(),
                    place: deed.place,
                    at_ms,
                    value: value.to_owned(),
                    policy,
                }),
                (Some(_), None) => {}
            }
        }
    }

    /// The next business id of a kind.
    fn fresh(&mut self, kind: Kind) -> Key {
        let prefix = match kind {
            Kind::Account => "A",
            Kind::Contact => "P",
            Kind::Lead => "L",
            Kind::Opportunity => "D",
            Kind::Product => "SKU",
            Kind::Order => "O",
            Kind::Invoice => "I",
            Kind::Subscription => "S",
        };
        let number = self.numbers.entry(kind).or_default();
        *number += 1;
        Key::new(kind, format!("{prefix}-{number:05}"))
    }

    /// Counts up per record and field, so that no value is said twice.
    fn count(&mut self, key: &Key, field: &'static str) -> u32 {
        let counter = self.counters.entry((key.clone(), field)).or_default();
        *counter += 1;
        *counter
    }

    /// One record of a kind: often one of the last few, so that some are busy.
    fn some(&mut self, kind: Kind) -> Option<Key> {
        let all = self.ranks.get(&kind)?;
        let busy = self.dice.below(10) < 4;
        let of = if busy { &all[all.len().saturating_sub(4)..] } else { all };
        self.dice.one(of).cloned()
    }
}

/// Whether people can do this now: they can work there, and see what it is about.
fn can(deed: &Deed, screen: &Screen, mood: Mood) -> bool {
    let sees = |key: &Key| screen.contains_key(&(deed.place, key.clone()));
    mood.away != Some(deed.place)
        && (deed.creates || sees(&deed.key))
        && deed.changes.iter().all(|change| match change {
            Change::Refer(_, to) => sees(to),
            Change::Set(..) => true,
        })
}

#[cfg(test)]
mod tests;
