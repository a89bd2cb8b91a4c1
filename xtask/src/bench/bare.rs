//! The bare fan-out: receive, send to three, answer. The same HTTP stack, no store, no thought.

use std::convert::Infallible;

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};

type Http = Client<HttpConnector, Full<Bytes>>;

/// Serves until killed.
pub(crate) fn run(port: u16, sink: u16) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async move {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client: Http = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(256).build(connector);
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let client = client.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| fan(client.clone(), sink, request));
                let _closed = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    })
}

async fn fan(
    client: Http,
    sink: u16,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let body =
        request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let (a, b, c) = tokio::join!(
        post(&client, sink, "a", body.clone()),
        post(&client, sink, "b", body.clone()),
        post(&client, sink, "c", body),
    );
    let status = if a && b && c { StatusCode::OK } else { StatusCode::BAD_GATEWAY };
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    Ok(response)
}

async fn post(client: &Http, sink: u16, lane: &str, body: Bytes) -> bool {
    let Ok(request) = Request::post(format!("http://127.0.0.1:{sink}/{lane}")).body(Full::new(body)) else {
        return false;
    };
    match client.request(request).await {
        Ok(response) => {
            let ok = response.status().is_success();
            response.into_body().collect().await.is_ok() && ok
        }
        Err(_) => false,
    }
}
