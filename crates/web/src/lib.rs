//! What Concord's own listeners share, so that ingress and console answer alike.
//!
//! A route cannot be added without saying who may call it ([`Routes`]); every error is a problem document
//! ([`Problem`], RFC 9457) with the request's id; bodies are read within bounds ([`body::read`]); connections and
//! heads have bounds of number, size and time ([`serve`]). Several tenants behind one listener are kept apart before
//! anything of a request is read but its head ([`by_path`], [`by_token`]).

mod access;
pub mod body;
mod front;
mod ids;
mod problem;
mod routes;
mod server;
mod shares;

pub use access::{Caller, Scope, Token, Tokens};
pub use front::{Door, by_path, by_token};
pub use problem::{Flaw, Kind, Problem, kinds};
pub use routes::{Access, RequestId, Route, Routes};
pub use server::{Bounds, Current, Exchange, fixed, serve};
pub use shares::{Seat, Shares};

#[cfg(test)]
mod tests;
