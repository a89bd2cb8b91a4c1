//! The server over real sockets: what a caller's operating system gets to see.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{Handle, Sandbox};
use crate::clock::now_ms;
use crate::fault::{Fault, FaultKind};
use crate::options::{Kind, Options, WebhookTarget};
use crate::person::Edit;

/// A running sandbox, its runtime, and a blocking caller's view of it.
struct Play {
    runtime: Runtime,
    handle: Handle,
}

impl Play {
    fn new(kind: Kind, adjust: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::of(kind);
        adjust(&mut options);
        let runtime = Runtime::new().unwrap();
        let handle = runtime.block_on(Sandbox::start(kind, options)).unwrap();
        Self { runtime, handle }
    }

    fn fault(&self, kind: FaultKind) {
        self.handle.lock().add_fault(Fault::new(kind).times(1));
    }

    fn connect(&self) -> TcpStream {
        connect(self.handle.addr)
    }
}

fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn send(stream: &mut TcpStream, method: &str, path: &str, body: &Value) {
    let body = body.to_string();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: sandbox\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
}

/// Reads one message: head and as many bytes as it announces.
fn receive(stream: &mut TcpStream) -> std::io::Result<(String, String)> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap().to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |text| text.trim().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((head, String::from_utf8(body).unwrap()))
}

fn exchange(
    stream: &mut TcpStream,
    method: &str,
    path: &str,
    body: &Value,
) -> std::io::Result<(String, String)> {
    send(stream, method, path, body);
    receive(stream)
}

