//! Three counting targets on one port: lanes `/a`, `/b`, `/c`. Each counts what it gets by sequence number and takes
//! the latency from the moment the message was due.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use bytes::Bytes;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};

/// What one lane saw.
struct Lane {
    seen: HashSet<u64>,
    requests: u64,
    repeated: u64,
    latency: Histogram<u64>,
}

impl Lane {
    fn new() -> Result<Self> {
        Ok(Self {
            seen: HashSet::new(),
            requests: 0,
            repeated: 0,
            latency: Histogram::new_with_bounds(1, 600_000_000, 3)?,
        })
    }
}

/// The read-out.
#[derive(Serialize, Deserialize, Debug, Clone, Default)]
pub(crate) struct Counts {
    /// Different sequence numbers, per lane.
    pub(crate) unique: [u64; 3],
    /// Requests, per lane.
    pub(crate) requests: [u64; 3],
    /// Sequence numbers seen more than once, over all lanes.
    pub(crate) repeated: u64,
    /// Microseconds from due to complete receipt: p50, p95, p99 of the worst lane.
    pub(crate) latency_us: [u64; 3],
}

/// Serves until killed.
pub(crate) fn run(port: u16) -> Result<()> {
    let lanes: Arc<[Mutex<Lane>; 3]> =
        Arc::new([Mutex::new(Lane::new()?), Mutex::new(Lane::new()?), Mutex::new(Lane::new()?)]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let lanes = Arc::clone(&lanes);
            tokio::spawn(async move {
                let service = service_fn(move |request| serve(Arc::clone(&lanes), request));
                let _closed = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    })
}

async fn serve(
    lanes: Arc<[Mutex<Lane>; 3]>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    match path.as_str() {
        "/_counts" => return Ok(answer(&counts(&lanes))),
        "/" => return Ok(Response::new(Full::new(Bytes::from_static(b"{\"account\":\"bench\"}")))),
        "/_reset" => {
            for lane in lanes.iter() {
                if let (Ok(mut lane), Ok(fresh)) = (lane.lock(), Lane::new()) {
                    *lane = fresh;
                }
            }
            return Ok(Response::new(Full::default()));
        }
        _ => {}
    }
    let lane = match path.as_bytes().get(1) {
        Some(b'a') => &lanes[0],
        Some(b'b') => &lanes[1],
        _ => &lanes[2],
    };
    let body =
        request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let now = super::process::wall_us();
    let (seq, due) = (number(&body, b"\"seq\":"), number(&body, b"\"due\":"));
    if let Ok(mut lane) = lane.lock() {
        lane.requests += 1;
        if let Some(seq) = seq
            && !lane.seen.insert(seq)
        {
            lane.repeated += 1;
        }
        if let Some(due) = due {
            let _full = lane.latency.record(now.saturating_sub(due).max(1));
        }
    }
    Ok(Response::new(Full::new(Bytes::from_static(b"{}"))))
}

fn counts(lanes: &[Mutex<Lane>; 3]) -> Counts {
    let mut counts = Counts::default();
    for (index, lane) in lanes.iter().enumerate() {
        if let Ok(lane) = lane.lock() {
            counts.unique[index] = lane.seen.len() as u64;
            counts.requests[index] = lane.requests;
            counts.repeated += lane.repeated;
            for (slot, quantile) in counts.latency_us.iter_mut().zip([0.5, 0.95, 0.99]) {
                *slot = (*slot).max(lane.latency.value_at_quantile(quantile));
            }
        }
    }
    counts
}

fn answer(counts: &Counts) -> Response<Full<Bytes>> {
    Response::new(Full::from(serde_json::to_vec(counts).unwrap_or_default()))
}

/// The number that follows `name` in a body, quoted or not; a scan, not a parse: the sink must cost little.
fn number(body: &[u8], name: &[u8]) -> Option<u64> {
    let at = body.windows(name.len()).position(|window| window == name)? + name.len();
    let digits = body.get(at..)?.iter().skip_while(|byte| matches!(byte, b' ' | b'"'));
    let mut value = None;
    for byte in digits.take_while(|byte| byte.is_ascii_digit()) {
        value = Some(value.unwrap_or(0_u64) * 10 + u64::from(byte - b'0'));
    }
    value
}
