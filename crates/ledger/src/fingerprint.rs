//! Fingerprints: alike failures get one name, so that a person sees causes, not rows.

use canonical::System;

use crate::outcome::Refusal;

/// Counts up when the recipe changes; part of every fingerprint, so that old groups stand.
pub const FINGERPRINT_VERSION: u32 = 1;

/// The group of a failure: system, class, vendor's code, field and mapping version. Never a value or a message.
#[must_use]
pub fn fingerprint(
    system: &System,
    class: &str,
    refusal: &Refusal,
    mapping: &str,
    mapping_version: u32,
) -> String {
    let mut hash = blake3::Hasher::new();
    let status = refusal.status.map(|s| s.to_string()).unwrap_or_default();
    for part in [
        system.as_str(),
        class,
        refusal.code.as_deref().unwrap_or_default(),
        refusal.field.as_deref().unwrap_or_default(),
        &status,
        mapping,
        &mapping_version.to_string(),
    ] {
        hash.update(part.as_bytes());
        hash.update(&[0]);
    }
    let hex = hash.finalize().to_hex();
    format!("fp{FINGERPRINT_VERSION}_{}", &hex[..12])
}
