//! What the answer to a write means.

use canonical::Wall;
use planted::Bug;

use super::{Next, Settling, pace};
use crate::intent::{IdempotencyClass, IntentState};
use crate::outcome::{Class, Outcome};
use crate::recover::{Recovery, way_on};
use crate::words;

pub(super) fn settle(at: Settling<'_>, outcome: &Outcome) -> Next {
    if outcome.is_stored_failure() && at.is_keyed() {
        return stored(at, outcome);
    }
    match outcome.class {
        Class::Applied if outcome.created == Some(true) && at.is_update() => Next::LinkRot,
        Class::Applied => Next::Delivered,
        Class::RateLimited => throttled(at, outcome, false),
        Class::QuotaExhausted => throttled(at, outcome, true),
        Class::AuthExpired => Next::Reauthorise,
        Class::AuthRevoked => Next::PauseSystem(words::revoked(at.intent, outcome)),
        Class::Validation | Class::TooLarge => Next::Dead(words::refused(at.intent, outcome)),
        Class::Permission | Class::Permanent => refused(at, outcome),
        Class::Duplicate => match outcome.external_id.as_deref().filter(|id| !id.is_empty()) {
            Some(id) => Next::Adopt { external_id: id.to_owned() },
            None => refused(at, outcome),
        },
        Class::NotFound if !at.is_update() => refused(at, outcome),
        Class::NotFound | Class::Gone => Next::LinkRot,
        Class::Conflict => conflict(at, outcome),
        Class::Locked => again(at, outcome, pace::short(at, outcome)),
        Class::Retryable => again(at, outcome, pace::back_off(at, outcome)),
        Class::BatchRejected => split(at, outcome),
        Class::Uncertain if planted::is(Bug::SplitInDoubt) && at.is_upsert_of_batch() => {
            Next::Split { due: at.now, kept: false }
        }
        // Refused for one of them, and of the others nobody knows: harmless to repeat, so that the one can be found.
        Class::Uncertain if outcome.whole.is_some() && at.is_upsert_of_batch() && !at.is_alone() => {
            Next::Split { due: at.now.max(at.intent.quiet_from()), kept: true }
        }
        Class::Uncertain if planted::is(Bug::SilenceIsSuccess) && at.is_event() => Next::Delivered,
        Class::Uncertain | Class::Absent => doubtful(at, outcome),
    }
}

/// Not applied, and no fault of the delivery.
fn throttled(at: Settling<'_>, outcome: &Outcome, long: bool) -> Next {
    let due = pace::throttled(at, outcome, long);
    if at.earlier_doubt() { go_on(at, due) } else { Next::Retry { due, spent: false } }
}

/// Not applied, worth another try.
pub(super) fn again(at: Settling<'_>, outcome: &Outcome, due: Wall) -> Next {
    match (at.exhausted(outcome), at.earlier_doubt()) {
        (true, true) => Next::Person(words::doubt(at.intent, outcome)),
        (true, false) => Next::Dead(words::exhausted(at.intent, outcome, at.attempts)),
        (false, true) => go_on(at, due),
        (false, false) => Next::Retry { due, spent: at.policy.spends(outcome, at.attempts, at.trial) },
    }
}

/// The whole batch was refused: the halves of it go, until the record that it was for is alone.
fn split(at: Settling<'_>, outcome: &Outcome) -> Next {
    if at.is_alone() {
        return Next::Dead(words::refused(at.intent, outcome));
    }
    if !at.earlier_doubt() {
        return Next::Split { due: at.now, kept: false };
    }
    // An answer about this send says nothing about an earlier one, which may be at work still. An upsert's parts can go
    // on in halves as they are. A key stands for all of them, and halves under new keys could be second effects: each is
    // looked for.
    let due = at.now.max(at.intent.quiet_from());
    if at.is_upsert_of_batch() { Next::Split { due, kept: true } } else { Next::Probe { due } }
}

