//! Plans: what a changed folder would do to what is stored, and what keeps it from being applied.

use super::*;

/// The folder with some files put in place of others, or taken away, as a plan is asked for.
fn sent(changes: &[(&str, Option<&str>)]) -> Value {
    let mut files = folder::files();
    for (path, text) in changes {
        match text {
            Some(text) => drop(files.put(path, *text)),
            None => drop(files.remove(path)),
        }
    }
    let files: serde_json::Map<String, Value> =
        files.iter().map(|(path, text)| (path.to_owned(), json!(text))).collect();
    json!({ "files": files })
}

const PLAN: &str = "/api/v1/configuration/plan";

#[tokio::test]
async fn a_plan_counts_what_it_touches() {
    let bench = Bench::new();
    let (status, same) = bench.post(PLAN, &sent(&[])).await;
    assert_eq!((status.as_u16(), &same["changes"], &same["effects"]), (200, &json!([]), &json!([])));
    assert_eq!(same["runs"], same["digest"]);
    assert_eq!(bench.get("/api/v1/configuration").await["digest"], same["runs"]);

    let files = folder::files();
    let mapping = files.get("mappings/contact.erp.yaml").unwrap();
    let mapping = mapping.replace("version: 1", "version: 2").replace("path: email", "path: mail");
    let mapping = mapping + "removed: {email: leave}\n";
    let (status, plan) = bench.post(PLAN, &sent(&[("mappings/contact.erp.yaml", Some(&mapping))])).await;
    assert_eq!(status, 200, "{plan}");
    let route = json!({
        "route": "r", "change": "rendered", "entity": "Contact", "system": "erp", "records": 3, "open": 0
    });
    assert_eq!(plan["routes"], json!([route]), "records of this tenant only");
    assert_eq!(plan["refusals"], json!([]));
    assert!(plan["plan"].as_str().unwrap().starts_with("plan_") && plan["plan"] != same["plan"]);
}

#[tokio::test]
async fn what_is_stored_keeps_its_type_and_its_system() {
    let bench = Bench::new();
    let less = [("systems/erp.yaml", None), ("mappings/contact.erp.yaml", None), ("routes/all.yaml", None)];
    let (status, plan) = bench.post(PLAN, &sent(&less)).await;
    assert_eq!(status, 200, "{plan}");
    let said = all_text(&plan["refusals"]);
    assert!(said.contains("routes lead to the system `erp`: r"), "{said}");
    assert!(said.contains("0 open deliveries and 1 delivery in doubt"), "{said}");

    let nothing = [&less[..], &[("model/contact.yaml", None), ("mappings/contact.crm.yaml", None)]].concat();
    let (status, plan) = bench.post(PLAN, &sent(&nothing)).await;
    assert_eq!(status, 200, "{plan}");
    assert!(all_text(&plan["refusals"]).contains("3 stored records of Contact"), "{plan}");
}

#[tokio::test]
async fn a_folder_with_errors_is_answered_with_their_places() {
    let bench = Bench::new();
    let broken =
        [("systems/erp.yaml", Some("system: erp\nconnector: connectors/target.yaml\nconection: {}\n"))];
    let (status, problem) = bench.post(PLAN, &sent(&broken)).await;
    assert_eq!(status, 422, "{problem}");
    let places = problem["errors"].as_array().unwrap();
    assert!(places.iter().any(|flaw| flaw["pointer"] == "systems/erp.yaml:3:1"), "{problem}");
    let (status, _) = bench.post(PLAN, &json!({"folder": "/etc"})).await;
    assert_eq!(status, 400, "files are sent, not named");
}

#[tokio::test]
async fn a_hub_without_a_folder_of_its_own_applies_nothing() {
    let bench = Bench::new();
    let order = json!({"digest": "0", "reason": "a try"});
    let (status, problem) = bench.post("/api/v1/configuration/apply", &order).await;
    assert_eq!(status, 409, "{problem}");
    let (status, _) = bench.post("/api/v1/configuration/apply", &json!({"digest": "0", "reason": " "})).await;
    assert_eq!(status, 400, "a reason is required");
    assert_eq!(bench.get("/api/v1/configuration/history").await["items"], json!([]));
}
