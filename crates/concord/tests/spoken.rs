//! Connectors that speak otherwise than JSON behind a key: SOAP with signed requests, GraphQL behind a log-in. They are made
//! up, lie in `connectors/` beside this test, and are run as somebody's own would be.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may end where it stands")]

#[path = "support/desk.rs"]
mod desk;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use desk::Asked;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

fn concord(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_concord"));
    command.arg("--dir").arg(folder).args(arguments).env("NO_COLOR", "1").output().unwrap()
}

fn talk(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn said(output: &Output) -> Value {
    assert!(output.status.success(), "{}", talk(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

const NAMES: [&str; 2] = ["depot", "guild"];

/// A folder with both connectors, their fixtures, and a system of each at these addresses.
fn folder(addresses: [&str; 2]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put(
        "concord.yaml",
        "tenant: acme\npublic_url: http://127.0.0.1:1\nstore: {folder: ./data, root_key: {file: ./root.key}}\n\
         listeners: {ingress: \"127.0.0.1:0\", operator: \"127.0.0.1:0\"}\n",
    );
    for (name, text) in [("key", "hush"), ("key_name", "k-1"), ("user", "ann"), ("password", "secret")] {
        put(&format!("{name}.txt"), text);
    }
    let secrets = [
        "key: {file: key.txt}, key_name: {file: key_name.txt}",
        "user: {file: user.txt}, password: {file: password.txt}",
    ];
    let here = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/connectors"));
    for ((name, address), secrets) in NAMES.into_iter().zip(addresses).zip(secrets) {
        for path in [format!("{name}.yaml"), format!("fixtures/{name}.yaml")] {
            put(&format!("connectors/{path}"), &fs::read_to_string(here.join(&path)).unwrap());
        }
        put(
            &format!("systems/{name}.yaml"),
            &format!(
                "system: {name}\nconnector: connectors/{name}.yaml\nconnection:\n  base_url: http://{address}\n  allow: \
                 [\"{address}\"]\n  secrets: {{{secrets}}}\n"
            ),
        );
    }
    folder
}

/// What an answer to a call can mean.
const CLASSES: [&str; 16] = [
    "applied",
    "rate_limited",
    "quota_exhausted",
    "auth_expired",
    "auth_revoked",
    "permission",
    "validation",
    "too_large",
    "duplicate",
    "not_found",
    "gone",
    "conflict",
    "locked",
    "uncertain",
    "retryable",
    "permanent",
];

#[test]
fn their_fixtures_hold_and_show_every_operation_and_every_class() {
    let folder = folder(["127.0.0.1:9", "127.0.0.1:9"]);
    let checked = concord(folder.path(), &["connector", "check", "--strict"]);
    assert!(checked.status.success(), "{}", talk(&checked));
    for name in NAMES {
        let cases = said(&concord(folder.path(), &["connector", "test", name, "-o", "json"]));
        assert!(cases.as_array().unwrap().iter().all(|case| case["result"] == "ok"), "{cases}");
        let fixtures =
            fs::read_to_string(folder.path().join(format!("connectors/fixtures/{name}.yaml"))).unwrap();
        let shown: BTreeSet<&str> = fixtures
            .split("class: ")
            .skip(1)
            .filter_map(|rest| rest.split(|c: char| c != '_' && !c.is_ascii_lowercase()).next())
            .collect();
        let missing: Vec<_> = CLASSES.into_iter().filter(|class| !shown.contains(class)).collect();
        assert!(missing.is_empty(), "{name}: no answer is {missing:?}");
    }
}

#[test]
fn an_answer_that_means_something_else_fails_in_each_class() {
    let folder = folder(["127.0.0.1:9", "127.0.0.1:9"]);
    for name in NAMES {
        let path = folder.path().join(format!("connectors/fixtures/{name}.yaml"));
        let fixtures = fs::read_to_string(&path).unwrap();
        for class in CLASSES {
            let other = if class == "permanent" { "locked" } else { "permanent" };
            let from = [format!("class: {class},"), format!("class: {class}}}"), format!("class: {class}\n")];
            let from = from.iter().find(|from| fixtures.contains(from.as_str())).unwrap();
            fs::write(&path, fixtures.replacen(from, &from.replace(class, other), 1)).unwrap();
            let tested = concord(folder.path(), &["connector", "test", name, "-o", "json"]);
            assert_eq!(tested.status.code(), Some(1), "{name}: {class}");
            let cases: Value = serde_json::from_slice(&tested.stdout).unwrap();
            let told = format!("class: expected `{other}`, found `{class}`");
            assert!(cases.to_string().contains(&told), "{name}: {class}: {cases}");
        }
        fs::write(&path, fixtures).unwrap();
    }
}

fn header<'a>(asked: &'a Asked, name: &str) -> &'a str {
    let found = asked.headers.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
    found.unwrap_or_default().trim()
}

/// Whether a request is signed as the depot wants it, computed here from the wire alone.
fn is_signed(asked: &Asked, key: &str) -> bool {
    let (method, path) = asked.line.split_once(' ').unwrap();
    let (time, nonce) = (header(asked, "x-depot-time"), header(asked, "x-depot-nonce"));
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let body = hex(&Sha256::digest(asked.body.as_bytes()));
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(format!("{method}\n{path}\n{time}\n{nonce}\n{body}").as_bytes());
    let signature = format!("v1={}", hex(&mac.finalize().into_bytes()));
    time.parse::<u64>().is_ok()
        && !nonce.is_empty()
        && header(asked, "x-depot-key") == "k-1"
        && header(asked, "x-depot-signature") == signature
}

#[test]
fn a_depot_takes_signed_soap_alone() {
    let nonces = Arc::new(Mutex::new(BTreeSet::new()));
    let seen = Arc::clone(&nonces);
    let depot = desk::serve(move |asked| {
        let fault = |code: &str| {
            format!("<Envelope><Body><Fault><faultcode>{code}</faultcode></Fault></Body></Envelope>")
        };
        let fresh = seen.lock().unwrap().insert(header(asked, "x-depot-nonce").to_owned());
        if !is_signed(asked, "hush") || !fresh {
            return (500, fault("Signature"));
        }
        match asked.line.as_str() {
            "POST /depot/soap" if asked.body.contains("<label>a &lt; b</label>") => {
                (200, "<Envelope><Body><Put id=\"c-1\"/></Body></Envelope>".to_owned())
            }
            "POST /depot/soap" => (500, fault("Content")),
            _ => (200, "<Answer><Account id=\"d-7\"/></Answer>".to_owned()),
        }
    });
    let folder = folder([&depot, "127.0.0.1:9"]);
    let tried = said(&concord(folder.path(), &["connector", "try", "depot", "identity", "-o", "json"]));
    assert_eq!(tried["outcome"]["class"], "applied", "{tried}");
    let put = |label: &str, send: &[&str]| {
        let fields = json!({ "label": label }).to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_concord"));
        command.arg("--dir").arg(folder.path()).args([
            "connector",
            "try",
            "depot",
            "write",
            "crates",
            "-o",
            "json",
        ]);
        let mut child = command
            .args(send)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), fields.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let written = said(&put("a < b", &["--send"]));
    assert_eq!(written["outcome"]["class"], "applied", "{written}");
    let refused = put("other", &["--send"]);
    assert_eq!(refused.status.code(), Some(1), "{}", talk(&refused));
    assert_eq!(nonces.lock().unwrap().len(), 3);
    // Another key proves nothing.
    fs::write(folder.path().join("key.txt"), "other").unwrap();
    let stranger = concord(folder.path(), &["connector", "try", "depot", "identity", "-o", "json"]);
    let told: Value = serde_json::from_slice(&stranger.stdout).unwrap();
    assert_eq!(
        (stranger.status.code(), &told["outcome"]["class"]),
        (Some(1), &json!("auth_revoked")),
        "{told}"
    );
}

#[test]
fn a_guild_answers_who_has_logged_in() {
    let logins = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&logins);
    let guild = desk::serve(move |asked| {
        if asked.line == "POST /login" {
            *seen.lock().unwrap() += 1;
            let body: Value = serde_json::from_str(&asked.body).unwrap();
            return match body == json!({"name": "ann", "word": "secret"}) {
                true => (200, r#"{"session": {"token": "t-1", "seconds": 60}}"#.to_owned()),
                false => (200, r#"{"refused": "no such member"}"#.to_owned()),
            };
        }
        // base64 of `ann:t-1`; header names and values came in lower case.
        let session = header(asked, "x-guild") == "yw5uonqtmq==";
        let body: Value = serde_json::from_str(&asked.body).unwrap();
        match (session, body["variables"]["id"].as_str()) {
            (false, _) => (200, r#"{"errors": [{"extensions": {"code": "SESSION"}}]}"#.to_owned()),
            (true, Some("m-1")) => (
                200,
                r#"{"data": {"member": {"id": "m-1", "name": "Ann", "changed": "2026-11-22T11:30:00Z"}}}"#
                    .to_owned(),
            ),
            (true, Some(_)) => (200, r#"{"errors": [{"extensions": {"code": "MISSING"}}]}"#.to_owned()),
            (true, None) => (200, r#"{"data": {"me": {"guild": "g-1"}}}"#.to_owned()),
        }
    });
    let folder = folder(["127.0.0.1:9", &guild]);
    let fetched = said(&concord(
        folder.path(),
        &["connector", "try", "guild", "fetch", "members", "m-1", "-o", "json"],
    ));
    assert_eq!(fetched["outcome"]["class"], "applied", "{fetched}");
    assert_eq!(*logins.lock().unwrap(), 1);
    let missing =
        concord(folder.path(), &["connector", "try", "guild", "fetch", "members", "m-2", "-o", "json"]);
    let told: Value = serde_json::from_slice(&missing.stdout).unwrap();
    assert_eq!((missing.status.code(), &told["outcome"]["class"]), (Some(1), &json!("not_found")), "{told}");
    // A log-in that is refused inside a 200 is none, and is tried once.
    fs::write(folder.path().join("password.txt"), "wrong").unwrap();
    let before = *logins.lock().unwrap();
    let refused = concord(folder.path(), &["connector", "try", "guild", "identity"]);
    assert!(
        !refused.status.success() && talk(&refused).contains("guild gives no token"),
        "{}",
        talk(&refused)
    );
    assert_eq!(*logins.lock().unwrap(), before + 1);
}
