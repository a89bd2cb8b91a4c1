//! Results stored by `Idempotency-Key`.

use std::collections::{BTreeMap, HashMap};

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::call::Call;
use crate::request::{Response, json as answer, with_header};
use crate::system::Stay;

/// Keys and their results. Walked only in order of expiry.
#[derive(Debug, Default)]
pub(super) struct Keys {
    stored: HashMap<String, Stored>,
    expiring: BTreeMap<(u64, u64), String>,
    sequence: u64,
}

#[derive(Debug)]
struct Stored {
    fingerprint: [u8; 32],
    status: u16,
    body: bytes::Bytes,
    /// The request stays in service; `until_ms` is when it leaves, if that is known.
    stay: Option<Stay>,
    expires_ms: u64,
}

/// An answer for a key seen before.
pub(super) struct Known {
    pub(super) response: Response,
    pub(super) replayed: bool,
}

impl Keys {
    pub(super) fn look_up(&mut self, call: &Call<'_>) -> Option<Known> {
        let key = key_of(call)?;
        let stored = self.stored.get(&key).filter(|stored| stored.expires_ms > call.now_ms)?;
        let known = |status, error: &str| {
            Some(Known { response: answer(status, &json!({ "error": error })), replayed: false })
        };
        if stored.fingerprint != fingerprint(call) {
            return known(
                400,
                "this Idempotency-Key was used with other parameters: use a new key for new content",
            );
        }
        if stored.stay.is_some_and(|stay| stay.until_ms.is_none_or(|until| until > call.now_ms)) {
            return known(409, "a request with this Idempotency-Key is in flight: wait, then send it again");
        }
        let replay = crate::request::typed(stored.status, "application/json", stored.body.clone());
        Some(Known { response: with_header(replay, "idempotent-replayed", "true"), replayed: true })
    }

    pub(super) fn store(&mut self, call: &Call<'_>, response: &Response, stay: Option<Stay>, ttl_ms: u64) {
        let Some(key) = key_of(call) else { return };
        while let Some(entry) = self.expiring.first_entry().filter(|entry| entry.key().0 <= call.now_ms) {
            let key = entry.remove();
            if self.stored.get(&key).is_some_and(|stored| stored.expires_ms <= call.now_ms) {
                self.stored.remove(&key);
            }
        }
        let expires_ms = call.now_ms + ttl_ms;
        self.sequence += 1;
        self.expiring.insert((expires_ms, self.sequence), key.clone());
        let stored = Stored {
            fingerprint: fingerprint(call),
            status: response.status().as_u16(),
            body: response.body().clone(),
            stay,
            expires_ms,
        };
        self.stored.insert(key, stored);
    }

    /// The caller of a request that never ends has gone: what it did stands, and can be replayed.
    pub(super) fn finished(&mut self, ticket: u64, now_ms: u64) {
        for stored in self.stored.values_mut() {
            if let Some(stay) = stored.stay.as_mut().filter(|stay| stay.ticket == ticket) {
                stay.until_ms = Some(now_ms);
            }
        }
    }
}

/// The key, with or without the quotes of a structured field, for writes that are not idempotent by themselves.
fn key_of(call: &Call<'_>) -> Option<String> {
    let key = call.header("idempotency-key")?.trim().trim_matches('"');
    (!key.is_empty() && call.request.method() != http::Method::GET).then(|| key.to_owned())
}

fn fingerprint(call: &Call<'_>) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(call.request.method().as_str());
    hash.update(call.path());
    hash.update([0]);
    hash.update(call.request.body());
    hash.finalize().into()
}
