//! The demo's proof, as a newcomer would see it, scaled down: real sockets, real store, three sandboxes, all acts.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::let_underscore_must_use,
    reason = "a test may end where it stands"
)]

use std::process::Command;

use serde_json::Value;

#[test]
fn the_demo_proves_what_it_promises() {
    let output = Command::new(env!("CARGO_BIN_EXE_concord"))
        .args(["demo", "--for", "12s", "--seed", "5", "--output", "json"])
        .output()
        .unwrap();
    let (out, talk) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_str(out.lines().last().unwrap_or_default())
        .unwrap_or_else(|error| panic!("the last line is no JSON ({error}):\n{out}\n{talk}"));
    for (name, expected) in
        [("lost", 0), ("duplicate_effects", 0), ("out_of_order", 0), ("ownership_violations", 0)]
    {
        assert_eq!(report[name], expected, "{name}: {report:#}\n{talk}");
    }
    assert!(report["produced"].as_u64().unwrap() > 50, "{report:#}");
    assert!(report["latency_ms"]["p50"].as_f64().unwrap() > 0.0, "{report:#}");
    for (what, count) in report["happened"].as_object().unwrap() {
        assert!(count.as_u64().unwrap() > 0, "{what} never happened: {report:#}");
    }
    assert_eq!(output.status.code(), Some(0), "{talk}");
}
