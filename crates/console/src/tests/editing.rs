//! Edit and retry, carried out by the real machines: what was there is kept, with who and why.

use super::*;

fn letter(record: u64) -> String {
    format!("/api/v1/dead-letters/{}", crate::keys::shown(&make::sync_key("r", record)))
}

fn message(number: u64) -> String {
    format!("/api/v1/dead-letters/{}", make::msg(number))
}

/// I1: what came stays, given up for a correction by a named person with a reason; I16: once.
#[tokio::test]
async fn a_correction_takes_the_place_of_a_quarantined_message() {
    let bench = Bench::new();
    let before = bench.get(&message(2)).await;
    assert_eq!(before["said"], json!(["id", "mail", "name"]), "names, no values");
    let edit = json!({"reason": "a typo there", "set": {"name": "Ninth"}, "unset": ["mail"]});
    let (status, answer) = bench.post(&format!("{}/edit", message(2)), &edit).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["state"], "discarded");
    let told = answer["reason"].as_str().unwrap().to_owned();
    assert!(told.starts_with("operate: a typo there (goes on as msg_"), "{told}");
    let page = bench.until("/api/v1/events?kind=contact.created", |page| page["items"][0].is_object()).await;
    let record = page["items"][0]["record"].as_str().unwrap();
    let sheet = bench.get(&format!("/api/v1/records/{record}")).await;
    let fields = &sheet["record"]["fields"];
    assert_eq!((&fields["name"], &fields["email"]), (&json!("Ninth"), &Value::Null));
    // What came can still be asked for, and is not decided about twice.
    let kept = bench.get(&message(2)).await;
    assert_eq!(kept["said"], before["said"]);
    let (status, problem) = bench.post(&format!("{}/edit", message(2)), &edit).await;
    assert_eq!(status, 409, "{problem}");
    let page = bench.get("/api/v1/events?kind=contact.created").await;
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
}

/// What still does not fit is refused, with what is wrong; nothing is decided.
#[tokio::test]
async fn a_correction_must_fit() {
    let bench = Bench::new();
    for (edit, said) in [
        (json!({"reason": "x", "set": {"name": {"no": "text"}}}), "still does not fit"),
        (json!({"reason": "x", "set": {"name.first": "N"}}), "single value at name"),
        (json!({"reason": "x", "unset": ["nothing.there"]}), "nothing at nothing.there"),
        (json!({"reason": "x", "set": {}}), "`set`"),
        (json!({"reason": "x", "set": {"name": "N"}, "object": "contacts", "external_id": "1"}), "stays"),
    ] {
        let (status, problem) = bench.post(&format!("{}/edit", message(2)), &edit).await;
        assert!(status == 409 || status == 400, "{edit}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(said), "{edit}: {problem}");
    }
    assert_eq!(bench.get(&message(2)).await["state"], "quarantined");
}

/// A message that could not be read is said by hand.
#[tokio::test]
async fn what_could_not_be_read_is_said_by_hand() {
    let garbled = Message { raw: b"<xml/>".to_vec(), read: false, about: None, ..quarantined(9) };
    let bench = Bench::with(vec![Op::PutMessage(garbled)]);
    let set = json!({"name": "Ten", "order": 4});
    let (status, problem) =
        bench.post(&format!("{}/edit", message(9)), &json!({"reason": "x", "set": set})).await;
    assert_eq!(status, 400, "{problem}");
    let edit = json!({"reason": "x", "set": set, "object": "contacts", "external_id": "c-10"});
    let (status, answer) = bench.post(&format!("{}/edit", message(9)), &edit).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["state"], "discarded");
}

/// I5: a dead delivery says other values for the level that is wanted; the record keeps its own, the decision is named,
/// and what would have been said is kept.
#[tokio::test]
async fn i5_a_dead_delivery_says_what_a_person_ordered() {
    let bench = Bench::new();
    let edit =
        json!({"reason": "they take no tags in names", "set": {"name": "plain", "email": "x@example.org"}});
    let (status, answer) = bench.post(&format!("{}/edit", letter(1)), &edit).await;
    assert_eq!(status, 200, "{answer}");
    let delivery = letter(1).replace("dead-letters", "deliveries");
    let now = bench.until(&delivery, |row| row["state"] == "delivered").await;
    assert_eq!(now["reached"], "v1+1", "its generation went up");
    let sheet = bench.get(&letter(1)).await;
    let newest = &sheet["edits"][0];
    assert_eq!((&newest["level"], &newest["counts"]), (&json!("v1+1"), &json!(true)));
    assert_eq!(newest["reason"], "operate: they take no tags in names");
    let values = newest["values"].as_array().unwrap();
    assert_eq!(values[0], json!({"path": "email", "value": "[masked]", "before": "[masked]"}));
    assert_eq!(values[1], json!({"path": "name", "value": "plain", "before": "n1v1"}));
    let record = bench.get(&format!("/api/v1/records/{}", make::rec(1))).await;
    assert_eq!(record["record"]["fields"]["name"], "n1v1", "the record keeps its own");
    let shadow = record["shadows"].as_array().unwrap().iter().find(|row| row["field"] == "name").unwrap();
    assert_eq!(shadow["value"], "plain", "what the target has is known");
    assert!(all_text(&record).contains("edited"), "the decision is recorded: {record}");
    let (status, problem) = bench.post(&format!("{}/edit", letter(1)), &edit).await;
    assert_eq!(status, 409, "{problem}");
}

#[tokio::test]
async fn only_what_is_dead_and_mapped_is_edited() {
    let bench = Bench::new();
    let phone = json!({"reason": "x", "set": {"phone": "1"}});
    let (status, problem) = bench.post(&format!("{}/edit", letter(1)), &phone).await;
    assert_eq!(status, 409);
    assert!(problem["detail"].as_str().unwrap().contains("it writes name, email"), "{problem}");
    let name = json!({"reason": "x", "set": {"name": "1"}});
    let (status, problem) = bench.post(&format!("{}/edit", letter(2)), &name).await;
    assert_eq!(status, 409, "one in doubt is decided as it is: {problem}");
    let (status, problem) = bench.post(&format!("{}/edit", letter(1)), &json!({"set": {"name": "1"}})).await;
    assert_eq!(status, 400, "a reason is needed: {problem}");
    assert!(bench.targets.0.lock().expect("not poisoned").is_empty(), "nothing was sent");
}
