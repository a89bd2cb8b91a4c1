//! What an operation does to a row, in one place: every backend applies these functions, none has rules of its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

pub use canonical::{ALIAS_HOPS_MAX, stands_for};
use canonical::{Object, RecordId, Wall};
use intake::{Link, Raise};
use ledger::{Aside, Intent, IntentState, Lane, Level, Obligation, Reason, Shadow, State, Subject, Waiting};

use crate::groups;
use crate::op::{Decided, Fetch, Op, Unit};
use crate::query::Head;

/// All records that were merged into one, over several hops. `merged` says which were merged into one itself.
///
/// # Errors
/// What `merged` fails with.
pub fn aliases<E, I: IntoIterator<Item = RecordId>>(
    record: RecordId,
    mut merged: impl FnMut(RecordId) -> Result<I, E>,
) -> Result<BTreeSet<RecordId>, E> {
    let mut found = BTreeSet::new();
    let mut next = vec![record];
    while let Some(id) = next.pop() {
        for alias in merged(id)? {
            if alias != record && found.insert(alias) {
                next.push(alias);
            }
        }
    }
    Ok(found)
}

/// The spoke's columns, as an [`Op::Settle`] brings them.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Settled<'a> {
    /// The level that was judged.
    pub level: Level,
    /// Whether the target has reached it.
    pub reached: bool,
    /// Where it stands.
    pub state: State,
    /// Attempts spent.
    pub attempts: u32,
    /// Not before.
    pub due: Wall,
    /// What it waits for.
    pub waiting: Option<&'a Waiting>,
    /// Why.
    pub reason: Option<&'a Reason>,
    /// When it was settled.
    pub at: Wall,
}

/// What a full disk stops first: the smaller goes on longer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Urgency {
    /// How a send ended, and everything else that only moves on what is there: a reserve keeps room for it.
    Outcome,
    /// A new send is prepared.
    Send,
    /// New work comes in.
    Intake,
}

/// The first raise of an obligation. Its `seq` is the store's to give.
#[must_use]
pub fn first(raise: &Raise) -> Obligation {
    Obligation {
        key: raise.key.clone(),
        seq: 0,
        system: raise.system.clone(),
        object: raise.object.clone(),
        entity: raise.entity.clone(),
        record: raise.record,
        lane: raise.lane,
        wanted: Level { version: raise.version, generation: 0 },
        reached: Level::default(),
        state: State::Pending,
        attempts: 0,
        due: raise.due,
        raised_at: raise.at,
        folded: 1,
        waiting: None,
        reason: None,
        trace: raise.trace.clone(),
        aside: Aside::default(),
    }
}

/// Whether a raise may make an obligation that is not there. A replay, or saying an event again, is about a delivery
/// that was found: one that retention took away meanwhile is not made anew, since nothing would know any more that it
/// was delivered (I3). The state of a record may be said again where it never was.
#[must_use]
pub const fn may_begin(raise: &Raise) -> bool {
    raise.replay.is_none() && !(raise.again && matches!(raise.key.subject, Subject::Event(_)))
}

