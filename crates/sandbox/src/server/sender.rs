//! Sends a world's webhooks, and wakes it when a late effect is due.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{GLANCE, Shared};
use crate::clock::now_ms;
use crate::webhook::Delivery;

/// How long a receiver may take, as HubSpot waits.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most of an answer that is read before the connection is used again.
const MOST_BYTES: usize = 64 << 10;

type Sender = Client<HttpConnector, Full<Bytes>>;

pub(super) async fn run(shared: Arc<Shared>) {
    let client: Sender = Client::builder(TokioExecutor::new()).build_http();
    let mut sending = JoinSet::new();
    loop {
        let now = now_ms();
        let (deliveries, next) = {
            let mut world = shared.lock();
            world.advance(now);
            (world.take_webhooks(now), world.next_wakeup())
        };
        for delivery in deliveries {
            sending.spawn(send(client.clone(), Arc::clone(&shared), delivery));
        }
        let wait = next.map_or(GLANCE, |next| Duration::from_millis(next.saturating_sub(now)).min(GLANCE));
        tokio::select! {
            () = shared.wake.notified() => {}
            () = sleep(wait) => {}
        }
        while sending.try_join_next().is_some() {}
    }
}

async fn send(client: Sender, shared: Arc<Shared>, delivery: Delivery) {
    let status = timeout(PATIENCE, answer(client, delivery.request)).await.ok().flatten();
    shared.lock().webhook_answered(delivery.id, status, now_ms());
    shared.wake.notify_one();
}

/// The status, once the answer is read to its end.
async fn answer(client: Sender, request: http::Request<Bytes>) -> Option<u16> {
    let response = client.request(request.map(Full::new)).await.ok()?;
    let status = response.status().as_u16();
    // What the receiver says beyond its status does not matter; reading it frees the connection.
    drop(Limited::new(response.into_body(), MOST_BYTES).collect().await);
    Some(status)
}
