//! Every mark has a metric, names follow the rules, and the live counters agree with both.

use std::collections::BTreeSet;

use canonical::{Entity, Object};

use super::*;
use crate::logs::LogFormat;
use crate::logs::tests::lines;

fn system(name: &str) -> System {
    System::new(name).expect("a name")
}

fn registry() -> Registry {
    Registry::new(&Tenant::new("acme").expect("a name"))
}

/// One of each. The match below fails to compile against nothing (the enum is open), so the count is checked too:
/// a variant that is added to the hub and not here is found by [`every_variant_is_listed`].
fn marks() -> Vec<Mark> {
    let crm = || system("crm");
    let contact = || Entity::new("Contact").expect("a name");
    let contacts = || Object::new("contacts").expect("a name");
    let text = |t: &str| t.to_owned();
    let lag = Duration::from_millis(40);
    vec![
        Mark::Accepted { source: crm(), count: 3 },
        Mark::Duplicate { source: crm() },
        Mark::Quarantined { source: crm(), class: text("unreadable"), message: text("no id at /0") },
        Mark::MessageParked { source: crm() },
        Mark::Refused { source: crm(), cause: "backlog" },
        Mark::Rests { source: crm(), object: contacts(), cause: "backlog_age", why: text("slow") },
        Mark::ReadsOn { source: crm(), object: contacts() },
        Mark::Silent { system: crm(), what: text("messages"), since: canonical::Wall(0), within: lag },
        Mark::HeardAgain { system: crm(), what: text("messages") },
        Mark::Merged { entity: contact(), source: crm(), trace: text("0af7") },
        Mark::Decided { kind: "rejected", entity: contact(), source: crm() },
        Mark::Happened { kind: text("OpportunityWon") },
        Mark::DecidedAgain,
        Mark::Sent { system: crm(), operation: text("upsert") },
        Mark::Answered { system: crm(), operation: text("upsert"), class: Class::RateLimited, took: lag },
        Mark::Batch { system: crm(), operation: text("upsert"), sent: 9, applied: 7, unknown: 1 },
        Mark::Split { system: crm(), records: 9 },
        Mark::BulkBegan { system: crm(), operation: text("upsert"), records: 90 },
        Mark::BulkEnded { system: crm(), operation: text("upsert"), how: "done", records: 90, took: lag },
        Mark::Delivered {
            system: crm(),
            object: contacts(),
            lane: Lane::Critical,
            lag,
            folded: 3,
            trace: text("0af7"),
        },
        Mark::Skipped { system: crm() },
        Mark::Retrying { system: crm(), class: Class::Retryable },
        Mark::Doubtful { system: crm(), class: "search_first" },
        Mark::Resolved { system: crm(), how: "found" },
        Mark::NeedsPerson { system: crm(), message: text("look there") },
        Mark::Dead {
            system: crm(),
            class: text("validation"),
            message: text("bad field"),
            trace: text("0af7"),
        },
        Mark::Parked { system: crm() },
        Mark::Throttled { system: crm() },
        Mark::Breaker { system: crm(), operation: text("upsert"), state: "open" },
        Mark::Paused { system: crm(), reason: text("ann: too many errors") },
        Mark::Resumed { system: crm(), reason: text("ann: it is well again") },
        Mark::Ordered {
            system: crm(),
            what: text("held"),
            about: text("entity Contact"),
            why: text("ann: an audit"),
        },
        Mark::Job { action: "replay", state: "running", done: 5 },
        Mark::Forgotten { kind: "event", count: 2 },
        Mark::Archived { rows: 2, bytes: 90 },
        Mark::ArchiveFailed { why: text("no room") },
        Mark::RetentionFailed { why: text("a row can't be read") },
        Mark::Configured { system: crm(), renewed: true },
        Mark::Authorised { system: crm(), ok: true },
        Mark::Unconnected { system: crm(), why: text("connection refused") },
        Mark::PollFailed { system: crm(), object: contacts(), class: Class::Retryable, why: text("500") },
        Mark::Polled { system: crm(), object: contacts(), count: 7 },
        Mark::Fetched { system: crm() },
        Mark::LinkRot { system: crm() },
        Mark::FirstListing { system: crm(), object: contacts(), step: "waits", why: String::new() },
        Mark::Reread { system: crm() },
        Mark::Rereading { system: crm() },
        Mark::Reopened { system: crm(), whole: true },
        Mark::Gauges {
            system: crm(),
            in_flight: 2,
            held: [1, 2, 3],
            behind: true,
            doubtful: 1,
            jobs: 1,
            breaker: 2,
            throttled: true,
            paused: true,
            silent: 1,
        },
    ]
}

