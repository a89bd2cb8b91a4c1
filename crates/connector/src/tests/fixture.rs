//! Fixtures: recorded or written requests and answers per operation and error class, run against the manifests.
//!
//! One file per connector under `connectors/fixtures/`. Each case is a call with the request it must make, and
//! answers with what they must mean; or a message with what must be read from it.

use std::collections::{BTreeMap, BTreeSet};

use canonical::{Object, Wall};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Call, Connector, Cursor, Failure, FailureKind, Manifest, Observation, Reached, Response, Seen, Write,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    #[serde(default)]
    parameters: BTreeMap<String, Value>,
    #[serde(default)]
    paths: BTreeMap<Object, Vec<String>>,
    #[serde(default)]
    cases: Vec<Case>,
    #[serde(default)]
    batches: Vec<BatchCase>,
    #[serde(default)]
    webhooks: Vec<Message>,
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    call: CallSource,
    request: Expected,
    #[serde(default)]
    answers: Vec<Answer>,
}

/// Several records in one request, and what its answers say of each.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchCase {
    name: String,
    records: Vec<WriteSource>,
    request: Expected,
    #[serde(default)]
    answers: Vec<BatchAnswer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchAnswer {
    #[serde(default)]
    status: u16,
    #[serde(default)]
    json: Option<Value>,
    #[serde(default)]
    failure: Option<(FailureKind, Reached)>,
    /// What it says of the call as a whole.
    call: String,
    /// Of each record: its class, and the id it names.
    each: Vec<(String, Option<String>)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum CallSource {
    Write(WriteSource),
    Probe(WriteSource),
    List {
        object: Object,
        #[serde(default)]
        cursor: Cursor,
    },
    Fetch {
        object: Object,
        external_id: String,
    },
    Identity,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WriteSource {
    object: Object,
    /// The operation; absent: as chosen for a linked or unlinked record.
    #[serde(default)]
    operation: Option<String>,
    #[serde(default = "key")]
    key: String,
    #[serde(default)]
    external_id: Option<String>,
    #[serde(default)]
    fields: canonical::Fields,
    #[serde(default)]
    whole: Option<canonical::Fields>,
    #[serde(default)]
    known: canonical::Fields,
    /// The version expected there.
    #[serde(default)]
    expected: Option<String>,
    #[serde(default = "intent")]
    intent: String,
}

fn intent() -> String {
    "int_0192a7c0ffee70008000000000000002".to_owned()
}

fn key() -> String {
    "rec_0192a7c0ffee70008000000000000001".to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The JSON body.
    #[serde(default)]
    json: Option<Value>,
    /// The body as text.
    #[serde(default)]
    text: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    #[serde(default)]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    json: Option<Value>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    failure: Option<(FailureKind, Reached)>,
    class: String,
    #[serde(default)]
    external_id: Option<String>,
    #[serde(default)]
    created: Option<bool>,
    #[serde(default)]
    token: Option<i64>,
    #[serde(default)]
    wait_ms: Option<u64>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    field: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    remaining: Option<(String, u64)>,
    /// Whether it says that it was stored under the key; every other answer must not be taken for one.
    #[serde(default)]
    replayed: bool,
    /// What a page, object or identity must read as.
    #[serde(default)]
    reads: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    name: String,
    #[serde(default)]
    query: String,
    #[serde(default)]
    json: Option<Value>,
    #[serde(default)]
    text: Option<String>,
    reads: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Event {
    name: String,
    event: Value,
    reads: Value,
}

/// When the fixtures' calls are made and answered: 2026-11-22T12:00:00Z.
const NOW: Wall = Wall(1_795_348_800_000_000);

/// The classes that the fixtures of a connector must show at least once, on top of its operations.
const CLASSES: &[&str] = &["applied", "rate_limited", "validation", "uncertain"];

pub(crate) fn connector(
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

/// Runs one connector's fixtures; returns the operations and classes they show.
pub(crate) fn run(name: &str, yaml: &str) {
    let fixture: Fixture = serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{name}: {error}"));
    let connector = connector(name, &fixture.parameters, &fixture.paths);
    let mut shown = BTreeSet::new();
    let mut classes = BTreeSet::new();
    for case in fixture.cases {
        let at = format!("{name}: {}", case.name);
        let call = case.call.build(&connector, &at);
        let request = connector.render(&call).unwrap_or_else(|error| panic!("{at}: {error}"));
        shown.insert(match &call {
            Call::Write(write) | Call::Probe(write) => format!("{}/{}", write.object, request.operation),
            Call::List { object, .. } | Call::Fetch { object, .. } | Call::Job { object, .. } => {
                format!("{object}/{}", request.operation)
            }
            Call::Identity => request.operation.clone(),
        });
        case.request.check(&request, &at);
        for answer in &case.answers {
            classes.insert(answer.class.clone());
            answer.check(&connector, &call, &at);
        }
    }
    for case in fixture.batches {
        let operation = case.run(&connector, name);
        shown.insert(operation);
    }
    for message in &fixture.webhooks {
        let at = format!("{name}: {}", message.name);
        let raw = body(message.json.as_ref(), message.text.as_ref());
        assert_eq!(webhook(&connector, &message.query, &raw), message.reads, "{at}");
    }
    for event in &fixture.events {
        let at = format!("{name}: {}", event.name);
        let read = canonical::CloudEvent::from_json(event.event.clone()).unwrap();
        let read = match connector.read_cloud_event(&read) {
            Ok(observation) => show(&observation),
            Err(garbled) => json!(garbled.to_string()),
        };
        assert_eq!(read, event.reads, "{at}");
    }
    covered(&connector, name, &shown, &classes);
}

/// Every operation of every object kind has a fixture, and every common class.
fn covered(connector: &Connector, name: &str, shown: &BTreeSet<String>, classes: &BTreeSet<String>) {
    let operation = |text: &String| text.rsplit('/').next().unwrap_or_default().to_owned();
    let shown: BTreeSet<String> = shown.iter().map(operation).collect();
    let mut missing = BTreeSet::new();
    for object in connector.objects() {
        let plan = connector.object(object).unwrap();
        for write in &plan.writes {
            missing.insert(write.spec.name.to_string());
            missing.extend(write.batch.iter().map(|batch| batch.request.operation.to_string()));
            if write.probe.is_some() {
                missing.insert(format!("{}.probe", write.spec.name));
            }
        }
        missing.extend(plan.poll.iter().map(|_| "list".to_owned()));
        missing.extend(plan.fetch.iter().map(|_| "fetch".to_owned()));
    }
    missing.extend(connector.has_identity().then(|| "identity".to_owned()));
    let missing: Vec<&String> = missing.difference(&shown).collect();
    assert!(missing.is_empty(), "{name}: no fixture shows {missing:?}");
    if !shown.is_empty() && name != "webhook" {
        let missing: Vec<_> = CLASSES.iter().filter(|class| !classes.contains(**class)).collect();
        assert!(missing.is_empty(), "{name}: no fixture shows the classes {missing:?}");
    }
}

impl BatchCase {
    fn run(self, connector: &Connector, name: &str) -> String {
        let at = format!("{name}: {}", self.name);
        let calls: Vec<Call> =
            self.records.into_iter().map(|source| Call::Write(source.build(connector, &at))).collect();
        let part = |call: &Call| {
            let part = connector.render_part(call, "int_0192a7c0ffee700080000000000000ff");
            let part = part.unwrap_or_else(|error| panic!("{at}: {error}"));
            // What is kept of it makes the same request.
            crate::Part::from_bytes(&part.to_bytes()).unwrap()
        };
        let parts: Vec<crate::Part> = calls.iter().map(part).collect();
        let request = crate::Part::join(&parts).unwrap();
        self.request.check(&request, &at);
        for answer in self.answers {
            let at = format!("{at}, answer {} {:?}", answer.status, answer.failure);
            let response = Response {
                status: answer.status,
                headers: Vec::new(),
                body: body(answer.json.as_ref(), None),
            };
            let came = match answer.failure {
                Some((kind, reached)) => {
                    Err(Failure { reached, kind, detail: "no answer".to_owned(), wait: None })
                }
                None => Ok(response),
            };
            let verdicts = connector.classify_batch(&calls, &came, NOW);
            let each = verdicts.each.into_iter().map(|one| (one.class.name().to_owned(), one.external_id));
            assert_eq!(each.collect::<Vec<_>>(), answer.each, "{at}");
            assert_eq!(verdicts.call.class.name(), answer.call, "{at}");
        }
        format!(
            "{}/{}",
            match &calls[0] {
                Call::Write(write) => &write.object,
                _ => unreachable!(),
            },
            request.operation
        )
    }
}

impl CallSource {
    fn build(self, connector: &Connector, at: &str) -> Call {
        match self {
            Self::Write(source) => Call::Write(source.build(connector, at)),
            Self::Probe(source) => Call::Probe(source.build(connector, at)),
            Self::List { object, cursor } => Call::List { object, cursor, now: NOW },
            Self::Fetch { object, external_id } => Call::Fetch { object, external_id },
            Self::Identity => Call::Identity,
        }
    }
}

impl WriteSource {
    fn build(self, connector: &Connector, at: &str) -> Write {
        let operation = self.operation.unwrap_or_else(|| {
            let spec = connector.choose(&self.object, self.external_id.is_some(), None);
            spec.unwrap_or_else(|| panic!("{at}: nothing to choose")).name.to_string()
        });
        Write {
            object: self.object,
            operation,
            key: self.key,
            external_id: self.external_id,
            whole: self.whole.unwrap_or_else(|| self.fields.clone()).into(),
            fields: self.fields.into(),
            known: self.known.into(),
            expected: self.expected,
            intent: self.intent,
        }
    }
}

impl Expected {
    fn check(&self, request: &crate::Request, at: &str) {
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            (self.method.as_str(), self.path.as_str()),
            "{at}"
        );
        for (name, value) in &self.headers {
            let found = request.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value);
            assert_eq!(found, Some(value), "{at}: header {name}");
        }
        if let Some(json) = &self.json {
            let found: Value = serde_json::from_slice(&request.body).unwrap();
            assert_eq!(&found, json, "{at}");
        } else {
            let found = String::from_utf8_lossy(&request.body);
            assert_eq!(found, self.text.as_deref().unwrap_or_default(), "{at}");
        }
    }
}

impl Answer {
    fn check(&self, connector: &Connector, call: &Call, at: &str) {
        let response = Response {
            status: self.status,
            headers: self.headers.clone().into_iter().collect(),
            body: body(self.json.as_ref(), self.text.as_ref()),
        };
        let answer = match self.failure {
            Some((kind, reached)) => {
                Err(Failure { reached, kind, detail: "no answer".to_owned(), wait: None })
            }
            None => Ok(response.clone()),
        };
        let at = format!("{at}, answer {} {:?}", self.status, self.failure);
        let outcome = connector.classify(call, &answer, NOW);
        assert_eq!(outcome.class.name(), self.class, "{at}: {outcome:?}");
        assert_eq!(outcome.external_id, self.external_id, "{at}");
        assert_eq!(outcome.created, self.created, "{at}");
        assert_eq!(outcome.token.map(|token| token.0), self.token, "{at}");
        let wait = outcome.wait.map(|wait| match wait {
            ledger::Wait::For(wait) => u64::try_from(wait.as_millis()).unwrap(),
            ledger::Wait::Until(until) => panic!("{at}: until {until}"),
        });
        assert_eq!(wait, self.wait_ms, "{at}");
        for (found, expected) in [(&outcome.refusal.code, &self.code), (&outcome.refusal.field, &self.field)]
        {
            assert!(expected.is_none() || found == expected, "{at}: {found:?}, expected {expected:?}");
        }
        if let Some(message) = &self.message {
            assert_eq!(&outcome.refusal.message, message, "{at}");
        }
        if let Some((bucket, left)) = &self.remaining {
            let found = outcome.remaining.map(|(bucket, left, _)| (bucket, left));
            assert_eq!(found, Some((bucket.clone(), *left)), "{at}");
        }
        assert_eq!(outcome.replayed, self.replayed, "{at}");
        if let Some(reads) = &self.reads {
            assert_eq!(&read(connector, call, &response), reads, "{at}");
        }
    }
}

/// What is read from an answer, in a form that fixtures can state.
fn read(connector: &Connector, call: &Call, response: &Response) -> Value {
    let read = match call {
        Call::List { .. } => connector.read_page(call, response).map(|page| {
            json!({
                "observations": page.observations.iter().map(show).collect::<Vec<_>>(),
                "cursor": page.cursor, "more": page.more,
                "garbled": page.garbled.iter().map(|(index, why, _)| json!([index, why])).collect::<Vec<_>>(),
            })
        }),
        Call::Fetch { .. } => {
            connector.read_object(call, response).map(|seen| seen.as_ref().map_or(Value::Null, show))
        }
        _ => connector.identity(response).map(Value::String),
    };
    read.unwrap_or_else(|garbled| json!(garbled.to_string()))
}

fn webhook(connector: &Connector, query: &str, raw: &[u8]) -> Value {
    match connector.read_webhook(None, query, raw) {
        Ok(messages) => messages
            .iter()
            .map(|message| match message {
                Ok(observation) => show(observation),
                Err((garbled, _)) => json!(garbled.to_string()),
            })
            .collect(),
        Err(garbled) => json!(garbled.to_string()),
    }
}

/// An observation without what it does not have.
fn show(observation: &Observation) -> Value {
    let seen = match &observation.seen {
        Seen::State { fields } => json!({ "state": fields }),
        Seen::Hint => json!("hint"),
        Seen::Deleted => json!("deleted"),
        Seen::Merged { into } => json!({ "merged": into }),
    };
    let mut shown = json!({"object": observation.object, "id": observation.external_id, "seen": seen});
    let parts = [
        ("order", observation.order.map(|order| json!(order.0))),
        ("event_id", observation.event_id.as_ref().map(|id| json!(id))),
        ("occurred_at", observation.occurred_at.map(|at| json!(at.to_string()))),
        ("trace", observation.trace.as_ref().map(|trace| json!(trace))),
    ];
    for (name, value) in parts {
        if let Some(value) = value {
            shown[name] = value;
        }
    }
    shown
}

fn body(json: Option<&Value>, text: Option<&String>) -> Vec<u8> {
    match (json, text) {
        (Some(json), _) => json.to_string().into_bytes(),
        (None, Some(text)) => text.clone().into_bytes(),
        (None, None) => Vec::new(),
    }
}
