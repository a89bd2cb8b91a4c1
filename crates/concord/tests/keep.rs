//! Backups of a running hub, and putting an old one back while the target has moved on.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::let_underscore_must_use,
    reason = "a test may end where it stands"
)]

mod support;

use std::process::Output;

use sandbox::{Kind, Options, Sandbox};
use serde_json::Value;
use support::command::{concord, json, until};
use support::{Folder, Target, say};

fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// How many deliveries are in that state.
fn count(folder: &Folder, state: &str) -> usize {
    json(folder, &["delivery", "list", "--state", state]).as_array().unwrap().len()
}

fn folder(sink: std::net::SocketAddr) -> Folder {
    Folder::new(&[Target {
        system: "alpha",
        connector: "http",
        object: "alpha",
        address: sink.to_string(),
        more: "",
        paths: ["name", "number", "version"],
    }])
}

/// I3, I4: what was made after the backup is not made again, and nothing goes backwards, however old the backup.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_an_old_backup_is_put_back_and_doubles_nothing() {
    let sink = Sandbox::start(Kind::Sink, Options::of(Kind::Sink)).await.unwrap();
    let folder = folder(sink.addr);
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    assert!(say(folder.ingress, "c1", 1));
    until("c1 is delivered", || count(&folder, "delivered") == 1).await;

    let backups = tempfile::tempdir().unwrap();
    let place = backups.path().to_str().unwrap();
    let backup = done(&concord(&folder, &["backup", place]));
    assert!(backup.contains("acme-2"), "named by tenant and time: {backup}");
    let manifest: Value = serde_json::from_str(
        &std::fs::read_to_string(std::path::Path::new(&backup).join("manifest.json")).unwrap(),
    )
    .unwrap();
    assert_eq!((&manifest["tenants"][0], &manifest["rows"]["record"]), (&"acme".into(), &1.into()));
    assert_eq!(concord(&folder, &["backup", &backup]).status.code(), Some(0), "in a folder: another one");
    assert_eq!(std::fs::read_dir(&backup).unwrap().count(), 3);

    // The world moves on, and the backup does not know.
    assert!(say(folder.ingress, "c1", 3) && say(folder.ingress, "c2", 1));
    until("both are delivered", || {
        let lanes = sink.lock().books().lanes;
        lanes["alpha"].records.len() == 2 && count(&folder, "delivered") == 2
    })
    .await;
    let into = folder.path().to_str().unwrap();
    let restore = |more: &[&str]| concord(&folder, &[&["restore", &backup, "--into", into], more].concat());
    assert_eq!(restore(&["--replace"]).status.code(), Some(6), "the hub runs");
    assert_eq!(hub.stop(), Some(0));
    assert_eq!(restore(&[]).status.code(), Some(6), "there is a store");
    let output = restore(&["--replace"]);
    done(&output);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("shop only pushes its changes"), "{said}");

    let mut again = folder.up(&[]);
    assert!(again.ready(), "{}", folder.last_words());
    assert_eq!(count(&folder, "delivered"), 1, "as of the backup");
    // The source sends all of it once more.
    assert!(say(folder.ingress, "c1", 3) && say(folder.ingress, "c2", 1));
    until("c2 waits for a person", || count(&folder, "uncertain") == 1).await;
    until("c1 is told again", || count(&folder, "delivered") == 1).await;
    let letters = json(&folder, &["dead-letter", "list"]);
    assert!(letters.to_string().contains("restored from a backup"), "{letters:#}");
    let lane = sink.lock().books().lanes["alpha"].clone();
    let doubled: Vec<_> = lane.records.iter().filter(|(_, keys)| keys.len() > 1).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
    assert_eq!(lane.backwards, 0);
}

/// A changed copy, another key, another tenant: refused, and nothing was touched.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_refused() {
    let sink = Sandbox::start(Kind::Sink, Options::of(Kind::Sink)).await.unwrap();
    let folder = folder(sink.addr);
    assert_eq!(concord(&folder, &["backup", "x"]).status.code(), Some(5), "there is no store yet");
    let mut hub = folder.up(&[]);
    assert!(hub.ready(), "{}", folder.last_words());
    assert!(say(folder.ingress, "c1", 1));
    assert_eq!(hub.stop(), Some(0));
    let backups = tempfile::tempdir().unwrap();
    let backup = backups.path().join("one");
    done(&concord(&folder, &["backup", backup.to_str().unwrap()]));
    let restore = || {
        let into = folder.path().to_str().unwrap();
        let output = concord(&folder, &["restore", backup.to_str().unwrap(), "--into", into, "--replace"]);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let key = std::fs::read_to_string(folder.path().join("root.key")).unwrap();
    folder.put("root.key", &key.replace("01", "10"));
    let (code, said) = restore();
    assert!(code == Some(1) && said.contains("is not the one this store was written under"), "{said}");
    folder.put("root.key", &key);
    let copy = backup.join("store.sqlite");
    let mut bytes = std::fs::read(&copy).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&copy, bytes).unwrap();
    let (code, said) = restore();
    assert!(code == Some(1) && said.contains("is not what the manifest says"), "{said}");
    let mut again = folder.up(&[]);
    assert!(again.ready(), "the store is as it was: {}", folder.last_words());
}