#[test]
fn every_mark_is_mapped() {
    for mark in marks() {
        let registry = registry();
        let before = registry.text();
        registry.note(&mark);
        let after = registry.text();
        assert_ne!(before, after, "{mark:?} leaves no trace in the metrics");
        assert!(!after.contains("concord_unmapped_marks_total{"), "{mark:?} is not mapped");
    }
}

/// Reads the hub's own list of variants, since an open enum cannot be matched without a last arm from here.
#[test]
fn every_variant_is_listed() {
    let source = include_str!("../../../hub/src/mark.rs");
    let body = source.split_once("pub enum Mark {").expect("the enum").1;
    let variants: BTreeSet<String> = body
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(|line| line.chars().take_while(char::is_ascii_alphanumeric).collect())
        .collect();
    let listed: BTreeSet<String> = marks()
        .iter()
        .map(|mark| format!("{mark:?}").chars().take_while(char::is_ascii_alphanumeric).collect())
        .collect();
    assert_eq!(listed, variants);
}

/// A process may serve several tenants: a line that does not say whose it is cannot be given to anybody.
#[test]
fn every_line_says_whose_it_is() {
    let ended = |how| Mark::BulkEnded {
        system: system("crm"),
        operation: "upsert".to_owned(),
        how,
        records: 90,
        took: Duration::from_secs(9),
    };
    let first = |step| Mark::FirstListing {
        system: system("crm"),
        object: Object::new("contacts").expect("a name"),
        step,
        why: "500".to_owned(),
    };
    let more = [
        ended("lost"),
        Mark::Breaker { system: system("crm"), operation: "upsert".to_owned(), state: "closed" },
        Mark::Authorised { system: system("crm"), ok: false },
        Mark::Reopened { system: system("crm"), whole: false },
        first("fails"),
        first("over"),
    ];
    let registry = registry();
    let mut told = 0;
    for mark in marks().iter().chain(&more) {
        let text = lines(LogFormat::Json, "trace", || registry.note(mark));
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).expect("an object");
            assert_eq!(line["tenant"], "acme", "{mark:?}: {line}");
            told += 1;
        }
    }
    let arms = include_str!("../voice.rs").matches("target: \"concord\"").count();
    assert_eq!(told, arms, "each line of the voice was heard");
}

