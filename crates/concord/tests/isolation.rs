//! A sick target hurts nobody else (I10), with real processes: targets that hang in a write, in the TLS handshake, in
//! the token refresh and as a slow drip, all at once; the healthy one gets everything while they hang. How fast is a
//! benchmark's question (`cargo xtask bench isolation`), not this test's.

#![allow(clippy::unwrap_used, reason = "a test may end where it stands")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use sandbox::{Kind, Options, Sandbox};
use support::{Folder, Target, say};

const COMPANIES: u64 = 60;

/// Where a sick target keeps its callers waiting.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Illness {
    Write,
    Tls,
    Token,
    Drip,
}

/// A target that never answers a write whole; it says who it is, so that it gets connected.
fn sick(illness: Illness) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || keep_waiting(stream, illness));
        }
    });
    address
}

/// Answers who it is, as often as it is asked; returns when something else is wanted, or the caller has gone.
fn introduce(stream: &mut TcpStream) {
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        seen.extend_from_slice(&buffer[..count]);
        if !seen.windows(4).any(|window| window == b"\r\n\r\n") {
            continue;
        }
        if !seen.starts_with(b"GET / ") {
            return;
        }
        let body = "{\"account\": \"sick\"}";
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).is_err() {
            return;
        }
        seen.clear();
    }
}

fn keep_waiting(mut stream: TcpStream, illness: Illness) {
    if illness != Illness::Tls {
        introduce(&mut stream);
    }
    if illness == Illness::Drip {
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n";
        let mut open = stream.write_all(head).is_ok();
        while open {
            std::thread::sleep(Duration::from_millis(200));
            open = stream.write_all(b" ").is_ok();
        }
    } else {
        // Kept open, and silent, until the caller gives up.
        let mut buffer = [0; 4096];
        while matches!(stream.read(&mut buffer), Ok(1..)) {}
        std::thread::sleep(Duration::from_secs(600));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i10_targets_that_hang_in_every_place_leave_the_healthy_one_alone() {
    let mut plain = Options::of(Kind::Sink);
    plain.business_id = "number".into();
    let sink = Sandbox::start(Kind::Sink, plain).await.unwrap();
    let names = [
        ("write", Illness::Write),
        ("handshake", Illness::Tls),
        ("token", Illness::Token),
        ("drip", Illness::Drip),
    ];
    let paths = ["name", "number", "version"];
    let target = |system, address: SocketAddr| Target {
        system,
        connector: "http",
        object: system,
        address: address.to_string(),
        more: "limits: {concurrency: 4}\n",
        paths,
    };
    let sicks = names.map(|(name, illness)| (target(name, sick(illness)), illness));
    let mut targets = vec![target("alpha", sink.addr)];
    let addresses: Vec<(String, String, Illness)> = sicks
        .iter()
        .map(|(target, illness)| (target.system.to_owned(), target.address.clone(), *illness))
        .collect();
    targets.extend(sicks.into_iter().map(|(target, _)| target));
    let folder = Folder::new(&targets);
    for (system, address, illness) in addresses {
        let scheme = if illness == Illness::Tls { "https" } else { "http" };
        let (secrets, parameters) = match illness {
            Illness::Token => (
                "  secrets: {client_id: {file: ./token.secret}, client_secret: {file: ./token.secret}, \
                 refresh_token: {file: ./token.secret}}\n",
                "parameters: {auth: oauth}\n",
            ),
            _ => ("", ""),
        };
        folder.put(
            &format!("systems/{system}.yaml"),
            &format!(
                "system: {system}\nconnector: http\nconnection:\n  base_url: {scheme}://{address}\n  \
                 allow: [\"{address}\"]\n{secrets}{parameters}limits: {{concurrency: 4}}\n"
            ),
        );
    }
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    for number in 0..COMPANIES {
        assert!(say(folder.ingress, &format!("c{number}"), 1), "{}", folder.last_words());
    }
    let arrived = || sink.lock().books().lanes.get("alpha").map_or(0, |lane| lane.records.len());
    for _ in 0..600 {
        if arrived() == usize::try_from(COMPANIES).unwrap() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(arrived(), usize::try_from(COMPANIES).unwrap(), "{}", folder.last_words());
    // What hangs is on the wire or waits; nothing of it is given up or lost.
    let output = Command::new(env!("CARGO_BIN_EXE_concord"))
        .arg("--dir")
        .arg(folder.path())
        .args(["system", "list", "--output", "json"])
        .output()
        .unwrap();
    let listed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for (name, _) in names {
        let row = listed.as_array().unwrap().iter().find(|row| row["system"] == name).unwrap();
        assert_eq!(row["open"], COMPANIES, "{name}: {row}");
    }
    hub.kill();
}
