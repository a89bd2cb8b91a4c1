//! The load: a closed loop of connections, or a fixed rate whose latency counts from the moment a message was due.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use hdrhistogram::Histogram;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tokio::sync::Mutex;
use tokio::sync::mpsc::Receiver;

use super::Percentiles;
use super::process::wall_us;

/// The secret of the benchmark's source.
pub(crate) const SECRET: &str = "bench-secret-of-at-least-24-bytes";
/// Messages that are due and not sent yet, at most: behind them the pace waits, and each counts from when it was due.
const DUE_MAX: usize = 1 << 16;
/// Bytes of one event.
const SIZE: usize = 1024;

/// Who is driven.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    /// The bare fan-out.
    Bare,
    /// The hub, through its verified ingest.
    Hub,
}

/// What to do.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub(crate) struct Load {
    pub(crate) url_port: u16,
    pub(crate) target: Target,
    pub(crate) clients: usize,
    pub(crate) seconds: u64,
    /// Messages a second; `None`: as fast as answers come.
    pub(crate) rate: Option<u64>,
    /// 0: every message is about another record.
    pub(crate) keys: u64,
}

/// What the driver itself saw; a line of JSON on its stdout.
#[derive(Serialize, Deserialize, Clone, Debug, Default)]
pub(crate) struct Driven {
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    pub(crate) seconds: f64,
    pub(crate) started_us: u64,
    pub(crate) accept_us: [u64; 3],
    pub(crate) cpu_us: u64,
}

/// A whole run, measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    pub(crate) accepted: u64,
    pub(crate) missing: u64,
    pub(crate) accepted_per_s: f64,
    pub(crate) delivered_per_s: f64,
    pub(crate) subject_cpu_us: f64,
    pub(crate) sink_cpu_us: f64,
    pub(crate) driver_cpu_us: f64,
    pub(crate) latency: Percentiles,
    pub(crate) accept: Percentiles,
}

struct Shared {
    load: Load,
    next: AtomicU64,
    accepted: AtomicU64,
    refused: AtomicU64,
    start_us: u64,
    run: u64,
    latency: Mutex<Histogram<u64>>,
    /// At a fixed rate: the messages that are due, each with its time.
    due: Option<Mutex<Receiver<(u64, u64)>>>,
}

/// Drives and prints what it saw.
pub(crate) fn run(load: &Load) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let driven = runtime.block_on(drive(load.clone()))?;
    crate::say(&serde_json::to_string(&driven)?);
    Ok(())
}

async fn drive(load: Load) -> Result<Driven> {
    let start_us = wall_us();
    let clients = load.clients;
    let due = load.rate.map(|rate| Mutex::new(pace(rate, start_us, start_us + load.seconds * 1_000_000)));
    let shared = Arc::new(Shared {
        load,
        next: AtomicU64::new(0),
        accepted: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        start_us,
        run: start_us / 1_000_000,
        latency: Mutex::new(Histogram::new_with_bounds(1, 600_000_000, 3)?),
        due,
    });
    let mut tasks = Vec::new();
    for _ in 0..clients {
        tasks.push(tokio::spawn(client(Arc::clone(&shared))));
    }
    for task in tasks {
        task.await.context("a client")??;
    }
    let latency = shared.latency.lock().await;
    Ok(Driven {
        accepted: shared.accepted.load(Ordering::Relaxed),
        refused: shared.refused.load(Ordering::Relaxed),
        seconds: (wall_us() - start_us) as f64 / 1e6,
        started_us: start_us,
        accept_us: [0.5, 0.95, 0.99].map(|quantile| latency.value_at_quantile(quantile)),
        cpu_us: super::process::cpu_us(std::process::id()).unwrap_or(0),
    })
}

async fn client(shared: Arc<Shared>) -> Result<()> {
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", shared.load.url_port)).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        let _closed = connection.await;
    });
    let end = shared.start_us + shared.load.seconds * 1_000_000;
    while let Some((seq, due)) = next(&shared, end).await {
        sender.ready().await?;
        let response = sender.send_request(message(&shared, seq, due)?).await?;
        let ok = response.status().is_success();
        response.into_body().collect().await?;
        let counter = if ok { &shared.accepted } else { &shared.refused };
        counter.fetch_add(1, Ordering::Relaxed);
        let _full = shared.latency.lock().await.record(wall_us().saturating_sub(due).max(1));
    }
    Ok(())
}

/// The next message, when it is due; `None` at the end.
async fn next(shared: &Shared, end: u64) -> Option<(u64, u64)> {
    match &shared.due {
        Some(due) => due.lock().await.recv().await,
        None => {
            let (seq, due) = (shared.next.fetch_add(1, Ordering::Relaxed), wall_us());
            (due < end).then_some((seq, due))
        }
    }
}

/// Gives each message when it is due, from a thread of its own: timers of the runtime have whole milliseconds, which the
/// messages would seem to take.
fn pace(rate: u64, start: u64, end: u64) -> Receiver<(u64, u64)> {
    let (give, due) = tokio::sync::mpsc::channel(DUE_MAX);
    std::thread::spawn(move || {
        for seq in 0.. {
            let due = start + seq * 1_000_000 / rate;
            if due >= end {
                return;
            }
            std::thread::sleep(Duration::from_micros(due.saturating_sub(wall_us())));
            if give.blocking_send((seq, due)).is_err() {
                return;
            }
        }
    });
    due
}

/// One event of exactly 1 KB: a contact as a shop would send it.
fn message(shared: &Shared, seq: u64, due: u64) -> Result<Request<Full<Bytes>>> {
    let keys = shared.load.keys;
    let key = if keys == 0 { seq } else { seq % keys };
    let run = shared.run;
    let mut body = format!(
        "{{\"event_id\":\"{run}-{seq}\",\"id\":\"c{run}-{key}\",\"version\":{version},\
         \"seq\":{seq},\"due\":{due},\"given_name\":\"Ada{key}\",\"family_name\":\"Lovelace\",\
         \"email\":\"ada{key}.{run}@example.com\",\"phone\":\"+44 20 7946 0{key:03}\",\"city\":\"London\",\
         \"country\":\"GB\",\"company\":\"Analytical Engines\",\"plan\":\"gold\",\"seats\":{seats},\"note\":\"",
        seats = seq % 50,
        version = seq + 1
    );
    let mut noise = seq.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while body.len() < SIZE - 2 {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        body.push(char::from(b'a' + (noise % 26) as u8));
    }
    body.push_str("\"}");
    let request = match shared.load.target {
        Target::Bare => Request::post("/").header("host", "127.0.0.1"),
        Target::Hub => {
            let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).context("a key")?;
            let at = wall_us() / 1_000_000;
            mac.update(format!("{at}.").as_bytes());
            mac.update(body.as_bytes());
            let signature: String =
                mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            Request::post(super::hub::INTAKE_PATH)
                .header("host", "127.0.0.1")
                .header("x-timestamp", at.to_string())
                .header("x-signature", signature)
        }
    };
    Ok(request.header("content-type", "application/json").body(Full::from(body))?)
}
