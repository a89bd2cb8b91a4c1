//! A target that is ill: it takes connections and then keeps its callers waiting, each illness in its own place, or
//! answers at once with a refusal.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use clap::ValueEnum;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;

/// Longer than any run.
const FOR_EVER: Duration = Duration::from_secs(3600);
/// Between two bytes of a dripping answer.
const DRIP: Duration = Duration::from_millis(300);

/// What is wrong with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Illness {
    /// Nowhere: it answers at once.
    None,
    /// A write is never answered.
    Hang,
    /// The TLS handshake is never answered.
    Tls,
    /// Every token has run out, and the token endpoint never answers.
    Token,
    /// A write's answer comes a byte at a time.
    Drip,
    /// A write is answered 429, to be tried again a second later.
    Throttle,
    /// A write is answered 503.
    Fail,
}

/// Serves until killed.
pub(crate) fn run(port: u16, illness: Illness) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(async move {
                if illness == Illness::Tls {
                    tokio::time::sleep(FOR_EVER).await;
                    drop(stream);
                    return;
                }
                let service = service_fn(move |request| serve(illness, request));
                let _closed = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    })
}

type Answer = Response<BoxBody<Bytes, Infallible>>;

async fn serve(illness: Illness, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let path = request.uri().path().to_owned();
    let _read = request.into_body().collect().await;
    let whole = |text: &'static str| Response::new(Full::new(Bytes::from_static(text.as_bytes())).boxed());
    Ok(match (path.as_str(), illness) {
        ("/oauth/token", Illness::Token) => {
            tokio::time::sleep(FOR_EVER).await;
            whole("{}")
        }
        ("/oauth/token", _) => {
            whole("{\"access_token\": \"t\", \"token_type\": \"Bearer\", \"expires_in\": 3600}")
        }
        ("/", _) => whole("{\"account\": \"bench\"}"),
        (_, Illness::Hang) => {
            tokio::time::sleep(FOR_EVER).await;
            whole("{}")
        }
        (_, Illness::Throttle) => {
            let mut answer = refused(StatusCode::TOO_MANY_REQUESTS);
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            answer
        }
        (_, Illness::Fail) => refused(StatusCode::SERVICE_UNAVAILABLE),
        (_, Illness::Drip) => Response::new(Drip(tokio::time::interval(DRIP)).boxed()),
        _ => whole("{}"),
    })
}

fn refused(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from_static(b"{}")).boxed());
    *answer.status_mut() = status;
    answer
}

/// A body that never ends: a space now and then.
struct Drip(tokio::time::Interval);

impl Body for Drip {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_tick(context).map(|_| Some(Ok(Frame::data(Bytes::from_static(b" ")))))
    }
}
