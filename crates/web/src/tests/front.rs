//! Several tenants behind one listener: each request finds its own, and nobody's places are taken by another.

use std::net::SocketAddr;

use telemetry::Registry;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::{Bounds, Door, by_path, by_token, fixed, serve};

/// A router that says whose it is, and what is asked of it.
fn tenant(name: &'static str) -> (Router, Arc<Registry>) {
    let say = move |request: axum::extract::Request| async move { format!("{name} {}", request.uri()) };
    let router = Routes::new(hub(), tokens())
        .get("/v1/here", Access::Open("a test"), say)
        .get("/read", Access::Open("a test"), move || async move { name })
        .build(());
    (router, Arc::new(Registry::new(&Tenant::new(name).expect("a name"))))
}

fn door(name: &'static str) -> Door {
    let (router, telemetry) = tenant(name);
    Door { router: fixed(router), telemetry }
}

fn nobody() -> Router {
    Routes::of_nobody(Clock::starting_at(Wall(0)), Arc::new(Registry::of_nobody()), Tokens::default())
        .get("/v1/here", Access::Open("a test"), || async { "nobody" })
        .closed()
        .build(())
}

#[tokio::test]
async fn a_path_leads_to_its_tenant_and_is_taken_off() {
    let doors = vec![(String::new(), door("acme")), ("/globex".to_owned(), door("globex"))];
    let router = by_path(doors, nobody(), 16);
    for (path, said) in [
        ("/v1/here?a=1", "acme /v1/here?a=1"),
        ("/globex/v1/here?a=/v1/b", "globex /v1/here?a=/v1/b"),
        ("/initech/v1/here", "nobody"),
        ("/globex/v1/v1/here", ""),
        ("/GLOBEX/v1/here", "nobody"),
        ("//globex/v1/here", "nobody"),
    ] {
        let (status, _, body) = answer(&router, get(path)).await;
        match said {
            "" => assert_eq!(status, 404, "{path}: {body}"),
            said => assert_eq!(body, Value::from(said), "{path}"),
        }
    }
    // What a tenant has besides is not to be reached through the front.
    assert_eq!(answer(&router, get("/globex/read")).await.0, 401, "nobody's, who is closed");
}

#[tokio::test]
async fn a_token_leads_to_its_tenant_and_without_one_all_looks_alike() {
    let own = |token: &str| Tokens::new(vec![Token::new("operator", &Secret::from(token), [Scope::Read])]);
    let doors = vec![(own("t-acme"), door("acme")), (own("t-globex"), door("globex"))];
    let router = by_token(doors, nobody(), 16);
    let with = |path: &str, token: &str| {
        Request::get(path)
            .header("authorization", format!("Bearer {token}"))
            .body(Body::empty())
            .expect("a request")
    };
    assert_eq!(answer(&router, with("/read", "t-globex")).await.2, Value::from("globex"));
    assert_eq!(answer(&router, with("/read", "t-acme")).await.2, Value::from("acme"));
    assert_eq!(answer(&router, with("/nowhere", "t-acme")).await.0, 404);
    let mut post = with("/v1/here", "guessed");
    *post.method_mut() = http::Method::POST;
    assert_eq!(answer(&router, post).await.0, 401, "nor does a method");
    for path in ["/read", "/nowhere"] {
        let (status, _, body) = answer(&router, with(path, "guessed")).await;
        assert_eq!(
            (status.as_u16(), &body["detail"]),
            (401, &Value::from("the token is not known here")),
            "{path}"
        );
    }
    assert!(own("t-acme").share(&own("t-acme")) && !own("t-acme").share(&own("t-globex")));
}

/// Asks over a connection that stays; gives it back with the answer's head.
async fn keep(address: SocketAddr, path: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.expect("sent");
    let mut buffer = vec![0; 4096];
    let count = stream.read(&mut buffer).await.expect("answered");
    (stream, String::from_utf8_lossy(&buffer[..count]).into_owned())
}

/// A tenant that opens connections and keeps them gets its part and what is common; the other's part stays free.
#[tokio::test]
async fn i10_connections_of_one_tenant_leave_room_for_the_other() {
    let doors = vec![(String::new(), door("acme")), ("/globex".to_owned(), door("globex"))];
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let bounds = Bounds { connections_max: 16, ..Bounds::default() };
    let router = fixed(by_path(doors, nobody(), bounds.connections_max));
    let serving = tokio::spawn(serve(listener, router, bounds, std::future::pending()));
    let mut kept = Vec::new();
    for _ in 0..12 {
        let (stream, head) = keep(address, "/v1/here").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        kept.push(stream);
    }
    let (mut refused, head) = keep(address, "/v1/here").await;
    for part in ["http/1.1 503", "connection: close", "x-request-id: req_", "cache-control: no-store"] {
        assert!(head.to_lowercase().contains(part), "{part}: {head}");
    }
    let mut rest = Vec::new();
    refused.read_to_end(&mut rest).await.expect("closed");
    let mut theirs = Vec::new();
    for _ in 0..4 {
        let (stream, head) = keep(address, "/globex/v1/here").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        theirs.push(stream);
    }
    // A place is free again with its connection.
    kept.pop();
    theirs.pop();
    let mut again = String::new();
    for _ in 0..1000 {
        again = keep(address, "/v1/here").await.1;
        if again.starts_with("HTTP/1.1 200") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(again.starts_with("HTTP/1.1 200"), "{again}");
    serving.abort();
}

/// Strangers hold no connection between requests, whether or not the tenant is there that they ask for: else they would
/// take what is kept for tenants, or be told apart.
#[tokio::test]
async fn i10_a_connection_of_a_stranger_is_closed() {
    let by_path = by_path(vec![("/globex".to_owned(), door("globex"))], nobody(), 16);
    let own = Tokens::new(vec![Token::new("operator", &Secret::from("t-globex"), [Scope::Read])]);
    let by_token = by_token(vec![(own, door("globex"))], nobody(), 16);
    for (router, paths) in [
        (by_path, &["/initech/v1/nowhere", "/globex/v1/nowhere", "/", "/healthz"][..]),
        (by_token, &["/read", "/nowhere", "/v1/here"][..]),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let serving = tokio::spawn(serve(listener, fixed(router), Bounds::default(), std::future::pending()));
        for path in paths {
            let (mut stream, head) = keep(address, path).await;
            assert!(head.to_lowercase().contains("connection: close"), "{path}: {head}");
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.expect("closed");
        }
        serving.abort();
    }
}
