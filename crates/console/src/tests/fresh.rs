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

/// I10: whatever ails the system, the question is answered in its time, with what is known and why it is no newer.
#[tokio::test]
async fn what_an_ailing_system_does_not_give_is_shown_as_it_is_known() {
    for (mood, query, why) in [
        (Mood::Hangs, "?fresh=crm&timeout=200ms", "it was not read in time"),
        (Mood::Says(503), "?fresh=crm&timeout=10s", "the system did not give it"),
    ] {
        let bench = Bench::new();
        bench.targets.behave("/contacts/", mood);
        let (status, sheet) = asked(&bench, query).await;
        assert_eq!((status.as_u16(), &fresh(&sheet)["state"]), (200, &json!("stale")), "{sheet}");
        let said = format!("{why}; it is tried again, and taken in when it comes");
        assert_eq!(fresh(&sheet)["why"], said, "{sheet}");
        assert_eq!(sheet["record"]["id"], make::rec(1).to_string(), "what is known is shown");
        assert!(fresh(&sheet)["known_at"].is_string() && fresh(&sheet)["age_ms"].is_u64(), "{sheet}");
        assert_eq!(fresh(&sheet)["object"], "contacts");
    }
}

/// I12: a question opens no breaker.
#[tokio::test]
async fn behind_an_open_breaker_nothing_is_read_and_the_answer_says_so() {
    let bench = Bench::new();
    let force = json!({"to": "open", "operation": "read", "reason": "a test"});
    let forced = bench.post("/api/v1/systems/crm/breaker", &force).await;
    assert_eq!(forced.0, 200, "{forced:?}");
    bench.until("/api/v1/systems", |page| page["items"][0]["breaker"] == "open").await;
    let (status, sheet) = asked(&bench, "?fresh=crm&timeout=200ms").await;
    assert_eq!((status.as_u16(), &fresh(&sheet)["state"]), (200, &json!("stale")), "{sheet}");
    let said = "it was not read in time: its breaker is open; it is tried again, and taken in when it comes";
    assert_eq!(fresh(&sheet)["why"], said, "{sheet}");
    assert!(bench.targets.0.lock().expect("not poisoned").is_empty(), "nothing goes through it");
}

#[tokio::test]
async fn slips_are_named() {
    let bench = Bench::new();
    for query in ["?fresh=cmr", "?fresh=crm&timeout=1h", "?fresh=crm&timeout=0s", "?frehs=crm"] {
        assert_eq!(asked(&bench, query).await.0, 400, "{query}");
    }
}
