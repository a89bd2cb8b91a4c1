//! The real router before the real intake machine, on the in-memory store.

mod bad_input;
mod challenges;
mod events;
mod front;
mod pressure;
mod waiting;
mod webhooks;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use canonical::{System, Tenant, Wall};
use config::{Configuration, Files, Secrets, SystemSecrets};
use guard::Secret;
use guard::signature::{Outgoing, Preset, Scheme, sign};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use hub::MachineId;
use intake::Message;
use runtime::clock::Clock;
use runtime::{BoxFuture, Fresh, Handle, Network, Runtime};
use serde_json::{Value, json};
use store::browse::{EventFilter, Look, MessageFilter, Page};
use store::memory::Memory;
use tower::ServiceExt as _;

use crate::{Ingress, Limits, Options};

const START: Wall = Wall(1_700_000_000_000_000);
const PUBLIC: &str = "https://hub.example.com";

struct Unplugged;

impl Network for Unplugged {
    fn send(
        self: Arc<Self>,
        _: System,
        _: runtime::Request,
    ) -> BoxFuture<Result<runtime::Response, runtime::Failure>> {
        Box::pin(std::future::pending())
    }
    fn authorise(self: Arc<Self>, _: System) -> BoxFuture<Result<Fresh, runtime::AuthoriseError>> {
        Box::pin(std::future::pending())
    }
}

/// A running hub with its public listener.
struct Stage {
    hub: Handle,
    store: Arc<Memory>,
    ingress: Ingress,
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Stage {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Limits)) -> Self {
        Self::of(configuration(), change)
    }

    fn of(configuration: Configuration, change: impl FnOnce(&mut Limits)) -> Self {
        let configuration = Arc::new(configuration);
        let mut options = Options::of(&configuration, &secrets());
        change(&mut options.limits);
        let store = Arc::new(Memory::new());
        let tenant = configuration.tenant.clone();
        let hub = Runtime::start(runtime::Options {
            telemetry: Arc::new(telemetry::Registry::new(&tenant)),
            tenant,
            machines: vec![(MachineId::Intake, Box::new(hub::Intake::new(configuration)))],
            store: store.clone(),
            network: Arc::new(Unplugged),
            clock: Clock::starting_at(START),
            limits: runtime::Limits::default(),
            crash: None,
            folder: ".".into(),
        })
        .expect("starts");
        let ingress = Ingress::new(options, hub.clone());
        Self { hub, store, ingress }
    }

    async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.ingress.router().oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("whole").to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// A signed webhook of `crm`.
    async fn webhook(&self, body: &[u8]) -> Answer {
        self.ask(signed("/v1/webhooks/crm?object=contacts", body, START, "crm-secret")).await
    }

    async fn event(&self, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::post("/v1/events").header("authorization", "Bearer feed-token");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.ask(request.body(body.into()).expect("a request")).await
    }

    /// All messages that were kept, oldest first.
    async fn messages(&self) -> Vec<Message> {
        let filter = MessageFilter { limit: 100, ..MessageFilter::default() };
        match self.hub.look(Look::Messages(filter)).await {
            Ok(Page::Messages(rows)) => rows.into_iter().rev().map(|(_, message)| message).collect(),
            other => panic!("no messages: {other:?}"),
        }
    }

    /// How many events were made.
    async fn facts(&self) -> usize {
        match self.hub.look(Look::Events(EventFilter { limit: 100, ..EventFilter::default() })).await {
            Ok(Page::Events(rows)) => rows.len(),
            other => panic!("no events: {other:?}"),
        }
    }

    fn counted(&self, reason: &str) -> bool {
        let text = self.hub.telemetry().text();
        text.lines().any(|line| {
            line.starts_with("concord_http_refused_total") && line.contains(&format!("reason=\"{reason}\""))
        })
    }
}

/// A request signed as `webhook.yaml` says.
fn signed(path: &str, body: &[u8], at: Wall, secret: &str) -> Request<Body> {
    let uri = format!("{PUBLIC}{path}");
    let message = Outgoing { method: "POST", uri: &uri, id: "m", at, body };
    let headers = sign(&Scheme::Preset(Preset::Hmac), &message, &[Secret::from(secret)]).expect("signed");
    let mut request = Request::post(path).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.body(Body::from(body.to_vec())).expect("a request")
}

