//! A world behind a real HTTP/1.1 port: accepts, answers in the manner the world chose, and sends its webhooks.

mod body;
mod sender;
#[cfg(test)]
mod tests;
mod wire;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use crate::clock::now_ms;
use crate::options::{Kind, Options};
use crate::person::{Edit, EditError};
use crate::request::{Manner, typed};
use crate::world::World;
use body::Body;
use wire::Wire;

/// Largest request body taken; the vendors' own caps are of this order.
const MOST_BYTES: usize = 104 << 20;
/// How often the port looks whether it shall refuse, and the sender whether a world was changed behind its back.
const GLANCE: Duration = Duration::from_millis(10);

/// Starts sandboxes.
#[derive(Debug)]
pub struct Sandbox;

/// A running sandbox. Dropping it stops the server.
#[derive(Debug)]
pub struct Handle {
    /// Where it listens.
    pub addr: SocketAddr,
    /// The world behind it, for faults, edits and books.
    pub world: Arc<Mutex<World>>,
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

/// Why a sandbox did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The port can't be had.
    #[error("the {kind} sandbox can't listen on {addr}: {source}; choose another port, or 0 for a free one")]
    Bind {
        /// Which sandbox.
        kind: &'static str,
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

/// What the tasks of one sandbox share.
#[derive(Debug)]
struct Shared {
    world: Arc<Mutex<World>>,
    wake: Notify,
}

/// The connection is to be cut without an answer.
#[derive(Debug, Error)]
#[error("the sandbox cuts the connection, as a fault told it to")]
struct Cut;

/// Tells the world when the caller of an endless request has gone.
struct Presence {
    shared: Arc<Shared>,
    ticket: Option<u64>,
}

impl Sandbox {
    /// Starts a fresh world of this kind; needs a running tokio runtime.
    ///
    /// # Errors
    /// When the port can't be had.
    pub async fn start(kind: Kind, options: Options) -> Result<Handle, StartError> {
        let wanted = SocketAddr::new(options.bind, options.port);
        let failed = |source| StartError::Bind { kind: kind.name(), addr: wanted, source };
        let listener = TcpListener::bind(wanted).await.map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        let world = Arc::new(Mutex::new(World::new(kind, options)));
        let shared = Arc::new(Shared { world: Arc::clone(&world), wake: Notify::new() });
        let tasks = vec![
            tokio::spawn(listen(Arc::clone(&shared), listener, addr)),
            tokio::spawn(sender::run(Arc::clone(&shared))),
        ];
        Ok(Handle { addr, world, shared, tasks })
    }
}

impl Handle {
    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The world, locked: keep it short.
    pub fn lock(&self) -> MutexGuard<'_, World> {
        self.shared.lock()
    }

    /// Makes a person's edit now, and returns the object's id.
    ///
    /// # Errors
    /// As [`World::person`].
    pub fn person(&self, edit: Edit) -> Result<String, EditError> {
        let made = self.lock().person(edit, now_ms());
        self.shared.wake.notify_one();
        made
    }

    /// Stops listening and cuts what is open. The world stays readable.
    pub async fn stop(mut self) {
        for task in std::mem::take(&mut self.tasks) {
            task.abort();
            // An aborted task ends with an error by design.
            drop(task.await);
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, World> {
        // A panic elsewhere must not hide the books from the oracle.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.shared.lock().finished(ticket, now_ms());
        }
    }
}

async fn listen(shared: Arc<Shared>, mut listener: TcpListener, addr: SocketAddr) {
    let mut connections = JoinSet::new();
    loop {
        if shared.lock().refusing(now_ms()) {
            drop(listener);
            connections.abort_all();
            listener = reopen(&shared, addr).await;
        }
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(Arc::clone(&shared), stream));
                }
                // Out of descriptors, most likely: let some go.
                Err(_) => sleep(GLANCE).await,
            },
            () = sleep(GLANCE) => {}
        }
        while connections.try_join_next().is_some() {}
    }
}

/// Waits until the port may listen again, and listens.
async fn reopen(shared: &Shared, addr: SocketAddr) -> TcpListener {
    shared.lock().port_refused();
    loop {
        sleep(GLANCE / 2).await;
        if shared.lock().refusing(now_ms()) {
            continue;
        }
        if let Ok(listener) = TcpListener::bind(addr).await {
            return listener;
        }
    }
}

async fn serve(shared: Arc<Shared>, stream: TcpStream) {
    // A refused option changes speed only.
    drop(stream.set_nodelay(true));
    let cut = Arc::new(AtomicBool::new(false));
    let wire = Wire::new(stream, Arc::clone(&cut));
    let service = service_fn(move |request| handle(Arc::clone(&shared), Arc::clone(&cut), request));
    let connection =
        hyper::server::conn::http1::Builder::new().timer(TokioTimer::new()).serve_connection(wire, service);
    // Callers that go away and faults that cut are part of the play.
    drop(connection.await);
}

async fn handle(
    shared: Arc<Shared>,
    cut: Arc<AtomicBool>,
    request: hyper::Request<Incoming>,
) -> Result<http::Response<Body>, Cut> {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MOST_BYTES).collect().await else {
        return Ok(typed(413, "text/plain", "the body is too large or broke off").map(Body::whole));
    };
    let request = http::Request::from_parts(parts, body.to_bytes());
    let answer = shared.lock().serve(&request, now_ms());
    drop(request);
    if answer.wake {
        shared.wake.notify_one();
    }
    let presence = Presence { shared, ticket: answer.ticket };
    match answer.manner {
        Manner::Whole { after_ms } => {
            pause(after_ms).await;
            Ok(answer.response.map(Body::whole))
        }
        Manner::Drip { after_ms, chunk, every_ms } => {
            pause(after_ms).await;
            Ok(answer.response.map(|bytes| Body::drip(bytes, chunk, Duration::from_millis(every_ms))))
        }
        Manner::Never => {
            let never: Infallible = std::future::pending().await;
            drop(presence);
            match never {}
        }
        Manner::Reset { after_ms } => {
            pause(after_ms).await;
            cut.store(true, Ordering::Relaxed);
            Err(Cut)
        }
        Manner::Refused => {
            cut.store(true, Ordering::Relaxed);
            Err(Cut)
        }
    }
}

async fn pause(ms: u64) {
    if ms > 0 {
        sleep(Duration::from_millis(ms)).await;
    }
}
