//! Challenges: what a vendor sends to see that an address is ours comes back, and nothing else does.

use super::*;

/// A source that posts a challenge and signs its messages, and one that asks with a parameter and signs nothing.
pub(super) const FILES: &[(&str, &str)] = &[
    ("connectors/chat.yaml", CHAT),
    ("connectors/graph.yaml", GRAPH),
    (
        "systems/chat.yaml",
        "system: chat
connector: connectors/chat.yaml
connection: {base_url: \"https://chat.example.com\"}
webhook: {secrets: [{env: CHAT}]}
",
    ),
    (
        "systems/graph.yaml",
        "system: graph
connector: connectors/graph.yaml
connection: {base_url: \"https://graph.example.com\"}
webhook: {unsigned: true, secrets: [{env: GRAPH}]}
",
    ),
];

const CHAT: &str = "connector: chat
version: '1'
about: A chat.
objects:
  people: {shape: {id: id}, fetch: {request: {method: GET, path: '/people/{id}'}}}
webhook:
  scheme: {preset: hmac}
  handshake: {echo: {body: challenge}}
  kind: type
  object_id: id
  rules: [{match: person, object: people, seen: hint}]
";

const GRAPH: &str = "connector: graph
version: '1'
about: A graph.
objects:
  people: {shape: {id: id}, fetch: {request: {method: GET, path: '/people/{id}'}}}
webhook:
  scheme: {none: nothing is signed}
  handshake: {echo: {query: validationToken}}
  hint: true
  kind: type
  object_id: id
  rules: [{match: person, object: people, seen: hint}]
";

async fn text(stage: &Stage, request: Request<Body>) -> (u16, String, String) {
    let response = stage.ingress.router().oneshot(request).await.expect("infallible");
    let (parts, body) = response.into_parts();
    let kind = parts.headers.get("content-type").map(|kind| kind.to_str().expect("text").to_owned());
    assert!(
        parts.status != 200 || parts.headers.get("x-content-type-options").is_some_and(|it| it == "nosniff")
    );
    let body = body.collect().await.expect("whole").to_bytes();
    (parts.status.as_u16(), kind.unwrap_or_default(), String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test(start_paused = true)]
async fn a_posted_challenge_comes_back_and_is_no_message() {
    let stage = Stage::new();
    let post = |path: &str, body: &str| {
        Request::post(path)
            .header("content-type", "application/json")
            .body(Body::from(body.to_owned()))
            .expect("a request")
    };
    let (status, kind, body) = text(&stage, post("/v1/webhooks/chat", r#"{"challenge":"<b>1</b>"}"#)).await;
    assert_eq!((status, &*kind, &*body), (200, "text/plain; charset=utf-8", "<b>1</b>"));
    // Everything else must be signed.
    let message = r#"{"type":"person","id":"1"}"#;
    assert_eq!(text(&stage, post("/v1/webhooks/chat", message)).await.0, 401);
    let with_secret = post("/v1/webhooks/chat/more", r#"{"challenge":"1"}"#);
    assert_eq!(text(&stage, with_secret).await.0, 404, "an address that is nobody's echoes nothing");
    assert_eq!(text(&stage, post("/v1/webhooks/crm", r#"{"challenge":"1"}"#)).await.0, 401);
    assert!(stage.messages().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_challenge_in_the_address_comes_back_to_whoever_knows_the_address() {
    let stage = Stage::new();
    let at = |method: &str, path: &str| {
        Request::builder().method(method).uri(path).body(Body::empty()).expect("a request")
    };
    for method in ["GET", "POST"] {
        let (status, kind, body) =
            text(&stage, at(method, "/v1/webhooks/graph/graph-secret?validationToken=a%20b%3A1")).await;
        assert_eq!((status, &*kind, &*body), (200, "text/plain; charset=utf-8", "a b:1"), "{method}");
        for path in ["/v1/webhooks/graph/wrong?validationToken=a", "/v1/webhooks/graph?validationToken=a"] {
            assert_eq!(text(&stage, at(method, path)).await.0, 401, "{method} {path}");
        }
    }
    assert_eq!(text(&stage, at("GET", "/v1/webhooks/graph/graph-secret")).await.0, 405);
    assert!(stage.messages().await.is_empty());
}
