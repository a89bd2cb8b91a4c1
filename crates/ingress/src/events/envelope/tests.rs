//! The binding's own examples and its traps.

use serde_json::json;

use super::*;

fn headers(rows: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in rows {
        map.append(
            http::HeaderName::from_bytes(name.as_bytes()).expect("a name"),
            value.parse().expect("a value"),
        );
    }
    map
}

fn event() -> Value {
    json!({"specversion": "1.0", "id": "e1", "source": "/crm", "type": "contact.updated", "data": {"a": 1}})
}

fn status(result: Result<Vec<CloudEvent>, Problem>) -> u16 {
    result.expect_err("refused").status().as_u16()
}

const BINARY: [(&str, &str); 4] =
    [("ce-specversion", "1.0"), ("ce-id", "e1"), ("ce-source", "/crm"), ("ce-type", "contact.updated")];

#[test]
fn the_three_modes_give_the_same_event() {
    let limits = Limits::default();
    let one = serde_json::to_vec(&event()).expect("json");
    let batch = serde_json::to_vec(&json!([event(), event()])).expect("json");
    let structured =
        read(&headers(&[("content-type", "Application/CloudEvents+JSON; charset=UTF-8")]), &one, limits);
    let structured = structured.expect("structured");
    let batched = read(&headers(&[("content-type", "application/cloudevents-batch+json")]), &batch, limits);
    let batched = batched.expect("batched");
    let mut rows = BINARY.to_vec();
    rows.push(("content-type", "application/json"));
    let mut binary = read(&headers(&rows), br#"{"a":1}"#, limits).expect("binary");
    assert_eq!(binary[0].datacontenttype.take().as_deref(), Some("application/json"));
    assert_eq!(structured, binary);
    assert_eq!(batched, [binary[0].clone(), binary[0].clone()]);
}

#[test]
fn no_data_differs_from_null() {
    let limits = Limits::default();
    assert_eq!(read(&headers(&BINARY), b"", limits).expect("an event")[0].data, None);
    assert_eq!(read(&headers(&BINARY), b"null", limits).expect("an event")[0].data, Some(Value::Null));
}

#[test]
fn header_values_are_unquoted_then_decoded_once() {
    for (value, attribute) in [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("%e2%82%ac", "€"),
        ("100%2525", "100%25"),
        ("\"with \\\"quotes\\\" and %22more%22\"", "with \"quotes\" and \"more\""),
        ("  padded  ", "padded"),
        ("a b", "a b"),
    ] {
        assert_eq!(decode(value.as_bytes()).as_deref(), Ok(attribute), "{value}");
    }
    for wrong in ["%C0%A0", "%", "%4", "%zz", "\"open", "\"a\" b", "\"a\\"] {
        assert!(decode(wrong.as_bytes()).is_err(), "{wrong}");
    }
    assert!(decode("€".as_bytes()).is_err());
}

#[test]
fn what_is_no_event_is_refused_with_its_place() {
    let limits = Limits::default();
    let structured = headers(&[("content-type", "application/cloudevents+json")]);
    let batched = headers(&[("content-type", "application/cloudevents-batch+json")]);
    for (body, status_wanted) in [
        (&b"{"[..], 400),
        (b"[]", 400),
        (b"\"text\"", 400),
        (b"{\"specversion\":\"0.3\",\"id\":\"1\",\"source\":\"/\",\"type\":\"t\"}", 400),
        (b"{\"specversion\":\"1.0\",\"id\":\"\",\"source\":\"/\",\"type\":\"t\"}", 400),
        (b"{\"specversion\":\"1.0\",\"id\":7,\"source\":\"/\",\"type\":\"t\"}", 400),
        (b"{\"id\":\"\xff\"}", 400),
        ("[".repeat(65).as_bytes(), 400),
    ] {
        assert_eq!(
            status(read(&structured, body, limits)),
            status_wanted,
            "{}",
            String::from_utf8_lossy(body)
        );
    }
    let mut missing = event();
    missing.as_object_mut().expect("an object").remove("type");
    let body = serde_json::to_vec(&json!([event(), missing, 5])).expect("json");
    let problem = read(&batched, &body, limits).expect_err("two are none");
    let text = format!("{problem:?}");
    assert!(text.contains("\"/1\"") && text.contains("\"/2\"") && text.contains("`type`"), "{text}");
    assert_eq!(read(&batched, b"[]", limits).expect("an empty batch"), []);
    let small = Limits { events_max: 2, ..limits };
    let three = serde_json::to_vec(&json!([event(), event(), event()])).expect("json");
    assert_eq!(status(read(&batched, &three, small)), 413);
}

#[test]
fn other_formats_are_refused() {
    let limits = Limits::default();
    let body = serde_json::to_vec(&event()).expect("json");
    for kind in [
        "application/cloudevents",
        "application/cloudevents+avro",
        "application/cloudevents-batch",
        "application/cloudevents-batch+protobuf",
        "application/cloudevents+json; charset=utf-16",
    ] {
        assert_eq!(status(read(&headers(&[("content-type", kind)]), &body, limits)), 415, "{kind}");
    }
    let mut rows = BINARY.to_vec();
    rows.push(("content-type", "text/plain"));
    assert_eq!(status(read(&headers(&rows), b"x", limits)), 415);
    assert_eq!(
        status(read(&headers(&[("content-type", "application/json")]), &body, limits)),
        400,
        "no attributes"
    );
    for extra in [("ce-datacontenttype", "text/plain"), ("ce-id", "again"), ("ce-subject", "%C0%A0")] {
        let mut rows = BINARY.to_vec();
        rows.push(extra);
        assert_eq!(status(read(&headers(&rows), b"", limits)), 400, "{extra:?}");
    }
}

#[test]
fn the_events_own_trace_wins_over_the_hops() {
    let limits = Limits::default();
    let mut rows = BINARY.to_vec();
    rows.push(("traceparent", "00-hop"));
    assert_eq!(
        read(&headers(&rows), b"", limits).expect("an event")[0].traceparent.as_deref(),
        Some("00-hop")
    );
    rows.push(("ce-traceparent", "00-start"));
    assert_eq!(
        read(&headers(&rows), b"", limits).expect("an event")[0].traceparent.as_deref(),
        Some("00-start")
    );
}
