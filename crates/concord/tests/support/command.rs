//! The program's own commands, as a person gives them to a running hub.

use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use super::Folder;

/// Runs a command on a folder's hub.
pub(crate) fn concord(folder: &Folder, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_concord"));
    command.arg("--dir").arg(folder.path()).args(arguments).output().unwrap()
}

/// What a command that must succeed says as JSON.
pub(crate) fn json(folder: &Folder, arguments: &[&str]) -> Value {
    let output = concord(folder, &[arguments, &["--output", "json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Waits until that is so, for ten seconds at most.
#[allow(clippy::panic, reason = "a test may end where it stands")]
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..200 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never happened that {what}");
}
