//! Webhooks that are as they should be, and who may send them.

use web::{Access, Scope};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_signed_webhook_is_durable_when_it_is_acknowledged() {
    let stage = Stage::new();
    let answer = stage.webhook(&contact("e1", "7", 1, 5)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(stage.facts().await, 1);
    assert_eq!(stage.store.held(), 0);
    assert_eq!(stage.hub.telemetry().snapshot().totals.accepted, 1);
}

#[tokio::test(start_paused = true)]
async fn any_of_the_secrets_is_taken_during_a_rotation() {
    let stage = Stage::new();
    let body = contact("e1", "7", 1, 5);
    let answer = stage.ask(signed("/v1/webhooks/crm?object=contacts", &body, START, "crm-old-secret")).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_request_s_trace_follows_the_change() {
    let stage = Stage::new();
    let mut request =
        signed("/v1/webhooks/crm?object=contacts", &contact("e1", "7", 1, 5), START, "crm-secret");
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().expect("a value");
    request.headers_mut().insert("traceparent", parent);
    assert_eq!(stage.ask(request).await.status, 200);
    assert_eq!(stage.messages().await[0].trace, "0af7651916cd43dd8448eb211c80319c");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_does_not_sign_must_know_the_secret_part_of_its_address() {
    let stage = Stage::new();
    let form = "type=profile&data%5Bemail%5D=ann%40example.com";
    let post = |path: &str| {
        let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        stage.ask(request.body(Body::from(form)).expect("a request"))
    };
    assert_eq!(post("/v1/webhooks/mail").await.status, 401);
    assert_eq!(post("/v1/webhooks/mail/wrong").await.status, 401);
    assert_eq!(post("/v1/webhooks/mail/").await.status, 404);
    assert_eq!(post("/v1/webhooks/mail/mail-secret").await.status, 200);
    assert!(stage.counted("forged"));
    let accepted = stage.hub.telemetry().snapshot().totals.accepted;
    assert_eq!(accepted, 1, "a hint is taken in: the object is to be fetched");
}

#[tokio::test(start_paused = true)]
async fn a_signed_sources_address_has_no_further_part() {
    let stage = Stage::new();
    let body = contact("e1", "7", 1, 5);
    let answer = stage.ask(signed("/v1/webhooks/crm/more?object=contacts", &body, START, "crm-secret")).await;
    assert_eq!(answer.status, 404);
}

#[tokio::test(start_paused = true)]
async fn a_handshake_by_get_is_answered_where_the_connector_says_so() {
    let stage = Stage::new();
    let get = |path: &str| stage.ask(Request::get(path).body(Body::empty()).expect("a request"));
    assert_eq!(get("/v1/webhooks/mail/mail-secret").await.status, 200);
    assert_eq!(get("/v1/webhooks/mail/wrong").await.status, 401);
    assert_eq!(get("/v1/webhooks/mail").await.status, 401);
    assert_eq!(get("/v1/webhooks/crm").await.status, 405);
    assert_eq!(get("/v1/webhooks/nobody").await.status, 404);
}

#[test]
fn every_route_says_who_may_call_it() {
    let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _in = rt.enter();
    let stage = Stage::new();
    let open: Vec<&str> = stage
        .ingress
        .inventory()
        .iter()
        .filter(|route| matches!(route.access, Access::Open(_)))
        .map(|route| route.path)
        .collect();
    assert_eq!(open, ["/problems/{slug}", "/healthz", "/readyz"], "a new open route must be meant");
    for route in stage.ingress.inventory() {
        match route.access {
            Access::Open(why) => assert!(!why.is_empty()),
            Access::Signed => assert!(route.path.starts_with(crate::WEBHOOKS), "{route:?}"),
            Access::Token(scope) => assert_eq!((route.path, scope), ("/v1/events", Scope::Ingest)),
        }
    }
}

#[test]
fn addresses_are_those_of_the_routes() {
    assert_eq!(crate::webhook_address("https://h/", "crm", None), "https://h/v1/webhooks/crm");
    assert_eq!(crate::webhook_address("https://h", "mail", Some("s")), "https://h/v1/webhooks/mail/s");
}