/// A tenant of several is shown no figure of what the store does for all: a 0 there would be untrue.
#[test]
fn work_for_all_together_is_shown_only_where_it_is_known() {
    let registry = registry();
    registry.note_store(&store::Stats { commits: 3, ..store::Stats::default() });
    let part = registry.text();
    assert!(part.contains(r#"concord_store_commits_total{tenant="acme"} 3"#), "{part}");
    let disk = store::browse::Disk { groups: 1, syncs: 2, checkpoints: 4, log_pages: 5 };
    registry.note_store(&store::Stats { disk: Some(disk), ..store::Stats::default() });
    let whole = registry.text();
    for (name, value) in [("store_syncs_total", 2), ("store_checkpoints_total", 4), ("store_log_pages", 5)] {
        assert!(whole.contains(&format!(r#"concord_{name}{{tenant="acme"}} {value}"#)), "{whole}");
        assert!(!part.contains(&format!("concord_{name}{{")), "{part}");
    }
}

#[test]
fn names_follow_the_rules() {
    let mut names = BTreeSet::new();
    for (name, labels, help) in Catalogue::ROWS {
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
        assert!(
            !name.ends_with("_total") && !name.ends_with("_seconds"),
            "{name}: the encoder adds the unit"
        );
        assert!(!help.is_empty() && !help.ends_with('.'), "{name}: the encoder adds the full stop");
        assert!(names.insert(name), "{name} is there twice");
        for label in *labels {
            assert!(!["record", "trace", "id", "message", "tenant"].contains(label), "{name} has {label}");
        }
    }
}

#[test]
fn text_is_open_metrics_with_the_tenant() {
    let registry = registry();
    marks().iter().for_each(|mark| registry.note(mark));
    let text = registry.text();
    assert!(text.ends_with("# EOF\n"));
    for line in [
        r#"concord_messages_accepted_total{tenant="acme",source="crm"} 3"#,
        r#"concord_deliveries_total{tenant="acme",system="crm",object="contacts",lane="critical"} 1"#,
        r#"concord_levels_coalesced_total{tenant="acme",system="crm"} 2"#,
        r#"concord_delivery_lag_seconds_count{tenant="acme",system="crm",lane="critical"} 1"#,
        concat!(
            r#"concord_request_duration_seconds_count{tenant="acme",system="crm","#,
            r#"operation="upsert",class="rate_limited"} 1"#
        ),
        r#"concord_deliveries_held{tenant="acme",system="crm",lane="bulk"} 3"#,
        r#"concord_breaker_state{tenant="acme",system="crm"} 2"#,
    ] {
        assert!(text.lines().any(|l| l == line), "missing: {line}\n{text}");
    }
}

/// I15: what a vendor or a rule wrote does not become a label.
#[test]
fn a_class_that_is_no_name_is_other() {
    let registry = registry();
    registry.note(&Mark::Dead {
        system: system("crm"),
        class: "ann@example.com".to_owned(),
        message: "x".to_owned(),
        trace: String::new(),
    });
    let text = registry.text();
    assert!(text.contains(r#"class="other""#) && !text.contains("ann@"), "{text}");
}

#[test]
fn the_snapshot_holds_what_was_noted() {
    let registry = registry();
    marks().iter().for_each(|mark| registry.note(mark));
    let first = registry.snapshot();
    assert_eq!(first.totals.accepted, 3);
    assert_eq!((first.totals.delivered, first.totals.coalesced), (1, 2));
    assert_eq!((first.totals.rejected, first.totals.reverted), (1, 0));
    assert_eq!((first.totals.breaker_opens, first.totals.throttles, first.totals.resolved), (1, 1, 1));
    let (figures, gauges, lags) = &first.systems[&system("crm")];
    assert_eq!((figures.sent, figures.polled, figures.dead, figures.rate_limited), (1, 7, 1, 1));
    assert_eq!((gauges.in_flight, gauges.held, gauges.breaker, gauges.paused), (2, [1, 2, 3], 2, true));
    assert_eq!(lags.count(), 1);

    registry.note(&Mark::Accepted { source: system("erp"), count: 2 });
    let interval = registry.snapshot().since(&first);
    assert_eq!(interval.totals.accepted, 2);
    assert_eq!(interval.totals.delivered, 0);
    assert_eq!(interval.systems[&system("erp")].0.accepted, 2);
    assert_eq!(interval.systems[&system("crm")].0, crate::SystemFigures::default());
    assert_eq!(interval.lags().count(), 0);
}

#[test]
fn refusals_are_counted_by_source_and_reason() {
    let registry = registry();
    registry.note_refused(Some(&system("crm")), Refused::Forged);
    registry.note_refused(None, Refused::Unknown);
    registry.note_request("/v1/webhooks/{path}", 401, Duration::from_millis(2));
    let text = registry.text();
    assert!(
        text.contains(r#"concord_http_refused_total{tenant="acme",source="crm",reason="forged"} 1"#),
        "{text}"
    );
    assert!(
        text.contains(r#"concord_http_refused_total{tenant="acme",source="none",reason="unknown_source"} 1"#)
    );
    assert!(text.contains(
        r#"concord_http_requests_total{tenant="acme",route="/v1/webhooks/{path}",status="401"} 1"#
    ));
}
