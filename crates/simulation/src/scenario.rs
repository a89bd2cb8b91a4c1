//! The scenario's configuration: one source, one target per idempotency class, one entity.

use std::sync::Arc;
use std::time::Duration;

use canonical::{Fields, Object, OrderToken};
use config::{Configuration, Files};
use connector::{Observation, Seen};
use serde_json::json;

/// The idempotency class of a simulated target.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    /// PUT by key.
    Upsert,
    /// POST with an idempotency key.
    NativeKey,
    /// GET by key, then POST.
    SearchFirst,
    /// POST, and nothing helps.
    None,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Upsert, Self::NativeKey, Self::SearchFirst, Self::None];
    /// How long the simulated search does not see a new object.
    pub const INDEX_LAG_MS: u64 = 700;

    /// The target's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Upsert => "upsert",
            Self::NativeKey => "native_key",
            Self::SearchFirst => "search_first",
            Self::None => "none",
        }
    }

    fn writes(self) -> String {
        let update = "      update:
        for: [update]
        idempotency: {class: upsert}
        partial: true
        processing_max: 1s
        request: {method: PATCH, path: \"/items/{id}\", json: \"{fields}\", timeout: 1s}
        answer: {id: {path: id}}
";
        match self {
            Self::Upsert => "      put:
        for: [create, update]
        idempotency: {class: upsert}
        processing_max: 1s
        request: {method: PUT, path: \"/items/{key}\", json: \"{fields}\", timeout: 1s}
        answer: {id: {path: id}, created: {status: 201}}
"
            .replace(", created: {status: 201}", ""),
            Self::NativeKey => "      create:
        for: [create]
        idempotency: {class: native_key, ttl_s: 86400}
        processing_max: 1s
        request: {method: POST, path: /items, headers: {idempotency-key: \"{intent}\"}, json: \"{fields}\", timeout: 1s}
        answer: {id: {path: id}}
      update:
        for: [update]
        idempotency: {class: native_key, ttl_s: 86400}
        partial: true
        processing_max: 1s
        request: {method: PATCH, path: \"/items/{id}\", headers: {idempotency-key: \"{intent}\"}, json: \"{fields}\", timeout: 1s}
        answer: {id: {path: id}}
"
            .to_owned(),
            Self::SearchFirst => format!(
                "      create:
        for: [create]
        idempotency: {{class: search_first, index_lag_ms: {lag}}}
        processing_max: 1s
        request: {{method: POST, path: /items, json: \"{{fields}}\", timeout: 1s}}
        answer: {{id: {{path: id}}}}
        probe:
          request: {{method: GET, path: /items, query: {{key: \"{{whole.key}}\"}}, timeout: 1s}}
          answer: {{found: items, id: id}}
{update}",
                lag = Self::INDEX_LAG_MS + 100
            ),
            Self::None => format!(
                "      create:
        for: [create]
        idempotency: {{class: none}}
        processing_max: 1s
        request: {{method: POST, path: /items, json: \"{{fields}}\", timeout: 1s}}
        answer: {{id: {{path: id}}}}
{update}"
            ),
        }
    }

    fn manifest(self) -> String {
        format!(
            "connector: {name}
version: \"1\"
about: A simulated target.
limits: {{concurrency: 4}}
objects:
  items:
    shape: {{id: id}}
    writes:
{writes}{ERRORS}",
            name = self.name(),
            writes = self.writes()
        )
    }
}

/// What the vendors' answers mean.
pub(crate) const ERRORS: &str = "errors:
  - {when: {status: [429]}, class: rate_limited, wait: {header: retry-after, default: 1s}}
  - {when: {status: [404]}, class: not_found}
  - {when: {status: [400, 422]}, class: validation}
";

const SOURCE: &str = "connector: source
version: \"1\"
about: A simulated source.
webhook:
  scheme: {preset: hmac}
  id: [id]
  kind: kind
  object_id: object.id
  fields: object
  rules:
    - {match: \"*\", object: things, seen: state}
objects:
  things:
    shape: {id: id, order: {path: order}}
";

const ENTITY: &str = "entity: Thing
version: 1
schema:
  type: object
  properties:
    key: {type: string}
    value: {type: integer}
    note: {type: string}
fields:
  key: {owner: src, pii: none}
  value: {owner: src, pii: none}
  note: {owner: NOTE_OWNER, pii: none}
match_keys:
  - {name: key, fields: [key]}
creators: [src]
";

/// The configuration with these targets.
///
/// # Panics
/// When the scenario's own files do not load: a defect here.
#[must_use]
pub fn configuration(classes: &[Class]) -> Arc<Configuration> {
    loaded(&files(classes))
}

/// The same of another tenant.
#[cfg(test)]
pub(crate) fn configuration_of(tenant: &str, classes: &[Class]) -> Arc<Configuration> {
    let mut files = files(classes);
    files.put("concord.yaml", MAIN.replace("tenant: acme", &format!("tenant: {tenant}")));
    loaded(&files)
}

/// One target, which may make things too, and does not say by which key the source knows them.
pub(crate) fn where_both_create(class: Class) -> Arc<Configuration> {
    let (mut files, name) = (files(&[class]), class.name());
    let creators = format!("creators: [src, {name}]");
    let entity = ENTITY.replace("NOTE_OWNER", name).replace("creators: [src]", &creators);
    files.put("model/thing.yaml", entity);
    let mapping = target_mapping(name).replace("path: key}", "path: key, direction: out}");
    files.put(&format!("mappings/thing.{name}.yaml"), mapping);
    loaded(&files)
}

fn target_mapping(name: &str) -> String {
    format!(
        "mapping: thing.{name}
version: 1
entity: Thing
system: {name}
object: items
fields:
  - {{field: key, path: key}}
  - {{field: value, path: value}}
  - {{field: note, path: note}}
"
    )
}

fn files(classes: &[Class]) -> Files {
    let mut files = folder();
    files.put("connectors/source.yaml", SOURCE);
    // The first target owns the note: the source only fills it while it is blank.
    let owner = classes.first().map_or("src", |class| class.name());
    files.put("model/thing.yaml", ENTITY.replace("NOTE_OWNER", owner));
    files.put(
        "mappings/thing.src.yaml",
        "mapping: thing.src
version: 1
entity: Thing
system: src
object: things
fields:
  - {field: key, path: id, direction: in}
  - {field: value, path: value, direction: in}
  - {field: note, path: note, direction: in}
",
    );
    let mut routes = "routes:\n".to_owned();
    for class in classes {
        let name = class.name();
        files.put(&format!("connectors/{name}.yaml"), class.manifest());
        files.put(
            &format!("systems/{name}.yaml"),
            format!(
                "system: {name}
connector: connectors/{name}.yaml
connection: {{base_url: \"https://{name}.example.com\"}}
retry: {{base: 200ms, cap: 5s, attempts_max: 30}}
"
            ),
        );
        files.put(&format!("mappings/thing.{name}.yaml"), target_mapping(name));
        routes.push_str(&format!(
            "  - {{route: to.{name}, kind: sync, entity: Thing, system: {name}, object: items, \
             mapping: thing.{name}}}\n"
        ));
    }
    files.put("routes/all.yaml", routes);
    files
}

const MAIN: &str = "tenant: acme
public_url: https://hub.example.com/
store:
  folder: ./data
  root_key: {file: ./root.key}
listeners:
  ingress: 127.0.0.1:4000
  operator: 127.0.0.1:4001
";

/// A folder with a hub and a source, to be filled.
pub(crate) fn folder() -> Files {
    let mut files = Files::new();
    files.put("concord.yaml", MAIN);
    files.put(
        "systems/src.yaml",
        "system: src
connector: connectors/source.yaml
connection: {base_url: \"https://src.example.com\"}
webhook: {secrets: [{env: SRC}]}
",
    );
    files
}

/// The folder's configuration.
#[expect(clippy::panic, reason = "a scenario that does not load is a defect of the scenario")]
pub(crate) fn loaded(files: &Files) -> Arc<Configuration> {
    match config::load(files) {
        Ok(checked) => Arc::new(checked.configuration),
        Err(problems) => {
            let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
            panic!("{}", shown.join("\n"))
        }
    }
}

/// What the source says: `records` things, each `updates` times, `gap` apart. Values count up over all of them, so
/// that each names its record and its order.
#[must_use]
pub fn sayings(records: usize, updates: usize, gap: Duration) -> Vec<(Duration, Observation)> {
    let mut out = Vec::new();
    let mut at = Duration::from_millis(5);
    for update in 0..updates {
        for record in 0..records {
            let id = format!("thing-{record}");
            let value = i64::try_from(update * records + record + 1).unwrap_or(i64::MAX);
            let mut fields = Fields::new();
            fields.insert("id".to_owned(), json!(id));
            fields.insert("value".to_owned(), json!(value));
            fields.insert("note".to_owned(), json!("from the source"));
            out.push((
                at,
                Observation {
                    #[expect(clippy::expect_used, reason = "a literal that is a name")]
                    object: Object::new("things").expect("a name"),
                    external_id: id.clone(),
                    seen: Seen::State { fields },
                    order: Some(OrderToken(value)),
                    event_id: Some(format!("{id}/{value}")),
                    occurred_at: None,
                    trace: None,
                },
            ));
            at += gap;
        }
    }
    out
}
