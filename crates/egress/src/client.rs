//! The one place where HTTP clients are built, so that none can be without its guard, limits and TLS roots.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tower::Service;

use crate::gate::GatedBody;
use crate::resolve::Resolver;

/// How long an idle connection is kept. Shorter than the keep-alive of common servers (five seconds in Node): a
/// connection that the server closes just as a request goes out leaves the request's effect unknown.
const IDLE: Duration = Duration::from_secs(4);
/// A peer that is silent for so long while it has a request is asked by TCP whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Trusts the web's roots, and those in `extra_ca_pem` besides.
///
/// # Errors
/// A text for people, when the PEM holds no certificate or one that cannot be read.
pub(crate) fn tls(extra_ca_pem: Option<&[u8]>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(pem) = extra_ca_pem {
        let mut added = 0;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| format!("it is not PEM: {error}"))?;
            roots.add(certificate).map_err(|error| format!("a certificate in it cannot be used: {error}"))?;
            added += 1;
        }
        if added == 0 {
            return Err("it holds no certificate".to_owned());
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The client of one origin. It follows no redirect, knows no proxy, decompresses nothing, and keeps no cookies.
pub(crate) type Client = hyper_util::client::legacy::Client<Dialler, GatedBody>;

/// A client for one origin; every address goes through `resolver`.
pub(crate) fn build(
    tls: &ClientConfig,
    resolver: Resolver,
    connect: Duration,
    idle_count_max: usize,
) -> Client {
    let mut http = HttpConnector::new_with_resolver(resolver);
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_keepalive(Some(KEEPALIVE));
    http.set_connect_timeout(Some(connect));
    let dialler = Dialler { https: HttpsConnector::from((http, tls.clone())), within: connect };
    hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(idle_count_max)
        .build(dialler)
}

/// Makes connections: name, TCP and TLS together within a time.
#[derive(Clone)]
pub(crate) struct Dialler {
    https: HttpsConnector<HttpConnector<Resolver>>,
    within: Duration,
}

/// No connection stood in time.
#[derive(Debug, thiserror::Error)]
#[error("the time for it is up (TCP and TLS)")]
pub(crate) struct Slow;

type Dialled = <HttpsConnector<HttpConnector<Resolver>> as Service<Uri>>::Response;
type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Service<Uri> for Dialler {
    type Response = Dialled;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Dialled, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.https.poll_ready(context)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let dialling = tokio::time::timeout(self.within, self.https.call(to));
        Box::pin(async move { dialling.await.unwrap_or_else(|_| Err(Slow.into())) })
    }
}

/// A client for the command line's own questions to a hub whose address its user gave: any address, one time limit
/// for the whole exchange, everything else as for systems.
///
/// # Errors
/// When TLS cannot be set up.
pub fn operator(total: Duration) -> Result<reqwest::Client, String> {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that builds clients")]
    let builder = reqwest::Client::builder();
    builder
        .tls_backend_preconfigured(tls(None)?)
        .connect_timeout(total)
        .timeout(total)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .http1_only()
        .user_agent(concat!("concord/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| format!("no HTTP client can be made: {error}"))
}
