//! Who may call what, and what errors look like.

use super::*;

fn router() -> (Router, Vec<crate::Route>) {
    let routes = Routes::new(hub(), tokens())
        .get("/free", Access::Open("a test"), || async { "free" })
        .get("/read", Access::Token(Scope::Read), |caller: Caller| async move { caller.name })
        .post("/order", Access::Token(Scope::Operate), |RequestId(id): RequestId| async move { id })
        .get("/wrong", Access::Open("a defect: the handler asks for a caller"), |caller: Caller| async move {
            caller.name
        })
        .get("/busy", Access::Open("a test"), || async {
            Problem::new(kinds::BUSY, "full").retry_after(Duration::from_millis(1500))
        });
    let inventory = routes.inventory().to_vec();
    (routes.build(()), inventory)
}

fn with_token(method: &str, path: &str, authorization: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(path).header("authorization", authorization);
    request.body(Body::empty()).expect("a request")
}

#[tokio::test]
async fn tokens_open_what_their_scopes_allow() {
    let (router, _) = router();
    for (method, path, authorization, status) in [
        ("GET", "/read", "Bearer t-ann", 200),
        ("GET", "/read", "bearer t-bob", 200),
        ("POST", "/order", "Bearer t-ann", 200),
        ("POST", "/order", "Bearer t-bob", 403),
        ("GET", "/read", "Bearer t-eve", 401),
        ("GET", "/read", "Bearer t-ann2", 401),
        ("GET", "/read", "Bearer ", 401),
        ("GET", "/read", "Basic t-ann", 401),
        ("GET", "/read", "t-ann", 401),
    ] {
        let (got, headers, body) = answer(&router, with_token(method, path, authorization)).await;
        assert_eq!(got, status, "{method} {path} with {authorization:?}: {body}");
        assert_eq!(headers.contains_key("www-authenticate"), status == 401);
    }
    let (_, _, name) = answer(&router, with_token("GET", "/read", "Bearer t-bob")).await;
    assert_eq!(name, Value::String("bob".to_owned()));
    let (_, _, body) = answer(&router, with_token("POST", "/order", "Bearer t-bob")).await;
    assert_eq!(body["detail"], "token `bob` has not the scope `operate`");
}

#[tokio::test]
async fn two_tokens_are_no_token() {
    let (router, _) = router();
    let request =
        Request::get("/read").header("authorization", "Bearer t-eve").header("authorization", "Bearer t-ann");
    let (status, _, body) = answer(&router, request.body(Body::empty()).expect("a request")).await;
    assert_eq!(status, 401);
    assert!(body["detail"].as_str().expect("text").contains("more than once"));
}

/// Fails closed: a handler that wants a caller is no way round the table.
#[tokio::test]
async fn a_caller_exists_only_behind_a_token() {
    let (router, _) = router();
    assert_eq!(answer(&router, with_token("GET", "/wrong", "Bearer t-ann")).await.0, 401);
    assert_eq!(answer(&router, get("/free")).await.0, 200);
}

#[tokio::test]
async fn errors_are_problem_documents_with_the_requests_id() {
    let (router, _) = router();
    let (status, headers, body) = answer(&router, get("/nowhere")).await;
    assert_eq!(status, 404);
    assert_eq!(headers["content-type"], "application/problem+json");
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(body["type"], "/problems/not-found");
    assert_eq!(body["status"], 404);
    assert_eq!(body["request_id"].as_str(), headers["x-request-id"].to_str().ok());
    let (status, headers, body) = answer(&router, with_token("POST", "/read", "Bearer t-ann")).await;
    assert_eq!((status.as_u16(), &body["type"]), (405, &Value::from("/problems/method-not-allowed")));
    assert!(headers["allow"].to_str().expect("text").contains("GET"));
    let (_, headers, _) = answer(&router, get("/busy")).await;
    assert_eq!(headers["retry-after"], "2", "rounded up");
}

/// Ids are counted through all routers of the process, and show neither the count nor the start.
#[tokio::test]
async fn ids_tell_nothing_but_themselves() {
    let routers = [router().0, router().0];
    let mut ids = Vec::new();
    for at in 0..100 {
        let (_, headers, _) = answer(&routers[at % 2], get("/free")).await;
        let id = headers["x-request-id"].to_str().expect("text").to_owned();
        let hex = id.strip_prefix("req_").expect("an id").to_owned();
        assert_eq!(hex.len(), 24, "{id}");
        ids.push(u128::from_str_radix(&hex, 16).expect("hexadecimal"));
    }
    let near = |one: &u128, other: &u128| one.abs_diff(*other) < 1 << 72;
    for (at, id) in ids.iter().enumerate() {
        assert!(ids[..at].iter().all(|other| !near(id, other)), "no neighbours: {ids:x?}");
    }
    let rising = ids.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!((20..80).contains(&rising), "no order: {rising}");
}

#[tokio::test]
async fn every_problem_has_a_page() {
    let (router, _) = router();
    for kind in kinds::ALL {
        let (status, _, page) = answer(&router, get(&format!("/problems/{}", kind.slug))).await;
        assert_eq!(status, 200);
        assert!(page.as_str().expect("text").contains(kind.help), "{page}");
        assert!(kind.help.ends_with('.') && kind.slug.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
    }
    let slugs: std::collections::BTreeSet<&str> = kinds::ALL.iter().map(|kind: &Kind| kind.slug).collect();
    assert_eq!(slugs.len(), kinds::ALL.len(), "slugs are unique");
    assert_eq!(answer(&router, get("/problems/none")).await.0, 404);
}

#[tokio::test]
async fn the_inventory_has_every_route() {
    let (_, inventory) = router();
    let rows: Vec<_> = inventory.iter().map(|route| (route.method, route.path)).collect();
    assert_eq!(
        rows,
        [
            ("GET", "/problems/{slug}"),
            ("GET", "/free"),
            ("GET", "/read"),
            ("POST", "/order"),
            ("GET", "/wrong"),
            ("GET", "/busy")
        ]
    );
}

#[tokio::test]
async fn requests_are_counted_by_pattern_not_by_path() {
    let hub = hub();
    let routes =
        Routes::new(hub.clone(), tokens()).get("/things/{id}", Access::Open("a test"), || async { "x" });
    let router = routes.build(());
    for id in 0..3 {
        answer(&router, get(&format!("/things/{id}"))).await;
    }
    let text = hub.telemetry().text();
    assert!(
        text.contains(r#"concord_http_requests_total{tenant="acme",route="/things/{id}",status="200"} 3"#),
        "{text}"
    );
}
