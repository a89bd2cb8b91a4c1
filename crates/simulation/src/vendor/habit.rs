//! What a vendor does to what it is given, and how it shows it: it writes a text its own way, stamps its states by its own
//! clock, and answers a read from a replica that lags.

use std::collections::BTreeMap;

use canonical::Wall;
use connector::Request;
use serde_json::{Value, json};

use super::{Item, Vendor};
use crate::driver::START;

/// The furthest that a replica lags behind, in microseconds.
pub(crate) const LAG_MAX: u64 = 2_000_000;
/// The furthest that it lags behind, in changes of the object.
const REVISIONS_MAX: u64 = 3;

/// How a vendor treats its objects.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Habits {
    /// It keeps what an object was.
    pub(crate) remembers: bool,
    /// It says when an object changed, by a clock that is so many microseconds off.
    pub(crate) stamps: Option<i64>,
    /// It writes this field its own way: in capitals, with blanks around.
    pub(crate) shouts: Option<&'static str>,
    /// So many in a thousand reads are answered from a replica that lags.
    pub(crate) lags: u64,
}

/// How far behind an answer is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Replica {
    revisions: usize,
    /// What was superseded before this it does not show any more.
    since: u64,
}

impl Habits {
    /// Whether a replica answers, and which.
    pub(super) fn replica(&self, request: &Request, now: u64, random: u64) -> Option<Replica> {
        let lags = request.method == "GET" && (random >> 33) % 1000 < self.lags;
        let revisions = usize::try_from(1 + (random >> 45) % REVISIONS_MAX).unwrap_or(1);
        lags.then_some(Replica { revisions, since: now.saturating_sub(LAG_MAX) })
    }

    /// What it makes of what is written.
    pub(super) fn dressed(&self, fields: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
        let mut fields = fields.clone();
        if let Some(Value::String(text)) = self.shouts.and_then(|name| fields.get_mut(name)) {
            *text = format!("  {} ", text.trim().to_uppercase());
        }
        fields
    }

    /// When the object changed, by its own clock.
    pub(super) fn stamp(&self, item: &Item, shown: &mut Value) {
        if let (Some(off), Some(shown)) = (self.stamps, shown.as_object_mut()) {
            let at = stamp(item.changed, off);
            shown.insert("changed".to_owned(), json!(at.to_string()));
            shown.insert("changed_ms".to_owned(), json!(at.micros() / 1_000));
        }
    }
}

/// What a clock that is so far off says at that virtual time.
pub(crate) fn stamp(at: u64, off: i64) -> Wall {
    Wall(START.0 + i64::try_from(at).unwrap_or(i64::MAX) + off)
}

impl Vendor {
    /// An empty vendor's habits.
    pub(crate) fn with_habits(mut self, habits: Habits) -> Self {
        self.habits = habits;
        self
    }

    /// How it treats its objects.
    pub(crate) const fn habits(&self) -> Habits {
        self.habits
    }

    /// The object that has this key.
    pub(crate) fn object_of(&self, key: &str) -> Option<u64> {
        self.objects.iter().find(|(_, item)| item.name_is(key) && !item.gone).map(|(id, _)| *id)
    }

    /// What stands in a field.
    pub(crate) fn value(&self, id: u64, field: &str) -> Option<Value> {
        self.objects.get(&id)?.fields.get(field).cloned()
    }

    /// The object as the replica that answers just now has it.
    pub(super) fn lagging(&self, id: u64) -> Option<Value> {
        let replica = self.replica?;
        let past = self.past.get(&id)?;
        let newest = past.len().checked_sub(1)?;
        let place = (newest.saturating_sub(replica.revisions)..newest)
            .find(|place| past.get(place + 1).is_some_and(|next| next.changed > replica.since))?;
        past.get(place).map(|item| self.seen(id, item))
    }
}
