//! Groups of failures: what needs a person for the same cause, counted as it comes and goes.
//!
//! A group is kept up with the rows it counts, in the same commit: never counted by a look over the backlog. It is
//! closed when nothing is left in it, and opened again when the same failure comes back.

use canonical::{Entity, MessageId, Object, RouteId, System, Tenant, Wall};
use serde::{Deserialize, Serialize};

use crate::fingerprint::fingerprint;
use crate::obligation::{ObligationKey, Reason};
use crate::outcome::Refusal;

/// Hours of a trend.
const HOURS: usize = 24;
/// Days of a trend.
const DAYS: usize = 14;
const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;

/// What a group counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    /// Dead deliveries and deliveries in doubt.
    Delivery,
    /// Quarantined messages.
    Message,
}

impl GroupKind {
    /// Its name, as shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivery => "delivery",
            Self::Message => "message",
        }
    }
}

/// Where a member of a group stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Needs a person.
    Waiting,
    /// On its way again, and not through yet.
    Again,
}

/// How a member left its group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left {
    /// It got through.
    Through,
    /// It was given up, or erased.
    GivenUp,
    /// It failed again for another cause, and is counted there.
    Elsewhere,
}

/// One member, for people to look at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sample {
    /// A delivery.
    Delivery(ObligationKey),
    /// A message.
    Message(MessageId),
}

/// One that comes into a group, and what is kept of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Member {
    /// Whose.
    pub tenant: Tenant,
    /// The target of a delivery, the source of a message.
    pub system: System,
    /// Which.
    pub sample: Sample,
    /// Why it needs a person.
    pub why: Reason,
    /// Its record's type, as far as it is known.
    pub entity: Option<Entity>,
    /// The kind of object there, as far as it is known.
    pub object: Option<Object>,
    /// Its route.
    pub route: Option<RouteId>,
}

/// How many came, by the hour and by the day: the newest last.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Trend {
    /// Hours since 1970 of the last bucket.
    hour: i64,
    hours: Vec<u32>,
    /// Days since 1970 of the last bucket.
    day: i64,
    days: Vec<u32>,
}

impl Trend {
    fn count(&mut self, at: Wall) {
        bump(&mut self.hours, &mut self.hour, at.micros().div_euclid(HOUR_US), HOURS);
        bump(&mut self.days, &mut self.day, at.micros().div_euclid(DAY_US), DAYS);
    }

    /// The last 24 hours as of `now`, the oldest first.
    #[must_use]
    pub fn hours(&self, now: Wall) -> Vec<u32> {
        as_of(&self.hours, self.hour, now.micros().div_euclid(HOUR_US), HOURS)
    }

    /// The last 14 days as of `now`, the oldest first.
    #[must_use]
    pub fn days(&self, now: Wall) -> Vec<u32> {
        as_of(&self.days, self.day, now.micros().div_euclid(DAY_US), DAYS)
    }
}

/// Counts one at `place`; what is older than the buckets reach is left out.
fn bump(buckets: &mut Vec<u32>, last: &mut i64, place: i64, most: usize) {
    if buckets.is_empty() || place > *last {
        *buckets = as_of(buckets, *last, place, most);
        *last = place;
    }
    let back = usize::try_from(*last - place).unwrap_or(usize::MAX);
    let slot = buckets.len().checked_sub(back.saturating_add(1)).and_then(|at| buckets.get_mut(at));
    if let Some(count) = slot {
        *count = count.saturating_add(1);
    }
}

/// The buckets that end at `place`.
fn as_of(buckets: &[u32], last: i64, place: i64, most: usize) -> Vec<u32> {
    let mut out = vec![0; most];
    let ahead = if buckets.is_empty() { most } else { usize::try_from(place - last).unwrap_or(0).min(most) };
    let known = buckets.iter().rev().take(most - ahead);
    for (slot, count) in out.iter_mut().rev().skip(ahead).zip(known) {
        *slot = *count;
    }
    out
}

