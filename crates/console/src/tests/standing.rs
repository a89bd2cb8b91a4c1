//! Orders that stand: parts held back, breakers forced, and the journal of them; deliveries passed over.

use super::*;

fn delivery(record: u64) -> String {
    format!("/api/v1/deliveries/{}", crate::keys::shown(&make::sync_key("r", record)))
}

fn retry(record: u64) -> String {
    format!("{}/retry", delivery(record).replace("deliveries", "dead-letters"))
}

fn part(name: &str, value: &str) -> Value {
    json!({"reason": "an audit", name: value})
}

/// I12: what an operator holds does not go; released, it does. Both stand in the journal, with who and why.
#[tokio::test]
async fn a_part_is_held_back_and_released() {
    let bench = Bench::new();
    let sent = || bench.targets.0.lock().expect("not poisoned").len();
    let (status, answer) = bench.post("/api/v1/systems/erp/pause", &part("route", "r")).await;
    assert_eq!((status.as_u16(), &answer["part"]), (200, &json!("route r")), "{answer}");
    let (status, problem) = bench.post("/api/v1/systems/erp/pause", &part("route", "r")).await;
    assert_eq!(status, 409, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("held already (operate: an audit)"), "{problem}");

    // Let go by a person, it meets the hold.
    assert_eq!(bench.post(&retry(1), &json!({"reason": "mended"})).await.0, 200);
    let held = bench.until(&delivery(1), |row| row["state"] == "parked").await;
    assert_eq!(held["reason"], "route r is held: operate: an audit");
    let (status, problem) = bench.post(&retry(1), &json!({"reason": "again"})).await;
    assert_eq!(status, 409, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("release the hold"), "{problem}");
    let sheet = bench.get("/api/v1/systems/erp").await;
    assert_eq!((&sheet["held"][0]["part"], &sheet["held"][0]["of"]), (&json!("route"), &json!("r")));
    assert_eq!((&sheet["holds"], &sheet["parked"]), (&json!(1), &json!(1)), "{sheet}");
    assert_eq!(sent(), 0);

    let (status, answer) = bench.post("/api/v1/systems/erp/resume", &part("route", "r")).await;
    assert_eq!(status, 200, "{answer}");
    bench.until(&delivery(1), |row| row["state"] == "delivered").await;
    assert_eq!(sent(), 1);
    let (status, problem) = bench.post("/api/v1/systems/erp/resume", &part("route", "r")).await;
    assert_eq!((status.as_u16(), &problem["detail"]), (409, &json!("route r is not held")));
    let journal = bench.until("/api/v1/journal?system=erp", |page| page["items"][1].is_object()).await;
    let lines: Vec<(&str, &str)> = journal["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["what"].as_str().unwrap(), row["about"].as_str().unwrap()))
        .collect();
    assert_eq!(lines, [("released", "route r"), ("held", "route r")]);
    assert_eq!(journal["items"][1]["why"], "operate: an audit");
    let sheet = bench.until("/api/v1/systems/erp", |sheet| sheet["releasing"] == false).await;
    assert_eq!(sheet["holds"], 0);
}

#[tokio::test]
async fn a_record_is_held_and_the_others_go_on() {
    let bench = Bench::new();
    let record = make::rec(1).to_string();
    assert_eq!(bench.post("/api/v1/systems/erp/pause", &part("record", &record)).await.0, 200);
    for number in [1, 2] {
        assert_eq!(bench.post(&retry(number), &json!({"reason": "mended"})).await.0, 200);
    }
    bench.until(&delivery(2), |row| row["state"] == "delivered").await;
    bench.until(&delivery(1), |row| row["state"] == "parked").await;
}

#[tokio::test]
async fn slips_hold_nothing_back() {
    let bench = Bench::new();
    for (body, says) in [
        (json!({"reason": "x", "route": "nowhere"}), "there are r"),
        (json!({"reason": "x", "entity": "Kontact"}), "there are Contact"),
        (json!({"reason": "x", "record": "17"}), "rec_"),
        (json!({"reason": "x", "route": "r", "entity": "Contact"}), "at most one"),
        (json!({"reason": "x", "rout": "r"}), "at most one"),
        (json!({"route": "r"}), "write why"),
    ] {
        let (status, problem) = bench.post("/api/v1/systems/erp/pause", &body).await;
        assert_eq!(status, 400, "{body}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{body}: {problem}");
    }
    let sheet = bench.get("/api/v1/systems/erp").await;
    assert_eq!((&sheet["holds"], &sheet["paused"]), (&json!(0), &Value::Null));
}

/// A system whose first listing does not come delivers nothing, and says for which it waits and why.
#[tokio::test]
async fn what_waits_for_a_first_listing_says_so() {
    let mut files = folder::files();
    let fetched = "    fetch: {request: {method: GET, path: \"/contacts/{id}\", timeout: 1s}}\n";
    let polled = "    poll:\n      every: 60s\n      request: {method: GET, path: /contacts, query: {since?: \"{since}\"}, \
                  timeout: 1s}\n      items: items\n      mark: {path: changed, form: ms}\n      sorting: ascending\n      \
                  page: none\n      size: 10\n";
    let source = files.get("connectors/source.yaml").expect("it is there").to_owned();
    files.put("connectors/source.yaml", source.replace(fetched, &format!("{fetched}{polled}")));
    // What answers it is no list.
    let bench = Bench::of(folder::checked(&files), everything());
    let sheet = bench.until("/api/v1/systems/crm", |sheet| sheet["trouble"].is_string()).await;
    assert_eq!((&sheet["unlisted"], &sheet["state"]), (&json!(["contacts"]), &json!("unlisted")), "{sheet}");
    let listed = bench.get("/api/v1/systems").await;
    let states: Vec<&Value> =
        listed["items"].as_array().expect("a list").iter().map(|row| &row["state"]).collect();
    assert_eq!(states, ["unlisted", "running"], "{listed}");
    let erp = bench.get("/api/v1/systems/erp").await;
    assert_eq!((&erp["unlisted"], &erp["trouble"]), (&json!([]), &Value::Null), "{erp}");
}

/// I12: nothing goes through a breaker that is forced open.
#[tokio::test]
async fn a_breaker_is_forced_open_and_let_go() {
    let bench = Bench::new();
    let force = |to: &str, operation: &str| json!({"to": to, "operation": operation, "reason": "a test"});
    let (status, problem) =
        bench.post("/api/v1/systems/erp/breaker", &force("open", "write custommer")).await;
    assert_eq!(status, 400, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("write customer"), "{problem}");
    let (status, problem) = bench.post("/api/v1/systems/erp/breaker", &force("shut", "")).await;
    assert_eq!(status, 400, "{problem}");
    let (status, problem) = bench.post("/api/v1/systems/erp/breaker", &force("auto", "write customer")).await;
    assert_eq!(status, 409, "{problem}");

    assert_eq!(bench.post("/api/v1/systems/erp/breaker", &force("open", "write customer")).await.0, 200);
    assert_eq!(bench.post(&retry(1), &json!({"reason": "mended"})).await.0, 200);
    let sheet = bench.until("/api/v1/systems/erp", |sheet| sheet["breakers"][0].is_object()).await;
    let breaker = &sheet["breakers"][0];
    assert_eq!(
        (&breaker["operation"], &breaker["state"], &breaker["forced"]),
        (&json!("write customer"), &json!("open"), &json!("open"))
    );
    assert_eq!(sheet["forced"][0]["why"], "operate: a test");
    assert!(bench.targets.0.lock().expect("not poisoned").is_empty());

    assert_eq!(bench.post("/api/v1/systems/erp/breaker", &force("auto", "write customer")).await.0, 200);
    bench.until(&delivery(1), |row| row["state"] == "delivered").await;
    let journal = bench.get("/api/v1/journal").await;
    let what: Vec<&str> =
        journal["items"].as_array().unwrap().iter().filter_map(|row| row["what"].as_str()).collect();
    let orders: Vec<&&str> =
        what.iter().filter(|what| what.contains("forced") || what.contains("let_go")).collect();
    assert_eq!(orders, [&"breaker_let_go", &"breaker_forced_open"], "{journal}");
}

#[tokio::test]
async fn planned_calls_have_an_end() {
    let bench = Bench::new();
    let sheet = bench.get("/api/v1/systems/erp?calls=20000&lane=bulk").await;
    let forecast = &sheet["forecast"];
    assert_eq!((&forecast["calls"], &forecast["lane"]), (&json!(20000), &json!("bulk")), "{sheet}");
    assert!(forecast["through"].is_string() && forecast["by"].is_string(), "{forecast}");
    for query in ["calls=many", "calls=1&lane=fast", "calls=1&lane=bulk,critical"] {
        let (status, _) = bench.ask("GET", &format!("/api/v1/systems/erp?{query}"), Some("t-read"), "").await;
        assert_eq!(status, 400, "{query}");
    }
}

/// I1: passed over by a named person with a reason; a newer version goes as ever.
#[tokio::test]
async fn a_stuck_delivery_is_passed_over() {
    let bench = Bench::new();
    assert_eq!(bench.post("/api/v1/systems/erp/pause", &json!({"reason": "x"})).await.0, 200);
    assert_eq!(bench.post(&retry(1), &json!({"reason": "mended"})).await.0, 200);
    let (status, answer) =
        bench.post(&format!("{}/skip", delivery(1)), &json!({"reason": "next time"})).await;
    assert_eq!((status.as_u16(), &answer["state"]), (200, &json!("skipped")), "{answer}");
    assert_eq!((&answer["reason"], &answer["reached"]), (&json!("operate: next time"), &json!("v1")));
    let (status, problem) = bench.post(&format!("{}/skip", delivery(1)), &json!({"reason": "again"})).await;
    assert_eq!(status, 409, "{problem}");
    let (status, problem) = bench.post(&format!("{}/skip", delivery(3)), &json!({"reason": "done"})).await;
    assert_eq!(status, 409, "what is delivered is at rest: {problem}");
    assert_eq!(bench.post("/api/v1/systems/erp/resume", &json!({})).await.0, 200);
    let (status, answer) =
        bench.post(&format!("{}/skip", delivery(2)), &json!({"reason": "it is there"})).await;
    assert_eq!((status.as_u16(), &answer["state"]), (200, &json!("skipped")), "{answer}");
    assert!(bench.targets.0.lock().expect("not poisoned").is_empty(), "nothing was sent");
}

/// Whoever listens hears of a breaker or a pause as a CloudEvent, once each and in order, also of what changed while
/// nobody listened.
#[tokio::test]
async fn changes_are_published_as_events() {
    let bench = Bench::new();
    let now = bench.get("/api/v1/feed").await;
    assert_eq!(now, json!({"events": [], "next": 0}), "nothing has changed yet");
    let audit = json!({"reason": "an audit"});
    let pause = bench.post("/api/v1/systems/erp/pause", &audit);
    let (feed, _) = tokio::join!(bench.get("/api/v1/feed?after=0&wait=25"), pause);
    let event = &feed["events"][0];
    assert_eq!(
        (&event["specversion"], &event["type"], &event["subject"], &event["data"]["why"]),
        (&json!("1.0"), &json!("concord.system.paused"), &json!("erp"), &json!("operate: an audit")),
        "{feed}"
    );
    assert_eq!(event["id"], feed["next"].to_string(), "{feed}");

    let forced = json!({"to": "open", "operation": "write customer", "reason": "they asked for it"});
    assert_eq!(bench.post("/api/v1/systems/erp/breaker", &forced).await.0, 200);
    let next = format!("/api/v1/feed?after={}", feed["next"]);
    let feed = bench.until(&next, |feed| feed["events"][0].is_object()).await;
    let event = &feed["events"][0];
    assert_eq!(
        (&event["type"], &event["data"]["about"]),
        (&json!("concord.system.breaker_forced_open"), &json!("write customer")),
        "{feed}"
    );
    let after = format!("/api/v1/feed?after={}", feed["next"]);
    assert_eq!(bench.get(&after).await, json!({"events": [], "next": feed["next"]}));
    assert_eq!(bench.get("/api/v1/feed").await["next"], feed["next"], "from now on");
    let all = bench.get("/api/v1/feed?after=0&limit=1").await;
    assert_eq!(all["events"][0]["type"], "concord.system.paused", "{all}");
    assert_eq!(bench.get("/api/v1/feed?after=0&system=crm").await["events"], json!([]));
    for (query, wrong) in [("after=-1", "after"), ("wait=26", "wait"), ("system=nix", "system")] {
        let (status, problem) = bench.ask("GET", &format!("/api/v1/feed?{query}"), Some("t-read"), "").await;
        assert_eq!(status, 400, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(wrong), "{problem}");
    }
}
