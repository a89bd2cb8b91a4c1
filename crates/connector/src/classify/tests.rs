//! Waits in every form, what HTTP says by itself, and what is left of limits.

use std::collections::BTreeMap;
use std::time::Duration;

use canonical::{Object, Wall};
use ledger::{Class, Wait};
use serde_json::json;

use super::{by_status, http_date};
use crate::plan::{Gauge, Left, WaitPlan, item};
use crate::source::{CallKind, WaitForm};
use crate::{Call, Manifest, Response};

const NOW: Wall = Wall(1_795_348_800_000_000);

fn response(status: u16, headers: &[(&str, &str)]) -> Response {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Response { status, headers, body: Vec::new() }
}

#[test]
fn waits_are_read_in_every_form_and_believed_within_bounds() {
    let read = |form, text: &str| {
        let plan = WaitPlan {
            header: Some("x-wait".into()),
            path: None,
            item: None,
            form,
            default: Some(Duration::from_secs(9)),
            max: Duration::from_secs(600),
        };
        plan.read_header(&response(429, &[("x-wait", text)]), NOW)
    };
    let seconds = |n| Some(Wait::For(Duration::from_secs(n)));
    for (form, text, expected) in [
        (WaitForm::RetryAfter, "120", seconds(120)),
        (WaitForm::RetryAfter, "Sun, 22 Nov 2026 12:00:30 GMT", seconds(30)),
        (WaitForm::RetryAfter, "Sun, 22 Nov 2026 11:00:00 GMT", seconds(0)),
        (WaitForm::RetryAfter, "soon", seconds(9)),
        (WaitForm::RetryAfter, "-5", seconds(9)),
        (WaitForm::RetryAfter, "NaN", seconds(9)),
        (WaitForm::RetryAfter, "1e400", seconds(9)),
        (WaitForm::Seconds, "1.5", Some(Wait::For(Duration::from_millis(1500)))),
        (WaitForm::Ms, "2500", Some(Wait::For(Duration::from_millis(2500)))),
        (WaitForm::Epoch, "1795348860", seconds(60)),
        (WaitForm::EpochMs, "1795348801000", seconds(1)),
        (WaitForm::Epoch, "9223372036854775807", seconds(9)),
        (WaitForm::Minutes, "1.5", seconds(90)),
        (WaitForm::Duration, "30s", seconds(30)),
        (WaitForm::Duration, "1m30s", seconds(90)),
        (WaitForm::Duration, "6m0s", seconds(360)),
        (WaitForm::Duration, "500ms", Some(Wait::For(Duration::from_millis(500)))),
        (WaitForm::Duration, "1.5s", Some(Wait::For(Duration::from_millis(1500)))),
        (WaitForm::Duration, "PT2M", seconds(120)),
        (WaitForm::Duration, "-30s", seconds(9)),
        (WaitForm::Duration, "30", seconds(9)),
        (WaitForm::DateTime, "2026-11-22T12:00:45Z", seconds(45)),
        (WaitForm::DateTime, "2026-11-22T11:00:45Z", seconds(0)),
        (WaitForm::DateTime, "45", seconds(9)),
        // A day is not believed where ten minutes are the bound.
        (WaitForm::Seconds, "86400", seconds(600)),
    ] {
        assert_eq!(read(form, text), expected, "{form:?} {text}");
    }
    assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000_000));
}

#[test]
fn what_no_rule_says_http_says() {
    use Class::{
        Absent, AuthExpired, Conflict, Gone, Locked, NotFound, Permanent, Permission, RateLimited, Retryable,
        TooLarge, Uncertain, Validation,
    };
    for (status, write, read) in [
        (400, Validation, Validation),
        (401, AuthExpired, AuthExpired),
        (403, Permission, Permission),
        (404, NotFound, NotFound),
        (408, Uncertain, Retryable),
        (409, Conflict, Conflict),
        (410, Gone, Gone),
        (412, Conflict, Conflict),
        (413, TooLarge, TooLarge),
        (418, Validation, Validation),
        (423, Locked, Locked),
        (429, RateLimited, RateLimited),
        (500, Uncertain, Retryable),
        (503, Uncertain, Retryable),
        (599, Uncertain, Retryable),
        (100, Permanent, Permanent),
        (304, Permanent, Permanent),
    ] {
        assert_eq!(by_status(status, CallKind::Write), write, "{status}");
        assert_eq!(by_status(status, CallKind::List), read, "{status}");
    }
    assert_eq!(by_status(404, CallKind::Probe), Absent);
}

#[test]
fn what_is_used_of_a_limit_says_what_is_left() {
    let gauge = |said| Gauge { bucket: "day".into(), header: "x-used".into(), said, reset: None };
    let used = |name: &str| gauge(Left::Used(name.into()));
    for (header, left) in [
        ("api-usage=18/5000", Some(4982)),
        ("api-usage=25/5000; per-app-api-usage=17/250(appName=sample)", Some(4975)),
        ("api-bursts=1/750; api-usage=10018/100000", Some(89_982)),
        ("api-bursts=1/750, api-usage= 1 / 9", Some(8)),
        // More than all of it.
        ("api-usage=5001/5000", Some(0)),
        ("per-app-api-usage=17/250", None),
        ("api-usage=18", None),
        ("api-usage=-1/5000", None),
        ("api-usage=1/99999999999999999999", None),
        ("18", None),
        ("", None),
    ] {
        assert_eq!(used("api-usage").left(header), left, "{header}");
    }
    let number = gauge(Left::Number);
    assert_eq!((number.left(" 7 "), number.left("1/7")), (Some(7), None));
    assert_eq!(
        (used("").left("32/40"), used("").left("41/40"), used("").left("32")),
        (Some(8), Some(0), None)
    );
}

