//! Who may ask what: every route has a scope, other tenants' rows are not there, personal values need a right.

use web::Access;

use super::*;

/// An address of each route, with everything in it that it needs.
fn address(pattern: &str) -> String {
    let delivery = crate::keys::shown(&make::sync_key("r", 1));
    let id = match pattern {
        path if path.contains("/events/") => make::evt(1).to_string(),
        path if path.contains("/records/") => make::rec(1).to_string(),
        _ => String::new(),
    };
    pattern
        .replace("{system}", "erp")
        .replace("{key}", &delivery)
        .replace("{group}", "fp1_a")
        .replace("{job}", &make::job(1).to_string())
        .replace("{id}", &id)
}

#[tokio::test]
async fn every_route_needs_a_token_of_its_scope() {
    let bench = Bench::new();
    let routes = crate::routes(bench.hub.clone(), Tokens::default());
    let inventory = routes.inventory();
    assert_eq!(inventory.len(), 45);
    for route in inventory {
        let path = address(route.path);
        let ask = |token| bench.ask(route.method, &path, token, "{\"reason\": \"a test\"}");
        match route.access {
            Access::Open(_) => assert_eq!(route.path, "/problems/{slug}", "nothing else is open"),
            Access::Signed => panic!("{} is not for sources", route.path),
            Access::Token(scope) => {
                assert_eq!(ask(None).await.0, 401, "{path}");
                assert_eq!(ask(Some("t-eve")).await.0, 401, "{path}");
                assert_eq!(ask(Some("t-shop")).await.0, 403, "{path}");
                assert_eq!(
                    scope,
                    if route.method == "POST" { Scope::Operate } else { Scope::Read },
                    "{path}"
                );
                if route.method == "POST" {
                    assert_eq!(ask(Some("t-read")).await.0, 403, "{path}");
                    assert_eq!(ask(Some("t-privacy")).await.0, 403, "{path}");
                }
            }
        }
    }
    let untouched = bench.get("/api/v1/dead-letters").await;
    assert_eq!(untouched["items"].as_array().unwrap().len(), 4, "{untouched}");
}

/// A guessed or leaked id of another tenant names nothing here, whatever is asked about it.
#[tokio::test]
async fn other_tenants_rows_are_not_there() {
    let bench = Bench::new();
    let key = crate::keys::shown(&foreign_key(&make::other()));
    let (record, event, message) = (make::rec(50), make::evt(50), make::msg(50));
    let job = make::job(50);
    for path in [
        format!("/api/v1/jobs/{job}"),
        format!("/api/v1/events/{event}"),
        format!("/api/v1/records/{record}"),
        "/api/v1/records?system=crm&external_id=c-50".to_owned(),
        format!("/api/v1/deliveries/{key}"),
        format!("/api/v1/dead-letters/{key}"),
        format!("/api/v1/dead-letters/{message}"),
    ] {
        assert_eq!(bench.ask("GET", &path, Some("t-read"), "").await.0, 404, "{path}");
    }
    for letter in [key, message.to_string()] {
        for verb in ["retry", "discard", "edit"] {
            let path = format!("/api/v1/dead-letters/{letter}/{verb}");
            assert_eq!(
                bench.post(&path, &json!({"reason": "a test"})).await.0,
                if verb == "edit" { 400 } else { 404 },
                "{path}"
            );
        }
    }
    // Word for word what is said of an id that nobody has.
    let nobodys =
        ObligationKey { subject: ledger::Subject::Record(make::rec(77)), ..foreign_key(&make::other()) };
    let nobodys = crate::keys::shown(&nobodys);
    let ids = [
        (crate::keys::shown(&foreign_key(&make::other())), nobodys),
        (record.to_string(), make::rec(77).to_string()),
        (event.to_string(), make::evt(77).to_string()),
        (message.to_string(), make::msg(77).to_string()),
        (job.to_string(), make::job(77).to_string()),
    ];
    for route in crate::routes(bench.hub.clone(), Tokens::default()).inventory() {
        let parts = ["{id}", "{key}", "{job}"];
        if !parts.iter().any(|part| route.path.contains(part)) {
            continue;
        }
        for (theirs, unknown) in &ids {
            let mut answers = Vec::new();
            for id in [theirs, unknown] {
                let path = parts.iter().fold(route.path.to_owned(), |path, part| path.replace(part, id));
                let path = path.replace("{system}", "erp").replace("{group}", "fp1_a");
                let body = "{\"reason\": \"a test\"}";
                let token = if route.method == "POST" { "t-operate" } else { "t-read" };
                let (status, mut answer) = bench.ask(route.method, &path, Some(token), body).await;
                answer.as_object_mut().map(|answer| answer.remove("request_id"));
                answers.push((status, all_text(&answer).replace(id.as_str(), "ID")));
            }
            assert_eq!(answers.first(), answers.last(), "{} {}", route.method, route.path);
        }
    }
    for path in ["/api/v1/events", "/api/v1/deliveries", "/api/v1/dead-letters", "/api/v1/systems"] {
        let text = all_text(&bench.get(path).await);
        assert!(
            !text.contains(&record.to_string()) && !text.contains(&message.to_string()),
            "{path}: {text}"
        );
    }
}

