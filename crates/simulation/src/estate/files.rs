//! The estate's configuration: one source, a target per idempotency class, two entities, one of which refers to the
//! other; routes that follow a record, one of them with a filter, and one that tells of events.

use std::sync::{Arc, OnceLock};

use config::Configuration;

use crate::scenario::{Class, ERRORS, batch_of, folder, job_of, loaded, with_batch};

/// The source of things and groups.
pub(crate) const SOURCE: &str = "src";
/// Owns the note. PUT by Concord's id; answers with a version.
pub(crate) const UP: &str = "up";
/// A key per request, forgotten in time; only active things; hears of closings.
pub(crate) const KEYED: &str = "keyed";
/// Looks before it creates.
pub(crate) const FINDER: &str = "finder";
/// Writes a mark with a create, and looks for it when in doubt. Several changes go as a job.
pub(crate) const MARKED: &str = "marked";
/// Nothing helps there.
pub(crate) const BLIND: &str = "blind";

/// The targets and their classes.
pub(crate) const TARGETS: [(&str, Class); 5] = [
    (UP, Class::Upsert),
    (KEYED, Class::NativeKey),
    (FINDER, Class::SearchFirst),
    (MARKED, Class::Marker),
    (BLIND, Class::None),
];

/// Seconds that `keyed` remembers a key.
pub(crate) const KEY_LIFE_S: u64 = 60;
/// Where a thing that is deleted is archived.
pub(crate) const ENDING: [&str; 3] = [UP, KEYED, MARKED];
/// Its answers say what is left of the longer limit.
pub(crate) const TELLING: &str = FINDER;
/// The limits of every system: calls in so many seconds.
pub(crate) const LIMITS: [(u64, u64); 2] = [(40, 10), (150, 60)];
/// Deliveries that go in one call at most.
const BATCH: u32 = 5;
/// Wishes held in memory per system.
pub(crate) const WINDOW: usize = 16;

const THING: &str = "entity: Thing
version: 1
schema:
  type: object
  properties:
    key: {type: string}
    value: {type: integer}
    stage: {type: string}
    round: {type: integer}
    active: {type: boolean}
    group: {type: string, format: record, x-entity: Group}
    label: {type: string}
    note: {type: string}
fields:
  key: {owner: src, pii: none}
  value: {owner: src, pii: none}
  stage: {owner: src, pii: none}
  round: {owner: src, pii: none}
  active: {owner: src, pii: none}
  group: {owner: src, pii: none}
  label: {owner: src, on_conflict: revert, pii: none}
  note: {owner: up, pii: none}
match_keys:
  - {name: key, fields: [key]}
creators: [src]
deleters: [src]
events:
  - event: ThingClosed
    when:
      - {field: stage, equals: closed}
    occurrence: [round]
    carries: [key, round]
";

const GROUP: &str = "entity: Group
version: 1
schema:
  type: object
  properties:
    key: {type: string}
    value: {type: integer}
fields:
  key: {owner: src, pii: none}
  value: {owner: src, pii: none}
match_keys:
  - {name: key, fields: [key]}
creators: [src]
deleters: [src]
";

/// Targets whose tokens are over now and then.
pub(crate) const TOKENS: [&str; 2] = [KEYED, MARKED];

fn limits(name: &str) -> String {
    let [(burst, burst_s), (minute, minute_s)] = LIMITS;
    let told = if name == TELLING { format!(", remaining: {}", crate::vendor::LEFT) } else { String::new() };
    format!(
        "limits:
  concurrency: 4
  every_call: [burst, minute]
  buckets:
    burst: {{size: {burst}, per: {burst_s}s}}
    minute: {{size: {minute}, per: {minute_s}s{told}}}
"
    )
}

