//! Field tables between an entity and a system's object, in both directions. Pure: no I/O, no clock.
//!
//! A [`MappingSource`] is what a person writes. [`Mapping::compile`] checks it against the entity's schema and
//! resolves every name, path, format and table, so that running it only walks slots:
//! [`Mapping::normalise`] brings an observed object into canonical form, [`Mapping::project`] brings a record
//! into the system's form. What cannot be brought over exactly is a [`Misfit`] or a [`ProjectError`], never a
//! guess, and neither ever shows a value.

mod cell;
mod check;
mod compile;
mod coverage;
mod equal;
mod error;
mod example;
mod flaw;
mod lineage;
mod lookup;
mod mapping;
pub mod meaning;
mod normalise;
mod observe;
mod path;
mod project;
mod roundtrip;
mod row;
mod shape;
pub mod source;
mod step;
#[cfg(test)]
mod tests;
pub mod upcast;
mod vendor;

pub use canonical::suggest;
pub use coverage::Coverage;
pub use error::{ExampleFailure, LookupError, MappingError};
pub use flaw::{Misfit, ProjectError, Why};
pub use lineage::{How, Lineage};
pub use lookup::Lookup;
pub use mapping::{Mapping, Reference};
pub use normalise::{Patch, UnresolvedRef};
pub use project::{MissingLink, Projection};
pub use roundtrip::{Disproof, Proof};
pub use source::{
    Ambiguous, BooleanForm, DateForm, DecimalForm, Direction, Equal, ExampleSource, LookupUse, MappingSource,
    OnAbsent, OnEmpty, OnRemoved, OnUnmapped, PhoneForm, RefUse, Rounding, RowSource, TimeForm, Transform,
    Written,
};
pub use upcast::{UpcastError, Upcaster};
