//! What connectors can do, for people.

use std::path::Path;
use std::time::Duration;

use canonical::{Object, Rewrite, Rewrites};
use connector::{Connector, Deletes, Manifest, WriteSpec};
use ledger::{IdempotencyClass, Step};
use serde_json::{Value, json};

use super::found::{self, Found};
use super::{scopes, several};
use crate::arguments::ConnectorOf;
use crate::commands::check::tell;
use crate::exit::Exit;
use crate::output::{Column, Output, shown};

const LISTED: [Column; 6] = [
    ("CONNECTOR", "/connector"),
    ("VERSION", "/version"),
    ("READS BY", "/reads"),
    ("WRITES", "/writes"),
    ("FROM", "/from"),
    ("ABOUT", "/about"),
];

/// Lists those that come with Concord, and those of the folder.
pub(super) fn list(dir: &Path, output: &Output) -> anyhow::Result<Exit> {
    let names = Manifest::builtin_names().map(|name| found::find(name, dir));
    let mut all = names.collect::<anyhow::Result<Vec<Found>>>()?;
    // One of the folder that has the name of one that comes with Concord was found in its place.
    all.retain(Found::is_builtin);
    all.extend(found::of_folder(dir)?);
    let rows: Vec<Value> = all.iter().map(listed).collect();
    output.rows(&LISTED, &rows);
    Ok(Exit::Done)
}

fn listed(found: &Found) -> Value {
    let from = if found.is_builtin() { "concord" } else { found.file.as_str() };
    let Some((manifest, outline)) = found.manifest().ok().and_then(|manifest| {
        let outline = manifest.outline().ok()?;
        Some((manifest, outline))
    }) else {
        let about = "it can't be used: see `concord connector check`";
        return json!({ "connector": found.name, "from": from, "about": about });
    };
    json!({
        "connector": found.name,
        "version": outline.version(),
        "reads": reads(&outline),
        "writes": writes(&outline),
        "from": from,
        "about": manifest.about(),
    })
}

/// By what ways changes are read.
fn reads(connector: &Connector) -> String {
    let webhook = connector.webhook().map(|webhook| if webhook.hint { "webhook hints" } else { "webhooks" });
    let poll = connector.polled_objects().next().map(|_| "poll");
    let events = connector.takes_cloud_events().then_some("events");
    let ways: Vec<&str> = webhook.into_iter().chain(poll).chain(events).collect();
    if ways.is_empty() { "–".to_owned() } else { ways.join(", ") }
}

/// The classes of its writes.
fn writes(connector: &Connector) -> String {
    let mut classes: Vec<&str> = Vec::new();
    for object in connector.shown_objects() {
        for (spec, _) in connector.writes(&object) {
            if !classes.contains(&spec.idempotency.name()) {
                classes.push(spec.idempotency.name());
            }
        }
    }
    if classes.is_empty() { "–".to_owned() } else { classes.join(", ") }
}

const WRITES: [Column; 7] = [
    ("OPERATION", "/operation"),
    ("FOR", "/for"),
    ("CLASS", "/class"),
    ("IN A CALL", "/in_a_call"),
    ("IN A JOB", "/in_a_job"),
    ("IF ITS ANSWER IS LOST", "/lost"),
    ("OBJECTS", "/object"),
];

/// Shows one.
pub(super) fn one(given: &ConnectorOf, dir: &Path, output: &Output) -> anyhow::Result<Exit> {
    let found = found::find(&given.name, dir)?;
    let refuse = |problems: Vec<config::Problem>| {
        tell(&problems, output);
        Exit::Failed.because(format!("{} cannot be used", found.name))
    };
    let manifest = found.manifest().map_err(refuse)?;
    let connector = manifest.outline().map_err(|errors| refuse(found.of_fixtures(&errors)))?;
    let sheet = sheet(&manifest, &connector);
    output.one(&sheet, |output| page(&sheet, output));
    Ok(Exit::Done)
}

