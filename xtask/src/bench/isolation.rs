//! `cargo xtask bench isolation`: three healthy targets beside two that may be ill, at a fixed rate. Each illness is
//! measured against a control in which all five are well, in the same run; a second control at the end says how much
//! the machine itself moved.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

use super::drive::{Load, Target};
use super::hub::{self, Further};
use super::process::{self, Part};
use super::{Percentiles, show, tell};

/// The bounds that healthy targets must keep (the ratio to the control; the share of throughput).
const RATIO_MAX: f64 = 1.5;
const KEPT_MIN: f64 = 0.9;

/// How to run the isolation benchmark.
#[derive(Args)]
pub(crate) struct Isolation {
    /// Messages a second; each goes to five targets.
    #[arg(long, default_value_t = 60)]
    rate: u64,
    /// Seconds of load per illness.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// The `concord` to measure; without, this tree's is built and measured.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// `table` or `json`.
    #[arg(long, default_value = "table")]
    output: String,
}

/// What the healthy ones saw beside one case.
#[derive(Serialize, Debug)]
struct Beside {
    case: &'static str,
    latency_ms: Percentiles,
    p50_ratio: f64,
    p99_ratio: f64,
    throughput_kept: f64,
}

#[derive(Serialize, Debug)]
struct Report {
    rate_per_s: u64,
    control: Percentiles,
    control_again_p50_ratio: f64,
    control_again_p99_ratio: f64,
    worst_p50_ratio: f64,
    worst_p99_ratio: f64,
    least_throughput_kept: f64,
    holds: bool,
    beside: Vec<Beside>,
}

/// A case: its name, and the illnesses of the two further targets.
const CASES: [(&str, [&str; 2]); 7] = [
    ("a write hangs", ["hang", "none"]),
    ("the TLS handshake hangs", ["tls", "none"]),
    ("the token refresh hangs", ["token", "none"]),
    ("the answer drips", ["drip", "none"]),
    ("all writes are throttled", ["throttle", "none"]),
    ("all writes fail", ["fail", "none"]),
    ("two hang", ["hang", "drip"]),
];

/// Runs it.
pub(crate) fn run(options: &Isolation, root: &Path) -> Result<ExitCode> {
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => process::build(root)?,
    };
    tell("control: all are well");
    let (control, throughput) = case(options, &binary, ["none", "none"])?;
    let mut beside = Vec::new();
    for (name, illnesses) in CASES {
        tell(name);
        let (latency, delivered) = case(options, &binary, illnesses)?;
        beside.push(Beside {
            case: name,
            latency_ms: latency,
            p50_ratio: latency.p50 / control.p50,
            p99_ratio: latency.p99 / control.p99,
            throughput_kept: delivered / throughput,
        });
    }
    tell("control again");
    let (again, _) = case(options, &binary, ["none", "none"])?;
    let worst = |of: fn(&Beside) -> f64| beside.iter().map(of).fold(0.0, f64::max);
    let least = beside.iter().map(|one| one.throughput_kept).fold(f64::INFINITY, f64::min);
    let (p50, p99) = (worst(|one| one.p50_ratio), worst(|one| one.p99_ratio));
    let report = Report {
        rate_per_s: options.rate,
        control,
        control_again_p50_ratio: again.p50 / control.p50,
        control_again_p99_ratio: again.p99 / control.p99,
        worst_p50_ratio: p50,
        worst_p99_ratio: p99,
        least_throughput_kept: least,
        holds: p50 <= RATIO_MAX && p99 <= RATIO_MAX && least >= KEPT_MIN,
        beside,
    };
    show(&report, &options.output)?;
    Ok(if report.holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One case: the healthy ones' latency from the moment due, and what they got a second.
fn case(options: &Isolation, binary: &Path, illnesses: [&str; 2]) -> Result<(Percentiles, f64)> {
    let sink = Part::sink()?;
    let parts = illnesses.map(|illness| (illness, Part::sick(illness)));
    let mut further = Vec::new();
    let mut kept = Vec::new();
    for (lane, (illness, part)) in ["d", "e"].into_iter().zip(parts) {
        let part = part?;
        let scheme = if illness == "tls" { "https" } else { "http" };
        further.push(Further { lane, scheme, port: part.port, token: illness == "token" });
        kept.push(part);
    }
    let hub = hub::start(binary, sink.port, &further)?;
    let load = |seconds| Load {
        url_port: hub.part.port,
        target: Target::Hub,
        clients: 16,
        seconds,
        rate: Some(options.rate),
        keys: 0,
    };
    // What starting costs is nobody's latency, and an ill one is known to be ill by then.
    process::measure(&load(2), &sink, &hub.part)?;
    sink.reset()?;
    let run = process::measure(&load(options.seconds), &sink, &hub.part)?;
    ensure!(run.missing == 0, "the healthy targets did not get everything: {run:?}");
    Ok((run.latency, run.delivered_per_s))
}
