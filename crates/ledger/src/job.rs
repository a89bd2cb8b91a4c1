//! Jobs: what a person orders for many deliveries at once. A plan says what it would do; applied, it becomes a job of
//! the same id, which walks what it covers page after page, each page in one commit with the job's own row.

use canonical::{Entity, JobId, RecordId, RouteId, System, Tenant, Wall};
use serde::{Deserialize, Serialize};

use std::collections::BTreeMap;
use std::time::Duration;

use crate::group::Sample;
use crate::obligation::{Obligation, State};
use crate::reshape::Reshape;

/// How long a plan may be applied.
pub const PLAN_LIVES: Duration = Duration::from_secs(3600);
/// The fastest pace, in deliveries a second.
pub const PACE_MAX: u32 = 10_000;
/// Samples in a plan.
const SAMPLES_MAX: usize = 10;
/// Portions told apart in a plan; what is beyond them is counted together.
const PORTIONS_MAX: usize = 200;
/// Orders kept with a job, the newest.
const ORDERS_MAX: usize = 50;

/// What is done with what is covered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The newest state is said again. An event that was delivered goes again only where the target can tell that it
    /// is the same, unless it is asked for `anew`: then it is a second effect.
    Replay {
        /// Ask for new intents.
        anew: bool,
    },
    /// Dead deliveries and quarantined messages are tried again.
    Retry,
    /// They are given up.
    Discard,
    /// A record is merged into another.
    Merge,
    /// A record that was merged into another is one of its own again.
    Split,
}

impl Action {
    /// Its name, as shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Replay { .. } => "replay",
            Self::Retry => "retry",
            Self::Discard => "discard",
            Self::Merge => "merge",
            Self::Split => "split",
        }
    }

    /// Whether it is about two records, and not about deliveries.
    #[must_use]
    pub const fn reshapes(self) -> bool {
        matches!(self, Self::Merge | Self::Split)
    }

    /// Whether messages are covered too.
    #[must_use]
    pub const fn takes_messages(self) -> bool {
        matches!(self, Self::Retry | Self::Discard)
    }

    /// Whether a delivery that stands like this is covered; if not, why it is left out.
    ///
    /// # Errors
    /// With the name under which it is counted as left out.
    pub const fn takes(self, state: State) -> Result<(), &'static str> {
        match (self, state) {
            (Self::Replay { .. }, State::Uncertain | State::Discarded | State::Erased)
            | (Self::Retry | Self::Discard, State::Uncertain) => Err(state.name()),
            (Self::Retry | Self::Discard, State::Dead) | (Self::Replay { .. }, _) => Ok(()),
            // These are about records.
            (Self::Retry | Self::Discard | Self::Merge | Self::Split, _) => Err("moved_on"),
        }
    }
}

/// Which deliveries. All that is given must hold; nothing given covers nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Scope {
    /// About what changed at or after this: the event, or the record when it last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Wall>,
    /// About what changed before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Wall>,
    /// Of this type of record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<Entity>,
    /// Caused by this system: it made the event, or for a record's state, the record's newest event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<System>,
    /// To this system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<System>,
    /// By this route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<RouteId>,
    /// Of events of this kind: `notify` routes only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// In this group of failures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Of this record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordId>,
}

impl Scope {
    /// Whether nothing is given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a delivery's own row fits. Event, source and time are told by other rows: when a delivery was raised
    /// moves with every replay.
    #[must_use]
    pub fn holds(&self, row: &Obligation) -> bool {
        let group = || row.reason.as_ref().map(|why| why.fingerprint.as_str());
        self.entity.as_ref().is_none_or(|entity| row.entity == *entity)
            && self.target.as_ref().is_none_or(|target| row.system == *target)
            && self.route.as_ref().is_none_or(|route| row.key.route == *route)
            && self.group.as_deref().is_none_or(|wanted| group() == Some(wanted))
            && self.record.is_none_or(|record| row.record == record)
    }

