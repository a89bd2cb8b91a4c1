//! Records leave and come back: as state, by the rules of intake, once, without events.

use super::*;

async fn exported(bench: &Bench) -> Vec<Value> {
    let (status, page) = bench.ask("GET", "/api/v1/export?unmask=true", Some("t-privacy"), "").await;
    assert_eq!((status.as_u16(), &page["next"]), (200, &Value::Null), "{page}");
    page["items"].as_array().unwrap().clone()
}

async fn imported(bench: &Bench, lines: &[Value]) -> Value {
    let lines: Vec<Value> = (1..).zip(lines).map(|(number, line): (u64, _)| json!([number, line])).collect();
    let (status, answer) = bench.post("/api/v1/import", &json!({"reason": "a test", "lines": lines})).await;
    assert_eq!(status, 200, "{answer}");
    answer["lines"].clone()
}

fn outcomes(lines: &Value) -> Vec<&str> {
    lines.as_array().unwrap().iter().map(|line| line["outcome"].as_str().unwrap()).collect()
}

async fn linked(bench: &Bench, id: &str) -> Value {
    bench.get(&format!("/api/v1/records?system=crm&external_id={id}")).await["record"].clone()
}

/// I15: values are hidden unless asked for with the right to see them; what is hidden does not come back.
#[tokio::test]
async fn exports_are_masked_unless_asked() {
    let bench = Bench::new();
    let page = bench.get("/api/v1/export?entity=Contact").await;
    let rows = page["items"].as_array().unwrap();
    assert_eq!(rows.len(), 3, "of this tenant: {page}");
    assert!(!all_text(&page).contains("example.com"), "{page}");
    let (status, _) = bench.ask("GET", "/api/v1/export?unmask=true", Some("t-operate"), "").await;
    assert_eq!(status, 403);
    let lines = imported(&bench, &rows[..1]).await;
    assert_eq!(outcomes(&lines), ["refused"]);
    assert!(lines[0]["why"].as_str().unwrap().contains("--unmask"), "{lines}");
}

/// I16: importing twice equals once; bad lines keep nothing else from being taken, and are named by their number.
#[tokio::test]
async fn i16_records_come_back_once_and_without_events() {
    let rows = exported(&Bench::new()).await;
    let bench = Bench::with(Vec::new());
    let broken = json!({"kind": "record", "id": "rec_1"});
    let wrong = {
        let mut row = rows[1].clone();
        row["fields"]["name"] = json!(7);
        row
    };
    let lines = imported(&bench, &[rows[0].clone(), broken, wrong, rows[1].clone()]).await;
    assert_eq!(outcomes(&lines), ["new", "refused", "refused", "new"], "{lines}");
    assert_eq!(lines[1]["line"], 2);
    assert!(!all_text(&lines).contains("example.com"), "no values in what is said: {lines}");
    let record = linked(&bench, "c-1").await;
    assert_eq!((&record["fields"]["name"], &record["version"]), (&json!("n1v1"), &json!(1)));
    assert_eq!(bench.get("/api/v1/events").await["items"], json!([]), "state, not facts");
    // Targets are brought to it as ever.
    bench
        .until("/api/v1/deliveries", |page| {
            let rows = page["items"].as_array().unwrap();
            rows.len() == 2 && rows.iter().all(|row| row["state"] == "delivered")
        })
        .await;
    let again = imported(&bench, &rows[..2]).await;
    assert_eq!(outcomes(&again), ["repeated", "repeated"]);
    assert_eq!(linked(&bench, "c-1").await["version"], 1);
}

/// A stale import never overwrites what is newer by the source's own order.
#[tokio::test]
async fn older_lines_change_nothing() {
    let bench = Bench::new();
    let mut row = exported(&bench).await.remove(0);
    row["fields"]["name"] = json!("long ago");
    row["marks"]["crm"]["object"] = json!(0);
    row["version"] = json!(7);
    let lines = imported(&bench, &[row]).await;
    assert_eq!(outcomes(&lines), ["older"], "{lines}");
    let record = linked(&bench, "c-1").await;
    assert_eq!((&record["fields"]["name"], &record["version"]), (&json!("n1v1"), &json!(1)));
}

#[tokio::test]
async fn imports_need_a_reason_and_are_bounded() {
    let bench = Bench::new();
    let (status, problem) = bench.post("/api/v1/import", &json!({"lines": []})).await;
    assert_eq!(status, 400, "{problem}");
    let many: Vec<Value> = (0..201).map(|number| json!([number, {}])).collect();
    let (status, problem) = bench.post("/api/v1/import", &json!({"reason": "x", "lines": many})).await;
    assert_eq!(status, 400, "{problem}");
}

/// What moves no value makes no version: exported after that, the same version says something else, and is no repetition
/// of an id.
#[tokio::test]
async fn a_version_can_be_exported_twice() {
    let row = exported(&Bench::new()).await.remove(0);
    let bench = Bench::with(Vec::new());
    assert_eq!(outcomes(&imported(&bench, std::slice::from_ref(&row)).await), ["new"]);
    let mut later = row.clone();
    later["marks"]["crm"]["object"] = json!(9_000_000);
    let lines = imported(&bench, &[later.clone(), later]).await;
    assert_eq!(outcomes(&lines), ["new", "repeated"], "{lines}");
}

/// An id of another account names another object.
#[tokio::test]
async fn objects_of_another_account_are_refused() {
    let mut row = exported(&Bench::new()).await.remove(0);
    let links = row["links"].as_array_mut().unwrap();
    links
        .iter_mut()
        .filter(|link| link["system"] == "crm")
        .for_each(|link| link["instance"] = json!("there"));
    let here = store::SystemState { instance: Some("here".to_owned()), ..make::system_state("crm") };
    let bench = Bench::with(vec![Op::PutSystem(here)]);
    let lines = imported(&bench, &[row.clone()]).await;
    assert_eq!(outcomes(&lines), ["refused"], "{lines}");
    let why = lines[0]["why"].as_str().unwrap();
    assert!(why.contains("there") && why.contains("here is connected"), "{why}");
}
