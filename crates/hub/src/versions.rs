//! Versions between the store, which keeps them, and the configuration, which judges by them.

use canonical::Wall;
use config::{Configuration, VersionKind, Versioned};
use store::{Op, Version, VersionKey};

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