/// Refused for a reason other than its content. The same bytes may have been taken earlier: then a person looks.
fn refused(at: Settling<'_>, outcome: &Outcome) -> Next {
    if at.earlier_doubt() {
        Next::Person(words::doubt(at.intent, outcome))
    } else {
        Next::Dead(words::refused(at.intent, outcome))
    }
}

/// Somebody else wrote; or, for a key in doubt, our own first send is still at work under the same key. A new
/// rendering has a new key and would be a second effect.
fn conflict(at: Settling<'_>, outcome: &Outcome) -> Next {
    if at.is_keyed() && at.earlier_doubt() {
        again(at, outcome, pace::short(at, outcome))
    } else if at.exhausted(outcome) {
        Next::Dead(words::exhausted(at.intent, outcome, at.attempts))
    } else {
        Next::Refetch
    }
}

/// May have been applied. A look costs nothing at the target, so that it is made even after the last attempt.
fn doubtful(at: Settling<'_>, outcome: &Outcome) -> Next {
    match at.intent.class {
        IdempotencyClass::SearchFirst { .. } | IdempotencyClass::MarkerField { .. } => {
            go_on(at, at.now + pace::asked(at, outcome).unwrap_or_default())
        }
        IdempotencyClass::None if planted::is(Bug::BlindCreate) => Next::Resend { due: at.now },
        IdempotencyClass::None => Next::Person(words::doubt(at.intent, outcome)),
        _ if at.exhausted(outcome) => Next::Person(words::doubt(at.intent, outcome)),
        // A server error stored under a native key comes back for every resend. Where the target does not say that it
        // is one (`stored`), attempts run out, a person looks.
        _ => go_on(at, pace::back_off(at, outcome)),
    }
}

/// A failure that is kept under the key: to ask again is to hear it again. Whether the first send had an effect it does
/// not say, so that a new key could be a second one: a person looks first. Of a batch each can be looked for.
fn stored(at: Settling<'_>, outcome: &Outcome) -> Next {
    if at.is_alone() {
        return Next::Person(words::stored(at.intent, outcome));
    }
    let asked = pace::asked(at, outcome).unwrap_or_default();
    Next::Probe { due: at.intent.visible_from().max(at.now + asked) }
}

/// On with an intent in doubt, not before `due`.
fn go_on(at: Settling<'_>, due: Wall) -> Next {
    match way_on(at.intent, due, true) {
        Recovery::Resend { not_before } => Next::Resend { due: not_before },
        Recovery::Probe { not_before } => Next::Probe { due: not_before },
        Recovery::Person(reason) => Next::Person(reason),
    }
}

impl Settling<'_> {
    /// Whether the object was known there when the write was rendered.
    pub(super) fn is_update(&self) -> bool {
        self.intent.external_id.is_some()
    }

    /// Whether the target knows it by a key.
    fn is_keyed(&self) -> bool {
        matches!(self.intent.class, IdempotencyClass::NativeKey { .. })
    }

    fn is_alone(&self) -> bool {
        self.intent.batch.is_none_or(|batch| batch.of < 2)
    }

    /// Whether it goes with others, and can be repeated in any company.
    fn is_upsert_of_batch(&self) -> bool {
        self.intent.batch.is_some() && self.intent.class == IdempotencyClass::Upsert
    }

    /// Whether it tells of an event.
    fn is_event(&self) -> bool {
        matches!(self.intent.obligation.subject, crate::Subject::Event(_))
    }

    /// Whether this answer used up the last attempt. What is only the target's fault uses up none.
    pub(super) fn exhausted(&self, outcome: &Outcome) -> bool {
        !outcome.is_the_targets(self.trial) && self.attempts.saturating_add(1) >= self.policy.attempts_max
    }

    /// Whether an earlier send of the same intent may have been applied. The other classes send again only once
    /// that is excluded.
    fn earlier_doubt(&self) -> bool {
        let resends =
            matches!(self.intent.class, IdempotencyClass::NativeKey { .. } | IdempotencyClass::Upsert);
        resends && (self.intent.sends > 1 || self.intent.state == IntentState::Doubtful)
    }
}
