//! The operator API over its real router, a running hub with its real machines, and the in-memory store.

mod access;
mod bulk;
mod changing;
mod decisions;
mod editing;
mod exchange;
mod folder;
mod fresh;
mod linking;
mod looking;
mod merging;
mod retention;
mod standing;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use canonical::{System, Tenant};
use guard::Secret;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use hub::{Intake, Jobs, Machine, MachineId, Retention, Spoke};
use intake::{DecisionKind, Message, MessageState};
use ledger::{IntentState, Level, ObligationKey, State};
use runtime::clock::Clock;
use runtime::{BoxFuture, Fresh, Handle, Network, Options, Runtime};
use serde_json::{Value, json};
use store::conformance::make;
use store::{Memory, Op, Store as _, Unit};
use tower::ServiceExt as _;
use web::{Scope, Token, Tokens};

/// Targets that take everything, and remember what they were sent; except for paths that hold one of these texts.
#[derive(Default)]
struct Targets(Mutex<Vec<(System, String)>>, Mutex<Vec<(String, Mood)>>);

/// What becomes of a call.
#[derive(Clone, Copy)]
enum Mood {
    /// It is answered with that status.
    Says(u16),
    /// It is never answered.
    Hangs,
}

impl Targets {
    fn behave(&self, path: impl Into<String>, mood: Mood) {
        self.1.lock().expect("not poisoned").push((path.into(), mood));
    }
}

impl Network for Targets {
    fn send(
        self: Arc<Self>,
        system: System,
        request: runtime::Request,
    ) -> BoxFuture<Result<runtime::Response, runtime::Failure>> {
        self.0.lock().expect("not poisoned").push((system, format!("{} {}", request.method, request.path)));
        let moods = self.1.lock().expect("not poisoned");
        let status = match moods.iter().find(|(path, _)| request.path.contains(path)).map(|(_, mood)| *mood) {
            Some(Mood::Hangs) => return Box::pin(std::future::pending()),
            Some(Mood::Says(status)) => status,
            None => 200,
        };
        // Record 1 is there as 17; another gets its key as its id.
        let tail = request.path.rsplit('/').next().unwrap_or_default();
        let id = if tail == make::rec(1).to_string() { "17" } else { tail };
        let body = json!({"id": id}).to_string().into_bytes();
        Box::pin(async move { Ok(runtime::Response { status, headers: Vec::new(), body }) })
    }

    fn authorise(self: Arc<Self>, _: System) -> BoxFuture<Result<Fresh, runtime::AuthoriseError>> {
        Box::pin(std::future::pending())
    }
}

/// A hub with its operator API.
struct Bench {
    router: Router,
    targets: Arc<Targets>,
    hub: Handle,
}

impl Bench {
    /// With these rows in its store.
    fn with(ops: Vec<Op>) -> Self {
        Self::of(folder::configuration(), ops)
    }

    /// With another folder.
    fn of(configuration: Arc<config::Configuration>, ops: Vec<Op>) -> Self {
        let store = Arc::new(Memory::new());
        commit(&store, ops);
        let targets = Arc::new(Targets::default());
        let mut machines: Vec<(MachineId, Box<dyn Machine>)> =
            vec![(MachineId::Intake, Box::new(Intake::new(Arc::clone(&configuration))))];
        machines.push((MachineId::Jobs, Box::new(Jobs::new(Arc::clone(&configuration)))));
        let retention = Box::new(Retention::new(Arc::clone(&configuration)));
        machines.push((MachineId::Retention, retention));
        for system in configuration.systems.keys() {
            let spoke = Spoke::new(Arc::clone(&configuration), system.clone()).expect("configured");
            machines.push((MachineId::Spoke(system.clone()), Box::new(spoke)));
        }
        let hub = Runtime::start(Options {
            tenant: make::acme(),
            machines,
            store,
            network: targets.clone(),
            telemetry: Arc::new(telemetry::Registry::new(&make::acme())),
            clock: Clock::starting_at(make::at(1000)),
            limits: runtime::Limits::default(),
            crash: None,
            folder: ".".into(),
        })
        .expect("starts");
        Self { router: crate::router(hub.clone(), configuration, tokens()), targets, hub }
    }

    /// With a bit of everything.
    fn new() -> Self {
        Self::with(everything())
    }

    async fn ask(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> (StatusCode, Value) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let status = response.status();
        if status.as_u16() >= 400 {
            assert_eq!(response.headers()["content-type"], "application/problem+json", "{method} {path}");
        }
        let bytes = response.into_body().collect().await.expect("whole").to_bytes();
        let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
        (status, serde_json::from_slice(&bytes).unwrap_or_else(|_| text()))
    }

    /// What a reader gets, which must be an answer.
    async fn get(&self, path: &str) -> Value {
        let (status, value) = self.ask("GET", path, Some("t-read"), "").await;
        assert_eq!(status, 200, "{path}: {value}");
        value
    }

