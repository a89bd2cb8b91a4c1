//! What differs between two of a kind, in words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Display};

use canonical::EntitySchema;
use canonical::schema::{MatchKey, OnRecreate};
use dispatch::BucketSpec;
use ledger::{Route, RouteKind};
use mapping::{Direction, Mapping};

use crate::configuration::SystemConfig;
use crate::settings::Settings;
use crate::words::Period;

/// `what: was → is`, where they differ.
fn moves<T: PartialEq>(out: &mut Vec<String>, what: &str, was: &T, is: &T, show: impl Fn(&T) -> String) {
    if was != is {
        out.push(format!("{what}: {} → {}", show(was), show(is)));
    }
}

/// The names that are on one side only, and those whose values differ.
fn entries<K: Ord + Display, V: PartialEq>(
    out: &mut Vec<String>,
    what: &str,
    was: &BTreeMap<K, V>,
    is: &BTreeMap<K, V>,
    differs: impl Fn(&V, &V) -> String,
) {
    for (name, old, new) in super::sides(was, is) {
        match (old, new) {
            (None, Some(_)) => out.push(format!("+ {what} {name}")),
            (Some(_), None) => out.push(format!("- {what} {name}")),
            (Some(old), Some(new)) if old != new => out.push(format!("~ {what} {name}{}", differs(old, new))),
            _ => {}
        }
    }
}

fn plain<T: Display>(value: &T) -> String {
    value.to_string()
}

fn or_none<T: Display>(value: &Option<T>) -> String {
    value.as_ref().map_or_else(|| "none".to_owned(), T::to_string)
}