/// A raise of an obligation that is there already. Says whether anything changed.
///
/// An open one keeps its turn (state, attempts, due) and folds the level in. A resting one opens again when what is
/// wanted went up beyond what was reached; a discarded one only for a newer version, an erased one never.
pub fn raise_again(row: &mut Obligation, raise: &Raise) -> bool {
    let before = row.wanted;
    row.wanted.version = before.version.max(raise.version);
    row.wanted.generation += i64::from(raise.again || raise.replay.is_some());
    if let Some(replay) = raise.replay {
        row.aside.resay = row.wanted.generation;
        if replay.anew {
            row.aside.anew = row.wanted.generation;
        }
    }
    let urgent = raise.lane < row.lane;
    if row.wanted == before {
        // Nothing new is wanted; only a more urgent lane still counts, and only while there is work to do.
        if row.state.is_open() && urgent {
            row.lane = raise.lane;
            return true;
        }
        return false;
    }
    row.trace.clone_from(&raise.trace);
    if row.state.is_open() {
        row.lane = row.lane.min(raise.lane);
        row.folded = row.folded.saturating_add(1);
        row.aside.job = raise.replay.map(|replay| replay.job).or(row.aside.job);
        return true;
    }
    let opens = match row.state {
        State::Erased => false,
        State::Discarded => row.wanted.version > before.version,
        _ => true,
    };
    if opens && !row.reached.covers(row.wanted) {
        // The lane is the highest of the levels covered: one that was reached no longer counts. Bulk work keeps to its own.
        let own = raise.replay.is_some() || row.reached.covers(before);
        row.lane = if own { raise.lane } else { row.lane.min(raise.lane) };
        row.state = State::Pending;
        row.attempts = 0;
        row.due = raise.due;
        row.raised_at = raise.at;
        row.folded = 1;
        row.waiting = None;
        row.reason = None;
        row.aside.job = raise.replay.map(|replay| replay.job);
    }
    true
}

/// Settles an obligation. Says whether it was put back into line because more is wanted than was judged.
pub fn settle(row: &mut Obligation, settled: &Settled<'_>) -> bool {
    if settled.reached {
        row.reached = row.reached.join(settled.level);
    }
    if settled.level.covers(row.wanted) {
        row.state = settled.state;
        row.attempts = settled.attempts;
        row.due = settled.due;
        row.waiting = settled.waiting.cloned();
        row.reason = settled.reason.cloned();
        groups::mark(row);
        return false;
    }
    if settled.reached {
        row.aside.failed = None;
        // What is still wanted was raised after the judged level was rendered; when exactly is not kept.
        row.raised_at = settled.at;
        row.folded = 1;
    }
    row.state = State::Pending;
    row.attempts = 0;
    row.due = settled.at;
    // What waits for a link goes on counting from its first wait.
    let parked = settled.waiting.filter(|_| settled.state == State::Parked);
    row.waiting = parked.filter(|waiting| matches!(waiting, Waiting::Link { .. })).cloned();
    row.reason = None;
    true
}

/// What a person decided about a dead delivery, carried out by a job. Says whether it was dead: of any other nothing
/// is decided.
pub fn decide(row: &mut Obligation, decided: &Decided) -> bool {
    // What is dead is due since it died.
    if row.state != State::Dead || row.due > decided.failed_by {
        return false;
    }
    row.attempts = 0;
    row.due = decided.at;
    row.waiting = None;
    row.reason = Some(decided.reason.clone());
    if decided.again {
        row.state = State::Pending;
        row.lane = Lane::Bulk;
        row.aside.job = Some(decided.job);
    } else {
        row.state = State::Discarded;
        groups::mark(row);
    }
    true
}

/// The link an obligation waits for: parked, or given up by now. Given up it goes on all the same when the link comes.
#[must_use]
pub fn awaits(row: &Obligation) -> Option<(RecordId, &Object)> {
    let Some(Waiting::Link { record, object, .. }) = &row.waiting else { return None };
    matches!(row.state, State::Parked | State::Dead).then_some((*record, object))
}

/// The link an obligation waits for has come.
pub fn wake(row: &mut Obligation, link: &Link) {
    if row.state == State::Dead {
        row.attempts = 0;
    }
    row.state = State::Pending;
    row.due = link.created_at;
    row.waiting = None;
    row.reason = None;
}

/// Whether what waits for the object that this obligation would have brought is to be judged again: it has ended, or a
/// person is needed.
#[must_use]
pub fn ended(before: State, row: &Obligation) -> bool {
    before.is_open()
        && matches!(row.key.subject, Subject::Record(_))
        && matches!(row.state, State::Dead | State::Discarded | State::Erased)
}

