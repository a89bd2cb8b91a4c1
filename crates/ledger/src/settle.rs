//! Settling: one published table from outcome class to action, the same for every connector.
//!
//! Answer to a **write** that is the only one of its intent that can have arrived:
//!
//! | class | action | attempt |
//! |---|---|---|
//! | applied | delivered; link rot when an update answers that it *created* | – |
//! | rate_limited, quota_exhausted | retry when the target says (at most `wait_max`), else after a default | no |
//! | auth_expired | reauthorise, same call again | no |
//! | auth_revoked | pause the system | no |
//! | permission, validation, too_large, permanent | dead | – |
//! | duplicate | adopt the id it names; dead when it names none | – |
//! | not_found | link rot for an update, dead for a create | – |
//! | gone | link rot | – |
//! | conflict | refetch, merge, render anew; dead when attempts are used up | yes |
//! | locked | short jittered retry | yes |
//! | retryable | full-jitter exponential retry; dead when attempts are used up | yes |
//! | batch_rejected | again in a half of the batch, at once; alone: dead | no |
//! | uncertain (and `absent`, which no write can answer) | by idempotency class, below | yes |
//!
//! **In doubt**, by idempotency class. *Quiet* is last possible arrival + the operation's processing time:
//!
//! | class | action |
//! |---|---|
//! | native_key, within half its ttl | resend after quiet |
//! | native_key, older | probe after quiet |
//! | upsert | resend after quiet |
//! | search_first, marker_field | probe after quiet + index lag |
//! | none | person |
//!
//! A second send of a native_key or upsert intent stands **under an earlier doubt**: an answer about it says
//! nothing about the first. Then "retry" becomes "go on as in doubt" (the intent is finished as it was rendered,
//! I3, I4), and where attempts are used up, or the refusal is not about the content, a person looks.
//!
//! A **stored failure** (uncertain or retryable, and the target says that it is a replay) of a native_key intent comes
//! back for as long as the key lives: a person looks at once, and a retry by hand is a new intent. Of a batch, whose
//! key stands for all of it, each is probed. It spends no attempt.
//!
//! Answer to a **probe**:
//!
//! | class | action |
//! |---|---|
//! | applied | delivered; a person when a created object's id is missing |
//! | absent | resend when the probe was made late enough (dead when attempts are used up), else probe again; none: person |
//! | rate_limited, quota_exhausted | probe again when the target says; no attempt |
//! | auth_expired, auth_revoked | as for a write: the *probe* is what is repeated |
//! | uncertain, retryable, locked, conflict | probe again, backing off; person when attempts are used up |
//! | not_found, gone | link rot for an update; person for a create |
//! | the rest | person |
//!
//! A **look before the first send** (a probe of an intent that was never sent, as `search_first` creates begin) is in
//! doubt about nothing: applied is delivered (the object is there), absent sends at once, and everything else
//! is as for
//! a write, where an uncertain look is a retryable one.
//!
//! Attempts are the obligation's: the caller counts one more for each answer that [spends one](RetryPolicy::spends), of a
//! resend or a probe as of a first send. A target that cannot be reached, and one that has done nothing for anybody of late
//! since its breaker opened, use up half of them at most, and end no delivery: such an outage is no record's fault. A
//! record that fails while others go through spends all of its own, and so does one that is answered with errors where
//! so little goes on that no breaker opens.

mod pace;
mod probe;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
mod write;

use std::time::Duration;

use canonical::Wall;

use crate::intent::Intent;
use crate::obligation::Reason;
use crate::outcome::Outcome;

/// How often and how slowly to try again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetryPolicy {
    /// First ceiling of the full-jitter back-off.
    pub base: Duration,
    /// Greatest ceiling.
    pub cap: Duration,
    /// Attempts before a delivery is dead. An outage (not reached, or ill with its breaker open) uses up half of them at
    /// most.
    pub attempts_max: u32,
    /// Longest a Retry-After is believed.
    pub wait_max: Duration,
}

impl RetryPolicy {
    /// Whether an answer costs one of a delivery's attempts, of which it has spent so many. `trial`: see [`Settling`].
    ///
    /// A target that is not there, or is ill without a break, is no record's fault: its failures count until half of
    /// the attempts are spent, so that the pace slows down and other records are tried first, and no outage, however
    /// long, uses up the rest.
    #[must_use]
    pub const fn spends(&self, outcome: &Outcome, attempts: u32, trial: bool) -> bool {
        let half = if self.attempts_max < 4 { 1 } else { self.attempts_max / 2 };
        outcome.class.spends_attempt()
            && !outcome.is_stored_failure()
            && (!outcome.is_the_targets(trial) || attempts < half)
    }
}

/// What settling looks at.
#[derive(Clone, Copy, Debug)]
pub struct Settling<'a> {
    /// The intent that was sent or probed.
    pub intent: &'a Intent,
    /// Attempts spent on the obligation before this one.
    pub attempts: u32,
    /// Whether the call was a probe, not the write.
    pub probe: bool,
    /// Whether the call was to try if an operation works again that has done nothing for anybody since it fell ill.
    pub trial: bool,
    /// The policy.
    pub policy: RetryPolicy,
    /// When the answer came.
    pub now: Wall,
    /// Entropy for the jitter.
    pub jitter: u64,
}

/// What to do.
#[derive(Clone, PartialEq, Debug)]
pub enum Next {
    /// The target has the level: close the intent, confirm the shadow, adopt the id.
    Delivered,
    /// Certainly not applied; close the intent, render anew when due. `spent` says whether it cost an attempt.
    Retry {
        /// Not before.
        due: Wall,
        /// Whether it counts.
        spent: bool,
    },
    /// Keep the intent, send the same bytes under the same key again, not before `due`. Right before sending, ask
    /// [`Intent::key_lives`]: the wait may have outlasted the key.
    Resend {
        /// Not before.
        due: Wall,
    },
    /// May have been applied: keep the intent, look first, not before `due`. Store `due` on the intent: an answer
    /// counts only if the look was made after it. Where the operation declares no probe, see [`crate::unprobed`].
    Probe {
        /// Not before.
        due: Wall,
    },
    /// May have been applied, and nothing at the target can tell: a person must look.
    Person(Reason),
    /// The batch was refused for one of its records, and nothing of it applied: on in a half of it, not before `due`.
    /// Spends no attempt.
    Split {
        /// Not before.
        due: Wall,
        /// An earlier send of it is in doubt: the intent stays, and the same bytes go again in the half. Else it is
        /// closed, and rendered anew.
        kept: bool,
    },
    /// Refused for good: close the intent, dead letter.
    Dead(Reason),
    /// The object exists already under this id: adopt it if match keys agree, else quarantine both.
    Adopt {
        /// The id the target named.
        external_id: String,
    },
    /// The object is not where the link points: close the intent, check tombstone and merge, unlink, render anew.
    LinkRot,
    /// Somebody else wrote: close the intent, fetch, merge, render anew.
    Refetch,
    /// Refresh the token, then make the same call again: the write if it was a write, the probe if it was a probe.
    /// Spends no attempt.
    Reauthorise,
    /// The credential is dead: pause the system, keep the intent's obligation pending. An intent in doubt stays.
    PauseSystem(Reason),
}

/// Decides, by the table on top of this file.
#[must_use]
pub fn settle(at: Settling<'_>, outcome: &Outcome) -> Next {
    if at.probe { probe::settle(at, outcome) } else { write::settle(at, outcome) }
}