fn sheet(manifest: &Manifest, connector: &Connector) -> Value {
    let parameters = manifest
        .parameters()
        .map(|(name, about, required)| json!({ "parameter": name, "about": about, "required": required }));
    let webhook = connector
        .webhook()
        .map(|webhook| json!({ "only_hints": webhook.hint, "never_reports": webhook.blind }));
    let objects: Vec<Object> = connector.shown_objects().collect();
    let reads: Vec<Value> = objects.iter().filter_map(|object| read(connector, object)).collect();
    let associations: Vec<Value> =
        objects.iter().flat_map(|object| associations(connector, object)).collect();
    let writes: Vec<Value> = objects
        .iter()
        .flat_map(|object| {
            connector.writes(object).map(move |(spec, needs)| write(connector.name_of(object), spec, &needs))
        })
        .collect();
    let buckets = connector.limits().buckets.iter().map(|bucket| {
        json!({
            "limit": &*bucket.name, "calls": bucket.size, "back": bucket.refill, "per_ms": bucket.per_ms,
            "shared": bucket.shared, "every_call": bucket.every_call,
        })
    });
    json!({
        "connector": manifest.name(),
        "version": connector.version(),
        "about": manifest.about(),
        "docs": manifest.docs(),
        "auth": manifest.ways_to_authenticate(),
        "secrets": connector.auth().secrets(),
        "parameters": parameters.collect::<Vec<_>>(),
        "limits": { "concurrency": connector.limits().concurrency, "windows": buckets.collect::<Vec<_>>() },
        "webhook": webhook,
        "reads": reads,
        "normalises": objects.iter().flat_map(|object| rewrites(connector, object)).collect::<Vec<_>>(),
        "natural_keys": objects.iter().flat_map(|object| natural_keys(connector, object)).collect::<Vec<_>>(),
        "associations": associations,
        "writes": writes,
        "scopes": scopes::listed(connector),
    })
}

fn read(connector: &Connector, object: &Object) -> Option<Value> {
    let fetch = connector.can_fetch(object);
    let poll = connector.poll(object);
    (fetch || poll.is_some()).then(|| {
        json!({
            "object": connector.name_of(object),
            "by_id": fetch,
            "in_a_call": connector.many(object).map_or(usize::from(fetch), |many| many.records_max),
            "snapshot": connector.has_snapshot(object),
            "kept_h": poll.and_then(|poll| poll.keeps).map(|keeps| keeps.as_secs() / 3600),
            "poll_every_s": poll.map(|poll| poll.every.as_secs()),
            "deletions": poll.map(|poll| poll.deletes == Deletes::Listed),
            "never_shows": poll.map(|poll| poll.blind.clone()).unwrap_or_default(),
        })
    })
}

/// What the vendor makes of values, path by path.
fn rewrites(connector: &Connector, object: &Object) -> Vec<Value> {
    let all = connector.rewrites(object).into_iter().flat_map(Rewrites::iter);
    let told = |(path, all): (&str, &[Rewrite])| {
        let words: Vec<String> = all.iter().map(Rewrite::told).collect();
        json!({ "object": connector.name_of(object), "path": path, "to": words.join(", ") })
    };
    all.map(told).collect()
}

/// By which values it has one object only.
fn natural_keys(connector: &Connector, object: &Object) -> Vec<Value> {
    let keys = connector.natural_keys(object).iter();
    keys.map(|key| json!({ "object": connector.name_of(object), "paths": key })).collect()
}

fn associations(connector: &Connector, object: &Object) -> impl Iterator<Item = Value> {
    connector.associations(object).map(|one| {
        let made = connector.associating(object, &one.path, Step::Associate).is_some();
        json!({ "object": connector.name_of(object), "path": &*one.path, "to": one.to, "made": made, "read": one.seen })
    })
}

fn write(object: &str, spec: &WriteSpec, needs: &[&str]) -> Value {
    json!({
        "object": object,
        "operation": &*spec.name,
        "for": needs.join(", "),
        "class": spec.idempotency.name(),
        "in_a_call": spec.batch.as_ref().map_or(1, |batch| batch.records_max),
        "in_a_job": spec.bulk.as_ref().map(|bulk| bulk.records_max),
        "only_differences": spec.partial,
        "lost": lost(spec),
        "batch": several::batch(spec),
        "job": several::job(spec),
    })
}

/// What becomes of a write whose answer is lost.
fn lost(spec: &WriteSpec) -> String {
    let lag = |ms: u64| spoken(Duration::from_millis(ms) + spec.processing_max);
    match spec.idempotency {
        IdempotencyClass::NativeKey { ttl_s } => {
            format!("sent again under its key, for {}", spoken(Duration::from_secs(ttl_s / 2)))
        }
        IdempotencyClass::Upsert => "sent again: that changes nothing more".to_owned(),
        IdempotencyClass::SearchFirst { index_lag_ms } | IdempotencyClass::MarkerField { index_lag_ms } => {
            format!("looked for after {}, then made if it is not there", lag(index_lag_ms))
        }
        IdempotencyClass::None => "a person looks whether it was done".to_owned(),
    }
}

