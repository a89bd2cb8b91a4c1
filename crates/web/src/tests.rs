//! Access, problem documents, bodies and connections, over real sockets where it matters.

mod bodies;
mod front;
mod routes;
mod server;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use canonical::{Tenant, Wall};
use guard::Secret;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use runtime::clock::Clock;
use runtime::{BoxFuture, Fresh, Handle, Network, Options, Runtime};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::{Access, Caller, Kind, Problem, RequestId, Routes, Scope, Token, Tokens, body, kinds};

struct Unplugged;

impl Network for Unplugged {
    fn send(
        self: Arc<Self>,
        _: canonical::System,
        _: runtime::Request,
    ) -> BoxFuture<Result<runtime::Response, runtime::Failure>> {
        Box::pin(std::future::pending())
    }
    fn authorise(self: Arc<Self>, _: canonical::System) -> BoxFuture<Result<Fresh, runtime::AuthoriseError>> {
        Box::pin(std::future::pending())
    }
}

/// A hub without machines.
fn hub() -> Handle {
    let tenant = Tenant::new("acme").expect("a name");
    Runtime::start(Options {
        telemetry: Arc::new(telemetry::Registry::new(&tenant)),
        tenant,
        machines: Vec::new(),
        store: Arc::new(store::memory::Memory::new()),
        network: Arc::new(Unplugged),
        clock: Clock::starting_at(Wall(1_700_000_000_000_000)),
        limits: runtime::Limits::default(),
        crash: None,
        folder: ".".into(),
    })
    .expect("starts")
}

fn tokens() -> Tokens {
    Tokens::new(vec![
        Token::new("ann", &Secret::from("t-ann"), [Scope::Read, Scope::Operate]),
        Token::new("bob", &Secret::from("t-bob"), [Scope::Read]),
    ])
}

async fn answer(router: &Router, request: Request<Body>) -> (StatusCode, http::HeaderMap, Value) {
    let response = router.clone().oneshot(request).await.expect("infallible");
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.expect("whole").to_bytes();
    let value = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
    (parts.status, parts.headers, value)
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).expect("a request")
}
