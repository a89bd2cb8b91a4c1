//! Tests of the whole crate.

mod association;
mod batch;
mod builtin;
mod habit;
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

/// The first write of these fields, to an object that is not linked; numbered, where several are told apart.
pub(crate) fn first_write(
    object: &str,
    operation: &str,
    number: u32,
    fields: canonical::Fields,
) -> crate::Write {
    let fields = std::sync::Arc::new(fields);
    crate::Write {
        object: canonical::Object::new(object).unwrap(),
        operation: operation.to_owned(),
        key: format!("rec_{number}"),
        external_id: None,
        fields: std::sync::Arc::clone(&fields),
        whole: fields,
        known: std::sync::Arc::default(),
        expected: None,
        version: None,
        association: None,
        intent: format!("int_{number}"),
    }
}

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
