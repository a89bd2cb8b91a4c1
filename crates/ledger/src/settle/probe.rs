//! What the answer to a probe means: the intent is in doubt, and the look was to tell.

use super::{Next, Settling, pace, write};
use crate::intent::IdempotencyClass;
use crate::obligation::Subject;
use crate::outcome::{Class, Outcome};
use crate::words;

pub(super) fn settle(at: Settling<'_>, outcome: &Outcome) -> Next {
    if at.intent.sends == 0 {
        return before_sending(at, outcome);
    }
    match outcome.class {
        Class::Applied => found(at, outcome),
        Class::Absent => absent(at, outcome),
        Class::RateLimited => {
            Next::Probe { due: pace::throttled(at, outcome, false).max(at.intent.visible_from()) }
        }
        Class::QuotaExhausted => {
            Next::Probe { due: pace::throttled(at, outcome, true).max(at.intent.visible_from()) }
        }
        Class::AuthExpired => Next::Reauthorise,
        Class::AuthRevoked => Next::PauseSystem(words::revoked(at.intent, outcome)),
        Class::Uncertain | Class::Retryable | Class::Locked | Class::Conflict => {
            if at.exhausted(outcome) {
                Next::Person(words::doubt(at.intent, outcome))
            } else {
                Next::Probe { due: pace::look_again(at, outcome).max(at.intent.visible_from()) }
            }
        }
        // The object the update was for is not there: whatever became of the update, it holds no longer.
        Class::NotFound | Class::Gone if at.is_update() => Next::LinkRot,
        // Not `absent`: a search that itself is not found says nothing about the object.
        Class::NotFound
        | Class::Gone
        | Class::Permission
        | Class::Validation
        | Class::TooLarge
        | Class::Duplicate
        | Class::BatchRejected
        | Class::Permanent => Next::Person(words::doubt(at.intent, outcome)),
    }
}

/// Nothing was sent yet, so that nothing is in doubt.
fn before_sending(at: Settling<'_>, outcome: &Outcome) -> Next {
    match outcome.class {
        Class::Applied if at.names_what_it_needs(outcome) => Next::Delivered,
        Class::Applied => Next::Dead(words::refused(at.intent, &Outcome::of(Class::Duplicate))),
        Class::Absent => Next::Resend { due: at.now + pace::asked(at, outcome).unwrap_or_default() },
        Class::Uncertain | Class::Retryable | Class::Conflict => {
            write::again(at, outcome, pace::back_off(at, outcome))
        }
        _ => write::settle(at, outcome),
    }
}

fn found(at: Settling<'_>, outcome: &Outcome) -> Next {
    if at.names_what_it_needs(outcome) {
        Next::Delivered
    } else {
        Next::Person(words::doubt(at.intent, outcome))
    }
}

impl Settling<'_> {
    /// A record's new object must be linked, so that its id is needed.
    fn names_what_it_needs(&self, outcome: &Outcome) -> bool {
        let named = outcome.external_id.as_deref().is_some_and(|id| !id.is_empty());
        let links = matches!(self.intent.obligation.subject, Subject::Record(_));
        named || self.is_update() || !links
    }
}

/// Nothing was seen. It counts only when the look was made after the last send could still become visible.
fn absent(at: Settling<'_>, outcome: &Outcome) -> Next {
    let visible = at.intent.visible_from();
    if matches!(at.intent.class, IdempotencyClass::None) {
        return Next::Person(words::doubt(at.intent, outcome));
    }
    if at.now < visible {
        return Next::Probe { due: visible };
    }
    // `now` is the answer's time, the look was earlier: at `due` or later, or at most one request's timeout ago.
    let timeout = at.intent.arrives_until.since(at.intent.created_at);
    if at.intent.due < visible && at.now < visible + timeout {
        return Next::Probe { due: pace::look_again(at, outcome) };
    }
    if at.attempts >= at.policy.attempts_max {
        return Next::Dead(words::exhausted(at.intent, outcome, at.attempts.saturating_sub(1)));
    }
    Next::Resend { due: at.now + pace::asked(at, outcome).unwrap_or_default() }
}
