//! A person says which object stands for which record.

use super::*;

fn named(object: &str, id: &str, system: &str) -> Value {
    json!({"system": system, "object": object, "external_id": id, "reason": "seen in both"})
}

fn links(sheet: &Value) -> Vec<String> {
    let links = sheet["links"].as_array().unwrap().iter();
    links
        .map(|link| format!("{}:{}", link["system"].as_str().unwrap(), link["id"].as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn an_object_is_unlinked_and_linked_by_hand() {
    let bench = Bench::new();
    let path = |record: u64, verb: &str| format!("/api/v1/records/{}/{verb}", make::rec(record));
    // It stands for another record.
    let taken = named("contacts", "c-1", "crm");
    let (status, problem) = bench.post(&path(3, "link"), &taken).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    let owner = format!("stands for {} already", make::rec(1));
    assert!(problem["detail"].as_str().unwrap().contains(&owner), "{problem}");
    let (status, problem) = bench.post(&path(1, "link"), &taken).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("for this record already"), "{problem}");
    let (status, problem) = bench.post(&path(3, "unlink"), &taken).await;
    assert_eq!(status, StatusCode::CONFLICT, "{problem}");
    let (status, sheet) = bench.post(&path(1, "unlink"), &taken).await;
    assert_eq!((status, links(&sheet)), (StatusCode::OK, vec!["erp:17".to_owned()]), "{sheet}");
    let (status, sheet) = bench.post(&path(3, "link"), &taken).await;
    assert_eq!((status, links(&sheet)), (StatusCode::OK, vec!["crm:c-1".to_owned()]), "{sheet}");
    let timeline = sheet["timeline"].as_array().unwrap();
    let linked = timeline.iter().find(|moment| moment["what"] == "linked").unwrap();
    assert!(linked["detail"].as_str().unwrap().contains("operate: seen in both"), "{linked}");
    // One object there, and of its own kind.
    let (status, problem) = bench.post(&path(3, "link"), &named("contacts", "c-2", "crm")).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(problem["detail"].as_str().unwrap().contains("another contacts of crm stands for"), "{problem}");
    let (status, problem) = bench.post(&path(3, "link"), &named("invoices", "i-1", "erp")).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(problem["detail"].as_str().unwrap().contains("never stands for a Contact"), "{problem}");
    let (status, _) = bench.post(&path(3, "link"), &named("contacts", "c-2", "nowhere")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

/// A message that could be about two records shows them, and is taken in once a person has said which it is.
#[tokio::test]
async fn a_message_between_two_records_is_linked_to_one() {
    let waiting = Message {
        about: Some(make::external("crm", "contacts", "c-9")),
        reason: Some(ledger::Reason {
            class: "ambiguous_match".to_owned(),
            message: "two have its key".to_owned(),
            candidates: vec![make::rec(2), make::rec(3)],
            ..ledger::Reason::default()
        }),
        ..quarantined(4)
    };
    let mut ops = everything();
    ops.push(Op::PutMessage(waiting));
    let bench = Bench::with(ops);
    let letter = format!("/api/v1/dead-letters/{}", make::msg(4));
    let shown = bench.get(&letter).await;
    let candidates = shown["candidates"].as_array().unwrap();
    let ids: Vec<&Value> = candidates.iter().map(|candidate| &candidate["record"]).collect();
    assert_eq!(ids, [&json!(make::rec(2).to_string()), &json!(make::rec(3).to_string())]);
    assert_eq!(candidates[0]["links"][0]["id"], "[masked]", "an address is masked: {}", candidates[0]);
    let to = |record: u64| json!({"record": make::rec(record).to_string(), "reason": "the phone number"});
    let (status, problem) = bench.post(&format!("{letter}/link"), &to(2)).await;
    assert_eq!(status, StatusCode::CONFLICT, "2 has an object there: {problem}");
    let (status, answer) = bench.post(&format!("{letter}/link"), &to(3)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let record = format!("/api/v1/records/{}", make::rec(3));
    let sheet = bench.until(&record, |sheet| sheet["record"]["version"] == 2).await;
    assert!(links(&sheet).contains(&"crm:c-9".to_owned()), "{sheet}");
    let (status, _) = bench.post(&format!("{letter}/link"), &to(3)).await;
    assert_eq!(status, StatusCode::CONFLICT, "once");
}
