//! Egress against real sockets: servers written by hand, so that each can misbehave in its own way.

mod assertion;
mod auth;
mod cookies;
mod echoes;
mod failures;
mod further;
mod guard;
mod requests;
mod server;
mod tls;

use std::collections::BTreeMap;
use std::time::Duration;

use ::guard::Secret;
use canonical::{System, Tenant, Wall};
use connector::{AuthKind, Credential, Failure, Request, Response};

use crate::{Connection, Egress, Options, Timeouts};

/// A time at which tokens are asked for: 2023-11-14T22:13:20Z.
const NOW: Wall = Wall::from_millis(1_700_000_000_000);

pub(crate) fn crm() -> System {
    System::new("crm").unwrap()
}

pub(crate) fn egress() -> Egress {
    egress_with(Options::default())
}

fn egress_with(options: Options) -> Egress {
    Egress::new(Tenant::new("acme").unwrap(), options).unwrap()
}

/// A connection to a local server, which it lists.
pub(crate) fn connection(base_url: &str, auth: AuthKind, secrets: &[(&str, &str)]) -> Connection {
    let secrets: BTreeMap<_, _> =
        secrets.iter().map(|(name, value)| ((*name).to_owned(), Secret::from(*value))).collect();
    Connection {
        base_url: base_url.to_owned(),
        auth,
        secrets,
        allow: serde_json::from_str(r#"["127.0.0.1"]"#).unwrap(),
        timeouts: Timeouts { connect: Duration::from_millis(500), total: Duration::from_secs(10) },
        concurrency: 4,
    }
}

fn request(method: &str, path: &str, body: &str) -> Request {
    Request {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.as_bytes().to_vec(),
        credential: Credential::Connection,
        operation: "test".to_owned(),
        timeout_ms: 1000,
        cost: 1,
    }
}

async fn post(egress: &Egress, path: &str) -> Result<Response, Failure> {
    egress.send(&crm(), request("POST", path, "{}")).await
}
