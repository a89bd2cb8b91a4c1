//! Assertions: signed as each vendor wants them, by key or certificate, in place of a secret or as the grant itself.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use connector::{Assertion, AuthKind};
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject as _;

use super::auth::{EC_KEY, RSA_KEY, assertion, form, granting};
use super::server::Server;
use super::{NOW, connection, crm, egress, post};

const RSA_PUBLIC: &[u8] = include_bytes!("../../tests/data/rsa.test-public.pem");
const SERVER_KEY: &str = include_str!("../../tests/data/server.test-key.pem");
const CERTIFICATE: &str = include_str!("../../tests/data/server.test.pem");
const EC_PUBLIC: &[u8] = include_bytes!("../../tests/data/ec.test-public.pem");

#[tokio::test]
async fn assertions_are_signed_as_the_vendor_wants() {
    let cases: [(&str, &'static dyn VerificationAlgorithm, _, _, bool); 3] = [
        ("PS256", &signature::RSA_PSS_2048_8192_SHA256, RSA_KEY, RSA_PUBLIC, true),
        ("RS256", &signature::RSA_PKCS1_2048_8192_SHA256, RSA_KEY, RSA_PUBLIC, false),
        ("ES256", &signature::ECDSA_P256_SHA256_FIXED, EC_KEY, EC_PUBLIC, false),
    ];
    for (algorithm, verification, key, public, scope_claim) in cases {
        let server = Server::start(granting()).await;
        let egress = egress();
        let secrets = [("id", "client-1"), ("key", key), ("kid", "certificate-7\n")];
        let auth = assertion(algorithm, scope_claim);
        egress.register(crm(), &connection(&server.url(), auth, &secrets)).unwrap();
        egress.authorise(&crm(), NOW, 7).await.unwrap();

        let seen = server.seen();
        let form = form(&seen[0]);
        assert_eq!(form["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        assert_eq!(form.contains_key("scope"), !scope_claim);
        let info = SubjectPublicKeyInfoDer::from_pem_slice(public).unwrap();
        // The key itself follows the algorithm's identifier.
        let bare = if algorithm == "ES256" { &info[info.len() - 65..] } else { &info[24..] };
        let token = &form["client_assertion"];
        let (message, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let verified = UnparsedPublicKey::new(verification, bare).verify(message.as_bytes(), &signature);
        assert!(verified.is_ok(), "{algorithm}");
        let part = |n: usize| -> serde_json::Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(n).unwrap()).unwrap())
                .unwrap()
        };
        assert_eq!(part(0), serde_json::json!({"typ":"JWT","alg":algorithm,"kid":"certificate-7"}));
        let claims = part(1);
        assert_eq!(claims["iss"], "client-1");
        assert_eq!(claims["aud"], format!("{}/oauth/token", server.url()));
        assert_eq!(
            (claims["iat"].as_i64(), claims["exp"].as_i64()),
            (Some(1_700_000_000), Some(1_700_000_300))
        );
        if scope_claim {
            assert_eq!(claims["scope"], serde_json::json!(["restlets", "rest_webservices"]));
            assert_eq!(claims.get("sub"), None);
        } else {
            assert_eq!(claims["sub"], "client-1");
            assert_eq!(claims["jti"], format!("{:032x}", 7));
        }
    }
}

#[tokio::test]
async fn a_certificate_names_the_key_and_must_be_its_own() {
    let server = Server::start(granting()).await;
    let mut auth = assertion("ES256", false);
    if let AuthKind::Oauth2ClientCredentials { assertion: Some(assertion), .. } = &mut auth {
        assertion.key_id = None;
        assertion.certificate = Some("certificate".into());
    }
    let told = |key: &str, certificate: &str| {
        let secrets = [("id", "client-1"), ("key", key), ("certificate", certificate)];
        egress().register(crm(), &connection(&server.url(), auth.clone(), &secrets)).unwrap_err().to_string()
    };
    let other = told(EC_KEY, CERTIFICATE);
    assert!(other.contains("secret `certificate` is not the certificate of the key in `key`"), "{other}");
    let none = told(SERVER_KEY, SERVER_KEY);
    assert!(none.contains("secret `certificate` is not a certificate"), "{none}");

    let egress = egress();
    let secrets = [("id", "client-1"), ("key", SERVER_KEY), ("certificate", CERTIFICATE)];
    egress.register(crm(), &connection(&server.url(), auth, &secrets)).unwrap();
    egress.authorise(&crm(), NOW, 7).await.unwrap();
    let token = form(&server.seen()[0])["client_assertion"].clone();
    let part = |n: usize| -> serde_json::Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(n).unwrap()).unwrap()).unwrap()
    };
    // As `openssl x509 -outform der | openssl dgst -sha256 -binary` has it.
    let thumbprint = "HoKxmF454pHOP5d6I0TvEk1a_L1GqXpZT0Mg20Xyk9g";
    assert_eq!(part(0), serde_json::json!({"typ": "JWT", "alg": "ES256", "x5t#S256": thumbprint}));
    assert_eq!((part(1)["nbf"].as_i64(), part(1)["sub"].as_str()), (Some(1_700_000_000), Some("client-1")));
}