/// I15: by default nothing is shown that a schema does not declare free of personal data.
#[tokio::test]
async fn personal_values_are_masked_unless_the_token_may_see_them() {
    let bench = Bench::new();
    let delivery = crate::keys::shown(&make::sync_key("r", 1));
    let (record, event) = (make::rec(1), make::evt(1));
    let paths = [
        format!("/api/v1/records/{record}"),
        "/api/v1/records?system=crm&external_id=c-1".to_owned(),
        format!("/api/v1/records/{}", make::rec(2)),
        format!("/api/v1/events/{event}"),
        "/api/v1/events".to_owned(),
        "/api/v1/deliveries".to_owned(),
        format!("/api/v1/deliveries/{delivery}"),
        "/api/v1/dead-letters".to_owned(),
        format!("/api/v1/dead-letters/{}", make::msg(2)),
        "/api/v1/status".to_owned(),
        "/api/v1/systems".to_owned(),
        "/metrics".to_owned(),
    ];
    for path in &paths {
        let text = all_text(&bench.get(path).await);
        for personal in ["example.com", "\"extension\"", "request 1", "call 1", "Nine"] {
            assert!(!text.contains(personal), "{path} shows {personal}: {text}");
        }
    }
    let unmasked = |path: &str| format!("{path}{}unmask=true", if path.contains('?') { '&' } else { '?' });
    for path in &paths[..4] {
        let (status, refused) = bench.ask("GET", &unmasked(path), Some("t-operate"), "").await;
        assert_eq!(status, 403, "{path}: {refused}");
        let (status, shown) = bench.ask("GET", &unmasked(path), Some("t-privacy"), "").await;
        assert_eq!(status, 200, "{path}: {shown}");
        assert!(all_text(&shown).contains("example.com"), "{path}: {shown}");
        assert!(!all_text(&shown).contains("call 1"), "what is on the wire is never shown: {shown}");
    }
    let (status, letter) = bench
        .ask("GET", &unmasked(&format!("/api/v1/dead-letters/{}", make::msg(2))), Some("t-privacy"), "")
        .await;
    assert_eq!(status, 200);
    assert!(!all_text(&letter).contains("Nine"), "a raw message is never shown: {letter}");
}

#[tokio::test]
async fn masks_follow_the_schema_field_by_field() {
    let bench = Bench::new();
    let sheet = bench.get(&format!("/api/v1/records/{}", make::rec(1))).await;
    let fields = &sheet["record"]["fields"];
    assert_eq!(fields["name"], "n1v1", "declared free of personal data");
    assert_eq!(fields["email"], "[masked]");
    assert_eq!(fields["tags"], "[masked]", "what is not classified is personal");
    assert_eq!(fields["gone"], Value::Null, "that it is empty is shown");
    let about = &sheet["record"]["provenance"];
    assert_eq!(about["email"]["pii"], "sensitive");
    assert_eq!((&about["name"]["masked"], &about["email"]["masked"]), (&json!(false), &json!(true)));
    let shadow = |path: &str| {
        let rows = sheet["shadows"].as_array().unwrap().iter();
        rows.clone().find(|row| row["field"] == path).unwrap_or_else(|| panic!("{path}")).clone()
    };
    assert_eq!(shadow("name")["value"], "shadow", "mapped from a field that may be shown");
    assert_eq!(shadow("email")["value"], "[masked]");
    assert_eq!(shadow("tags")["value"], "[masked]", "no mapping says what it is");
    assert_eq!(shadow("email")["known"], false, "a write of it ended in doubt");
    let event = bench.get(&format!("/api/v1/events/{}", make::evt(1))).await;
    assert_eq!((&event["data"]["name"], &event["data"]["email"]), (&json!("fact"), &json!("[masked]")));
    let second = bench.get(&format!("/api/v1/records/{}", make::rec(2))).await;
    assert_eq!(second["links"][0]["id"], "[masked]", "an address used as an id");
}