    /// Whether messages can fit at all: what names a route, a record or a type of record is about deliveries.
    #[must_use]
    pub fn may_hold_messages(&self) -> bool {
        self.entity.is_none() && self.route.is_none() && self.event.is_none() && self.record.is_none()
    }

    /// Whether a quarantined message fits.
    #[must_use]
    pub fn holds_message(&self, why: Option<&crate::Reason>, source: &System, received: Wall) -> bool {
        let group = why.map(|why| why.fingerprint.as_str());
        self.may_hold_messages()
            && self.from.is_none_or(|from| received >= from)
            && self.until.is_none_or(|until| received < until)
            && self.target.as_ref().or(self.source.as_ref()).is_none_or(|system| system == source)
            && self.group.as_deref().is_none_or(|wanted| group == Some(wanted))
    }
}

/// Where a job stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// A plan: nothing is done yet.
    Planned,
    /// At work.
    Running,
    /// Held by a person.
    Paused,
    /// Everything it covers was set going.
    Done,
    /// A person ended it; what it had set going goes on.
    Cancelled,
}

impl JobState {
    /// Its name, as stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether there is still something to do.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }
}

/// How far a walk over deliveries, then messages, has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Page {
    /// Among messages; deliveries come first.
    pub messages: bool,
    /// After this position.
    pub after: i64,
}

impl Page {
    /// Before the first message.
    #[must_use]
    pub const fn of_messages() -> Self {
        Self { messages: true, after: 0 }
    }
}

/// So many of the same target, route and type of record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Portion {
    /// `delivery` or `message`.
    pub kind: crate::GroupKind,
    /// The target of deliveries, the source of messages.
    pub system: System,
    /// Of deliveries.
    pub route: Option<RouteId>,
    /// Of deliveries.
    pub entity: Option<Entity>,
    /// How many.
    pub count: u64,
}

impl Portion {
    fn is_like(&self, other: &Self) -> bool {
        (self.kind, &self.system, &self.route, &self.entity)
            == (other.kind, &other.system, &other.route, &other.entity)
    }
}

/// What a walk counted.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Kept {
    /// How many are covered.
    pub total: u64,
    /// Of what.
    pub portions: Vec<Portion>,
    /// Those beyond the portions that are told apart.
    pub elsewhere: u64,
    /// A few of them.
    pub samples: Vec<Sample>,
    /// What fits the scope and is left out, by why.
    pub left_out: BTreeMap<String, u64>,
    /// The last positions among deliveries and messages: what came later is not covered.
    pub upto: (i64, i64),
    /// Tells whether the same are covered: a sum over their positions.
    pub seal: u64,
}

impl Kept {
    /// One is covered.
    pub fn take(&mut self, portion: Portion, sample: &Sample, position: i64) {
        self.total += 1;
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(sample.clone());
        }
        let message = portion.kind == crate::GroupKind::Message;
        let last = if message { &mut self.upto.1 } else { &mut self.upto.0 };
        *last = (*last).max(position);
        self.seal = self.seal.wrapping_add(mixed(position, message));
        if let Some(known) = self.portions.iter_mut().find(|known| known.is_like(&portion)) {
            known.count += 1;
        } else if self.portions.len() < PORTIONS_MAX {
            self.portions.push(Portion { count: 1, ..portion });
        } else {
            self.elsewhere += 1;
        }
    }

    /// One fits and is left out.
    pub fn leave_out(&mut self, why: &str) {
        *self.left_out.entry(why.to_owned()).or_default() += 1;
    }

    /// Whether every portion is at most what it is in `other`.
    fn is_within(&self, other: &Self) -> bool {
        let planned = |one: &Portion| {
            other.portions.iter().find(|known| known.is_like(one)).map_or(0, |known| known.count)
        };
        self.elsewhere <= other.elsewhere && self.portions.iter().all(|one| one.count <= planned(one))
    }
}

