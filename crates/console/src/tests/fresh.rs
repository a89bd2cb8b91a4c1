//! `?fresh=SYSTEM`: a record is read at its source before it is shown, or it is said why not.

use super::*;

fn fresh(value: &Value) -> &Value {
    &value["fresh"][0]
}

async fn asked(bench: &Bench, query: &str) -> (StatusCode, Value) {
    bench.ask("GET", &format!("/api/v1/records/{}{query}", make::rec(1)), Some("t-read"), "").await
}

#[tokio::test]
async fn a_record_is_read_at_its_source_before_it_is_shown() {
    let bench = Bench::new();
    let (status, sheet) = asked(&bench, "?fresh=crm").await;
    assert_eq!((status.as_u16(), &fresh(&sheet)["state"]), (200, &json!("fresh")), "{sheet}");
    assert_eq!((&fresh(&sheet)["object"], &fresh(&sheet)["why"]), (&json!("contacts"), &Value::Null));
    assert!(fresh(&sheet)["age_ms"].as_u64().is_some_and(|age| age < 60_000), "{sheet}");
    let sent = bench.targets.0.lock().expect("not poisoned").clone();
    let read = (System::new("crm").unwrap(), "GET /contacts/c-1".to_owned());
    assert_eq!(sent.iter().filter(|call| **call == read).count(), 1, "once: {sent:?}");
    let (_, sheet) = asked(&bench, "").await;
    assert_eq!(sheet.get("fresh"), None, "nobody asked");
}

#[tokio::test]
async fn what_cannot_be_read_is_stale_with_the_reason() {
    let bench = Bench::new();
    let (status, sheet) = asked(&bench, "?fresh=erp").await;
    assert_eq!((status.as_u16(), &fresh(&sheet)["state"]), (200, &json!("stale")), "{sheet}");
    assert!(fresh(&sheet)["why"].as_str().unwrap().contains("cannot be read one by one"), "{sheet}");

    let paused = bench.post("/api/v1/systems/crm/pause", &json!({"reason": "a test"})).await;
    assert_eq!(paused.0, 200, "{paused:?}");
    let (_, sheet) = asked(&bench, "?fresh=crm&timeout=300ms").await;
    assert_eq!(fresh(&sheet)["state"], "stale");
    assert!(fresh(&sheet)["why"].as_str().unwrap().contains("paused"), "{sheet}");
}

#[tokio::test]
async fn slips_are_named() {
    let bench = Bench::new();
    for query in ["?fresh=cmr", "?fresh=crm&timeout=1h", "?fresh=crm&timeout=0s", "?frehs=crm"] {
        assert_eq!(asked(&bench, query).await.0, 400, "{query}");
    }
}
