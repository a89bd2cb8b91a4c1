//! Retention: takes away what is past its time, and only what is closed.
//!
//! A round walks part after part, in small pages, and rests after each so long that it takes at most a fifth of the time:
//! nothing of it grows with what is stored, and whoever delivers never waits for more than one small commit. How far it
//! has come is kept with what it takes away, so that a round goes on after a restart. Where an archive is wanted, rows
//! are gone only after the file that holds them is durable; after a crash in between they are archived once more.

mod forget;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use canonical::{Mono, Now, Wall};
use config::Configuration;
use store::retention::{Horizons, OldAsk, OldFound, OldRow, Part, Place, Retained};
use store::{Query, Rows, StoreError};

use crate::mark::Mark;
use crate::turn::{Ack, Effect, Input, Machine, Notice, Order, Ticket, Turn};
pub use forget::Archive;
use forget::Forgetting;

/// Rows, or records, looked at in one question.
const LOOKED_AT_ONCE: usize = 200;
/// Rows in one file of an archive, about: they are in memory until it is written.
const ARCHIVED_AT_ONCE: usize = 5_000;
/// Bytes in one file, before they are packed, about.
const ARCHIVED_BYTES: usize = 8 << 20;
/// After each step it rests so many times as long as the step took.
const RESTS: u32 = 4;
/// And at least, and at most, so long.
const REST_MIN: Duration = Duration::from_millis(20);
const REST_MAX: Duration = Duration::from_secs(5);
/// A round begins this often at most, and at least: an eighth of the shortest period in between.
const ROUND_MIN: Duration = Duration::from_secs(10);
const ROUND_MAX: Duration = Duration::from_secs(6 * 3600);
/// The first round after a start waits until what is more urgent is under way.
const FIRST_ROUND: Duration = Duration::from_secs(60);
/// What an order hears when it comes too late.
const STOPPING: &str = "the hub is stopping: order it again when it is back";
/// How long it waits after the disk was full.
const FULL_WAIT: Duration = Duration::from_secs(5);

/// Takes away what is past its time.
#[derive(Debug)]
pub struct Retention {
    config: Arc<Configuration>,
    next_ticket: u64,
    /// What is durable.
    state: Retained,
    step: Step,
    /// What was found on the way, and has neither been archived nor gone.
    batch: Batch,
    /// What goes next, commit after commit.
    going: VecDeque<OldRow>,
    /// When the step under way began.
    began: Mono,
    /// Not before this.
    due: Mono,
    /// The state has moved and is to be kept.
    moved: bool,
    /// Orders that are kept with the next commit.
    ordered: Vec<Ticket>,
    draining: bool,
    drained: bool,
}

/// What it waits for.
#[derive(Debug)]
enum Step {
    /// Its time.
    Idle,
    /// Nothing: it was not started.
    New,
    /// The state.
    Loading(Ticket),
    /// A page; whether its lines are wanted.
    Looking(Ticket, bool),
    /// A file.
    Archiving(Ticket, usize),
    /// A commit.
    Forgetting(Ticket, Box<Forgetting>),
}

/// Rows that were found.
#[derive(Debug, Default)]
struct Batch {
    rows: Vec<OldRow>,
    /// Shared with the file that is being written: they stay until it is durable.
    lines: Arc<Vec<String>>,
    bytes: usize,
    /// The lowest position passed over because nobody has decided about it.
    open: Option<i64>,
    /// How far the walk has come with them.
    next: Option<Place>,
    /// Nothing old is left on this walk beyond them.
    over: bool,
    /// A record of which more is to go comes next: not before these have gone.
    cut: bool,
}

impl Retention {
    /// A machine that knows nothing yet.
    #[must_use]
    pub fn new(config: Arc<Configuration>) -> Self {
        Self {
            config,
            next_ticket: 0,
            state: Retained::default(),
            step: Step::New,
            batch: Batch::default(),
            going: VecDeque::new(),
            began: Mono::default(),
            due: Mono::default(),
            moved: false,
            ordered: Vec::new(),
            draining: false,
            drained: false,
        }
    }

    fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    /// How often a round begins.
    fn interval(&self) -> Duration {
        let keeps = &self.config.settings.retention;
        let periods = [keeps.events, keeps.messages, keeps.deliveries, keeps.seen, keeps.groups, keeps.jobs];
        let shortest = periods.into_iter().map(|period| period.0).min().unwrap_or(ROUND_MAX);
        (shortest / 8).clamp(ROUND_MIN, ROUND_MAX)
    }