fn source_kind(kind: &str) -> String {
    format!(
        "  {kind}:
    shape: {{id: id, order: {{path: revision, form: number}}, deleted: {{path: gone, equals: true}}}}
    fetch: {{request: {{method: GET, path: \"/{kind}/{{id}}\", timeout: 1s}}}}
    poll:
      every: 20s
      lookback: 30s
      request: {{method: GET, path: /{kind}, query: {{since: \"{{since|ms}}\", \"page?\": \"{{page}}\"}}, timeout: 1s}}
      items: items
      mark: {{path: at, form: ms}}
      sorting: id
      page: {{after_id: {{}}}}
      size: {}
",
        crate::vendor::PAGE
    )
}

fn source() -> String {
    format!(
        "connector: source
version: \"1\"
about: A simulated source.
{}webhook:
  scheme: {{preset: hmac}}
  id: [id]
  kind: kind
  object_id: object.id
  fields: object
  rules:
    - {{match: \"*\", object: things, seen: state}}
objects:
{}{}{ERRORS}",
        limits(SOURCE),
        source_kind("things"),
        source_kind("groups"),
    )
}

/// How one write operation is written in a manifest.
fn write(name: &str, serves: &str, class: &str, partial: bool, request: &str, rest: &str) -> String {
    let partial = if partial { "\n        partial: true" } else { "" };
    format!(
        "      {name}:
        for: [{serves}]
        idempotency: {{{class}}}{partial}
        processing_max: 1s
        request: {{{request}, timeout: 400ms}}
{rest}"
    )
}

fn target_kind(class: Class, kind: &str) -> String {
    let order = match class {
        Class::Upsert => ", order: {path: revision, form: number}",
        _ => "",
    };
    let answer = format!("        answer: {{id: {{path: id}}{order}}}\n");
    let path = format!("path: \"/{kind}/{{id}}\"");
    let json = "json: \"{fields}\"";
    let keyed = format!("class: native_key, ttl_s: {KEY_LIFE_S}");
    let key = "headers: {idempotency-key: \"{intent}\"}";
    let search = format!(
        "        probe:
          request: {{method: GET, path: /{kind}, query: {{key: \"{{whole.key}}\"}}, timeout: 1s}}
          answer: {{found: items, id: id}}
"
    );
    let create = format!("method: POST, path: /{kind}, {json}");
    let searched = format!("class: search_first, index_lag_ms: {}", Class::INDEX_LAG_MS + 100);
    let gone = "        errors:\n          - {when: {status: [404]}, class: applied}\n";
    let mut out = format!(
        "  {kind}:
    shape: {{id: id{order}, deleted: {{path: gone, equals: true}}}}
    fetch: {{request: {{method: GET, {path}, timeout: 1s}}}}
    writes:
"
    );
    out += &match class {
        Class::Upsert => write(
            "create",
            "create",
            "class: upsert",
            false,
            &format!("method: PUT, path: \"/{kind}/{{key}}\", {json}"),
            &answer,
        ),
        Class::NativeKey => {
            write("create", "create", &keyed, false, &format!("{create}, {key}"), &(answer.clone() + &search))
        }
        Class::SearchFirst => {
            write("create", "create", &searched, false, &create, &(answer.clone() + &search))
        }
        Class::None => write("create", "create", "class: none", false, &create, &answer),
        Class::Marker => {
            let marked = format!("class: marker_field, index_lag_ms: {}", Class::INDEX_LAG_MS + 100);
            let create =
                create.replace("json: \"{fields}\"", "json: {\"...\": \"{fields}\", mark: \"{key}\"}");
            let search = search.replace("key: \"{whole.key}\"", "mark: \"{key}\"");
            write("create", "create", &marked, false, &create, &(answer.clone() + &search))
        }
    };
    let (update, how) = match class {
        Class::NativeKey => (format!("method: PATCH, {path}, {json}, {key}"), keyed.as_str()),
        _ => (format!("method: PATCH, {path}, {json}"), "class: upsert"),
    };
    out += &write("update", "update", how, true, &update, &answer);
    out += &write(
        "archive",
        "archive, delete",
        "class: upsert",
        false,
        &format!("method: DELETE, {path}"),
        gone,
    );
    // What can't be looked for when an answer says nothing of it stays alone.
    let together: &[(&str, &str)] = match class {
        Class::Upsert => &[("create", "put"), ("update", "patch")],
        Class::NativeKey => &[("create", "create")],
        Class::Marker => &[("create", "create"), ("update", "patch")],
        Class::SearchFirst | Class::None => &[("update", "patch")],
    };
    for (operation, how) in together {
        let batch = batch_of(kind, how, class, BATCH).replace("timeout: 1s", "timeout: 400ms");
        let batch = if order.is_empty() {
            batch
        } else {
            batch.replace("{id: {path: id}}", &format!("{{id: {{path: id}}{order}}}"))
        };
        let by_job = class == Class::Marker && kind == "items" && *operation == "update";
        let batch = if by_job { job_of(&batch, kind, BATCH) } else { batch };
        out = with_batch(&out, operation, &batch);
    }
    out
}

fn target(name: &str, class: Class) -> String {
    let mut kinds = target_kind(class, "items") + &target_kind(class, "groups");
    if name == KEYED {
        let request =
            "method: POST, path: /marks, json: \"{fields}\", headers: {idempotency-key: \"{intent}\"}";
        let class = format!("class: native_key, ttl_s: {KEY_LIFE_S}");
        let event = write("event", "notify", &class, false, request, "        answer: {id: {path: id}}\n");
        kinds += &format!("  marks:\n    shape: {{id: id}}\n    writes:\n{event}");
    }
    // Two of them are asked whose account they are before anything else.
    let identity = match name {
        FINDER | BLIND => "identity:\n  request: {method: GET, path: /account, timeout: 1s}\n  path: id\n",
        _ => "",
    };
    let auth = if TOKENS.contains(&name) {
        "auth:\n  default: {oauth2_client_credentials: {token: /token, client_id: id, client_secret: secret}}\n"
    } else {
        ""
    };
    format!(
        "connector: {name}
version: \"1\"
about: A simulated target.
{}{identity}{auth}objects:
{kinds}{ERRORS}",
        limits(name)
    )
}

/// What a mapping says: fields that only go there, and fields that also come back.
fn mapping(system: &str) -> String {
    let back: &[&str] = match system {
        UP | KEYED => &["key", "value", "stage", "active", "label", "note"],
        FINDER => &["key", "value", "label", "note"],
        BLIND | MARKED => &["key"],
        _ => &[],
    };
    let mut rows = String::new();
    for field in ["key", "value", "stage", "active", "label", "note"] {
        let direction = if back.contains(&field) { "both" } else { "out" };
        rows += &match (system, field) {
            // The same as a row for both ways, by expressions.
            (UP, "label") => "  - {field: label, direction: in, expr: object.label}\n  \
                              - {path: label, direction: out, expr: record.label}\n"
                .to_owned(),
            _ => format!("  - {{field: {field}, path: {field}, direction: {direction}}}\n"),
        };
    }
    let group = if back.contains(&"label") { "both" } else { "out" };
    rows += &match system {
        MARKED => {
            "  - {path: group, direction: out, expr: \"record.group == null ? null : link(record.group, 'groups')\"}\n"
                .to_owned()
        }
        _ => format!(
            "  - {{field: group, path: group, direction: {group}, ref: {{entity: Group, object: groups}}}}\n"
        ),
    };
    let reads = if system == UP { "reads: {label: text?}\n" } else { "" };
    format!(
        "mapping: thing.{system}
version: 1
entity: Thing
system: {system}
object: items
{reads}fields:
{rows}"
    )
}

/// The next version of it: the target is told one thing more.
fn further(system: &str) -> String {
    let more = "  - {field: round, path: round, direction: out}\n";
    mapping(system).replace("version: 1", "version: 2") + more
}

fn group_mapping(system: &str) -> String {
    format!(
        "mapping: group.{system}
version: 1
entity: Group
system: {system}
object: groups
fields:
  - {{field: key, path: key}}
  - {{field: value, path: value}}
"
    )
}

const THING_SOURCE: &str = "mapping: thing.src
version: 1
entity: Thing
system: src
object: things
fields:
  - {field: key, path: key, direction: in}
  - {field: value, path: value, direction: in}
  - {field: stage, path: stage, direction: in}
  - {field: round, path: round, direction: in}
  - {field: active, path: active, direction: in}
  - {field: label, path: label, direction: in}
  - {field: note, path: note, direction: in}
  - {field: group, path: group, direction: in, ref: {entity: Group, object: groups}}
";

const CLOSED: &str = "mapping: closed.keyed
version: 1
entity: Thing
system: keyed
object: marks
fields:
  - {field: key, path: key, direction: out}
  - {field: round, path: round, direction: out}
";

fn routes() -> String {
    let mut routes = "routes:\n".to_owned();
    for (system, _) in TARGETS {
        let lane = if system == FINDER { "bulk" } else { "standard" };
        let filter = match system {
            KEYED => ", filter: [{field: active, equals: true}], on_exit: archive",
            _ if ENDING.contains(&system) => ", on_delete: archive",
            _ => "",
        };
        routes += &format!(
            "  - {{route: thing.{system}, kind: sync, entity: Thing, system: {system}, object: items, \
             mapping: thing.{system}, lane: {lane}{filter}}}
  - {{route: group.{system}, kind: sync, entity: Group, system: {system}, object: groups, \
             mapping: group.{system}, lane: critical}}\n"
        );
    }
    routes
        + "  - {route: closed.keyed, kind: notify, entity: Thing, events: [ThingClosed], system: keyed, \
              object: marks, mapping: closed.keyed, operation: event}\n"
}

/// How many configurations the estate has; the first is the one it starts with.
pub(crate) const CONFIGURATIONS: usize = 4;

/// One of the estate's configurations.
pub(crate) fn configuration(which: usize) -> Arc<Configuration> {
    static ALL: OnceLock<Vec<Arc<Configuration>>> = OnceLock::new();
    let all = ALL.get_or_init(|| (0..CONFIGURATIONS).map(written).collect());
    all.get(which).or_else(|| all.first()).map_or_else(|| written(0), Arc::clone)
}

/// What the others change: calls at once and breaker of one target, how another tries again, and what two of them are
/// told.
fn written(which: usize) -> Arc<Configuration> {
    let (one, other) = (which & 1 == 1, which & 2 == 2);
    let mut files = folder();
    files.put("model/thing.yaml", THING);
    files.put("model/group.yaml", GROUP);
    files.put("connectors/source.yaml", source());
    files.put("mappings/thing.src.yaml", THING_SOURCE);
    files.put("mappings/group.src.yaml", group_mapping(SOURCE).replace(", path", ", direction: in, path"));
    files.put("mappings/closed.keyed.yaml", CLOSED);
    for (name, class) in TARGETS {
        let (concurrency, open_for) = if one && name == FINDER { (2, 8) } else { (4, 5) };
        let base = if other && name == KEYED { 900 } else { 500 };
        files.put(&format!("connectors/{name}.yaml"), target(name, class));
        let secrets =
            if TOKENS.contains(&name) { ", secrets: {id: {env: ID}, secret: {env: SECRET}}" } else { "" };
        files.put(
            &format!("systems/{name}.yaml"),
            format!(
                "system: {name}
connector: connectors/{name}.yaml
connection: {{base_url: \"https://{name}.example.com\"{secrets}}}
limits: {{window: {WINDOW}, concurrency: {concurrency}}}
breaker: {{open_for: {open_for}s, open_for_max: 40s}}
retry: {{base: {base}ms, cap: 20s, attempts_max: 10}}
"
            ),
        );
        let more = (one && name == UP) || (other && name == BLIND);
        files.put(&format!("mappings/thing.{name}.yaml"), if more { further(name) } else { mapping(name) });
        files.put(&format!("mappings/group.{name}.yaml"), group_mapping(name));
    }
    files.put("routes/all.yaml", routes());
    loaded(&files)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_estate_loads() {
        for which in 0..super::CONFIGURATIONS {
            assert_eq!(super::configuration(which).systems.len(), 6);
        }
    }
}
