//! Versions between the store, which keeps them, and the configuration, which judges by them; and what was written under an
//! older schema, read under the one that counts.

use std::sync::Arc;

use canonical::{Fact, Record, Wall};
use config::{Configuration, VersionKind, Versioned};
use store::{Op, SpokeRow, Version, VersionKey};

/// Everything in a configuration that has a version, as it is to be kept from now on.
#[must_use]
pub fn kept(configuration: &Configuration, at: Wall) -> Vec<Op> {
    let versions = configuration.versions().into_iter();
    let kept = versions.map(|version| Version {
        tenant: configuration.tenant.clone(),
        key: VersionKey { kind: version.kind.name().to_owned(), name: version.name, number: version.number },
        digest: version.digest,
        meaning: version.meaning,
        at,
    });
    kept.map(Op::PutVersion).collect()
}

/// As it is judged by; `None`: it is of a kind that this release does not know.
#[must_use]
pub fn known(version: Version) -> Option<Versioned> {
    let Version { key, digest, meaning, .. } = version;
    let kind = VersionKind::from_name(&key.kind)?;
    Some(Versioned { kind, name: key.name, number: key.number, digest, meaning })
}

/// Reads a record under the schema that counts. It is stored anew with its next change, not by being read.
pub fn read(configuration: &Configuration, record: &mut Record) {
    if let Some(upcaster) = configuration.upcaster(&record.entity) {
        upcaster.record(record);
    }
}

/// Reads an event under the schema that counts, and says so.
pub fn read_event(configuration: &Configuration, fact: &mut Fact) {
    if let Some(upcaster) = configuration.upcaster(&fact.entity) {
        upcaster.event(fact.schema, &mut fact.data);
        fact.schema = fact.schema.max(upcaster.to());
    }
}

/// The same for what a delivery is judged by.
pub(crate) fn read_row(configuration: &Configuration, row: &mut SpokeRow) {
    if let Some(record) = &mut row.record
        && configuration.upcaster(&record.entity).is_some_and(|upcaster| record.schema < upcaster.to())
    {
        read(configuration, Arc::make_mut(record));
    }
    row.fact.iter_mut().for_each(|fact| read_event(configuration, fact));
}