fn mixed(position: i64, message: bool) -> u64 {
    let mut z = position.cast_unsigned().wrapping_mul(2).wrapping_add(u64::from(message));
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What became of the deliveries that a job set going and that have come to rest since.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Delivered.
    pub delivered: u32,
    /// They need a person.
    pub failed: u32,
    /// Skipped, superseded, given up, or taken over by a later job.
    pub other: u32,
}

/// Why a plan is not applied.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unfit {
    /// It is a job already.
    #[error("it is {0} already: a plan is applied once; make a new one")]
    State(&'static str),
    /// Too old.
    #[error("the plan is older than an hour: make a new one")]
    Old,
    /// Other routes or mappings.
    #[error("the configuration has changed since it was planned: make a new one")]
    Configuration,
    /// It would do something else now.
    #[error("what it covers has changed since it was planned ({before} then, {now} now): make a new one")]
    Changed {
        /// How many were covered.
        before: u64,
        /// How many are now.
        now: u64,
    },
    /// It would do nothing.
    #[error("it covers nothing: there is nothing to apply")]
    Nothing,
    /// One of the two records is another one now.
    #[error("record {0} has changed since it was planned: make a new one")]
    Moved(RecordId),
}

/// A plan, and the job it becomes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Whose.
    pub tenant: Tenant,
    /// What is done.
    pub action: Action,
    /// With which.
    pub scope: Scope,
    /// Where it stands.
    pub state: JobState,
    /// What it covers.
    pub kept: Kept,
    /// The routes and mappings it was planned under.
    pub configuration: String,
    /// Who planned it.
    pub planned_by: String,
    /// When.
    pub planned_at: Wall,
    /// Who applied it, and why.
    pub reason: Option<String>,
    /// Set going a second, at most.
    pub pace: u32,
    /// When it was applied.
    pub started_at: Option<Wall>,
    /// When it was done or cancelled.
    pub ended_at: Option<Wall>,
    /// How many it has set going.
    pub done: u64,
    /// How many of these were messages.
    #[serde(default)]
    pub messages_done: u64,
    /// How far it has walked.
    pub page: Page,
    /// Who ordered what, and why, the oldest first.
    pub orders: Vec<(Wall, String)>,
    /// Of one that is about two records: which, and what it was shown to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reshape: Option<Box<Reshape>>,
    /// Counts up with each change: its compare-and-set.
    pub revision: i64,
}

impl Job {
    /// Whether the plan may be applied, now that its scope was walked again.
    ///
    /// A replay only has to cover no more than was shown: what was delivered anew meanwhile needs it no longer.
    ///
    /// # Errors
    /// [`Unfit`] says why not.
    pub fn fits(&self, fresh: &Kept, configuration: &str, now: Wall) -> Result<(), Unfit> {
        self.may_start(configuration, now)?;
        if fresh.total == 0 {
            return Err(Unfit::Nothing);
        }
        let fewer = matches!(self.action, Action::Replay { .. })
            && fresh.total < self.kept.total
            && fresh.is_within(&self.kept);
        if fresh.seal == self.kept.seal && fresh.total == self.kept.total || fewer {
            return Ok(());
        }
        Err(Unfit::Changed { before: self.kept.total, now: fresh.total })
    }

    /// The same, as far as it can be told without a walk.
    ///
    /// # Errors
    /// [`Unfit`] says why not.
    pub fn may_start(&self, configuration: &str, now: Wall) -> Result<(), Unfit> {
        if self.state != JobState::Planned {
            return Err(Unfit::State(self.state.name()));
        }
        if now.since(self.planned_at) > PLAN_LIVES {
            return Err(Unfit::Old);
        }
        if self.configuration != configuration {
            return Err(Unfit::Configuration);
        }
        Ok(())
    }

    /// Writes an order down.
    pub fn ordered(&mut self, what: &str, at: Wall) {
        if self.orders.len() >= ORDERS_MAX {
            self.orders.remove(0);
        }
        self.orders.push((at, what.to_owned()));
    }
}
