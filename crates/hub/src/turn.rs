//! Turns: one input in, effects out.

mod order;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use canonical::{ExternalRef, JobId, MessageId, Now, Object, System, Wall};
use config::Configuration;
use connector::{Failure, Garbled, Observation, Request, Response};
use dispatch::{Binds, Snapshot};
use ledger::ObligationKey;
use store::{Query, Receipt, Rows, StoreError, SystemState, Unit};

use crate::mark::Mark;
use crate::retention::Archive;
use crate::stated::Stated;
pub use order::{Delivery, Order};

/// Names one outstanding effect, so that its answer finds its way back. Unique within a machine's life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ticket(pub u64);

/// A machine of the hub.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MachineId {
    /// Accepts what sources say.
    Intake,
    /// Carries out what is ordered for many.
    Jobs,
    /// Takes away what is past its time.
    Retention,
    /// Talks to one system; alone owns its admission.
    Spoke(System),
}

/// What a source said, before it is decided.
#[derive(Clone, PartialEq, Debug)]
pub enum Arrival {
    /// It could be read.
    Read(Observation),
    /// It comes back from an export: its state counts by the same rules, and fires no facts.
    Stated(Box<Stated>),
    /// It could not: it is stored raw and quarantined.
    Garbled {
        /// Why.
        why: Garbled,
        /// The bytes as they came.
        raw: Vec<u8>,
        /// The source's id of it, if that much could be read.
        event_id: Option<String>,
    },
}

/// Where an offer comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Pushed: a webhook or the events API. Acknowledged to ingress.
    Pushed,
    /// Read by a poll. Acknowledged to the spoke, which then moves on.
    Polled {
        /// The kind of object.
        object: Object,
        /// The cursor to keep with it.
        cursor: String,
    },
    /// Read by id. Acknowledged to the spoke.
    Fetched {
        /// The object.
        external: ExternalRef,
    },
}

/// Messages of one source, to be taken in together and acknowledged once.
#[derive(Clone, PartialEq, Debug)]
pub struct Offer {
    /// Names it in the acknowledgement; chosen by the offerer.
    pub ticket: Ticket,
    /// Who offers, and so who is told.
    pub origin: Origin,
    /// The source.
    pub source: System,
    /// When this state was read there (fetch or poll start; receipt for pushed ones).
    pub as_of: Wall,
    /// What it said.
    pub arrivals: Vec<Arrival>,
    /// Whether the offerer wants to know what each arrival raised.
    pub watched: bool,
    /// Of what is pushed: whether a client of one's own posted it, and not a vendor.
    pub posted: bool,
}

/// What became of one arrival.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taken {
    /// The stored message, when one was kept.
    pub message: Option<MessageId>,
    /// How.
    pub how: TakenAs,
    /// The obligations it raised, where the offer is watched.
    pub raised: Vec<Raised>,
}

/// An obligation that an arrival raised.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Raised {
    /// Which.
    pub key: ObligationKey,
    /// The target.
    pub system: System,
    /// The version that the target must reach.
    pub version: i64,
}

/// What became of one arrival.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TakenAs {
    /// Taken in (or parked, durably).
    Accepted,
    /// The same message was taken in before.
    Duplicate,
    /// Kept for a person; the text says why.
    Quarantined(String),
}

/// Why an offer was not taken. Nothing of it was acknowledged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Busy {
    /// For people.
    pub why: String,
    /// When to offer again.
    pub retry_after: Duration,
    /// Whether it waits until deliveries that wait get through; else there is no room, or the hub is on its way down.
    pub backlog: bool,
}

/// An answer to somebody outside the machines.
#[derive(Clone, PartialEq, Debug)]
pub enum Ack {
    /// To an offer: durable.
    Taken(Vec<Taken>),
    /// To an offer: not taken.
    Busy(Busy),
    /// To an order: done and durable.
    Done,
    /// To an order to describe.
    Described(Box<Description>),
    /// To an order for a plan: it is kept under this id.
    Planned(JobId),
    /// To an order: refused, with the reason for people.
    Refused(String),
}

