//! Tests of the whole crate.

mod batch;
mod builtin;
mod hostile;
mod job;
mod listing;
mod manifest;
mod strict;
mod version;
mod xml;

use std::collections::BTreeMap;

use canonical::Object;
use serde_json::Value;

use crate::{Connector, Manifest};

/// A manifest that comes with Concord, bound.
fn connector(
    name: &str,
    parameters: &BTreeMap<String, Value>,
    paths: &BTreeMap<Object, Vec<String>>,
) -> Connector {
    let manifest = Manifest::parse(name, Manifest::builtin(name).unwrap()).unwrap();
    match manifest.bind(parameters, paths) {
        Ok(connector) => connector,
        Err(errors) => panic!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}
