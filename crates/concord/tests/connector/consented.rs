//! A person's consent: how it is asked for, checked and kept; and what it gave is what a call without a hub uses, too.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::{concord, desk, folder_of, talk};

const DESK: &str = "\
connector: desk
version: '1'
about: A desk.
auth:
  default:
    oauth2_refresh:
      token: /token
      client_id: id
      refresh_token: refresh
      consent: {address: /authorize, scopes: [api]}
objects:
  people:
    shape: {id: id}
    fetch: {request: {method: GET, path: '/people/{id}'}}
    describe: {request: {method: GET, path: /meta}, fields: fields, name: name}
";

#[test]
fn a_call_without_a_hub_uses_what_was_authorised() {
    let address = desk::serve(|asked| {
        let answer = |status: u16, body: &str| (status, body.to_owned());
        match asked.line.as_str() {
            "POST /token" if asked.body.contains("code=good&") => {
                answer(200, r#"{"access_token": "t-0", "refresh_token": "refresh-1"}"#)
            }
            "POST /token" if asked.body.contains("refresh_token=refresh-1") => {
                answer(200, r#"{"access_token": "t-1", "expires_in": 60}"#)
            }
            "POST /token" => answer(400, r#"{"error": "invalid_grant"}"#),
            _ if !asked.headers.contains("authorization: bearer t-1") => answer(401, "{}"),
            "GET /meta" => answer(200, r#"{"fields": [{"name": "name"}]}"#),
            _ => answer(200, r#"{"id": "7"}"#),
        }
    });
    let folder = folder_of(DESK, &address, "id: {file: secret.txt}, refresh: {file: word.txt}");
    let dir = folder.path();
    fs::write(dir.join("word.txt"), "any word").unwrap();
    let key = concord(dir, &["key", "new", &dir.join("root.key").display().to_string()], "");
    assert!(key.status.success(), "{}", talk(&key));
    let fetch = || concord(dir, &["connector", "try", "desk", "fetch", "people", "7"], "");

    let before = fetch();
    assert!(before.status.code() == Some(4) && talk(&before).contains("invalid_grant"), "{}", talk(&before));
    assert!(!dir.join("data").exists(), "a try makes no store");

    let state = |open: &str| format!("http://localhost:8765/?code=good&state={}\n", parameter(open, "state"));
    let kept = authorised(dir, state);
    assert!(kept.status.success(), "{}", talk(&kept));
    for call in [&["try", "desk", "fetch", "people", "7"][..], &["describe", "desk", "people"]] {
        let ran = concord(dir, &[&["connector"], call].concat(), "");
        assert!(ran.status.success(), "{call:?}: {}", talk(&ran));
        assert!(
            talk(&ran).contains("is asked with what `concord connector authorise` kept"),
            "{}",
            talk(&ran)
        );
        assert!(!talk(&ran).contains("refresh-1"), "I15: {}", talk(&ran));
    }

    // Somebody else has the store: it is said that another credential is used.
    let mut holds = Command::new(env!("CARGO_BIN_EXE_concord"))
        .arg("--dir")
        .arg(dir)
        .args(["connector", "authorise", "desk"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = std::io::BufReader::new(holds.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    let meanwhile = fetch();
    drop(holds.stdin.take());
    holds.wait().unwrap();
    assert_eq!(meanwhile.status.code(), Some(4), "{}", talk(&meanwhile));
    let told = talk(&meanwhile);
    assert!(
        told.contains("can't be read (a hub runs on the store): the configured secret is used"),
        "{told}"
    );

    // Another word stands for another consent, which nobody gave.
    fs::write(dir.join("word.txt"), "another word").unwrap();
    let replaced = fetch();
    assert_eq!(replaced.status.code(), Some(4), "{}", talk(&replaced));
    assert!(!talk(&replaced).contains("authorise"), "{}", talk(&replaced));
}

/// Runs the command, and answers with what `back` makes of the address to open.
fn authorised(folder: &Path, back: impl FnOnce(&str) -> String) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_concord"));
    command.arg("--dir").arg(folder).args(["connector", "authorise", "desk"]).env("NO_COLOR", "1");
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let mut address = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
    drop(child.stdin.take().unwrap().write_all(back(address.trim()).as_bytes()));
    child.wait_with_output().unwrap()
}

fn parameter(address: &str, name: &str) -> String {
    let (_, query) = address.split_once('?').unwrap();
    let found = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
    found.unwrap_or_else(|| panic!("{address} has no {name}")).to_owned()
}

#[test]
fn consent_is_asked_for_checked_and_kept() {
    let address = desk::serve(|asked| {
        match asked.body.contains("code=good&") && asked.body.contains("code_verifier=") {
            true => (200, r#"{"access_token": "t", "refresh_token": "refresh-1"}"#.to_owned()),
            false => (400, r#"{"error": "invalid_grant"}"#.to_owned()),
        }
    });
    let rotates = DESK.replace("      consent:", "      rotates: true\n      consent:");
    let folder = folder_of(&rotates, &address, "id: {file: secret.txt}, refresh: {file: secret.txt}");
    let dir = folder.path();
    let key = concord(dir, &["key", "new", &dir.join("root.key").display().to_string()], "");
    assert!(key.status.success(), "{}", talk(&key));
    let back = |open: &str, code: &str, state: &str| {
        assert!(open.starts_with(&format!("http://{address}/authorize?")), "{open}");
        assert_eq!(parameter(open, "code_challenge_method"), "S256");
        format!("http://localhost:8765/?code={code}&state={state}\n")
    };
    let forged = authorised(dir, |open| back(open, "good", "another"));
    assert!(
        forged.status.code() == Some(4) && talk(&forged).contains("its state is not the one"),
        "{}",
        talk(&forged)
    );
    let refused = authorised(dir, |open| back(open, "bad", &parameter(open, "state")));
    assert!(
        refused.status.code() == Some(4) && talk(&refused).contains("invalid_grant"),
        "{}",
        talk(&refused)
    );
    let kept = authorised(dir, |open| back(open, "good", &parameter(open, "state")));
    assert!(kept.status.success() && talk(&kept).contains("desk is authorised"), "{}", talk(&kept));
    assert!(!talk(&kept).contains("refresh-1"), "I15: {}", talk(&kept));
    let other = authorised(dir, |_| String::new());
    assert_eq!(other.status.code(), Some(4), "{}", talk(&other));
}