/// How a system stands.
#[derive(Clone, PartialEq, Debug)]
pub struct Description {
    /// When this was so: what its times count from.
    pub now: Now,
    /// What is held in memory and why what waits, waits. `None` before it has started.
    pub snapshot: Option<Snapshot>,
    /// What is known of it besides its configuration; without its credential.
    pub state: SystemState,
    /// When the calls that were asked about would be through.
    pub forecast: Option<Planned>,
    /// Bulk jobs that run there.
    pub jobs: Vec<RunningJob>,
    /// What is not read from it, since those for whom it would be read do not keep up.
    pub resting: Vec<Object>,
    /// Nothing is delivered there before these kinds of objects were listed for the first time.
    pub unlisted: Vec<Object>,
    /// Its listings, in this life.
    pub listings: Vec<Listed>,
    /// Why the last try to connect or to read a listing failed; `None` once one got through.
    pub trouble: Option<String>,
    /// What is expected to be heard of it, and when it was last.
    pub hearings: Vec<Hearing>,
}

/// Something that is expected to be heard of a system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hearing {
    /// The kind of object of whose listing a page gets through; `None`: messages that it posts.
    pub of: Option<Object>,
    /// When it was last heard, or when it was first listened.
    pub at: Wall,
    /// So often it is expected.
    pub within: Duration,
    /// It is missed.
    pub silent: bool,
}

/// How far a listing is, since its machine began.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// The kind of object.
    pub object: Object,
    /// Objects that it named and that are durable.
    pub read: u64,
    /// Whether it was at its end once.
    pub passed: bool,
}

/// A bulk job that runs at a system.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunningJob {
    /// The kind of object.
    pub object: Object,
    /// The write operation.
    pub operation: String,
    /// The system's id of it.
    pub job: String,
    /// How many deliveries wait for it.
    pub records: usize,
    /// When the system answered that it began.
    pub since: Wall,
    /// What the system called its state last; empty: not looked at yet.
    pub state: String,
}

/// When planned calls would be through.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Planned {
    /// How long they take, at work.
    pub takes: Duration,
    /// When they are through; `None`: not within the windows of the next years.
    pub through: Option<Wall>,
    /// What binds.
    pub by: Binds,
}

/// What one machine tells another.
#[derive(Clone, PartialEq, Debug)]
pub enum Notice {
    /// To a spoke: these obligations were raised or woken, in the order of their commits.
    Raised(Vec<store::Head>),
    /// To a spoke: objects are to be fetched.
    FetchWanted,
    /// To a spoke: its system posted something that is durable. Told now and then.
    Heard,
    /// To a spoke: that system has read again what it may have missed, after a restore of the store.
    Reread(System),
    /// To a spoke: its offer is durable (or was refused: try again).
    Taken(Ticket, Result<(), Busy>),
    /// To a spoke: these are not read until it is told another time.
    Rest(BTreeSet<Object>),
    /// To intake: whether a system is at work (connected, not paused, no breaker open): what waits for it waits for
    /// its pace.
    AtWork(System, bool),
    /// To intake: links were made, parked messages may be ready.
    Linked,
    /// To intake: the account a system is connected to; part of new links.
    Connected(System, String),
    /// To any: an operator's order; answered with [`Effect::Ack`].
    Do(Ticket, Order),
}