/// Alike failures.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Group {
    /// Whose.
    pub tenant: Tenant,
    /// What it counts.
    pub kind: GroupKind,
    /// Its name.
    pub fingerprint: String,
    /// The target of its deliveries, the source of its messages.
    pub system: System,
    /// Why the newest needs a person.
    pub why: Reason,
    /// The newest's record type.
    pub entity: Option<Entity>,
    /// The newest's kind of object.
    pub object: Option<Object>,
    /// The newest's route.
    pub route: Option<RouteId>,
    /// How many need a person now.
    pub waiting: u64,
    /// How many are on their way again, and not through yet.
    pub again: u64,
    /// How often something came into it.
    pub seen: u64,
    /// How many got through in the end.
    pub through: u64,
    /// How many were given up.
    pub given_up: u64,
    /// When the first came.
    pub first_seen: Wall,
    /// When the newest came.
    pub last_seen: Wall,
    /// When anything last came or went.
    pub moved_at: Wall,
    /// Since when nothing is left in it.
    pub closed_at: Option<Wall>,
    /// When it last came back after it was closed.
    pub reopened_at: Option<Wall>,
    /// How often it came back.
    pub reopened: u32,
    /// The newest.
    pub sample: Sample,
    /// How many came, over time.
    pub trend: Trend,
}

impl Group {
    /// A group that has nothing in it yet, for this one to come into.
    #[must_use]
    pub fn first(member: &Member, at: Wall) -> Self {
        Self {
            tenant: member.tenant.clone(),
            kind: match member.sample {
                Sample::Delivery(_) => GroupKind::Delivery,
                Sample::Message(_) => GroupKind::Message,
            },
            fingerprint: member.why.fingerprint.clone(),
            system: member.system.clone(),
            why: member.why.clone(),
            entity: None,
            object: None,
            route: None,
            waiting: 0,
            again: 0,
            seen: 0,
            through: 0,
            given_up: 0,
            first_seen: at,
            last_seen: at,
            moved_at: at,
            closed_at: None,
            reopened_at: None,
            reopened: 0,
            sample: member.sample.clone(),
            trend: Trend::default(),
        }
    }

    /// One comes into it, or fails in it once more; `from` says where in it that one stood.
    pub fn enter(&mut self, member: &Member, from: Option<Place>, at: Wall) {
        // A retaken message keeps the time it was received: what came after a move came no earlier than it.
        let at = if from.is_some() { at.max(self.moved_at) } else { at };
        self.take(from);
        if self.closed_at.take().is_some() {
            self.reopened = self.reopened.saturating_add(1);
            self.reopened_at = Some(at);
        }
        self.waiting += 1;
        self.seen += 1;
        self.first_seen = self.first_seen.min(at);
        self.last_seen = self.last_seen.max(at);
        self.moved_at = self.moved_at.max(at);
        self.trend.count(at);
        self.why.clone_from(&member.why);
        self.entity.clone_from(&member.entity);
        self.object.clone_from(&member.object);
        self.route.clone_from(&member.route);
        self.sample.clone_from(&member.sample);
    }

    /// One that needed a person is on its way again.
    pub fn retry(&mut self, at: Wall) {
        self.take(Some(Place::Waiting));
        self.again += 1;
        self.moved_at = self.moved_at.max(at);
    }

    /// One leaves it. The last closes it.
    pub fn leave(&mut self, from: Place, how: Left, at: Wall) {
        self.take(Some(from));
        match how {
            Left::Through => self.through += 1,
            Left::GivenUp => self.given_up += 1,
            Left::Elsewhere => {}
        }
        self.moved_at = self.moved_at.max(at);
        if self.is_empty() {
            self.closed_at = Some(self.moved_at);
        }
    }

    /// Whether nothing is left in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.waiting == 0 && self.again == 0
    }

    fn take(&mut self, from: Option<Place>) {
        let count = match from {
            Some(Place::Waiting) => &mut self.waiting,
            Some(Place::Again) => &mut self.again,
            None => return,
        };
        *count = count.saturating_sub(1);
    }
}

/// The group of a failure: its fingerprint, or where it has none, one of what is known of it.
#[must_use]
pub fn name_of(system: &System, why: &Reason) -> String {
    if !why.fingerprint.is_empty() {
        return why.fingerprint.clone();
    }
    let refusal = Refusal { code: why.code.clone(), field: why.field.clone(), ..Refusal::default() };
    fingerprint(system, &why.class, &refusal, "", 0)
}
