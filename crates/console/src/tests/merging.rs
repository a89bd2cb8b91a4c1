//! Two records become one over the API, and two again: planned, applied with a reason, and shown.

use super::*;

fn place(plan: &Value) -> String {
    format!("/api/v1/jobs/{}", plan["id"].as_str().expect("an id"))
}

#[tokio::test]
async fn two_records_are_merged_and_split_again() {
    let bench = Bench::new();
    let (keep, gone) = (make::rec(3).to_string(), make::rec(2).to_string());
    let wanted = json!({"action": "merge", "keep": keep, "gone": gone, "prefer": {}});
    let body = wanted.to_string();
    assert_eq!(
        bench.ask("POST", "/api/v1/jobs", Some("t-read"), &body).await.0,
        403,
        "reading is not enough"
    );
    let (status, plan) = bench.post("/api/v1/jobs", &wanted).await;
    assert_eq!(status, 200, "{plan}");
    let shown = &plan["reshape"];
    assert_eq!((&shown["keep"], &shown["gone"]), (&json!(keep), &json!(gone)));
    assert_eq!(shown["objects"][0]["becomes"], "moves");
    // I15: an object's id may be somebody's address.
    assert!(!plan.to_string().contains("two@example.com"), "{plan}");
    assert_eq!(
        (&plan["action"], &plan["state"], &plan["total"]),
        (&json!("merge"), &json!("planned"), &json!(1))
    );
    let (status, problem) = bench.post(&format!("{}/apply", place(&plan)), &json!({})).await;
    assert_eq!(status, 400, "without a reason: {problem}");
    let (status, job) =
        bench.post(&format!("{}/apply", place(&plan)), &json!({"reason": "one person"})).await;
    assert_eq!(status, 200, "{job}");
    bench.until(&place(&plan), |job| job["state"] == "done").await;

    let sheet = bench.get(&format!("/api/v1/records/{gone}")).await;
    assert_eq!((&sheet["record"]["id"], &sheet["record"]["alive"]), (&json!(keep), &json!("live")));
    assert_eq!((&sheet["asked_for"]["record"], &sheet["asked_for"]["into"]), (&json!(gone), &json!(keep)));
    assert!(sheet["asked_for"]["why"].as_str().unwrap().contains("operate: one person"), "{sheet}");
    assert_eq!(sheet["absorbed"][0]["record"], json!(gone));
    let why = bench.get(&format!("/api/v1/records/{gone}/explain")).await;
    assert_eq!((&why["record"], &why["asked_for"]["into"]), (&json!(keep), &json!(keep)));
    assert!(why["decisions"].as_array().unwrap().iter().any(|row| row["kind"] == "absorbed"), "{why}");
    let (status, problem) = bench.post("/api/v1/jobs", &wanted).await;
    assert_eq!(status, 409, "{problem}");

    // Of a split the record that it was merged into need not be named.
    let (status, plan) = bench.post("/api/v1/jobs", &json!({"action": "split", "gone": gone})).await;
    assert_eq!((status.as_u16(), &plan["reshape"]["keep"]), (200, &json!(keep)), "{plan}");
    bench.post(&format!("{}/apply", place(&plan)), &json!({"reason": "two, after all"})).await;
    bench.until(&place(&plan), |job| job["state"] == "done").await;
    let sheet = bench.get(&format!("/api/v1/records/{gone}")).await;
    assert_eq!((&sheet["record"]["id"], sheet.get("asked_for")), (&json!(gone), None), "{sheet}");
    for body in
        [json!({"action": "split", "gone": gone}), json!({"action": "merge", "keep": gone, "gone": gone})]
    {
        let (status, problem) = bench.post("/api/v1/jobs", &body).await;
        assert_eq!(status, 409, "{body}: {problem}");
    }
}