/// What it waits for has ended: it is judged again. Says whether it was parked for it. One that waits until somebody says
/// which object its own record is makes a new one when it is judged again: it waits for the link, or a person's word.
pub fn rouse(row: &mut Obligation, at: Wall) -> bool {
    let own = |(record, object): (RecordId, &Object)| {
        matches!(row.key.subject, Subject::Record(_)) && record == row.record && *object == row.object
    };
    if row.state != State::Parked || awaits(row).is_none_or(own) {
        return false;
    }
    row.state = State::Pending;
    row.due = at;
    true
}

/// Something in a higher lane waits for it. It takes that lane, and is judged again where it waits itself, so that what it
/// waits for takes it as well. Says whether that changed anything: only what is open and not held is hastened.
pub fn hasten(row: &mut Obligation, lane: Lane, at: Wall) -> bool {
    if !claimable(row) || row.lane <= lane {
        return false;
    }
    row.lane = lane;
    rouse(row, at);
    true
}

/// Of the deliveries that bring a record to a system as one kind of object, the one to look at: one that the hub still works
/// at, or that a person may still end; else the last.
#[must_use]
pub fn bringer(rows: impl IntoIterator<Item = Obligation>) -> Option<Obligation> {
    let alive = |row: &Obligation| row.state.is_open() || row.state == State::Uncertain;
    rows.into_iter().max_by_key(|row| (alive(row), row.seq))
}

/// An operator holds it back. Says whether that changed anything: only what is open and not held is.
pub fn hold(row: &mut Obligation, reason: &Reason) -> bool {
    if !claimable(row) {
        return false;
    }
    row.state = State::Parked;
    row.waiting = Some(Waiting::Operator);
    // Whether a person has looked, say, is not forgotten over it.
    let before = row.reason.take().map(|before| before.class).filter(|class| !class.is_empty());
    row.reason = Some(Reason { code: before, ..reason.clone() });
    true
}

/// What an operator held goes on, with the class of the reason that it had. Says whether it was held.
pub fn release(row: &mut Obligation, at: Wall) -> bool {
    if row.state != State::Parked || row.waiting != Some(Waiting::Operator) {
        return false;
    }
    row.state = State::Pending;
    row.waiting = None;
    let before = row.reason.take().and_then(|held| held.code);
    row.reason = before.map(|class| Reason { class, ..Reason::default() });
    row.due = at;
    true
}

/// Whether a claim may hand it out once it is due: open, and not held by an operator. (A `notify` obligation must
/// also be the first open one of its route and record.)
#[must_use]
pub fn claimable(row: &Obligation) -> bool {
    row.state.is_open() && row.waiting != Some(Waiting::Operator)
}

/// Whether a receipt names it among those to go on with at once. A parked one is left to the claims.
#[must_use]
pub const fn ready(row: &Obligation) -> bool {
    matches!(row.state, State::Pending | State::Retrying)
}

/// Whether deliveries of this row and its like (same tenant, route and record) are handed out one after the other.
#[must_use]
pub const fn in_line(row: &Obligation) -> bool {
    matches!(row.key.subject, Subject::Event(_))
}

/// The head of an obligation.
#[must_use]
pub fn head(row: &Obligation) -> Head {
    Head {
        key: row.key.clone(),
        seq: row.seq,
        system: row.system.clone(),
        object: row.object.clone(),
        entity: row.entity.clone(),
        record: row.record,
        lane: row.lane,
        due: row.due,
        state: row.state,
        attempts: row.attempts,
        raised_at: row.raised_at,
    }
}

/// What is kept of an intent put for the first time: `fields` is not stored, and a closed one has no call and no
/// request.
#[must_use]
pub fn first_intent(mut intent: Intent) -> Intent {
    intent.fields = Arc::default();
    if intent.state == IntentState::Closed {
        intent.call = Arc::default();
        intent.request = Arc::default();
    }
    intent
}