fn listed<T: Display>(values: &[T]) -> String {
    if values.is_empty() {
        return "none".to_owned();
    }
    values.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

/// Those of `pairs` that are not the same.
pub(super) fn moved(pairs: &[(&'static str, &str, &str)]) -> Vec<(&'static str, String, String)> {
    let differ = pairs.iter().filter(|(_, was, is)| was != is);
    differ.map(|(key, was, is)| (*key, (*was).to_owned(), (*is).to_owned())).collect()
}

/// What of `concord.yaml` is different.
pub(super) fn settings(was: &Settings, is: &Settings) -> Vec<String> {
    let mut out = Vec::new();
    moves(&mut out, "tenant", &was.tenant, &is.tenant, plain);
    moves(&mut out, "region", &was.region, &is.region, or_none);
    moves(&mut out, "public_url", &was.public_url, &is.public_url, plain);
    moves(&mut out, "store.folder", &was.store.folder, &is.store.folder, |path| path.display().to_string());
    moves(&mut out, "store.root_key", &was.store.root_key, &is.store.root_key, plain);
    moves(&mut out, "listeners.ingress", &was.listeners.ingress, &is.listeners.ingress, plain);
    moves(&mut out, "listeners.operator", &was.listeners.operator, &is.listeners.operator, plain);
    let (old, new) = (&was.intake, &is.intake);
    moves(&mut out, "intake.body_bytes_max", &old.body_bytes_max, &new.body_bytes_max, plain);
    moves(&mut out, "intake.rate_per_second", &old.rate_per_second, &new.rate_per_second, plain);
    moves(&mut out, "intake.burst", &old.burst, &new.burst, plain);
    let (old, new) = (old.backlog, new.backlog);
    moves(&mut out, "intake.backlog.age_max", &old.age_max, &new.age_max, plain);
    moves(&mut out, "intake.backlog.open_max", &old.open_max, &new.open_max, plain);
    moves(&mut out, "intake.backlog.total_max", &old.total_max, &new.total_max, plain);
    let clients = |of: &Settings| -> BTreeMap<String, _> {
        of.intake.clients.iter().map(|client| (client.name.clone(), client.clone())).collect()
    };
    entries(&mut out, "client", &clients(was), &clients(is), |_, _| String::new());
    if was.retention != is.retention {
        out.push("retention".to_owned());
    }
    moves(&mut out, "lanes", &was.lanes, &is.lanes, |lanes| format!("{:?}", lanes.array()));
    out
}

/// What of `concord.yaml` holds as long as the process runs: the key, what is wrong, what to do.
pub(super) fn fixed(was: &Settings, is: &Settings) -> Vec<(String, String, String)> {
    let mut out = Vec::new();
    let mut refuse = |key: &str, differs: bool, what: &str, hint: &str| {
        if differs {
            out.push((key.to_owned(), what.to_owned(), hint.to_owned()));
        }
    };
    let apart = "everything stored belongs to its tenant: run another tenant from a folder of its own";
    refuse("tenant", was.tenant != is.tenant, "a running hub's tenant cannot change", apart);
    let restart = "stop the hub, and start it with the new folder";
    let open = "the store is open where it is";
    refuse("store.folder", was.store.folder != is.store.folder, open, restart);
    let sealed = "what is at rest is sealed with the root key that was given at the start";
    refuse("store.root_key", was.store.root_key != is.store.root_key, sealed, restart);
    let listens = "a running hub keeps its addresses";
    refuse("listeners.ingress", was.listeners.ingress != is.listeners.ingress, listens, restart);
    refuse("listeners.operator", was.listeners.operator != is.listeners.operator, listens, restart);
    out
}

/// What of an entity is different.
pub(super) fn entity(was: &EntitySchema, is: &EntitySchema) -> Vec<String> {
    let mut out = Vec::new();
    moves(&mut out, "version", &was.version, &is.version, plain);
    entries(&mut out, "field", &was.fields, &is.fields, |old, new| {
        let mut parts = Vec::new();
        moves(&mut parts, "type", &old.kind, &new.kind, plain);
        moves(&mut parts, "owner", &old.owner, &new.owner, or_none);
        if old.owners != new.owners {
            parts.push("when it is whose".to_owned());
        }
        moves(&mut parts, "prefer", &old.prefer, &new.prefer, |systems| listed(systems));
        moves(&mut parts, "on_conflict", &old.on_conflict, &new.on_conflict, word);
        moves(&mut parts, "pii", &old.pii, &new.pii, word);
        if old.choices != new.choices {
            parts.push("its choices".to_owned());
        }
        moves(&mut parts, "maxLength", &old.chars_max, &new.chars_max, or_none);
        if parts.is_empty() { String::new() } else { format!(": {}", parts.join("; ")) }
    });
    moves(&mut out, "required", &was.required, &is.required, |fields| listed(fields));
    moves(&mut out, "creators", &was.creators, &is.creators, |systems| listed(systems));
    moves(&mut out, "deleters", &was.deleters, &is.deleters, |systems| listed(systems));
    moves(&mut out, "on_delete", &was.on_delete, &is.on_delete, word);
    moves(&mut out, "on_recreate", &was.on_recreate, &is.on_recreate, word);
    moves(&mut out, "clock_skew", &was.clock_skew, &is.clock_skew, |skew| format!("{skew:?}"));
    let keys = |of: &EntitySchema| -> BTreeMap<String, _> {
        of.match_keys.iter().map(|key| (key.name.clone(), key.clone())).collect()
    };
    entries(&mut out, "match key", &keys(was), &keys(is), |_, _| String::new());
    let rules = |of: &EntitySchema| -> BTreeMap<String, _> {
        of.rules.iter().map(|rule| (rule.name.clone(), rule.clone())).collect()
    };
    entries(&mut out, "rule", &rules(was), &rules(is), |_, _| String::new());
    let facts = |of: &EntitySchema| -> BTreeMap<String, _> {
        of.facts.iter().map(|rule| (rule.event.clone(), rule.clone())).collect()
    };
    entries(&mut out, "event", &facts(was), &facts(is), |_, _| String::new());
    if out.is_empty() && was != is {
        out.push("its schema".to_owned());
    }
    out
}

/// Match keys by which records that are there cannot be found yet.
pub(super) fn new_keys<'s>(was: &EntitySchema, is: &'s EntitySchema) -> impl Iterator<Item = &'s str> {
    let revives = |of: &EntitySchema| of.on_recreate == OnRecreate::Revive;
    let keeps_more = revives(is) && !revives(was);
    let known: BTreeSet<String> = was.match_keys.iter().map(MatchKey::definition).collect();
    let new = is.match_keys.iter().filter(move |key| keeps_more || !known.contains(&key.definition()));
    new.map(|key| key.name.as_str())
}

/// What of a system is different.
pub(super) fn system(was: &SystemConfig, is: &SystemConfig) -> Vec<String> {
    let mut out = Vec::new();
    let name = |of: &SystemConfig| format!("{} {}", of.connector.name(), of.connector.version());
    if name(was) != name(is) {
        out.push(format!("connector: {} → {}", name(was), name(is)));
    } else if was.connector_digest != is.connector_digest {
        out.push("connector: its manifest, its parameters, or the paths that mappings read".to_owned());
    }
    let (old, new) = (&was.connection, &is.connection);
    moves(&mut out, "base_url", &old.base_url, &new.base_url, plain);
    entries(&mut out, "secret", &old.secrets, &new.secrets, |old, new| format!(": {old} → {new}"));
    if old.allow != new.allow {
        out.push("allow".to_owned());
    }
    moves(&mut out, "connect timeout", &old.connect_timeout, &new.connect_timeout, |time| {
        Period(*time).to_string()
    });
    moves(&mut out, "request timeout", &old.request_timeout, &new.request_timeout, |time| {
        Period(*time).to_string()
    });
    if was.scopes != is.scopes {
        out.push("scopes".to_owned());
    }
    limits(&mut out, was, is);
    entries(&mut out, "poll", &was.poll, &is.poll, |old, new| {
        format!(": {} → {}", Period(*old), Period(*new))
    });
    if was.retry != is.retry {
        out.push("retry".to_owned());
    }
    if was.webhook != is.webhook {
        out.push("webhook".to_owned());
    }
    out
}

fn limits(out: &mut Vec<String>, was: &SystemConfig, is: &SystemConfig) {
    let (old, new) = (&was.limits, &is.limits);
    moves(out, "concurrency", &old.concurrency, &new.concurrency, plain);
    let buckets = |of: &[BucketSpec]| -> BTreeMap<String, BucketSpec> {
        of.iter().map(|bucket| (bucket.name.clone(), bucket.clone())).collect()
    };
    let show = |bucket: &BucketSpec| {
        format!("{} per {}, {} at once", bucket.refill, Period(bucket.per), bucket.size)
    };
    entries(out, "limit", &buckets(&old.buckets), &buckets(&new.buckets), |old, new| {
        format!(": {} → {}", show(old), show(new))
    });
    moves(out, "lanes", &old.lane_weights, &new.lane_weights, |weights| format!("{weights:?}"));
    let reserve = |pct: &u8| format!("{pct} %");
    moves(out, "reserve for critical", &old.reserve_critical_pct, &new.reserve_critical_pct, reserve);
    moves(out, "window", &old.window, &new.window, plain);
    if old.breaker != new.breaker {
        out.push("breaker".to_owned());
    }
    if was.history != is.history {
        out.push("what becomes of its history".to_owned());
    }
    if was.bulk_window != is.bulk_window {
        out.push("hours of the bulk lane".to_owned());
    }
    if was.heard_within != is.heard_within {
        out.push("how often it is expected to be heard".to_owned());
    }
}

/// Which arrows of a mapping are new, and which are gone.
pub(super) fn mapping(was: &Mapping, is: &Mapping) -> Vec<String> {
    let mut out = Vec::new();
    let arrows = |of: &Mapping| -> BTreeSet<String> {
        let rows = of.lineage();
        rows.iter()
            .map(|row| {
                let field = match (row.field, row.is_extension()) {
                    (Some(field), _) => field.as_str(),
                    (None, true) => "an extension",
                    (None, false) => "a constant",
                };
                match row.direction {
                    Direction::Both => format!("{} ↔ {field}", row.path),
                    Direction::In => format!("{} → {field}", row.path),
                    Direction::Out => format!("{} ← {field}", row.path),
                }
            })
            .collect()
    };
    let (old, new) = (arrows(was), arrows(is));
    out.extend(new.difference(&old).map(|arrow| format!("+ {arrow}")));
    out.extend(old.difference(&new).map(|arrow| format!("- {arrow}")));
    let written: BTreeSet<&str> = is.out_paths().collect();
    for path in was.out_paths().filter(|path| !written.contains(path)) {
        out.push(format!("{path} is written no more: {}", super::removed(is.on_removed(path))));
    }
    if out.is_empty() {
        out.push("how values are brought over: transforms, lookups or policies".to_owned());
    }
    out
}

/// What a route's name stands for, where it moved.
pub(super) fn route_identity(was: &Route, is: &Route) -> Vec<(&'static str, String, String)> {
    moved(&[
        ("kind", kind(was.kind), kind(is.kind)),
        ("entity", was.entity.as_str(), is.entity.as_str()),
        ("system", was.system.as_str(), is.system.as_str()),
        ("object", was.object.as_str(), is.object.as_str()),
    ])
}

const fn kind(of: RouteKind) -> &'static str {
    match of {
        RouteKind::Sync => "sync",
        RouteKind::Notify => "notify",
    }
}

/// What of a route is different.
pub(super) fn route(was: &Route, is: &Route) -> Vec<String> {
    let mut out = Vec::new();
    moves(&mut out, "mapping", &was.mapping, &is.mapping, plain);
    moves(&mut out, "lane", &was.lane, &is.lane, |lane| lane.name().to_owned());
    moves(&mut out, "events", &was.events, &is.events, |events| listed(events));
    moves(&mut out, "operation", &was.operation, &is.operation, or_none);
    if was.filter != is.filter {
        out.push("filter".to_owned());
    }
    moves(&mut out, "on_exit", &was.on_exit, &is.on_exit, word);
    moves(&mut out, "on_delete", &was.on_delete, &is.on_delete, word);
    out
}

/// What a route is about.
pub(super) fn about(route: &Route) -> String {
    format!("{}: {} to {} {}", kind(route.kind), route.entity, route.system, route.object)
}

/// A word of a closed list as the files write it.
fn word<T: Debug>(value: &T) -> String {
    let mut out = String::new();
    for (at, letter) in format!("{value:?}").chars().enumerate() {
        if letter.is_ascii_uppercase() && at > 0 {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}