    /// Starts whatever is next, if its time has come.
    fn pump(&mut self, turn: &mut Turn<'_>) {
        if self.draining {
            return self.settle_drain(turn);
        }
        if !matches!(self.step, Step::Idle) {
            return;
        }
        self.began = turn.now.mono;
        if self.moved {
            return self.commit(self.state.clone(), Vec::new(), turn);
        }
        if turn.now.mono < self.due {
            return;
        }
        let Some(part) = self.state.part else { return self.begin(turn) };
        if !self.going.is_empty() {
            return self.forget(turn);
        }
        if self.is_full() {
            return self.close_batch(turn);
        }
        if self.batch.over {
            return self.advance(part, turn);
        }
        self.look(part, turn);
    }

    fn wants_archive(&self) -> bool {
        self.config.settings.retention.archive.is_some()
    }

    fn begin(&mut self, turn: &mut Turn<'_>) {
        self.state.part = Some(Part::Payloads);
        self.state.place = Place::Position(self.state.payloads);
        self.state.undecided = None;
        self.state.began_at = Some(turn.now.wall);
        self.batch = Batch::default();
        self.look(Part::Payloads, turn);
    }

    fn look(&mut self, part: Part, turn: &mut Turn<'_>) {
        let ticket = self.ticket();
        let lines = self.wants_archive();
        let ask = OldAsk {
            tenant: self.config.tenant.clone(),
            part,
            after: self.batch.next.unwrap_or(self.state.place),
            horizons: horizons(&self.config, turn.now.wall),
            limit: LOOKED_AT_ONCE,
            bytes: ARCHIVED_BYTES,
            lines,
        };
        self.step = Step::Looking(ticket, lines);
        turn.effect(Effect::Find(ticket, Query::Old(ask)));
    }

    /// Whether what was found is to go before more is looked for.
    fn is_full(&self) -> bool {
        let batch = &self.batch;
        let enough = !self.wants_archive()
            || batch.over
            || batch.cut
            || batch.rows.len() >= ARCHIVED_AT_ONCE
            || batch.bytes >= ARCHIVED_BYTES;
        enough && !batch.rows.is_empty()
    }

    /// A walk is over: the next one, or the round's end.
    fn advance(&mut self, part: Part, turn: &mut Turn<'_>) {
        self.batch = Batch::default();
        self.state.part = part.next();
        self.state.place = Place::Start;
        if self.state.part.is_none() {
            self.state.ended_at = Some(turn.now.wall);
            self.due = turn.now.mono + self.interval();
            return self.commit(self.state.clone(), Vec::new(), turn);
        }
        self.pump(turn);
    }

    fn found(&mut self, ticket: Ticket, rows: Result<Rows, StoreError>, turn: &mut Turn<'_>) {
        match (std::mem::replace(&mut self.step, Step::Idle), rows) {
            (Step::Loading(wanted), Ok(Rows::Retained(state))) if wanted == ticket => {
                // What was ordered before that counts, too.
                let orders = std::mem::replace(&mut self.state, state).orders;
                for (at, why) in orders {
                    self.state.ordered(at, why);
                }
                if !self.moved {
                    self.due = turn.now.mono + FIRST_ROUND.min(self.interval());
                }
            }
            (Step::Looking(wanted, lines), Ok(Rows::Old(found))) if wanted == ticket => {
                // Another configuration came between: what was found is looked for again.
                if lines == self.wants_archive() {
                    self.take(found, turn);
                }
                self.rest(turn);
            }
            (Step::Loading(wanted) | Step::Looking(wanted, _), Err(error)) if wanted == ticket => {
                self.trouble(&error, turn);
            }
            (step, _) => self.step = step,
        }
    }

    fn take(&mut self, found: OldFound, turn: &mut Turn<'_>) {
        for why in found.unreadable {
            turn.note(Mark::RetentionFailed { why });
        }
        self.batch.open = self.batch.open.into_iter().chain(found.open).min();
        for (row, line) in found.rows {
            self.batch.bytes += line.len();
            self.batch.rows.push(row);
            if !line.is_empty() {
                Arc::make_mut(&mut self.batch.lines).push(line);
            }
        }
        self.batch.cut = found.cut;
        match found.next {
            Some(place) => self.batch.next = Some(place),
            None => self.batch.over = true,
        }
        // Nothing to take away: how far it has looked is said with the next commit.
        if self.batch.rows.is_empty()
            && let Some(place) = self.batch.next.take()
        {
            arrive(&mut self.state, place, self.batch.open.take());
        }
    }

    fn rest(&mut self, turn: &Turn<'_>) {
        let took = turn.now.mono.since(self.began);
        self.due = turn.now.mono + took.saturating_mul(RESTS).clamp(REST_MIN, REST_MAX);
    }

