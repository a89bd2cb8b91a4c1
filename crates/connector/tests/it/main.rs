//! What vendors publish, as judges of what the manifests that come with Concord send: their OpenAPI documents, and their
//! own SDKs from the registries. And vendors that have no pack yet, as judges of what the format can say.
//!
//! Documents are cut down to the operations in use and lie in `documents/`; its `README.md` says where each is from, and
//! how it is cut anew. SDKs are installed with npm, as `sdk.rs` says.

#![cfg(test)]

mod cut;
mod document;
mod form;
mod judge;
mod later;
mod schema;
mod sdk;
