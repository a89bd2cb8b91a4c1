//! The scenario's configuration: one source, one target per idempotency class, one entity.

mod manifest;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use canonical::{Fields, Object, OrderToken};
use config::{Configuration, Files};
use connector::{Observation, Seen};
use serde_json::json;

use manifest::as_jobs;
pub(crate) use manifest::{ERRORS, batch_of, job_of, with_batch};

/// The idempotency class of a simulated target.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    /// PUT by key.
    Upsert,
    /// POST with an idempotency key.
    NativeKey,
    /// GET by key, then POST.
    SearchFirst,
    /// POST with a mark, by which it is looked for when in doubt.
    Marker,
    /// POST, and nothing helps.
    None,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Upsert, Self::NativeKey, Self::SearchFirst, Self::Marker, Self::None];
    /// How long the simulated search does not see a new object.
    pub const INDEX_LAG_MS: u64 = 700;

    /// The target's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Upsert => "upsert",
            Self::NativeKey => "native_key",
            Self::SearchFirst => "search_first",
            Self::Marker => "marker_field",
            Self::None => "none",
        }
    }
}

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
    loaded(&files(classes, &|class: Class| class.manifest(false)))
}

/// The same, where what waits goes together.
///
/// # Panics
/// As [`configuration`].
#[must_use]
pub fn batching(classes: &[Class]) -> Arc<Configuration> {
    loaded(&files(classes, &|class: Class| class.manifest(true)))
}

/// The same, where what waits goes as a job, of three at least and six at most, one at a time.
///
/// # Panics
/// As [`configuration`].
#[must_use]
pub fn by_jobs(class: Class) -> Arc<Configuration> {
    loaded(&files(&[class], &|class: Class| as_jobs(&class.manifest(true), class)))
}

/// The same, where no two calls may be about one note: all things have the same.
///
/// # Panics
/// As [`configuration`].
#[must_use]
pub fn in_turn(class: Class) -> Arc<Configuration> {
    let serial =
        |manifest: String| manifest.replace("        for: [", "        serial_by: note\n        for: [");
    loaded(&files(&[class], &|class: Class| serial(class.manifest(false))))
}

/// The same, where the targets' manifests name a piece of code, which must have been provided.
///
/// # Panics
/// As [`configuration`].
#[must_use]
pub fn coded(class: Class, code: &str) -> Arc<Configuration> {
    loaded(&files(&[class], &|class: Class| format!("{}code: {code}\n", class.manifest(false))))
}

/// The same of another tenant.
#[cfg(test)]
pub(crate) fn configuration_of(tenant: &str, classes: &[Class]) -> Arc<Configuration> {
    let mut files = files(classes, &|class: Class| class.manifest(false));
    files.put("concord.yaml", MAIN.replace("tenant: acme", &format!("tenant: {tenant}")));
    loaded(&files)
}

/// One target, which may make things too, and does not say by which key the source knows them.
pub(crate) fn where_both_create(class: Class) -> Arc<Configuration> {
    let (mut files, name) = (files(&[class], &|class: Class| class.manifest(false)), class.name());
    let creators = format!("creators: [src, {name}]");
    let entity = ENTITY.replace("NOTE_OWNER", name).replace("creators: [src]", &creators);
    files.put("model/thing.yaml", entity);
    let mapping = target_mapping(name).replace("path: key}", "path: key, direction: out}");
    files.put(&format!("mappings/thing.{name}.yaml"), mapping);
    loaded(&files)
}

/// A source that only hints at its things: each is read.
pub(crate) fn hinting(class: Class) -> Arc<Configuration> {
    let mut files = files(&[class], &|class: Class| class.manifest(false));
    let source = SOURCE.replace("seen: state", "seen: hint").replace(
        "    shape: {id: id, order: {path: order}}\n",
        "    shape: {id: id, order: {path: revision, form: number}}
    fetch: {request: {method: GET, path: \"/things/{id}\", timeout: 1s}}\n",
    );
    files.put("connectors/source.yaml", source);
    loaded(&files)
}

/// Where what waits goes together, two calls at a time, and no two are about one note: all things have the same.
///
/// # Panics
/// As [`configuration`].
#[must_use]
pub fn batching_in_turn(class: Class) -> Arc<Configuration> {
    let serial = |class: Class| {
        let manifest = class.manifest(true).replace("concurrency: 1", "concurrency: 2");
        manifest.replace("        for: [", "        serial_by: note\n        for: [")
    };
    loaded(&files(&[class], &serial))
}

/// One target, each write to which is tried so often.
#[cfg(test)]
pub(crate) fn of_attempts(class: Class, attempts_max: u32) -> Arc<Configuration> {
    let mut files = files(&[class], &|class: Class| class.manifest(false));
    let name = class.name();
    files.put(&format!("systems/{name}.yaml"), system_file(name, attempts_max));
    loaded(&files)
}

fn system_file(name: &str, attempts_max: u32) -> String {
    format!(
        "system: {name}
connector: connectors/{name}.yaml
connection: {{base_url: \"https://{name}.example.com\"}}
retry: {{base: 200ms, cap: 5s, attempts_max: {attempts_max}}}
"
    )
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

pub(crate) fn files(classes: &[Class], manifest: &dyn Fn(Class) -> String) -> Files {
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
        files.put(&format!("connectors/{name}.yaml"), manifest(*class));
        files.put(&format!("systems/{name}.yaml"), system_file(name, 30));
        files.put(&format!("mappings/thing.{name}.yaml"), target_mapping(name));
        routes.push_str(&format!(
            "  - {{route: to.{name}, kind: sync, entity: Thing, system: {name}, object: items, \
             mapping: thing.{name}}}\n"
        ));
    }
    files.put("routes/all.yaml", routes);
    files
}

pub(crate) const MAIN: &str = "tenant: acme
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
history: all
",
    );
    files
}

/// The folder's configuration. Hundreds of runs have the same one, which is read once.
#[expect(clippy::panic, reason = "a scenario that does not load is a defect of the scenario")]
pub(crate) fn loaded(files: &Files) -> Arc<Configuration> {
    static KNOWN: Mutex<Vec<(Files, Arc<Configuration>)>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, configuration)) = known.iter().find(|(of, _)| of == files) {
        return Arc::clone(configuration);
    }
    match config::load(files) {
        Ok(checked) => {
            let configuration = Arc::new(checked.configuration);
            known.push((files.clone(), Arc::clone(&configuration)));
            configuration
        }
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
                    version: None,
                    #[expect(clippy::expect_used, reason = "a literal that is a name")]
                    object: Object::new("things").expect("a name"),
                    external_id: id.clone(),
                    seen: Seen::State { fields },
                    order: Some(OrderToken(value)),
                    event_id: Some(format!("{id}/{value}")),
                    occurred_at: None,
                    changed_at: None,
                    trace: None,
                },
            ));
            at += gap;
        }
    }
    out
}
