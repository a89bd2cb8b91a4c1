//! Over real sockets: bounds of heads, bodies and connections, and an orderly end.

use std::net::SocketAddr;

use axum::response::{IntoResponse, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::*;
use crate::{Bounds, fixed, serve};

const BOUND: body::Bound = body::Bound { bytes_max: 1000, within: Duration::from_millis(300) };

async fn take(request: axum::extract::Request) -> Response {
    let (parts, body) = request.into_parts();
    match body::read(&parts.headers, body, BOUND).await {
        Ok(bytes) => bytes.len().to_string().into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn slow() -> &'static str {
    tokio::time::sleep(Duration::from_millis(300)).await;
    "slow"
}

async fn start(bounds: Bounds) -> (SocketAddr, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (end, ended) = oneshot::channel();
    let router = Routes::new(hub(), tokens())
        .post("/take", Access::Open("a test"), take)
        .get("/slow", Access::Open("a test"), slow)
        .build(());
    let serving = tokio::spawn(serve(listener, fixed(router), bounds, async {
        let _gone = ended.await.is_err();
    }));
    (address, end, serving)
}

/// Sends bytes, reads until the server closes or has answered.
async fn exchange(address: SocketAddr, parts: &[&[u8]], pause: Duration) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    for part in parts {
        // The server may have answered and closed already: that is what some of these are about.
        let _closed = stream.write_all(part).await.is_err();
        tokio::time::sleep(pause).await;
    }
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer).await.is_err();
    String::from_utf8_lossy(&answer).into_owned()
}

fn head(length: usize) -> String {
    format!("POST /take HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n")
}

#[tokio::test]
async fn bodies_are_bounded_in_size_and_time() {
    let (address, _end, _serving) = start(Bounds::default()).await;
    let fine = [head(10).into_bytes(), vec![b'x'; 10]].concat();
    let answer = exchange(address, &[&fine], Duration::ZERO).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("10"), "{answer}");

    // Announced too large: refused without the body.
    let answer = exchange(address, &[head(50_000_000).as_bytes()], Duration::ZERO).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("at most 1000 bytes"), "{answer}");

    // Not announced, found too large on the way.
    let chunked =
        b"POST /take HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
            .as_slice();
    let chunk = [b"400\r\n".as_slice(), &[b'x'; 0x400], b"\r\n"].concat();
    let answer = exchange(address, &[chunked, &chunk, &chunk], Duration::ZERO).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");

    // A drip.
    let answer = exchange(address, &[head(100).as_bytes(), b"x", b"x"], Duration::from_millis(200)).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");

    // Broken off.
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_all(&[head(100).as_bytes(), b"x"].concat()).await.expect("sent");
    stream.shutdown().await.expect("half closed");
    let mut answer = String::new();
    let _reset = stream.read_to_string(&mut answer).await.is_err();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test]
async fn heads_are_bounded_in_size_count_and_time() {
    let bounds =
        Bounds { head_within: Duration::from_millis(200), head_bytes_max: 8192, ..Bounds::default() };
    let (address, _end, _serving) = start(bounds).await;
    let many = (0..150).map(|n| format!("x-{n}: 1\r\n")).collect::<String>();
    let many = format!("GET /slow HTTP/1.1\r\nhost: x\r\n{many}\r\n");
    let answer = exchange(address, &[many.as_bytes()], Duration::ZERO).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let long = format!("GET /slow HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "y".repeat(20_000));
    let answer = exchange(address, &[long.as_bytes()], Duration::ZERO).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let since = tokio::time::Instant::now();
    exchange(address, &[b"GET /slow HTTP/1.1\r\nho"], Duration::ZERO).await;
    assert!(since.elapsed() < Duration::from_secs(3), "a head that never ends is cut off");
}

#[tokio::test]
async fn at_the_end_answers_under_way_finish_and_nothing_new_is_taken() {
    let (address, end, serving) = start(Bounds::default()).await;
    let under_way = tokio::spawn(async move {
        exchange(address, &[b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n"], Duration::ZERO).await
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    end.send(()).expect("heard");
    let answer = under_way.await.expect("no panic");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("slow"), "{answer}");
    tokio::time::timeout(Duration::from_secs(2), serving).await.expect("ended").expect("no panic");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn connections_beyond_the_bound_wait() {
    let (address, _end, _serving) = start(Bounds { connections_max: 1, ..Bounds::default() }).await;
    let first = TcpStream::connect(address).await.expect("connected");
    let second = tokio::spawn(async move {
        exchange(address, &[&[head(1).as_bytes(), b"x"].concat()], Duration::ZERO).await
    });
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert!(!second.is_finished(), "the only place is taken");
    drop(first);
    assert!(second.await.expect("no panic").starts_with("HTTP/1.1 200"));
}
