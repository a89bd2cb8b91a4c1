//! HTTP intake: verified webhooks, and events by the API.
//!
//! A webhook is verified over its raw bytes before anything reads it, read by its connector, offered to the hub, and
//! acknowledged when the hub says that it is durable (I2). What is authentic but unreadable is kept for a person and
//! acknowledged all the same: a sender's retries would not make it readable. Nothing here decides what a
//! message means.

mod app;
mod events;
mod front;
mod health;
mod keys;
mod options;
mod pace;
mod trace;
mod webhook;

pub use app::Ingress;
pub use front::front;
pub use options::{Limits, Options, Source, WEBHOOKS, webhook_address};

#[cfg(test)]
mod tests;
