//! Declarative connectors: how to talk to a kind of system, in both directions, without I/O.
//!
//! A [`Manifest`] is data; bound to a system's parameters it is a [`Connector`]. A connector plus a [`Call`] makes
//! a [`Request`]; a connector plus an answer makes a [`ledger::Outcome`] or [`Observation`]s. Secrets are named,
//! never held; time comes in as an argument.
//!
//! The way of a write: [`Connector::choose`] an operation, [`Connector::render`] the call,
//! [`Connector::classify`] the answer. The way of a read: [`Connector::read_webhook`],
//! [`Connector::read_cloud_event`], [`Connector::read_page`], [`Connector::read_object`], [`Connector::read_many`].

mod association;
mod batch;
mod body;
mod call;
mod classify;
mod code;
mod compile;
mod connector;
mod csv;
mod describe;
mod error;
mod exchange;
mod fixture;
mod graphql;
mod habit;
mod handshake;
mod listing;
mod manifest;
mod many;
mod moment;
mod observation;
mod openapi;
mod path;
mod phrase;
mod plan;
mod proof;
mod read;
mod render;
mod scope;
mod snapshot;
mod source;
mod spec;
mod statement;
mod template;
#[cfg(test)]
mod tests;
mod typed;
mod xml;

pub use association::AssociationSpec;
pub use batch::{Part, Together, Verdicts};
pub use call::{Call, Cursor, JobStep, Write};
pub use classify::{Level, Reason, Stands};
pub use code::{Code, provide};
pub use connector::Connector;
pub use describe::{Described, Drift, FieldKind, FieldSeen, Known};
pub use error::{ManifestError, RenderError};
pub use exchange::{Credential, Failure, FailureKind, Reached, Request, Response};
pub use fixture::{CaseKind, CaseReport, Fixtures, NoCase, Report, Shown, case};
pub use handshake::{Echo, Echoed, Handshake};
pub use manifest::Manifest;
pub use many::ManySpec;
pub use observation::{Garbled, Observation, Page, Seen};
pub use openapi::{Scaffold, ScaffoldError, scaffold};
pub use path::value_at;
pub use phrase::{Phrase, Piece};
pub use proof::{
    Consent, Login, LoginEncoding, LoginMethod, Signing, SigningAlgorithm, SigningEncoding, SigningKey,
    SigningTime,
};
pub use scope::{Needed, Surplus, Use};
pub use snapshot::Anew;
pub use spec::{
    Assertion, AuthKind, BatchSpec, Bucket, Charge, ClientPlacement, Deletes, JobSpec, Limits, PollSpec,
    SignatureMethod, WebhookSpec, WriteSpec,
};
pub use xml::disguised_xml;
