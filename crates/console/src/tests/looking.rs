//! What is answered to those who look.

use super::*;

fn column<'v>(page: &'v Value, name: &str) -> Vec<&'v str> {
    page["items"].as_array().unwrap().iter().map(|row| row[name].as_str().unwrap_or("-")).collect()
}

#[tokio::test]
async fn systems_are_listed_with_their_queues() {
    let bench = Bench::new();
    let page = bench.get("/api/v1/systems").await;
    assert_eq!(column(&page, "system"), ["crm", "erp"]);
    let erp = &page["items"][1];
    assert_eq!(
        (&erp["connector"], &erp["state"], &erp["breaker"]),
        (&json!("target"), &json!("running"), &json!("closed"))
    );
    assert_eq!((&erp["dead"], &erp["uncertain"], &erp["open"]), (&json!(1), &json!(1), &json!(0)), "{erp}");
}

#[tokio::test]
async fn a_system_tells_which_scopes_it_lacks() {
    let bench = Bench::new();
    let erp = bench.get("/api/v1/systems/erp").await;
    let needed = json!([{"scope": "customers:write", "operations": ["customer/put"], "granted": false}]);
    assert_eq!(erp["scopes"], json!({"given": "Settings", "needed": needed, "surplus": ["spare"]}));
    // Its connector says none.
    assert_eq!(bench.get("/api/v1/systems/crm").await["scopes"], Value::Null);
}

#[tokio::test]
async fn events_are_filtered_and_paged() {
    let bench = Bench::new();
    let all = bench.get("/api/v1/events").await;
    assert_eq!(column(&all, "id"), [make::evt(2).to_string(), make::evt(1).to_string()], "newest first");
    assert_eq!(all["next"], Value::Null);
    let first = bench.get("/api/v1/events?limit=1").await;
    assert_eq!(column(&first, "id"), [make::evt(2).to_string()]);
    let second = bench.get(&format!("/api/v1/events?limit=1&before={}", first["next"])).await;
    assert_eq!(column(&second, "id"), [make::evt(1).to_string()]);
    let of_record = bench
        .get(&format!(
            "/api/v1/events?record={}&kind=contact.updated&entity=Contact&source=crm",
            make::rec(1)
        ))
        .await;
    assert_eq!(column(&of_record, "id"), [make::evt(1).to_string()]);
    assert_eq!(of_record["items"][0]["changed"], json!(["email", "gone", "name", "tags"]));
    let event = bench.get(&format!("/api/v1/events/{}", make::evt(1))).await;
    assert_eq!((&event["specversion"], &event["type"]), (&json!("1.0"), &json!("concord.contact.updated")));
}

#[tokio::test]
async fn deliveries_are_filtered_paged_and_opened_by_their_keys() {
    let bench = Bench::new();
    let all = bench.get("/api/v1/deliveries").await;
    assert_eq!(column(&all, "state"), ["delivered", "uncertain", "dead"]);
    let page = bench.get("/api/v1/deliveries?state=dead,uncertain&system=erp&route=r&limit=1").await;
    assert_eq!(column(&page, "state"), ["uncertain"]);
    let page =
        bench.get(&format!("/api/v1/deliveries?state=dead,uncertain&limit=1&before={}", page["next"])).await;
    assert_eq!(column(&page, "record"), [make::rec(1).to_string()]);
    let group = bench.get(&format!("/api/v1/deliveries?fingerprint=fp1_a&record={}", make::rec(1))).await;
    assert_eq!(column(&group, "reason"), ["refused; correct it"]);
    let key = group["items"][0]["key"].as_str().unwrap();
    let one = bench.get(&format!("/api/v1/deliveries/{key}")).await;
    assert_eq!((&one["key"], &one["attempts"], &one["wanted"]), (&json!(key), &json!(2), &json!("v1")));
    assert_eq!(one["intents"][0]["outcome"], "validation");
    assert_eq!(one["attempt_log"][0]["class"], "retryable");
    assert_eq!(one["in_flight"], false);
}

