//! The vocabulary every other room speaks: names, ids, time, values, schemas, records and events.
//!
//! Nothing here does I/O, reads a clock or draws randomness.

mod absorbed;
mod event;
mod ids;
mod name;
mod record;
pub mod rewrite;
pub mod schema;
pub mod suggest;
mod time;
pub mod value;

pub use absorbed::{ABSORBED_MAX, ALIAS_HOPS_MAX, Absorbed, Before, NoSecond, Taken, stands_for};
pub use event::{CloudEvent, EventEnvelopeError, Fact};
pub use ids::{EventId, IntentId, JobId, MessageId, RecordId, RouteId};
pub use name::{Entity, Field, NameError, Object, System, Tenant};
pub use record::{Alive, ExternalRef, Marks, Open, OpenKind, OrderToken, Provenance, Record};
pub use rewrite::{Rewrite, Rewrites};
pub use schema::{Condition, EntitySchema, FieldSpec, FieldType, OnConflict, Ownership, PiiClass};
pub use time::{Mono, Now, Wall};
pub use value::Fields;

pub use jiff;
pub use rust_decimal::Decimal;
