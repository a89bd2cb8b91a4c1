//! `cargo xtask bench fanout`: durable fan-out of 1 KB events to three targets, between two runs of a bare fan-out with
//! the same HTTP stack and no store. Ratios and CPU per message are the figures; throughput alone moves with
//! the machine.

mod backlog;
mod bare;
mod drive;
mod hub;
mod isolation;
mod process;
mod sick;
mod sink;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use drive::{Load, Run};
use process::Part;

/// Above this the machine is too busy for the run to mean anything.
const BARE_CPU_US_MAX: f64 = 75.0;

/// Benchmarks.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// Durable fan-out to three targets, against the bare fan-out.
    Fanout(Fanout),
    /// Healthy targets beside one or two that hang, against the same with all healthy.
    Isolation(isolation::Isolation),
    /// A million waiting deliveries: claims beside those with a thousand, memory, start.
    Backlog(backlog::Backlog),
    /// An account of 25 fields read, beside the same by hand.
    Mapping {
        /// `table` or `json`.
        #[arg(long, default_value = "table")]
        output: String,
    },
    /// A part of a benchmark, as a process of its own.
    #[command(hide = true)]
    Part {
        /// Which.
        #[command(subcommand)]
        part: PartKind,
    },
}

/// How to run the fan-out benchmark.
#[derive(Args)]
pub(crate) struct Fanout {
    /// Seconds of load per run.
    #[arg(long, default_value_t = 6)]
    seconds: u64,
    /// Connections of the closed loop.
    #[arg(long, default_value_t = 48)]
    clients: usize,
    /// The `concord` to measure; without, this tree's is built and measured.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// `table` or `json`.
    #[arg(long, default_value = "table")]
    output: String,
}

/// Which part.
#[derive(Subcommand)]
pub(crate) enum PartKind {
    /// Three counting targets on one port.
    Sink { port: u16 },
    /// A target that is ill in a named way.
    Sick { port: u16, illness: sick::Illness },
    /// The bare fan-out.
    Bare { port: u16, sink: u16 },
    /// The load.
    Drive {
        /// A serialised [`Load`].
        load: String,
    },
}

/// What is printed.
#[derive(Serialize, Debug)]
struct Report {
    ratio: f64,
    delivered_per_s: f64,
    bare_per_s: f64,
    cpu_us_per_message: f64,
    bare_cpu_us_per_message: f64,
    cpu_to_bare: f64,
    bare_spread: f64,
    sink_cpu_us_per_message: f64,
    driver_cpu_us_per_message: f64,
    hot_delivered_per_s: f64,
    hot_accepted_per_s: f64,
    syncs: u64,
    messages_per_sync: f64,
    latency_ms_at_200_per_s: Percentiles,
    accept_ms_at_200_per_s: Percentiles,
    cpu_us_per_message_at_200_per_s: f64,
    memory_idle_mb: f64,
    memory_loaded_mb: f64,
    void: Option<String>,
}

/// Milliseconds.
#[derive(Serialize, Debug, Clone, Copy, Default)]
pub(crate) struct Percentiles {
    p50: f64,
    p95: f64,
    p99: f64,
}