/// Waits until something holds; the sandbox works beside the test.
#[track_caller]
fn until(what: &str, holds: impl Fn() -> bool) {
    let start = now_ms();
    while !holds() {
        assert!(now_ms() < start + 10_000, "{what} did not come about in ten seconds");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn one_connection_carries_many_requests() {
    let play = Play::new(Kind::Sink, |_| {});
    let mut stream = play.connect();
    for n in 0..50 {
        let (head, body) =
            exchange(&mut stream, "PUT", &format!("/erp/{n}"), &json!({"version": 1})).unwrap();
        assert!(head.starts_with("http/1.1 201"), "{head}");
        assert_eq!(body, "{\"ok\":true}");
    }
    assert_eq!(play.handle.lock().books().lanes["erp"].unique, 50);
    assert!(play.handle.addr.ip().is_loopback());
}

#[test]
fn a_lost_answer_is_a_reset_after_the_effect() {
    let play = Play::new(Kind::Sink, |_| {});
    play.fault(FaultKind::LostAnswer);
    let error = exchange(&mut play.connect(), "PUT", "/erp/a", &json!({})).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(play.handle.lock().books().lanes["erp"].received, 1);
    play.fault(FaultKind::Reset);
    let error = exchange(&mut play.connect(), "PUT", "/erp/b", &json!({})).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(play.handle.lock().books().lanes["erp"].received, 1);
}

#[test]
fn a_refusing_port_comes_back_on_the_same_address() {
    let play = Play::new(Kind::Sink, |_| {});
    let mut open = play.connect();
    exchange(&mut open, "PUT", "/erp/a", &json!({})).unwrap();
    send(&mut open, "POST", "/_admin/faults", &json!({"kind": "refuse", "for_ms": 400}));
    assert!(receive(&mut open).unwrap().0.starts_with("http/1.1 200"));
    until("refusal", || {
        TcpStream::connect(play.handle.addr).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    });
    until("return", || TcpStream::connect(play.handle.addr).is_ok());
    exchange(&mut play.connect(), "PUT", "/erp/b", &json!({})).unwrap();
    assert_eq!(play.handle.lock().books().faults["refuse"], 1);
}

#[test]
fn a_drip_arrives_whole_and_slowly_and_a_slow_answer_late() {
    let play = Play::new(Kind::Sink, |_| {});
    play.fault(FaultKind::Drip { chunk: 1, every_ms: 20 });
    let start = now_ms();
    let (_, body) = exchange(&mut play.connect(), "PUT", "/erp/a", &json!({})).unwrap();
    assert_eq!(body, "{\"ok\":true}");
    assert!(now_ms() >= start + 11 * 20);
    play.fault(FaultKind::Slow { ms: 120 });
    let start = now_ms();
    exchange(&mut play.connect(), "PUT", "/erp/a", &json!({})).unwrap();
    assert!(now_ms() >= start + 119);
}

#[test]
fn a_hang_ends_when_the_caller_leaves_and_frees_its_place() {
    let play = Play::new(Kind::Sink, |options| options.limits.concurrency = 1);
    play.fault(FaultKind::Hang { effect: true });
    let mut hung = play.connect();
    hung.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let error = exchange(&mut hung, "PUT", "/erp/a", &json!({})).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    let (head, _) = exchange(&mut play.connect(), "PUT", "/erp/b", &json!({})).unwrap();
    assert!(head.starts_with("http/1.1 429"), "{head}");
    drop(hung);
    until("a free place", || {
        exchange(&mut play.connect(), "PUT", "/erp/c", &json!({})).unwrap().0.starts_with("http/1.1 20")
    });
}

#[test]
fn a_late_effect_happens_without_another_call() {
    let play = Play::new(Kind::Sink, |_| {});
    play.fault(FaultKind::LateEffect { ms: 60, answer: false });
    exchange(&mut play.connect(), "PUT", "/erp/a", &json!({})).unwrap_err();
    assert!(play.handle.lock().books().lanes.is_empty());
    until("the effect", || play.handle.lock().books().lanes.contains_key("erp"));
}

#[test]
fn webhooks_are_posted_signed_and_retried() {
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/in/crm?x=1", receiver.local_addr().unwrap());
    let play = Play::new(Kind::HubSpot, |options| {
        options.limits.webhook_backoff_ms = 20;
        options.webhook =
            Some(WebhookTarget { url: url.clone(), secret: "app-secret".to_owned(), events: vec![] });
    });
    let values = [("dealname".to_owned(), json!("D"))].into();
    let id = play.handle.person(Edit::Create { object_type: "deals".to_owned(), values }).unwrap();
    for (attempt, status) in ["503 Unavailable", "204 No Content"].iter().enumerate() {
        let (mut stream, _) = receiver.accept().unwrap();
        let (head, body) = receive(&mut stream).unwrap();
        stream
            .write_all(
                format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").as_bytes(),
            )
            .unwrap();
        assert!(head.starts_with("post /in/crm?x=1 "), "{head}");
        let events: Vec<Value> = serde_json::from_str(&body).unwrap();
        assert_eq!(events[0]["objectId"].to_string(), id);
        assert_eq!(events[0]["attemptNumber"], attempt);
        let at: u64 = head
            .lines()
            .find_map(|line| line.strip_prefix("x-hubspot-request-timestamp: "))
            .unwrap()
            .parse()
            .unwrap();
        assert!(now_ms().abs_diff(at) < 10_000);
        assert!(head.contains("x-hubspot-signature-v3: "));
    }
    until("the acknowledgement", || play.handle.lock().books().webhooks.acked == 1);
    assert_eq!(play.handle.lock().books().webhooks.failed, 1);
}

#[test]
fn mailchimp_looks_its_webhook_up_before_it_sends() {
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/in/secret", receiver.local_addr().unwrap());
    let play = Play::new(Kind::Mailchimp, |options| {
        options.webhook = Some(WebhookTarget { url, secret: String::new(), events: vec![] });
    });
    let (mut stream, _) = receiver.accept().unwrap();
    let (head, _) = receive(&mut stream).unwrap();
    assert!(head.starts_with("get /in/secret "), "{head}");
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    until("the look-up", || play.handle.lock().books().webhooks.acked == 1);
    let values = [("email_address".to_owned(), json!("a@b.test"))].into();
    play.handle.person(Edit::Create { object_type: "57afe96172".to_owned(), values }).unwrap();
    let (head, body) = receive(&mut stream).unwrap();
    assert!(head.starts_with("post /in/secret "), "{head}");
    assert!(body.starts_with("type=subscribe&fired_at="), "{body}");
}

#[test]
fn a_taken_port_is_named() {
    let play = Play::new(Kind::Sink, |_| {});
    let mut options = Options::of(Kind::Mailchimp);
    options.port = play.handle.addr.port();
    let error = play.runtime.block_on(Sandbox::start(Kind::Mailchimp, options)).unwrap_err().to_string();
    assert!(error.contains("mailchimp") && error.contains(&play.handle.addr.to_string()), "{error}");
}

#[test]
fn a_stopped_sandbox_is_gone_but_its_books_stay() {
    let play = Play::new(Kind::Sink, |_| {});
    exchange(&mut play.connect(), "PUT", "/erp/a", &json!({})).unwrap();
    let (addr, world) = (play.handle.addr, std::sync::Arc::clone(&play.handle.world));
    play.runtime.block_on(play.handle.stop());
    assert!(TcpStream::connect(addr).is_err());
    assert_eq!(world.lock().unwrap().books().lanes["erp"].received, 1);
}

#[test]
fn handwritten_garbage_hurts_nobody() {
    let play = Play::new(Kind::Sink, |_| {});
    let mut stream = play.connect();
    stream.write_all(b"\x16\x03\x01 this is no http\r\n\r\n").unwrap();
    let mut rest = Vec::new();
    // Whatever comes back, it ends.
    drop(stream.read_to_end(&mut rest));
    let mut stream = play.connect();
    stream.write_all(b"PUT /erp/%ff%zz%00 HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}").unwrap();
    assert!(receive(&mut stream).unwrap().0.starts_with("http/1.1 201"));
    exchange(&mut play.connect(), "PUT", "/erp/ok", &json!({})).unwrap();
}