    /// The store could not. A full disk heals; a row that can't be read ends the round, and harms nobody else.
    fn trouble(&mut self, error: &StoreError, turn: &mut Turn<'_>) {
        match error {
            StoreError::Full { .. } => self.due = turn.now.mono + FULL_WAIT,
            StoreError::Closed if self.draining => {}
            StoreError::Corrupt { .. } | StoreError::Refused { .. } => {
                turn.note(Mark::RetentionFailed { why: error.to_string() });
                self.going.clear();
                self.batch = Batch { over: true, ..Batch::default() };
                self.due = turn.now.mono + self.interval();
            }
            StoreError::Broken { .. } | StoreError::Closed => turn.effect(Effect::Stop(error.to_string())),
        }
    }

    fn order(&mut self, outside: Ticket, order: Order, turn: &mut Turn<'_>) {
        let refused = match order {
            _ if self.draining => STOPPING,
            Order::Sweep { reason } => {
                self.state.ordered(turn.now.wall, reason);
                self.moved = true;
                self.ordered.push(outside);
                // One that is under way finds all that is old by now, except where it has been already.
                self.due = turn.now.mono;
                return;
            }
            _ => "this order is not for retention",
        };
        turn.effect(Effect::Ack(outside, Ack::Refused(refused.to_owned())));
    }

    fn settle_drain(&mut self, turn: &mut Turn<'_>) {
        if self.drained || matches!(self.step, Step::Forgetting(..) | Step::Archiving(..)) {
            return;
        }
        self.drained = true;
        // Orders that no commit has taken along are not kept.
        for outside in std::mem::take(&mut self.ordered) {
            turn.effect(Effect::Ack(outside, Ack::Refused(STOPPING.to_owned())));
        }
        turn.effect(Effect::Drained);
    }
}

/// What is from before these times goes.
#[must_use]
pub fn horizons(config: &Configuration, now: Wall) -> Horizons {
    let keeps = &config.settings.retention;
    let before = |period: config::Period| {
        let micros = i64::try_from(period.0.as_micros()).unwrap_or(i64::MAX);
        Wall(now.micros().saturating_sub(micros))
    };
    Horizons {
        messages: before(keeps.messages),
        seen: before(keeps.seen),
        events: before(keeps.events),
        deliveries: before(keeps.deliveries),
        groups: before(keeps.groups),
        jobs: before(keeps.jobs),
    }
}

/// The walk has come so far. What is decided late must be passed once more, or what it said would stay as long as its
/// hash.
fn arrive(state: &mut Retained, place: Place, open: Option<i64>) {
    if state.part == Some(Part::Payloads) {
        state.undecided = state.undecided.into_iter().chain(open).min();
        state.payloads = state.undecided.map_or(place.position(), |at| place.position().min(at - 1));
    }
    state.place = place;
}

impl Machine for Retention {
    fn handle(&mut self, input: Input, turn: &mut Turn<'_>) {
        match input {
            Input::Start => {
                let ticket = self.ticket();
                self.step = Step::Loading(ticket);
                let tenant = self.config.tenant.clone();
                turn.effect(Effect::Find(ticket, Query::Retained { tenant }));
            }
            Input::Found(ticket, rows) => self.found(ticket, rows, turn),
            Input::Committed(ticket, result) => self.committed(ticket, result, turn),
            Input::Archived(ticket, result) => self.archived(ticket, result, turn),
            Input::Told(Notice::Do(outside, order)) => self.order(outside, order, turn),
            Input::Drain => self.draining = true,
            Input::Configure(outside, config) => {
                if config.settings.retention.archive.is_some() != self.wants_archive() {
                    // What was found is looked for again, with lines or without.
                    self.going.clear();
                    self.batch = Batch::default();
                    // What was asked for goes on from there.
                    if matches!(self.step, Step::Looking(..)) {
                        self.step = Step::Idle;
                    }
                }
                self.config = config;
                if self.state.part.is_none() && matches!(self.step, Step::Idle) {
                    self.due = self.due.min(turn.now.mono + self.interval());
                }
                turn.effect(Effect::Ack(outside, Ack::Done));
            }
            Input::Hold(outside) => {
                let why = "retention is not held: it takes away only what is closed and past its time";
                turn.effect(Effect::Ack(outside, Ack::Refused(why.to_owned())));
            }
            Input::Tick
            | Input::Told(_)
            | Input::Offer(_)
            | Input::Answered { .. }
            | Input::Authorised { .. } => {}
        }
        self.pump(turn);
    }

    fn next_wakeup(&self, _: Now) -> Option<Mono> {
        (!self.draining && matches!(self.step, Step::Idle)).then_some(self.due)
    }
}
