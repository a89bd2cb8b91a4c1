//! The one place where HTTP clients are built, so that none can be without its guard, limits and TLS roots.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::resolve::Resolver;

/// How long an idle connection is kept. Shorter than the keep-alive of common servers (five seconds in Node): a
/// connection that the server closes just as a request goes out leaves the request's effect unknown.
const IDLE: Duration = Duration::from_secs(4);

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

/// A client for one origin: no redirects, no proxy from the environment, no decompression, every address through
/// `resolver`.
pub(crate) fn build(
    tls: &ClientConfig,
    resolver: Resolver,
    connect: Duration,
    idle_count_max: usize,
    user_agent: &str,
) -> reqwest::Result<reqwest::Client> {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that builds clients")]
    let builder = reqwest::Client::builder();
    builder
        .tls_backend_preconfigured(tls.clone())
        .dns_resolver(Arc::new(resolver))
        .connect_timeout(connect)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .http1_only()
        .tcp_nodelay(true)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(idle_count_max)
        .user_agent(user_agent)
        .build()
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
