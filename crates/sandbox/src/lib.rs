//! Vendor-shaped systems for tests and demonstrations: a pure world and a thin server.
//!
//! A [`World`] is one outside system (a HubSpot-shaped CRM, a Salesforce-shaped one, a NetSuite-shaped ERP, a
//! Mailchimp-shaped marketing system, or a plain JSON sink) with its faults and its own books. It sees no clock, socket or randomness: time
//! comes in with every call, entropy from a seed, so a simulator can drive it and a run can be repeated.
//! [`Sandbox::start`] puts one behind a real HTTP/1.1 port and sends its webhooks.
//!
//! ```
//! use sandbox::{Kind, Options, World};
//!
//! let mut world = World::new(Kind::Sink, Options::of(Kind::Sink));
//! let request = http::Request::put("/erp/a").body(bytes::Bytes::from("{\"version\": 1}"))?;
//! assert_eq!(world.serve(&request, 0).response.status(), 201);
//! assert_eq!(world.books().lanes["erp"].unique, 1);
//! # Ok::<(), http::Error>(())
//! ```
//!
//! This crate shares no code with what it tests, and is the stated exception to "one clock" and "one HTTP client".

pub mod admin;
pub mod books;
mod call;
mod clock;
mod entropy;
pub mod fault;
pub mod habit;
mod hubspot;
mod mailchimp;
mod netsuite;
pub mod options;
pub mod person;
pub mod request;
mod salesforce;
mod server;
pub mod shelf;
mod sink;
mod system;
mod token;
#[cfg(test)]
mod trial;
pub mod webhook;
mod world;

pub use books::{Books, LaneBook};
pub use fault::{Fault, FaultKind};
pub use habit::{Deed, Habit};
pub use options::{DuplicateRule, Kind, Limits, Options, Property, WebhookTarget};
pub use person::Edit;
pub use request::{Answer, Manner, Request, Response};
pub use server::{Handle, Sandbox, StartError};
pub use world::World;