fn contact(event: &str, id: &str, version: u64, score: impl Into<Value>) -> Vec<u8> {
    let score: Value = score.into();
    json!({ "event_id": event, "id": id, "version": version, "email": format!("{id}@example.com"), "score": score })
        .to_string()
        .into_bytes()
}

fn cloud_event(id: &str, subject: &str, sequence: u64) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/shop", "type": "contact.updated", "subject": subject,
        "sequence": format!("{sequence:020}"), "data": { "email": format!("{subject}@example.com"), "score": sequence }
    })
}

fn secrets() -> Secrets {
    let webhook = |secrets: &[&str]| SystemSecrets {
        connection: BTreeMap::new(),
        webhook: secrets.iter().map(|secret| Secret::from(*secret)).collect(),
    };
    let system = |name: &str| System::new(name).expect("a name");
    Secrets {
        root_key: Secret::from("0123456789abcdef0123456789abcdef"),
        systems: [
            (system("crm"), webhook(&["crm-secret", "crm-old-secret"])),
            (system("mail"), webhook(&["mail-secret"])),
            (system("feed"), webhook(&[])),
            (system("chat"), webhook(&["chat-secret"])),
            (system("graph"), webhook(&["graph-secret"])),
        ]
        .into(),
        clients: [
            ("shop".to_owned(), Secret::from("feed-token")),
            ("mute".to_owned(), Secret::from("mute-token")),
        ]
        .into(),
    }
}

fn configuration() -> Configuration {
    let mut files = Files::new();
    for (path, text) in FILES.iter().chain(challenges::FILES) {
        files.put(path, *text);
    }
    match config::load(&files) {
        Ok(checked) => checked.configuration,
        Err(problems) => {
            let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
            panic!("{}", shown.join("\n"))
        }
    }
}

const FILES: &[(&str, &str)] = &[
    (
        "concord.yaml",
        "tenant: acme
public_url: https://hub.example.com/
store: {folder: ./data, root_key: {file: ./root.key}}
listeners: {ingress: 127.0.0.1:4000, operator: 127.0.0.1:4001}
intake:
  clients:
    - {name: shop, system: feed, token: {env: SHOP}}
    - {name: mute, system: mail, token: {env: MUTE}}
",
    ),
    (
        "model/contact.yaml",
        "entity: Contact
version: 1
schema:
  type: object
  properties:
    email: {type: string}
    score: {type: integer}
fields:
  email: {pii: basic}
  score: {pii: none}
",
    ),
    (
        "systems/crm.yaml",
        "system: crm
connector: webhook
connection: {base_url: \"https://crm.example.com\"}
webhook: {secrets: [{env: CRM}, {env: CRM_OLD}]}
",
    ),
    (
        "systems/mail.yaml",
        "system: mail
connector: mailchimp
parameters: {list: abcdef0123}
connection: {base_url: \"https://mail.example.com\", secrets: {api_key: {env: MAIL_KEY}}}
webhook: {unsigned: true, secrets: [{env: MAIL}]}
",
    ),
    (
        "systems/feed.yaml",
        "system: feed
connector: cloudevents
connection: {base_url: \"https://feed.example.com\"}
",
    ),
    (
        "mappings/contact.crm.yaml",
        "mapping: contact.crm
version: 1
entity: Contact
system: crm
object: contacts
fields:
  - {field: email, path: email, direction: in}
  - {field: score, path: score, direction: in}
",
    ),
    (
        "mappings/contact.feed.yaml",
        "mapping: contact.feed
version: 1
entity: Contact
system: feed
object: contact
fields:
  - {field: email, path: email, direction: in}
  - {field: score, path: score, direction: in}
",
    ),
    (
        "mappings/contact.mail.yaml",
        "mapping: contact.mail
version: 1
entity: Contact
system: mail
object: members
fields:
  - {field: email, path: email_address, direction: in}
",
    ),
];

#[test]
fn the_tenant_is_the_configurations() {
    assert_eq!(configuration().tenant, Tenant::new("acme").expect("a name"));
}
