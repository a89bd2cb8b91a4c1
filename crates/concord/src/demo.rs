//! The demonstration: three sandbox systems, a business that uses them, a hub between them, faults, and a proof.

mod acts;
mod business;
pub(crate) mod diary;
mod dice;
pub(crate) mod folder;
pub(crate) mod live;
pub(crate) mod play;
mod proof;
pub(crate) mod report;
pub(crate) mod stage;
mod timeline;
mod views;