    /// What an operator is answered.
    async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.ask("POST", path, Some("t-operate"), &body.to_string()).await
    }

    /// Looks until it is so.
    async fn until(&self, path: &str, so: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..500 {
            let value = self.get(path).await;
            if so(&value) {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{path} does not come to it: {}", self.get(path).await);
    }
}

fn commit(store: &Memory, ops: Vec<Op>) {
    let units = vec![Unit { require: Vec::new(), ops }];
    store.commit(units, Box::new(|answer| assert!(answer.is_ok(), "{answer:?}")));
}

fn tokens() -> Tokens {
    let token = |name: &str, scopes: &[Scope]| {
        Token::new(name, &Secret::from(format!("t-{name}")), scopes.iter().copied())
    };
    Tokens::new(vec![
        token("read", &[Scope::Read]),
        token("operate", &[Scope::Read, Scope::Operate]),
        token("privacy", &[Scope::Read, Scope::Pii]),
        token("shop", &[Scope::Ingest]),
    ])
}

/// Record 1 has a dead delivery, 2 one in doubt, 3 a done one; two messages of `crm` are quarantined. A globex has
/// the same with numbers from 50 on.
fn everything() -> Vec<Op> {
    let closed = ledger::Intent {
        state: IntentState::Closed,
        outcome: Some(ledger::Class::Validation),
        reason: Some(make::reason("fp1_a")),
        closed_at: Some(make::at(45)),
        ..make::intent(1, "r", 1)
    };
    let mut erp_link = make::link(1, "erp", "17");
    erp_link.object = make::object("customer");
    let mut ops = vec![
        Op::PutRecord(make::record(1, 1)),
        Op::PutRecord(make::record(2, 1)),
        Op::PutRecord(make::record(3, 1)),
        Op::PutLink(make::link(1, "crm", "c-1")),
        Op::PutLink(make::link(2, "crm", "two@example.com")),
        Op::PutLink(erp_link),
        Op::PutShadow(make::shadow(1, "erp", "customer")),
        Op::PutFact(make::fact(1, 1)),
        Op::PutFact(make::fact(2, 2)),
        Op::PutDecision(make::decision(1, DecisionKind::Rejected)),
        Op::PutIntent(closed),
        Op::PutAttempt(make::attempt(1, "r", 1)),
    ];
    for record in 1..=3 {
        ops.push(Op::Raise(make::raise("r", record, 1)));
    }
    for (record, state) in [(1, State::Dead), (2, State::Uncertain), (3, State::Delivered)] {
        ops.push(make::settle(make::sync_key("r", record), 1, state));
    }
    ops.extend([
        Op::PutMessage(make::message(1)),
        Op::PutMessage(quarantined(2)),
        Op::PutMessage(quarantined(3)),
    ]);
    ops.extend(foreign());
    ops
}

/// The same kinds of rows of another tenant.
fn foreign() -> Vec<Op> {
    let tenant = make::other();
    let key = foreign_key(&tenant);
    let (mut record, mut fact, mut link) =
        (make::record(50, 1), make::fact(50, 50), make::link(50, "crm", "c-50"));
    record.tenant = tenant.clone();
    fact.tenant = tenant.clone();
    link.tenant = tenant.clone();
    let raise = intake::Raise { key: key.clone(), ..make::raise("r", 50, 1) };
    vec![
        Op::PutRecord(record),
        Op::PutFact(fact),
        Op::PutLink(link),
        Op::Raise(raise),
        make::settle(key, 1, State::Dead),
        Op::PutMessage(Message { tenant: tenant.clone(), ..quarantined(50) }),
        Op::PutJob(ledger::Job { tenant, ..store::conformance::bulk::plan(50) }),
    ]
}

fn foreign_key(tenant: &Tenant) -> ObligationKey {
    ObligationKey { tenant: tenant.clone(), ..make::sync_key("r", 50) }
}

/// A message whose content a person must look at: a state of a contact, as it was read.
fn quarantined(number: u64) -> Message {
    let fields = json!({"id": "c-9", "name": "Nine", "mail": "nine@example.com"});
    let observation = connector::Observation {
        version: None,
        object: make::object("contacts"),
        external_id: "c-9".to_owned(),
        seen: connector::Seen::State { fields: fields.as_object().expect("an object").clone() },
        order: Some(canonical::OrderToken(9)),
        event_id: Some(format!("e{number}")),
        occurred_at: None,
        changed_at: None,
        trace: None,
    };
    Message {
        state: MessageState::Quarantined,
        about: Some(make::external("crm", "contacts", "c-9")),
        raw: serde_json::to_vec(&observation).expect("a document"),
        reason: Some(make::reason(if number == 2 { "fp1_m" } else { "fp1_o" })),
        received_at: make::at(i64::try_from(number).expect("small")),
        ..make::message(number)
    }
}

fn level(version: i64) -> Level {
    make::level(version)
}

/// The texts of all values, for tests that nothing of them is shown.
fn all_text(value: &Value) -> String {
    value.to_string()
}
