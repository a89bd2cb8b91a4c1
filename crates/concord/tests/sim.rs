//! `concord sim`, about a minute of it: estates through faults hold, and the report says all that it promises.

use std::process::Command;

use serde_json::Value;

/// Seeds of a quarter of an hour: about a minute on two cores, without optimisation.
const SEEDS: u64 = 5;

#[test]
fn a_minute_of_simulation_holds() {
    let seeds = SEEDS.to_string();
    let given =
        ["sim", "--no-bugs", "--seeds", &seeds, "--from", "101", "--hours", "0.25", "--output", "json"];
    let output = Command::new(env!("CARGO_BIN_EXE_concord")).args(given).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(output.status.success(), "{report:#}\n{told}");
    assert_eq!((&report["seeds"], &report["violations"]), (&SEEDS.into(), &0.into()), "{report:#}");
    let figure = |name: &str| report[name].as_f64().unwrap_or_else(|| panic!("no {name}: {report:#}"));
    assert!(figure("simulated_hours") >= 0.25 * SEEDS as f64, "{report:#}");
    assert!(figure("simulated_hours_per_cpu_second") > 0.0 && figure("steps_per_cpu_second") > 0.0);
    assert!(figure("accepted_per_hour") >= 1_000.0 && figure("faults_per_hour") >= 20.0, "{report:#}");
    let faults = report["faults"].as_object().unwrap();
    assert!(faults.len() > 10 && faults.values().all(|count| count.as_u64() > Some(0)), "{faults:?}");
    assert!(report["planted"].is_object(), "{report:#}");
}