/// What is kept of an intent put again: what was rendered stays as it was (same key, same bytes); what happens to it
/// moves. Its call and request are dropped with its end.
#[must_use]
pub fn next_intent(before: Intent, now: Intent) -> Intent {
    first_intent(Intent {
        external_id: now.external_id,
        scope: now.scope,
        state: now.state,
        sends: now.sends,
        probes: now.probes,
        arrives_until: now.arrives_until,
        due: now.due,
        outcome: now.outcome,
        reason: now.reason,
        closed_at: now.closed_at,
        token: now.token,
        ..before
    })
}

/// Whether an intent is still to be finished.
#[must_use]
pub fn unfinished(intent: &Intent) -> bool {
    intent.state != IntentState::Closed
}

/// What is kept of a shadow: its revision counts up.
#[must_use]
pub fn next_shadow(before: i64, shadow: Shadow) -> Shadow {
    Shadow { revision: before + 1, ..shadow }
}

/// A hint for an object that is to be fetched already: the newest hint is kept; a fetch that backs off goes on
/// backing off.
pub fn hint_again(row: &mut Fetch, hint: &Fetch) {
    if hint.hinted_at >= row.hinted_at {
        row.hinted_at = hint.hinted_at;
        row.trace.clone_from(&hint.trace);
    }
    if row.attempts == 0 {
        row.due = row.due.min(hint.due);
    }
}

/// A fetch that began at `started` has come. Says whether the row goes: not when a hint came after what it is sure to show;
/// then it is due again with that hint, at once where it began before the hint, else when no answer can be behind it any more.
pub fn fetched(row: &mut Fetch, started: Wall, lag: Duration) -> bool {
    if row.hinted_at + lag <= started {
        return true;
    }
    row.due = if row.hinted_at > started { row.hinted_at } else { row.hinted_at + lag };
    row.attempts = 0;
    false
}

/// How urgent a unit is when the disk is full (I2): by its least urgent operation.
#[must_use]
pub fn urgency(unit: &Unit) -> Urgency {
    unit.ops.iter().map(op_urgency).max().unwrap_or(Urgency::Outcome)
}

fn op_urgency(op: &Op) -> Urgency {
    match op {
        Op::Seen { .. } | Op::Bury { .. } | Op::PutMessage(_) | Op::PutFact(_) | Op::Raise(_) | Op::WantFetch(_) => {
            Urgency::Intake
        }
        // Not sent before, as far as is known; a resend is on the way to an outcome.
        Op::PutIntent(intent) if intent.state == IntentState::Open && intent.sends <= 1 => Urgency::Send,
        Op::PutIntent(_)
        | Op::MessageState { .. }
        | Op::Unsee { .. }
        | Op::PutRecord(_)
        | Op::PutLink(_)
        | Op::DropLink(_)
        | Op::WakeMessages { .. }
        | Op::PutMatch { .. }
        | Op::DropMatch { .. }
        | Op::DropMatches(_)
        | Op::PutDecision(_)
        | Op::Settle { .. }
        | Op::Hold { .. }
        | Op::Release { .. }
        | Op::Hasten { .. }
        | Op::PutChange(_)
        | Op::PutShadow(_)
        | Op::PutAttempt(_)
        | Op::DoneFetch { .. }
        | Op::DelayFetch { .. }
        | Op::PutCursor { .. }
        | Op::PutJob(_)
        | Op::DropJob(_)
        | Op::Decide { .. }
        | Op::DecideMessage { .. }
        | Op::PutSystem(_)
        | Op::PutApplied(_)
        | Op::PutVersion(_)
        | Op::PutEpoch(_)
        | Op::PutReread { .. }
        | Op::WantFetchOf { .. }
        | Op::PutCredential { .. }
        // What goes makes room.
        | Op::Forget { .. }
        | Op::PutRetained(..) => Urgency::Outcome,
    }
}
