//! Intents: the rendered request on its way. Durable before it is sent, finished as it was rendered.

use std::sync::Arc;
use std::time::Duration;

use canonical::{Fields, IntentId, Object, OrderToken, RecordId, System, Tenant, Wall};
use planted::Bug;
use serde::{Deserialize, Serialize};

use crate::association::Association;
use crate::obligation::{Level, ObligationKey, Reason};
use crate::outcome::Class;

/// How a write operation can be repeated without a second effect; declared by the connector.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "class", deny_unknown_fields)]
pub enum IdempotencyClass {
    /// The target replays the first answer for the same key.
    NativeKey {
        /// Seconds a key lives at the target; judged by half.
        ttl_s: u64,
    },
    /// The write names the object by an id given from outside, or by the vendor's own id: repeating it is harmless.
    Upsert,
    /// Look first: a create without a key, with a search that finds it after `index_lag_ms`.
    SearchFirst {
        /// Milliseconds until the target's search sees a write.
        index_lag_ms: u64,
    },
    /// Look when in doubt: the create writes Concord's id into a field, by which a search finds it after
    /// `index_lag_ms`.
    MarkerField {
        /// Milliseconds until the target's search sees a write.
        index_lag_ms: u64,
    },
    /// Nothing helps: a doubt goes to a person.
    None,
}

impl IdempotencyClass {
    /// Its name, as in manifests and the ledger.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NativeKey { .. } => "native_key",
            Self::Upsert => "upsert",
            Self::SearchFirst { .. } => "search_first",
            Self::MarkerField { .. } => "marker_field",
            Self::None => "none",
        }
    }
}

/// Where an intent stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentState {
    /// May be on the wire.
    Open,
    /// May have been applied: to be probed, or to be sent again as it was, not before `due`.
    Doubtful,
    /// Ended; `outcome` says how.
    Closed,
}

/// One rendered request. Same key ⇔ same bytes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Intent {
    /// Its id; its text form is the idempotency key.
    pub id: IntentId,
    /// What it serves.
    pub obligation: ObligationKey,
    /// The target.
    pub system: System,
    /// The kind of object there.
    pub object: Object,
    /// The record it is about.
    pub record: RecordId,
    /// The level it brings.
    pub level: Level,
    /// The manifest's write operation.
    pub operation: String,
    /// How it can be repeated.
    pub class: IdempotencyClass,
    /// What the hub keeps of the call as rendered (its `connector::Write`), from which probes and resends are made. Sealed at rest;
    /// dropped when closed.
    #[serde(skip)]
    pub call: Arc<[u8]>,
    /// The rendered request (`connector::Request::to_bytes`). Sealed at rest; dropped when closed.
    #[serde(skip)]
    pub request: Arc<[u8]>,
    /// Target path → value, as written: what the shadow holds once it is confirmed. Not stored: the hub refills it
    /// from `call` when an intent is read back.
    #[serde(skip)]
    pub fields: Arc<Fields>,
    /// Whether `fields` is the whole projection, not a difference.
    pub full: bool,
    /// The object's id there, when it was known at rendering: then the write is an update.
    pub external_id: Option<String>,
    /// The credential generation it was rendered under: another one means an expired key.
    pub scope: String,
    /// Where it stands.
    pub state: IntentState,
    /// Sends so far, probes not counted. Counted, durably, before the send: 0 means that nothing of it ever left.
    pub sends: u32,
    /// Probes so far that found nothing.
    pub probes: u32,
    /// When it was made durable.
    pub created_at: Wall,
    /// The last moment its bytes can still arrive: send time + request timeout.
    pub arrives_until: Wall,
    /// How long the target may go on working after the last arrival.
    pub processing_max: Duration,
    /// For doubtful ones: not before.
    pub due: Wall,
    /// How it ended or last failed.
    pub outcome: Option<Class>,
    /// For people.
    pub reason: Option<Reason>,
    /// When it ended.
    pub closed_at: Option<Wall>,
    /// The version token the target returned.
    pub token: Option<OrderToken>,
    /// Follows the change across systems.
    pub trace: String,
    /// References follow whose objects are not linked there yet, or associations: with it the target does not have the
    /// level, and the obligation goes on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lacking: bool,
    /// The association that it makes or takes back; `None`: it writes fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub association: Option<Box<Association>>,
    /// The batch that it goes in; `None`: alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<Membership>,
}

/// An intent's place in a batch: several requests of one operation, for different records, that go as one. Who goes
/// together is durable with the intents, so that the same bytes can go again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Membership {
    /// The batch; its text form is the batch's own idempotency key.
    pub id: IntentId,
    /// Its place, from 0.
    pub place: u32,
    /// How many went together.
    pub of: u32,
}

impl Intent {
    /// Whose it is.
    #[must_use]
    pub const fn tenant(&self) -> &Tenant {
        &self.obligation.tenant
    }

    /// From when on no send of it can change anything at the target any more: last possible arrival + processing.
    /// What was never sent (a create that looks first) is quiet from the start: a send is counted durably before it
    /// is made.
    #[must_use]
    pub fn quiet_from(&self) -> Wall {
        if self.sends == 0 { self.created_at } else { self.arrives_until + self.processing_max }
    }

    /// From when on a look at the target shows what its sends did: quiet, and seen by the target's search.
    #[must_use]
    pub fn visible_from(&self) -> Wall {
        if planted::is(Bug::ZombieAfterLook) && matches!(self.class, IdempotencyClass::SearchFirst { .. }) {
            return self.created_at;
        }
        match self.class {
            IdempotencyClass::SearchFirst { index_lag_ms }
            | IdempotencyClass::MarkerField { index_lag_ms }
                if self.sends > 0 =>
            {
                self.quiet_from() + Duration::from_millis(index_lag_ms)
            }
            _ => self.quiet_from(),
        }
    }

    /// Whether a native key still protects a send at `at` under the credential generation `scope`: judged by half
    /// its ttl, and gone with a changed credential. True for the other classes, which have no key to lose. To be
    /// asked right before every resend.
    #[must_use]
    pub fn key_lives(&self, scope: &str, at: Wall) -> bool {
        self.scope == scope && self.key_lives_until(at)
            || !matches!(self.class, IdempotencyClass::NativeKey { .. })
    }

    /// The same without the scope, for where it cannot have changed.
    pub(crate) fn key_lives_until(&self, at: Wall) -> bool {
        match self.class {
            IdempotencyClass::NativeKey { .. } if planted::is(Bug::KeyLivesForEver) => true,
            IdempotencyClass::NativeKey { ttl_s } => {
                at.since(self.created_at) <= Duration::from_secs(ttl_s) / 2
            }
            _ => true,
        }
    }
}
