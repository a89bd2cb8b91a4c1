//! Serving: connections within bounds, and an end that lets answers under way finish.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::front::Place;

/// Bounds of a listener.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Connections at once; more wait to be accepted.
    pub connections_max: usize,
    /// Longest wait for a request's head, and longest idle time between requests.
    pub head_within: Duration,
    /// Most bytes of a head.
    pub head_bytes_max: usize,
    /// Most header fields of a head.
    pub headers_max: usize,
    /// Longest wait, at the end, for answers under way.
    pub finish_within: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections_max: 1024,
            head_within: Duration::from_secs(15),
            head_bytes_max: 64 * 1024,
            headers_max: 100,
            finish_within: Duration::from_secs(10),
        }
    }
}

/// Pause after the system had no more file handles: accepting again at once would only burn time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The router that answers from now on. It may be exchanged while the listener stays: each request is answered by
/// the one that stands when it begins.
pub type Current = watch::Receiver<Router>;

/// Holds the router that answers, to be exchanged.
#[derive(Debug)]
pub struct Exchange(watch::Sender<Router>);

impl Default for Exchange {
    /// Answers nothing yet.
    fn default() -> Self {
        Self(watch::Sender::new(Router::new()))
    }
}

impl Exchange {
    /// `router` answers from now on; requests that have begun end with the one before.
    pub fn replace(&self, router: Router) {
        drop(self.0.send_replace(router));
    }

    /// Nothing is answered any more, and what the router held is let go.
    pub fn clear(&self) {
        self.replace(Router::new());
    }

    /// For [`serve`].
    #[must_use]
    pub fn current(&self) -> Current {
        self.0.subscribe()
    }
}

/// A router that stays.
#[must_use]
pub fn fixed(router: Router) -> Current {
    watch::Sender::new(router).subscribe()
}

/// Serves `router` on `listener` until `end` comes; then takes no new connection, lets answers under way finish, and
/// returns.
pub async fn serve(listener: TcpListener, router: Current, bounds: Bounds, end: impl Future<Output = ()>) {
    let slots = Arc::new(Semaphore::new(bounds.connections_max));
    let (ending, ended) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut end = std::pin::pin!(end);
    loop {
        tokio::select! {
            biased;
            () = &mut end => break,
            accepted = accept(&listener, &slots) => match accepted {
                Ok((stream, slot)) => {
                    connections.spawn(connection(stream, slot, router.clone(), bounds, ended.clone()));
                }
                Err(error) => {
                    tracing::warn!(target: "concord", class = "accept", detail = %error, "a connection failed to open");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    ending.send_replace(true);
    let finished = async { while connections.join_next().await.is_some() {} };
    let _late = tokio::time::timeout(bounds.finish_within, finished).await.is_err();
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, slot))
}

async fn connection(
    stream: TcpStream,
    slot: OwnedSemaphorePermit,
    router: Current,
    bounds: Bounds,
    mut ended: watch::Receiver<bool>,
) {
    let place = Place::default();
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let router = router.borrow().clone();
        request.extensions_mut().insert(place.clone());
        async move { router.oneshot(request.map(Body::new)).await }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(bounds.head_within)
        .max_buf_size(bounds.head_bytes_max.max(8 * 1024))
        .max_headers(bounds.headers_max);
    let mut serving = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    let end = async {
        let _gone = ended.wait_for(|ended| *ended).await.is_err();
    };
    // How a connection ends is the peer's business: what mattered of it was answered and counted before.
    tokio::select! {
        result = &mut serving => drop(result),
        () = end => {
            serving.as_mut().graceful_shutdown();
            drop(serving.await);
        }
    }
    drop(slot);
}