/// Everything that can wake a machine.
#[derive(Debug)]
pub enum Input {
    /// Once, first.
    Start,
    /// A time given by [`Machine::next_wakeup`] has come.
    Tick,
    /// Messages to take in (to intake).
    Offer(Offer),
    /// The answer to [`Effect::Find`].
    Found(Ticket, Result<Rows, StoreError>),
    /// The answer to [`Effect::Commit`].
    Committed(Ticket, Result<Vec<Receipt>, StoreError>),
    /// The answer to [`Effect::Send`].
    Answered {
        /// Of which send.
        ticket: Ticket,
        /// What came back.
        answer: Result<Response, Failure>,
        /// How long it took.
        took: Duration,
    },
    /// The answer to [`Effect::Authorise`]: a fresh token is in place (and durable, where it rotates).
    Authorised {
        /// Of which effect.
        ticket: Ticket,
        /// The new generation of the credential, or why there is none (`Ok(Err)` = refused for good).
        result: Result<Result<i64, String>, Failure>,
    },
    /// The answer to [`Effect::Archive`]: it is durable, with so many bytes; or why it is not.
    Archived(Ticket, Result<u64, String>),
    /// Another machine, or an operator, says something.
    Told(Notice),
    /// Finish what is on the wire, start nothing new.
    Drain,
    /// The same until [`Input::Configure`] comes: the one who asks is answered with [`Ack::Done`] when nothing is
    /// under way any more (to a spoke).
    Hold(Ticket),
    /// Work by this configuration from now on; what was rendered stays as it is. Answered with [`Ack::Done`] when
    /// nothing is decided by the former one any more.
    Configure(Ticket, Arc<Configuration>),
}

/// What a driver is asked to do.
#[derive(Debug)]
pub enum Effect {
    /// Ask the store; answered with [`Input::Found`].
    Find(Ticket, Query),
    /// Change the store; answered with [`Input::Committed`].
    Commit(Ticket, Vec<Unit>),
    /// Send a request through egress; answered with [`Input::Answered`].
    Send(Ticket, Request),
    /// Get a token; answered with [`Input::Authorised`].
    Authorise(Ticket),
    /// Write a file of an archive; answered with [`Input::Archived`] when it is durable under its name.
    Archive(Ticket, Archive),
    /// Answer an offer or order from outside.
    Ack(Ticket, Ack),
    /// Offer messages to intake.
    Offer(Offer),
    /// Tell another machine.
    Tell(MachineId, Notice),
    /// Something happened: for metrics, logs and coverage marks.
    Note(Mark),
    /// The process must stop: durability can't be trusted.
    Stop(String),
    /// Nothing is on the wire or on its way to the store any more (after [`Input::Drain`]).
    Drained,
}

/// What a machine sees during one turn: the clocks, entropy, and the list of effects it fills.
#[derive(Debug)]
pub struct Turn<'a> {
    /// The clocks, read once.
    pub now: Now,
    /// Seed of this turn's entropy.
    seed: u64,
    /// How many numbers were drawn.
    drawn: u64,
    /// What the driver must do, in order.
    pub effects: &'a mut Vec<Effect>,
}

impl<'a> Turn<'a> {
    /// A turn at `now` with `seed` as its entropy.
    pub fn new(now: Now, seed: u64, effects: &'a mut Vec<Effect>) -> Self {
        Self { now, seed, drawn: 0, effects }
    }

    /// The next 64 bits of entropy (SplitMix64 over the turn's seed: fast, and the same for the same seed).
    pub fn entropy(&mut self) -> u64 {
        self.drawn = self.drawn.wrapping_add(1);
        if planted::is(planted::Bug::AnotherDice) {
            return std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), self.drawn);
        }
        let mut z = self.seed.wrapping_add(self.drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 128 bits of entropy, for ids.
    pub fn wide_entropy(&mut self) -> u128 {
        (u128::from(self.entropy()) << 64) | u128::from(self.entropy())
    }

    /// Adds an effect.
    pub fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Notes that something happened.
    pub fn note(&mut self, mark: Mark) {
        self.effects.push(Effect::Note(mark));
    }
}

/// A machine: decides, never acts. Inputs do not block.
pub trait Machine: Send {
    /// Takes one input and lists what must be done.
    fn handle(&mut self, input: Input, turn: &mut Turn<'_>);
    /// When it wants [`Input::Tick`] next.
    fn next_wakeup(&self, now: Now) -> Option<canonical::Mono>;
}
