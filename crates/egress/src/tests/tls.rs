//! TLS with certificates of a test CA.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use connector::{AuthKind, FailureKind, Reached};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::server::{Seen, json, serve};
use super::{connection, crm, egress, egress_with, post, request};
use crate::Options;

const CA: &[u8] = include_bytes!("../../tests/data/ca.test.pem");
const CERTIFICATE: &[u8] = include_bytes!("../../tests/data/server.test.pem");
const KEY: &[u8] = include_bytes!("../../tests/data/server.test-key.pem");

async fn tls_server(address: &str) -> (u16, Arc<Mutex<Vec<Seen>>>) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(CERTIFICATE).unwrap()],
            PrivateKeyDer::from_pem_slice(KEY).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
    let kept = seen.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, seen) = (acceptor.clone(), kept.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    serve(stream, &seen, &|_| json("200 OK", "{}")).await;
                }
            });
        }
    });
    (port, seen)
}

#[tokio::test]
async fn a_listed_ca_is_trusted_and_an_unknown_one_is_not() {
    let (port, seen) = tls_server("127.0.0.1").await;
    let at = connection(&format!("https://localhost:{port}"), AuthKind::None, &[]);

    let stranger = egress();
    stranger.register(crm(), &at).unwrap();
    let failure = post(&stranger, "/").await.unwrap_err();
    assert_eq!((failure.kind, failure.reached), (FailureKind::Tls, Reached::NotSent), "{failure}");
    assert!(seen.lock().unwrap().is_empty());

    let trusting = egress_with(Options { extra_ca_pem: Some(CA.to_vec()), ..Options::default() });
    trusting.register(crm(), &at).unwrap();
    assert_eq!(post(&trusting, "/").await.unwrap().status, 200);
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_certificate_for_another_address_is_refused() {
    let (port, seen) = tls_server("127.0.0.2").await;
    let egress = egress_with(Options { extra_ca_pem: Some(CA.to_vec()), ..Options::default() });
    let mut at = connection(&format!("https://127.0.0.2:{port}"), AuthKind::None, &[]);
    at.allow = serde_json::from_str(r#"["127.0.0.2"]"#).unwrap();
    egress.register(crm(), &at).unwrap();
    let failure = post(&egress, "/").await.unwrap_err();
    assert_eq!((failure.kind, failure.reached), (FailureKind::Tls, Reached::NotSent), "{failure}");
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_server_without_tls_is_a_tls_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
            tokio::spawn(async move {
                let mut hello = [0; 1024];
                // It reads something, does not understand it, and says so in plain HTTP.
                if stream.read(&mut hello).await.is_ok() {
                    stream.write_all(answer).await.unwrap();
                }
            });
        }
    });
    let egress = egress();
    egress.register(crm(), &connection(&format!("https://127.0.0.1:{port}"), AuthKind::None, &[])).unwrap();
    let failure = post(&egress, "/").await.unwrap_err();
    assert_eq!((failure.kind, failure.reached), (FailureKind::Tls, Reached::NotSent), "{failure}");
}

/// The word "not sent" is kept: whenever a time limit cuts in, a request of which it was said never arrives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_what_is_called_unsent_never_arrives() {
    let (port, seen) = tls_server("127.0.0.1").await;
    let mut unsent = Vec::new();
    let mut arrived = 0;
    for round in 0..400_u64 {
        // Each round dials anew, so that the limit may cut in anywhere: in TCP, in TLS, or in the exchange.
        let egress = egress_with(Options { extra_ca_pem: Some(CA.to_vec()), ..Options::default() });
        egress
            .register(crm(), &connection(&format!("https://127.0.0.1:{port}"), AuthKind::None, &[]))
            .unwrap();
        let mut sent = request("POST", &format!("/{round}"), "{}");
        sent.timeout_ms = 1 + round % 12;
        match egress.send(&crm(), sent).await {
            Err(failure) if failure.reached == Reached::NotSent => unsent.push(round),
            Err(_) => {}
            Ok(_) => arrived += 1,
        }
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let seen = seen.lock().unwrap().clone();
    for round in &unsent {
        let line = format!("POST /{round} HTTP/1.1");
        assert!(!seen.iter().any(|seen| seen.line == line), "{line} was called unsent, and arrived");
    }
    assert!(!unsent.is_empty(), "the limit never cut in before the request left");
    assert!(arrived > 0, "no request arrived at all");
}

#[test]
fn extra_certificates_must_be_certificates() {
    for bad in [b"".as_slice(), b"not pem", KEY] {
        let options = Options { extra_ca_pem: Some(bad.to_vec()), ..Options::default() };
        let error = crate::Egress::new(canonical::Tenant::new("acme").unwrap(), options).unwrap_err();
        assert!(error.to_string().contains("give a PEM file"), "{error}");
    }
}
