//! Ids that Concord gives. Made from the wall clock and entropy that come in with a turn, never drawn here.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::time::Wall;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A version 7 id: ordered by `wall` to the millisecond, the rest from `entropy`.
            #[must_use]
            pub fn from_parts(wall: Wall, entropy: u128) -> Self {
                let millis = u64::try_from(wall.micros() / 1000).unwrap_or(0);
                let bytes = entropy.to_le_bytes();
                let mut random = [0_u8; 10];
                random.copy_from_slice(&bytes[..10]);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
            }

            /// When it was made, to the millisecond.
            #[must_use]
            pub fn made_at(&self) -> Wall {
                let seconds = self.0.get_timestamp().map_or((0, 0), |time| time.to_unix());
                let micros = seconds.0.saturating_mul(1_000_000) + u64::from(seconds.1 / 1_000);
                Wall(i64::try_from(micros).unwrap_or(i64::MAX))
            }

            /// The sixteen bytes, as stored.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $prefix, self.0.as_simple())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            /// Takes the shown form, with or without its prefix.
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::parse_str(text.strip_prefix($prefix).unwrap_or(text)).map(Self)
            }
        }
    )*};
}

ids! {
    /// A canonical record. Also the immutable key that upserts carry to targets.
    RecordId = "rec_";
    /// A stored event.
    EventId = "evt_";
    /// One rendered request on its way. Its text form is the idempotency key sent to targets.
    IntentId = "int_";
    /// One accepted inbound message.
    MessageId = "msg_";
    /// A plan of bulk work, and the job it becomes.
    JobId = "job_";
}

/// A route's immutable name; shown in the ledger and part of an obligation's key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RouteId(pub std::sync::Arc<str>);

impl RouteId {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl From<&str> for RouteId {
    fn from(text: &str) -> Self {
        Self(std::sync::Arc::from(text))
    }
}
impl fmt::Display for RouteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
impl fmt::Debug for RouteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