/// Runs a benchmark.
pub(crate) fn run(bench: Bench, root: &Path) -> Result<ExitCode> {
    match bench {
        Bench::Part { part } => {
            match part {
                PartKind::Sink { port } => sink::run(port)?,
                PartKind::Sick { port, illness } => sick::run(port, illness)?,
                PartKind::Bare { port, sink } => bare::run(port, sink)?,
                PartKind::Drive { load } => drive::run(&serde_json::from_str(&load)?)?,
            }
            Ok(ExitCode::SUCCESS)
        }
        Bench::Fanout(options) => fanout(&options, root),
        Bench::Isolation(options) => isolation::run(&options, root),
        Bench::Backlog(options) => backlog::run(&options, root),
        Bench::Mapping { output } => {
            let mut cargo = std::process::Command::new("cargo");
            cargo
                .args(["run", "--release", "--quiet", "-p", "mapping", "--example", "cost", "--", &output])
                .current_dir(root);
            Ok(if cargo.status()?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

fn fanout(options: &Fanout, root: &Path) -> Result<ExitCode> {
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => process::build(root)?,
    };
    let load = |port, target, rate, keys| Load {
        url_port: port,
        target,
        clients: options.clients,
        seconds: options.seconds,
        rate,
        keys,
    };

    let bare = || -> Result<Run> {
        tell("bare fan-out, saturated");
        let sink = Part::sink()?;
        let bare = Part::bare(sink.port)?;
        process::measure(&load(bare.port, drive::Target::Bare, None, 0), &sink, &bare)
    };
    let before = bare()?;
    tell("durable fan-out, distinct records, saturated");
    let sink = Part::sink()?;
    let hub = hub::start(&binary, sink.port, &[])?;
    let memory_idle_mb = hub.part.pss_mb()?;
    let syncs_before = hub.syncs()?;
    let durable = process::measure(&load(hub.part.port, drive::Target::Hub, None, 0), &sink, &hub.part)?;
    let syncs = hub.syncs()? - syncs_before;
    let memory_loaded_mb = hub.part.pss_mb()?;

    tell("durable fan-out, 64 hot records, saturated");
    sink.reset()?;
    let hot = process::measure(&load(hub.part.port, drive::Target::Hub, None, 64), &sink, &hub.part)?;

    tell("durable fan-out, 200 messages a second");
    sink.reset()?;
    let slow = process::measure(&load(hub.part.port, drive::Target::Hub, Some(200), 0), &sink, &hub.part)?;
    drop((hub, sink));
    // Once more: how much the two differ says how much the machine moved.
    let plain = [before, bare()?];

    let report = report(&plain, &durable, &hot, &slow, syncs, memory_idle_mb, memory_loaded_mb)?;
    show(&report, &options.output)?;
    Ok(if report.void.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn report(
    plain: &[Run; 2],
    durable: &Run,
    hot: &Run,
    slow: &Run,
    syncs: u64,
    memory_idle_mb: f64,
    memory_loaded_mb: f64,
) -> Result<Report> {
    let [one, other] = plain;
    ensure!(one.missing + other.missing + durable.missing == 0, "not everything arrived: {durable:?}");
    let bare_cpu = f64::midpoint(one.subject_cpu_us, other.subject_cpu_us);
    let bare_per_s = f64::midpoint(one.delivered_per_s, other.delivered_per_s);
    let spread = |one: f64, other: f64| one.max(other) / one.min(other);
    let void = (bare_cpu > BARE_CPU_US_MAX).then(|| {
        format!("the bare fan-out took {bare_cpu:.0} µs CPU a message, more than {BARE_CPU_US_MAX}: the machine is too busy")
    });
    Ok(Report {
        ratio: durable.delivered_per_s / bare_per_s,
        delivered_per_s: durable.delivered_per_s,
        bare_per_s,
        cpu_us_per_message: durable.subject_cpu_us,
        bare_cpu_us_per_message: bare_cpu,
        cpu_to_bare: durable.subject_cpu_us / bare_cpu,
        bare_spread: spread(one.delivered_per_s, other.delivered_per_s),
        sink_cpu_us_per_message: durable.sink_cpu_us,
        driver_cpu_us_per_message: durable.driver_cpu_us,
        hot_delivered_per_s: hot.delivered_per_s,
        hot_accepted_per_s: hot.accepted_per_s,
        syncs,
        messages_per_sync: durable.accepted as f64 / syncs.max(1) as f64,
        latency_ms_at_200_per_s: slow.latency,
        accept_ms_at_200_per_s: slow.accept,
        cpu_us_per_message_at_200_per_s: slow.subject_cpu_us,
        memory_idle_mb,
        memory_loaded_mb,
        void,
    })
}

fn show(report: &impl Serialize, output: &str) -> Result<()> {
    let value = serde_json::to_value(report).context("the report")?;
    if output == "json" {
        crate::say(&json!(value).to_string());
        return Ok(());
    }
    for (name, value) in value.as_object().into_iter().flatten() {
        crate::say(&format!("{name:34} {value}"));
    }
    Ok(())
}

/// Talk goes to stderr.
#[expect(clippy::print_stderr, reason = "a repository tool that says what it is doing")]
fn tell(what: &str) {
    eprintln!("bench: {what}");
}
