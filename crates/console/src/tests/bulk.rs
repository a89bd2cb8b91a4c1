//! Bulk work over the API: planned, applied, watched; what must be refused is refused.

use super::*;

async fn plan(bench: &Bench, body: &Value) -> Value {
    let (status, plan) = bench.post("/api/v1/jobs", body).await;
    assert_eq!(status, 200, "{plan}");
    plan
}

fn place(plan: &Value) -> String {
    format!("/api/v1/jobs/{}", plan["id"].as_str().expect("an id"))
}

#[tokio::test]
async fn a_group_is_tried_again_as_a_job() {
    let bench = Bench::new();
    let plan = plan(&bench, &json!({"action": "retry", "scope": {"group": "fp1_a"}})).await;
    assert_eq!((&plan["state"], &plan["total"], &plan["calls"]), (&json!("planned"), &json!(1), &json!(1)));
    assert_eq!(plan["left_out"], json!({"uncertain": 1}), "what is in doubt is decided one by one");
    assert_eq!((&plan["planned_by"], &plan["portions"][0]["route"]), (&json!("operate"), &json!("r")));
    assert!(bench.targets.0.lock().expect("not poisoned").is_empty(), "nothing is sent before it is applied");
    let apply = format!("{}/apply", place(&plan));
    let (status, job) = bench.post(&apply, &json!({"reason": "mended there", "pace": 50})).await;
    assert_eq!(status, 200, "{job}");
    assert_eq!((&job["reason"], &job["pace"]), (&json!("operate: mended there"), &json!(50)));
    let done = bench.until(&place(&plan), |job| job["state"] == "done" && job["under_way"] == 0).await;
    assert_eq!(
        ["total", "done", "delivered", "failed"].map(|name| done[name].clone()),
        [1, 1, 1, 0].map(Value::from)
    );
    let (status, problem) = bench.post(&apply, &json!({"reason": "again"})).await;
    assert_eq!(status, 409, "a plan is applied once: {problem}");
    let list = bench.get("/api/v1/jobs").await;
    assert_eq!((&list["items"][0]["id"], &list["next"]), (&plan["id"], &Value::Null));
}

/// What came up since a job began, where it works, is shown with it; what was there before is not.
#[tokio::test]
async fn a_job_shows_what_fails_anew_since_it_began() {
    let bench = Bench::new();
    let plan = plan(&bench, &json!({"action": "retry", "scope": {"group": "fp1_a"}})).await;
    assert_eq!(plan["new_failures"], json!([]), "it has not begun");
    let before = bench.get("/api/v1/dead-letters/groups").await;
    assert!(before["items"].as_array().is_some_and(|groups| !groups.is_empty()), "{before}");
    bench.targets.behave("/customer/", Mood::Says(422));
    bench.post(&format!("{}/apply", place(&plan)), &json!({"reason": "mended there"})).await;
    let job = bench.until(&place(&plan), |job| job["state"] == "done" && job["failed"] == 1).await;
    let [failure] = job["new_failures"].as_array().unwrap().as_slice() else { panic!("{job}") };
    assert_eq!((&failure["system"], &failure["class"]), (&json!("erp"), &json!("validation")), "{failure}");
    assert_ne!(failure["fingerprint"], "fp1_a", "that was there before: {failure}");
}

/// I16: a replay says the newest state again, once for each job.
#[tokio::test]
async fn a_replay_says_it_again() {
    let bench = Bench::new();
    let scope = json!({"record": make::rec(3).to_string(), "target": "erp"});
    let plan = plan(&bench, &json!({"action": "replay", "scope": scope})).await;
    assert_eq!((&plan["total"], &plan["new_intent"]), (&json!(1), &json!(false)), "{plan}");
    bench.post(&format!("{}/apply", place(&plan)), &json!({"reason": "it lost some"})).await;
    bench.until(&place(&plan), |job| job["state"] == "done" && job["under_way"] == 0).await;
    let delivery = format!("/api/v1/deliveries/{}", crate::keys::shown(&make::sync_key("r", 3)));
    assert_eq!(bench.get(&delivery).await["wanted"], "v1+1");
}

#[tokio::test]
async fn what_must_be_refused_is_refused() {
    let bench = Bench::new();
    for (body, part) in [
        (json!({"action": "replay", "scope": {}}), "empty filter"),
        (json!({"action": "replay"}), "empty filter"),
        (json!({"action": "erase", "scope": {"target": "erp"}}), "replay, retry, discard, merge or split"),
        (json!({"action": "merge", "keep": "rec_0"}), "name the record"),
        (json!({"action": "merge", "gone": "x", "keep": "y"}), "32 hexadecimal"),
        (json!({"action": "merge", "scope": {"target": "erp"}}), "about two records"),
        (json!({"action": "retry", "scope": {"target": "erp"}, "gone": "x"}), "only a merge or a split"),
        (json!({"action": "retry", "scope": {"target": "erp"}, "new_intent": true}), "new_intent"),
        (json!({"action": "replay", "scope": {"target": "nobody"}}), "there are crm, erp"),
        (json!({"action": "replay", "scope": {"entity": "Nothing"}}), "there are Contact"),
        (json!({"action": "replay", "scope": {"route": "x"}}), "there are r"),
        (json!({"action": "replay", "scope": {"from": "yesterday"}}), "RFC 3339"),
        (json!({"action": "replay", "scope": {"record": "17"}}), "rec_"),
        (json!({"action": "replay", "scope": {"colour": "red"}}), "`scope`"),
    ] {
        let (status, problem) = bench.post("/api/v1/jobs", &body).await;
        assert_eq!(status, 400, "{body}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(part), "{body}: {problem}");
    }
    assert_eq!(bench.get("/api/v1/jobs").await["items"], json!([]));
    let plan = plan(&bench, &json!({"action": "discard", "scope": {"group": "fp1_a"}})).await;
    let apply = format!("{}/apply", place(&plan));
    for body in [json!({}), json!({"reason": " "}), json!({"reason": "x", "pace": 0}), json!({"why": "x"})] {
        assert_eq!(bench.post(&apply, &body).await.0, 400, "{body}");
    }
    // One of the group is decided about meanwhile.
    let letter = crate::keys::shown(&make::sync_key("r", 1));
    bench.post(&format!("/api/v1/dead-letters/{letter}/retry"), &json!({"reason": "mended"})).await;
    let delivery = format!("/api/v1/deliveries/{letter}");
    bench.until(&delivery, |row| row["state"] == "delivered").await;
    let (status, problem) = bench.post(&apply, &json!({"reason": "a test"})).await;
    assert_eq!(status, 409, "{problem}");
    let (status, ended) = bench.post(&format!("{}/cancel", place(&plan)), &json!({"reason": "a slip"})).await;
    assert_eq!((status.as_u16(), &ended["state"]), (200, &json!("cancelled")), "{ended}");
    for path in ["/api/v1/jobs/job_0", "/api/v1/jobs/x", &format!("/api/v1/jobs/{}", make::job(9))] {
        assert_eq!(bench.ask("GET", path, Some("t-read"), "").await.0, 404, "{path}");
    }
}