pub(super) fn spoken(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds >= 7200 && seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        seconds if seconds >= 120 && seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

/// The sheet as a page.
fn page(sheet: &Value, output: &Output) -> String {
    let text = |at: &str| sheet.pointer(at).map(shown).unwrap_or_default();
    let list = |at: &str| sheet.pointer(at).and_then(Value::as_array).cloned().unwrap_or_default();
    let words = |values: &[Value]| values.iter().map(shown).collect::<Vec<_>>().join(", ");
    let mut lines = vec![format!("{} {}: {}", text("/connector"), text("/version"), text("/about"))];
    let mut add = |name: &str, value: String| {
        if !value.is_empty() {
            lines.push(format!("{name:<13} {value}"));
        }
    };
    add("documented", words(&list("/docs")));
    add("authenticates", words(&list("/auth")));
    add("secrets", words(&list("/secrets")));
    for parameter in list("/parameters") {
        let need = if parameter["required"] == json!(true) { " (required)" } else { "" };
        let (name, about) = (shown(&parameter["parameter"]), shown(&parameter["about"]));
        add("parameter", format!("{name}{need}: {about}"));
    }
    for window in list("/limits/windows") {
        let per = window["per_ms"].as_u64().map(Duration::from_millis).unwrap_or_default();
        let per = if per < Duration::from_secs(1) { format!("{} ms", per.as_millis()) } else { spoken(per) };
        let (name, calls) = (shown(&window["limit"]), shown(&window["calls"]));
        add("limit", format!("{name}: {calls} calls, {} given back each {per}", shown(&window["back"])));
    }
    for blind in list("/webhook/never_reports") {
        add("webhooks miss", shown(&blind));
    }
    for (objects, blind) in together(list("/reads").iter().flat_map(|read| {
        let blind = read["never_shows"].as_array().cloned().unwrap_or_default();
        blind.into_iter().map(|blind| (shown(&read["object"]), blind))
    })) {
        add("polls miss", format!("{}: {}", objects.join(", "), shown(&blind)));
    }
    let sets = list("/writes").into_iter().flat_map(|write| {
        let object = shown(&write["object"]);
        several::lines(&write).into_iter().map(move |line| (object.clone(), line))
    });
    for (objects, (name, said)) in together(sets) {
        add(name, format!("{said} ({})", objects.join(", ")));
    }
    for (objects, path, to) in together(
        list("/normalises").into_iter().map(|one| (shown(&one["object"]), json!([one["path"], one["to"]]))),
    )
    .into_iter()
    .map(|(objects, one)| (objects, shown(&one[0]), shown(&one[1])))
    {
        add("keeps", format!("{}: {path} {to}", objects.join(", ")));
    }
    for (objects, paths) in
        together(list("/natural_keys").into_iter().map(|one| (shown(&one["object"]), one["paths"].clone())))
    {
        let paths = paths.as_array().map(|paths| words(paths)).unwrap_or_default();
        add("once only", format!("{}: {paths}", objects.join(", ")));
    }
    let kept = list("/reads").into_iter().filter(|read| read["kept_h"].is_u64());
    for (objects, hours) in together(kept.map(|read| (shown(&read["object"]), read["kept_h"].clone()))) {
        let say = "hours of changes are kept; after more than that all that is there is listed";
        add("polls reach", format!("{}: {} {say}", objects.join(", "), shown(&hours)));
    }
    let several = list("/reads").into_iter().filter(|read| read["in_a_call"].as_u64() > Some(1));
    for (objects, most) in together(several.map(|read| (shown(&read["object"]), read["in_a_call"].clone()))) {
        add("reads by id", format!("{}: {} in a call", objects.join(", "), shown(&most)));
    }
    for one in list("/associations") {
        let said = |key: &str| one[key] == json!(true);
        let ways = [("made", said("made")), ("read by id", said("read"))];
        let ways: Vec<&str> = ways.into_iter().filter_map(|(way, has)| has.then_some(way)).collect();
        let (object, path, to) = (shown(&one["object"]), shown(&one["path"]), shown(&one["to"]));
        add("association", format!("{object}: {path}, with {to} ({})", ways.join(", ")));
    }
    let writes = together(list("/writes").into_iter().map(|mut write| {
        let object = shown(&write["object"]);
        write["object"] = Value::Null;
        (object, write)
    }));
    let rows: Vec<Value> = writes
        .into_iter()
        .map(|(objects, mut write)| {
            write["object"] = json!(objects.join(", "));
            write
        })
        .collect();
    if !rows.is_empty() {
        lines.push(String::new());
        lines.push(output.table(&WRITES, &rows));
    }
    lines.extend(scopes::page(&sheet["scopes"], output));
    lines.join("\n")
}

/// The same value of several objects is shown once, in the order in which they come.
fn together<T: PartialEq>(all: impl Iterator<Item = (String, T)>) -> Vec<(Vec<String>, T)> {
    let mut groups: Vec<(Vec<String>, T)> = Vec::new();
    for (object, value) in all {
        match groups.iter_mut().find(|(_, known)| *known == value) {
            Some((objects, _)) => objects.push(object),
            None => groups.push((vec![object], value)),
        }
    }
    groups
}