#[tokio::test]
async fn a_record_tells_where_everything_came_from_and_went() {
    let bench = Bench::new();
    let by_id = bench.get(&format!("/api/v1/records/{}", make::rec(1))).await;
    let by_link = bench.get("/api/v1/records?system=crm&external_id=c-1").await;
    assert_eq!(by_id, by_link);
    let email = &by_id["record"]["provenance"]["email"];
    assert_eq!((&email["owner"], &email["system"]), (&json!("crm"), &json!("crm")));
    assert_eq!((&email["event"], &email["mapping"]), (&json!(make::evt(1).to_string()), &json!(3)));
    assert_eq!(
        by_id["record"]["provenance"]["tags"]["system"],
        Value::Null,
        "nobody is known to have said it"
    );
    assert_eq!(by_id["record"]["alive"], "live");
    let links: Vec<&Value> = by_id["links"].as_array().unwrap().iter().map(|link| &link["id"]).collect();
    assert_eq!(links, ["c-1", "17"]);
    assert_eq!(by_id["deliveries"][0]["state"], "dead");
    assert_eq!(by_id["complete"], true);

    let timeline = by_id["timeline"].as_array().unwrap();
    let kinds: Vec<&str> = timeline.iter().map(|moment| moment["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["fact", "decision", "obligation", "intent", "attempt", "intent"]);
    let times: Vec<&str> = timeline.iter().map(|moment| moment["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let said: Vec<String> = timeline
        .iter()
        .map(|m| format!("{} {}", m["what"].as_str().unwrap(), m["who"].as_str().unwrap()))
        .collect();
    assert_eq!(
        said,
        [
            "contact.updated crm",
            "rejected crm",
            "wanted erp",
            "sending erp",
            "retryable erp",
            "validation erp"
        ]
    );
    assert_eq!(timeline[1]["detail"], "email: owner is erp (version 1)");
}

#[tokio::test]
async fn a_record_is_explained_field_by_field() {
    let bench = Bench::new();
    let why = bench.get(&format!("/api/v1/records/{}/explain", make::rec(1))).await;
    let field = |name: &str| {
        let fields = why["fields"].as_array().unwrap();
        fields.iter().find(|field| field["field"] == name).unwrap().clone()
    };
    let email = field("email");
    assert_eq!((&email["owner"], &email["source"]), (&json!("crm"), &json!("crm")));
    assert_eq!((&email["value"], &email["masked"]), (&json!("[masked]"), &json!(true)));
    assert_eq!((&email["watermark"], &email["changed_at"]), (&json!(9), &json!(make::at(1).to_string())));
    assert_eq!(email["decisions"][0]["kind"], "rejected");
    let name = field("name");
    let open = (&name["open"]["kind"], &name["open"]["system"], &name["open"]["value"]);
    assert_eq!(open, (&json!("frozen"), &json!("crm"), &json!("theirs")));
    assert_eq!(why["watermarks"]["crm"], 1);
    let one = bench.get(&format!("/api/v1/records/{}/explain?field=email", make::rec(1))).await;
    assert_eq!(one["fields"].as_array().unwrap().len(), 1);
    let path = format!("/api/v1/records/{}/explain?field=emial", make::rec(1));
    let (status, wrong) = bench.ask("GET", &path, Some("t-read"), "").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(wrong["detail"].as_str().unwrap().contains("has no field emial"), "{wrong}");

    let all = bench.get("/api/v1/decisions?kind=rejected,frozen").await;
    assert_eq!((&all["items"][0]["kind"], &all["items"][0]["field"]), (&json!("rejected"), &json!("email")));
    assert_eq!(bench.get("/api/v1/decisions?kind=conflict").await["items"], json!([]));
    let (status, _) = bench.ask("GET", "/api/v1/decisions?kind=sorted", Some("t-read"), "").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn dead_letters_are_deliveries_and_messages_in_groups() {
    let bench = Bench::new();
    let page = bench.get("/api/v1/dead-letters").await;
    assert_eq!(column(&page, "state"), ["uncertain", "dead", "quarantined", "quarantined"]);
    assert_eq!(column(&page, "kind"), ["delivery", "delivery", "message", "message"]);
    let groups: Vec<(String, u64)> = page["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| (group["fingerprint"].as_str().unwrap().to_owned(), group["count"].as_u64().unwrap()))
        .collect();
    let expected = [("fp1_a", 2), ("fp1_m", 1), ("fp1_o", 1)].map(|(name, count)| (name.to_owned(), count));
    assert_eq!(groups, expected, "the largest first");
    assert_eq!(page["groups"][0]["sample"], page["items"][0]["key"], "the newest");
    let all = bench.get("/api/v1/dead-letters/groups").await;
    let named = |page: &Value| {
        let names = column(page, "fingerprint");
        names.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(named(&all), ["fp1_o", "fp1_m", "fp1_a"], "the one that came up last first");
    let (row, times) = (&all["items"][2], (make::at(100).to_string(), make::at(100).to_string()));
    assert_eq!((&row["state"], &row["count"], &row["seen"]), (&json!("open"), &json!(2), &json!(2)));
    assert_eq!((row["first"].as_str(), row["last"].as_str()), (Some(&*times.0), Some(&*times.1)));
    assert_eq!((&row["last_day"], row["trend"]["hours"].as_array().unwrap().len()), (&json!(2), 24));
    assert_eq!(named(&bench.get("/api/v1/dead-letters/groups?system=erp").await), ["fp1_a"]);
    assert_eq!(named(&bench.get("/api/v1/dead-letters/groups?closed=true").await), Vec::<String>::new());
    assert_eq!(bench.ask("GET", "/api/v1/dead-letters/groups?closed=x", Some("t-read"), "").await.0, 400);
    let of = |query: &str| format!("/api/v1/dead-letters?{query}");
    assert_eq!(column(&bench.get(&of("fingerprint=fp1_m")).await, "key"), [make::msg(2).to_string()]);
    assert_eq!(column(&bench.get(&of("system=crm")).await, "kind"), ["message", "message"]);
    assert_eq!(column(&bench.get(&of("kind=delivery")).await, "kind"), ["delivery", "delivery"]);
    let letter = bench.get(&format!("/api/v1/dead-letters/{}", make::msg(2))).await;
    assert_eq!(
        (&letter["reason"], &letter["since"]),
        (&json!("refused; correct it"), &json!(make::at(2).to_string()))
    );
}

/// Page by page comes to the same as all at once, over the border between deliveries and messages.
#[tokio::test]
async fn dead_letters_page_through() {
    let bench = Bench::new();
    let all = bench.get("/api/v1/dead-letters").await;
    for limit in 1..=4 {
        let (mut keys, mut before, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = bench.get(&format!("/api/v1/dead-letters?limit={limit}{before}")).await;
            assert_eq!(page.get("groups").is_some(), pages == 0, "groups come with the first page");
            keys.extend(column(&page, "key").into_iter().map(str::to_owned));
            pages += 1;
            assert!(pages < 10, "it ends");
            match page["next"].as_i64() {
                Some(next) => before = format!("&before={next}"),
                None => break,
            }
        }
        assert_eq!(keys, column(&all, "key"), "{limit} at a time");
    }
}

#[tokio::test]
async fn figures_are_told() {
    let bench = Bench::new();
    let status = bench.get("/api/v1/status").await;
    assert_eq!((&status["tenant"], &status["ready"]), (&json!("acme"), &json!(true)));
    assert_eq!(status["systems"]["erp"]["breaker"], "closed");
    assert_eq!(status["systems"]["erp"]["counts"]["delivered"], 0);
    let text = bench.get("/metrics").await;
    let text = text.as_str().expect("text");
    assert!(text.contains("tenant=\"acme\"") && text.ends_with("# EOF\n"), "{text}");
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let bench = Bench::new();
    let key = crate::keys::shown(&make::sync_key("r", 9));
    for path in [
        format!("/api/v1/events/{}", make::evt(9)),
        "/api/v1/events/nonsense".to_owned(),
        format!("/api/v1/records/{}", make::rec(9)),
        "/api/v1/records/nonsense".to_owned(),
        "/api/v1/records?system=crm&external_id=c-99".to_owned(),
        "/api/v1/records?system=shop&external_id=c-1".to_owned(),
        format!("/api/v1/deliveries/{key}"),
        "/api/v1/deliveries/nonsense".to_owned(),
        format!("/api/v1/dead-letters/{}", make::msg(9)),
        "/api/v1/dead-letters/nonsense".to_owned(),
        "/api/v1/nothing".to_owned(),
    ] {
        let (status, problem) = bench.ask("GET", &path, Some("t-read"), "").await;
        assert_eq!(status, 404, "{path}");
        assert_eq!(problem["type"], "/problems/not-found");
    }
    let (status, problem) = bench.post("/api/v1/systems/shop/pause", &json!({"reason": "a test"})).await;
    assert_eq!(status, 404);
    assert_eq!(problem["detail"], "there is no system of that name; there are crm, erp");
}

#[tokio::test]
async fn a_bad_filter_is_named_with_what_would_be_right() {
    let bench = Bench::new();
    for (path, parameter, right) in [
        ("deliveries?state=ded", "state", "pending, retrying, uncertain"),
        ("deliveries?system=b%20d", "system", "such as `crm`"),
        ("deliveries?system=shop", "system", "there are crm, erp"),
        ("deliveries?route=q", "route", "there are r"),
        ("deliveries?record=17", "record", "`rec_`"),
        ("deliveries?limit=0", "limit", "from 1 to 1000"),
        ("deliveries?limit=1001", "limit", "from 1 to 1000"),
        ("deliveries?before=-1", "before", "`next`"),
        ("deliveries?before=x", "before", "`next`"),
        ("deliveries?sytem=erp", "sytem", "system, state"),
        ("deliveries?system=erp&system=crm", "system", "once"),
        ("events?entity=Person", "entity", "there are Contact"),
        ("events?source=shop", "source", "there are crm, erp"),
        ("dead-letters?kind=letter", "kind", "`delivery` or `message`"),
        ("dead-letters?system=shop", "system", "there are crm, erp"),
        ("records?system=crm", "external_id", "needed"),
        ("records?external_id=c-1", "system", "needed"),
        ("systems?x=1", "x", "no parameters"),
        ("dead-letters?unmask=yes", "unmask", "`true` or `false`"),
    ] {
        let (status, problem) = bench.ask("GET", &format!("/api/v1/{path}"), Some("t-read"), "").await;
        assert_eq!(status, 400, "{path}: {problem}");
        assert_eq!(problem["errors"][0]["pointer"], parameter, "{path}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(right), "{path}: {problem}");
    }
}

/// What waits for a link is seen before anybody has to do anything about it, with what it waits for and until when.
#[tokio::test]
async fn messages_that_wait_for_a_link_are_listed_when_asked_for() {
    let until = make::at(1_000_000_000);
    let waiting = Message {
        state: MessageState::Parked,
        reason: None,
        waiting: Some(make::external("crm", "companies", "k@example.com")),
        deadline: Some(until),
        ..quarantined(4)
    };
    let mut ops = everything();
    ops.push(Op::PutMessage(waiting));
    let bench = Bench::with(ops);
    let all = bench.get("/api/v1/dead-letters").await;
    assert!(!column(&all, "state").contains(&"parked"), "{all}");
    let page = bench.get("/api/v1/dead-letters?waiting=true").await;
    assert_eq!(column(&page, "key"), [make::msg(4).to_string()]);
    assert_eq!(page["groups"], json!(null));
    let reason = format!(
        "it refers to crm:companies/[masked], which is not linked yet: it waits for that, until {until}"
    );
    assert_eq!(page["items"][0]["reason"], json!(reason));
    let unmasked = "/api/v1/dead-letters?waiting=true&unmask=true";
    let (_, shown) = bench.ask("GET", unmasked, Some("t-privacy"), "").await;
    assert!(shown["items"][0]["reason"].as_str().unwrap().contains("crm:companies/k@example.com"), "{shown}");
    let (status, _) =
        bench.ask("GET", "/api/v1/dead-letters?waiting=true&kind=delivery", Some("t-read"), "").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

/// I15: a reason names objects, and some systems know theirs by an address.
#[tokio::test]
async fn i15_reasons_show_no_addresses() {
    let said = "erp:contact/eve@example.com matches 2 records (crm:people/bob@x.org, k-7): see them";
    let why = ledger::Reason { message: said.to_owned(), ..make::reason("fp1_z") };
    let mut ops = everything();
    ops.push(Op::PutMessage(Message { reason: Some(why), ..quarantined(4) }));
    let bench = Bench::with(ops);
    let shown = bench.get(&format!("/api/v1/dead-letters/{}", make::msg(4))).await;
    let masked = "erp:contact/[masked] matches 2 records (crm:people/[masked], k-7): see them";
    assert_eq!(shown["reason"], json!(masked));
}
