//! What `--help` shows is what was meant: compared with the files in `tests/help/`. After a change that is meant, write
//! them anew with `CONCORD_WRITE_HELP=1 cargo test -p concord --test help`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::let_underscore_must_use,
    reason = "a test may end where it stands"
)]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

const TOPICS: [&str; 49] = [
    "",
    "demo",
    "check",
    "mapping",
    "mapping test",
    "mapping try",
    "mapping lineage",
    "connector",
    "connector show",
    "connector authorise",
    "connector check",
    "connector describe",
    "connector new",
    "connector test",
    "connector try",
    "connector try write",
    "schema",
    "up",
    "plan",
    "apply",
    "link",
    "link plan",
    "link apply",
    "link show",
    "config",
    "sandbox",
    "sim",
    "system",
    "system pause",
    "system breaker",
    "event list",
    "record",
    "record get",
    "record merge",
    "record split",
    "delivery list",
    "dead-letter groups",
    "dead-letter edit",
    "dead-letter retry",
    "replay plan",
    "job",
    "job apply",
    "export",
    "import",
    "retention",
    "backup",
    "restore",
    "exit-codes",
    "environment",
];

fn concord(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_concord")).args(arguments).env("NO_COLOR", "1").output().unwrap()
}

fn shown(topic: &str) -> String {
    let mut arguments = vec!["help"];
    arguments.extend(topic.split_whitespace());
    let output = concord(&arguments);
    assert!(output.status.success(), "{topic}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn help_reads_as_written_down() {
    #[expect(clippy::disallowed_methods, reason = "a person asks for the files to be written anew")]
    let write = std::env::var("CONCORD_WRITE_HELP").is_ok();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/help");
    for topic in TOPICS {
        let name = if topic.is_empty() { "concord".to_owned() } else { topic.replace(' ', "-") };
        let file = folder.join(format!("{name}.txt"));
        let now = shown(topic);
        if write {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&file, now).unwrap();
            continue;
        }
        let meant = fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(now, meant, "the help on {topic:?} has changed: see the first lines of this file");
    }
}

#[test]
fn every_exit_code_of_the_command_line_is_as_documented() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let code = |arguments: &[&str]| concord(arguments).status.code();
    assert_eq!(code(&["--version"]), Some(0));
    assert_eq!(code(&["chek"]), Some(64));
    assert_eq!(code(&["system", "pause", "crm"]), Some(64), "a reason is missing");
    assert_eq!(code(&["help", "nothing"]), Some(64));
    assert_eq!(code(&["check", dir]), Some(1), "an empty folder");
    assert_eq!(code(&["--dir", dir, "system", "list"]), Some(7), "nobody runs there");
    assert_eq!(code(&["--url", "http://127.0.0.1:1", "system", "list"]), Some(7), "nobody listens there");
    assert_eq!(code(&["--url", "ftp://x", "system", "list"]), Some(64));
    let key = folder.path().join("secrets/root.key");
    let key = key.to_str().unwrap();
    assert_eq!(code(&["key", "new", key]), Some(0));
    assert_eq!(code(&["key", "new", key]), Some(6), "a key is never replaced");
}

#[test]
fn data_goes_to_stdout_and_talk_to_stderr() {
    let folder = tempfile::tempdir().unwrap();
    let output = concord(&["check", folder.path().to_str().unwrap(), "--output", "json"]);
    let problems: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let first = &problems[0];
    assert_eq!(first["severity"], "error");
    assert!(first["what"].as_str().unwrap().contains("concord.yaml"), "{first}");
    let talk = String::from_utf8(output.stderr).unwrap();
    assert!(talk.contains("cannot be used"), "{talk}");
    let script = concord(&["completions", "bash"]);
    assert!(String::from_utf8(script.stdout).unwrap().contains("_concord()"));
}