#[test]
fn an_entry_of_a_list_is_what_a_header_says() {
    for (header, name, expected) in [
        // RateLimit as the draft of the IETF has it, with one and with several policies.
        (r#""default";r=50;t=30"#, "r", Some("50")),
        (r#""default";r=50;t=30"#, "t", Some("30")),
        (r#""burst";r=1;t=2, "daily";r=900;t=3600"#, "t", Some("2")),
        (r#""burst";r=1;t=2, "daily";r=900;t=3600"#, "daily;t", Some("3600")),
        (r#""burst";r=1;t=2"#, "daily;t", None),
        // …and as its older drafts have it.
        ("limit=100, remaining=50, reset=30", "reset", Some("30")),
        ("limit=100; remaining=50", "remaining", Some("50")),
        ("limit=100", "reset", None),
        ("", "reset", None),
        (r#"wait="12""#, "wait", Some("12")),
    ] {
        assert_eq!(item(header, name), expected, "{header} {name}");
        let gauge =
            Gauge { bucket: "day".into(), header: "x".into(), said: Left::Item(name.into()), reset: None };
        assert_eq!(gauge.left(header), expected.and_then(|text| text.parse().ok()), "{header} {name}");
    }
}

#[test]
fn a_wait_is_read_in_a_body_and_in_an_entry_of_a_header() {
    let yaml = "
connector: toy
version: '1'
about: a toy
objects:
  things: {shape: {id: id}, fetch: {request: {method: GET, path: '/{id}'}}}
errors:
- {when: {status: [429], json: true}, class: rate_limited, wait: {path: error.retry_after, form: ms, default: 7s, max: 1m}}
- {when: {status: [503]}, class: rate_limited, wait: {header: ratelimit, item: t, form: seconds}}
";
    let connector = Manifest::parse("toy", yaml).unwrap().with_parameters(&BTreeMap::new()).unwrap();
    let call = Call::Fetch { object: Object::new("things").unwrap(), external_id: "1".to_owned() };
    let wait = |status, headers: &[(&str, &str)], body: &str| {
        let response = Response { body: body.as_bytes().to_vec(), ..response(status, headers) };
        connector.classify(&call, &Ok(response), NOW).wait
    };
    let ms = |ms| Some(Wait::For(Duration::from_millis(ms)));
    assert_eq!(
        wait(429, &[], r#"{"error": {"retry_after": 64.5}}"#),
        ms(64).map(|_| Wait::For(Duration::from_micros(64_500)))
    );
    assert_eq!(wait(429, &[], r#"{"error": {"retry_after": "250"}}"#), ms(250));
    assert_eq!(
        wait(429, &[], r#"{"error": {"retry_after": 3600000}}"#),
        ms(60_000),
        "no longer than believed"
    );
    assert_eq!(wait(429, &[("retry-after", "3")], r#"{"error": {}}"#), ms(7_000), "the body was to say it");
    assert_eq!(wait(503, &[("ratelimit", "\"default\";r=0;t=30")], ""), ms(30_000));
    assert_eq!(wait(503, &[("ratelimit", "30")], ""), None);
}

#[test]
fn the_scarcest_limit_that_the_call_draws_from_is_told() {
    let yaml = "
connector: toy
version: '1'
about: a toy
limits:
  every_call: [short, long]
  buckets:
    short: {size: 10, per: 1s, remaining: x-short, reset: {header: x-reset, form: seconds}}
    long: {size: 100, per: 1h, remaining: x-long}
    other: {size: 5, per: 1s, remaining: x-other}
objects:
  things: {shape: {id: id}, fetch: {request: {method: GET, path: '/{id}'}}}
";
    let connector = Manifest::parse("toy", yaml).unwrap().with_parameters(&BTreeMap::new()).unwrap();
    let call = Call::Fetch { object: Object::new("things").unwrap(), external_id: "1".to_owned() };
    let left =
        |headers: &[(&str, &str)]| connector.classify(&call, &Ok(response(200, headers)), NOW).remaining;
    assert_eq!(
        left(&[("x-long", "3"), ("x-short", "9"), ("x-other", "0")]),
        Some(("long".to_owned(), 3, None))
    );
    let reset = Some(Wait::For(Duration::from_secs(2)));
    assert_eq!(left(&[("x-short", "0"), ("x-reset", "2")]), Some(("short".to_owned(), 0, reset)));
    assert_eq!(left(&[("x-short", "many")]), None);
    assert_eq!(connector.charge(&call).buckets.len(), 2);
    let names: Vec<_> = connector.limits().buckets.iter().map(|bucket| &*bucket.name).collect();
    assert_eq!(names, ["long", "other", "short"]);
    assert_eq!(serde_json::to_value(connector.auth()).unwrap(), json!("none"));
}
