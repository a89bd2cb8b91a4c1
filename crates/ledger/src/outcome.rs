//! Outcomes: what an answer, or its absence, means. One vocabulary for all connectors; the connector classifies,
//! [`crate::settle`] decides.

use std::time::Duration;

use canonical::{OrderToken, Wall};
use serde::{Deserialize, Serialize};

/// The class of an outcome.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The effect is there.
    Applied,
    /// A probe found nothing.
    Absent,
    /// Too fast: the bucket closes until the target says otherwise. Spends no attempt.
    RateLimited,
    /// The long quota is gone. Spends no attempt.
    QuotaExhausted,
    /// The token is stale: refresh once, send again. Spends no attempt.
    AuthExpired,
    /// The credential is no longer taken: the system pauses.
    AuthRevoked,
    /// The credential may not do this.
    Permission,
    /// The target refuses the content.
    Validation,
    /// Too big.
    TooLarge,
    /// The object is there already.
    Duplicate,
    /// No such object (404 by id).
    NotFound,
    /// The object was there and is gone (410).
    Gone,
    /// A precondition failed: somebody else wrote.
    Conflict,
    /// Somebody holds a lock on it.
    Locked,
    /// The whole batch was refused, nothing of it applied: for one of its records, and which is not known.
    BatchRejected,
    /// May or may not have been applied.
    Uncertain,
    /// Certainly not applied, and worth another try.
    Retryable,
    /// Certainly not applied, and never will be.
    Permanent,
}

impl Class {
    /// Its name, as in manifests, the ledger and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Absent => "absent",
            Self::RateLimited => "rate_limited",
            Self::QuotaExhausted => "quota_exhausted",
            Self::AuthExpired => "auth_expired",
            Self::AuthRevoked => "auth_revoked",
            Self::Permission => "permission",
            Self::Validation => "validation",
            Self::TooLarge => "too_large",
            Self::Duplicate => "duplicate",
            Self::NotFound => "not_found",
            Self::Gone => "gone",
            Self::Conflict => "conflict",
            Self::Locked => "locked",
            Self::BatchRejected => "batch_rejected",
            Self::Uncertain => "uncertain",
            Self::Retryable => "retryable",
            Self::Permanent => "permanent",
        }
    }

    /// Whether it costs one of a delivery's attempts, for a write as for a probe. Throttling and stale tokens do not
    /// (I12); what ends a delivery has nothing left to count, and who was in a batch with a bad record has not failed.
    #[must_use]
    pub(crate) const fn spends_attempt(self) -> bool {
        matches!(self, Self::Conflict | Self::Locked | Self::Uncertain | Self::Retryable)
    }

    /// Whether the breaker counts it as the target being ill: throttling, stale tokens and permanent answers do not.
    #[must_use]
    pub const fn is_illness(self) -> bool {
        matches!(self, Self::Uncertain | Self::Retryable)
    }
}

/// How long a target asked to be left alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// For so long after the answer.
    For(Duration),
    /// Until this wall-clock time.
    Until(Wall),
}

impl Wait {
    /// How long that is, from `now` on.
    #[must_use]
    pub fn from(self, now: Wall) -> Duration {
        match self {
            Self::For(wait) => wait,
            Self::Until(then) => then.since(now),
        }
    }
}

/// What a target said when it refused. Never holds field values.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Refusal {
    /// The HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// The vendor's code.
    pub code: Option<String>,
    /// The field it is about, in the target's words.
    pub field: Option<String>,
    /// For people, redacted, at most 500 characters.
    pub message: String,
}

/// What came of a call.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// Its class.
    pub class: Class,
    /// Applied, duplicate, or a probe that found it: the object's id there.
    pub external_id: Option<String>,
    /// The version token the target returned.
    pub token: Option<OrderToken>,
    /// The opaque version that the object now has, such as an `ETag`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether the target says that it made a new object.
    pub created: Option<bool>,
    /// How long it asked to be left alone.
    pub wait: Option<Wait>,
    /// What it said when it refused.
    pub refusal: Refusal,
    /// Calls left in the current window of the named limit, as its headers say: feeds the bucket.
    pub remaining: Option<(String, u64, Option<Wait>)>,
    /// Nothing of the request reached the target: it is not there, whatever the request says.
    pub unreached: bool,
    /// Of a batch that was refused whole, where that does not say that nothing of it was applied: the refusal's class.
    pub whole: Option<Class>,
    /// The target says that it gives the answer to an earlier request with the same key again: it did nothing now, and
    /// the answer says nothing of how it is now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
}

impl Outcome {
    /// An outcome of `class` with nothing else known.
    #[must_use]
    pub fn of(class: Class) -> Self {
        Self {
            class,
            external_id: None,
            token: None,
            version: None,
            created: None,
            wait: None,
            refusal: Refusal::default(),
            remaining: None,
            unreached: false,
            whole: None,
            replayed: false,
        }
    }

    /// Whether it is a failure that the target has stored under the key: it answers so for as long as it knows the key,
    /// so that the same bytes can't become anything else.
    #[must_use]
    pub const fn is_stored_failure(&self) -> bool {
        self.replayed && self.class.is_illness()
    }

    /// Whether it tells how the target is now. A replayed answer tells how it was; that it throttles is said by who
    /// stands before all answers, stored ones too, and counts (I12).
    #[must_use]
    pub const fn tells_of_now(&self) -> bool {
        !self.replayed || matches!(self.class, Class::RateLimited | Class::QuotaExhausted)
    }

    /// Whether a failure says something of the target only.
    pub(crate) const fn is_the_targets(&self, trial: bool) -> bool {
        self.class.is_illness() && (trial || self.unreached)
    }

    /// The same with a message for people.
    #[must_use]
    pub fn because(class: Class, message: impl Into<String>) -> Self {
        let mut outcome = Self::of(class);
        outcome.refusal.message = message.into();
        outcome
    }
}