#[tokio::test]
async fn a_jwt_in_a_users_name_is_the_grant() {
    let server = Server::start(granting()).await;
    let auth = |scope_claim| AuthKind::Oauth2JwtBearer {
        token: "/oauth/token".into(),
        client_id: "id".into(),
        subject: "user".into(),
        assertion: Assertion {
            algorithm: "RS256".into(),
            private_key: "key".into(),
            key_id: None,
            certificate: None,
            audience: Some("https://login.example.test".into()),
            scope_claim,
            life_s: 180,
        },
        scopes: vec!["api".into(), "web".into()],
        life_s: 600,
    };
    let secrets = [("id", "client-1"), ("key", RSA_KEY), ("user", "hub@example.test\n")];
    let egress = egress();
    egress.register(crm(), &connection(&server.url(), auth(false), &secrets)).unwrap();
    let authorised = egress.authorise(&crm(), NOW, 7).await.unwrap();
    assert!(authorised.rotated().is_none());
    egress.adopt(&crm(), &authorised);
    post(&egress, "/x").await.unwrap();

    let seen = server.seen();
    let sent = form(&seen[0]);
    assert_eq!(sent.keys().collect::<Vec<_>>(), ["assertion", "grant_type", "scope"]);
    assert_eq!(sent["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    assert_eq!(sent["scope"], "api web");
    assert_eq!(seen[0].header("authorization"), None, "the JWT alone is the proof");
    let (message, signature) = sent["assertion"].rsplit_once('.').unwrap();
    let info = SubjectPublicKeyInfoDer::from_pem_slice(RSA_PUBLIC).unwrap();
    let verification = &signature::RSA_PKCS1_2048_8192_SHA256;
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    assert!(UnparsedPublicKey::new(verification, &info[24..]).verify(message.as_bytes(), &signature).is_ok());
    let part = |token: &str, n: usize| -> serde_json::Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(n).unwrap()).unwrap()).unwrap()
    };
    assert_eq!(part(&sent["assertion"], 0), serde_json::json!({"typ": "JWT", "alg": "RS256"}), "no key's id");
    assert_eq!(
        part(&sent["assertion"], 1),
        serde_json::json!({
            "iss": "client-1", "sub": "hub@example.test", "aud": "https://login.example.test",
            "iat": 1_700_000_000, "exp": 1_700_000_180, "jti": format!("{:032x}", 7)
        })
    );
    assert_eq!(seen[1].header("authorization"), Some("Bearer token-1"));

    // Scopes in the claims stand nowhere else; the user stays the subject.
    let server = Server::start(granting()).await;
    let claimed = super::egress();
    claimed.register(crm(), &connection(&server.url(), auth(true), &secrets)).unwrap();
    claimed.authorise(&crm(), NOW, 7).await.unwrap();
    let sent = form(&server.seen()[0]);
    assert!(!sent.contains_key("scope"));
    let claims = part(&sent["assertion"], 1);
    assert_eq!((&claims["sub"], &claims["scope"][0]), (&"hub@example.test".into(), &"api".into()));

    // Another user is somebody else: what he wrote under a key is not known to the first.
    let other = super::egress();
    let secrets = [("id", "client-1"), ("key", RSA_KEY), ("user", "other@example.test")];
    other.register(crm(), &connection(&server.url(), auth(false), &secrets)).unwrap();
    let foreign = other.authorise(&crm(), NOW, 7).await.unwrap();
    claimed.adopt(&crm(), &foreign);
    assert_ne!(foreign.scope(), claimed.authorise(&crm(), NOW, 8).await.unwrap().scope());
}
