//! Credentials that rotate: sealed before they go into the store, opened when the hub starts.

use std::sync::Arc;

use anyhow::Context as _;
use canonical::{System, Tenant};
use embedded::Embedded;
use guard::Secret;
use guard::seal::{self, NONCE_BYTES, Place, RootKey};
use runtime::Seal;
use store::{Query, Rows, Store as _};

fn place(tenant: &Tenant, system: &System) -> Place {
    Place::new(&[tenant.as_str().as_bytes(), b"systems", system.as_str().as_bytes(), b"credential"])
}

/// What seals a credential before it is stored.
pub(super) fn sealer(tenant: Tenant, root: RootKey) -> Seal {
    Arc::new(move |system: &System, secret: &Secret| {
        let mut nonce = [0; NONCE_BYTES];
        if getrandom::fill(&mut nonce).is_err() {
            // Empty: it is found unreadable at the next start, and the configured credential is used.
            return Vec::new();
        }
        let (id, key) = root.pair();
        seal::seal(id, key, nonce, &place(&tenant, system), secret.expose())
    })
}

/// The newest credential that was kept for a system, if one rotated.
pub(super) async fn kept(
    tenant: &Tenant,
    system: &System,
    root: &RootKey,
    store: &Embedded,
) -> anyhow::Result<Option<Secret>> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let query = Query::System { tenant: tenant.clone(), system: system.clone() };
    // Nobody waits any more when the start was given up.
    store.find(query, Box::new(move |rows| drop(tell.send(rows))));
    let rows = told.await.context("the store does not answer")??;
    let Rows::System(Some(state), ..) = rows else { return Ok(None) };
    let Some(sealed) = state.credential.filter(|sealed| !sealed.is_empty()) else { return Ok(None) };
    let (id, key) = root.pair();
    let plain = seal::open(id, key, &place(tenant, system), &sealed).with_context(|| {
        format!("the kept credential of {system} does not open; connect the system again")
    })?;
    Ok(Some(Secret::new(plain)))
}
