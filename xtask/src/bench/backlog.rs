//! `cargo xtask bench backlog`: what waiting deliveries cost, up to a million or ten: claims and settlements beside
//! those with a thousand; memory and start of a hub that has them, with their target down; and how long others take to
//! be worked off once it is up again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::hub::{ask, lay};
use super::process::{self, Part, free_port, get, wall_us};
use super::{show, tell};

/// The bounds.
const CLAIM_RATIO_MAX: f64 = 1.2;
const MEMORY_MB_MAX: f64 = 250.0;
const READY_S_MAX: f64 = 2.0;
/// How long the hub runs before its memory is read.
const SETTLED: Duration = Duration::from_secs(8);

/// The smallest backlog: what others are compared with.
const FEW: u64 = 1_000;

/// How to run the backlog benchmark.
#[derive(Args)]
pub(crate) struct Backlog {
    /// Deliveries that wait in the end: a power of ten. Ten million take about 10 GB of disk.
    #[arg(long, default_value_t = 1_000_000)]
    pending: u64,
    /// Backlogs that are worked off by a hub whose target is up again; none with 0
    #[arg(long, value_delimiter = ',', default_value = "1000,10000,100000")]
    recover: Vec<u64>,
    /// The `concord` to measure; without, this tree's is built and measured.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// `table` or `json`.
    #[arg(long, default_value = "table")]
    output: String,
}

#[derive(Serialize, Debug)]
struct Report {
    pending: u64,
    pending_in_the_hub: u64,
    claim_us: BTreeMap<u64, f64>,
    claim_ratio_to_1000: BTreeMap<u64, f64>,
    settle_us: BTreeMap<u64, f64>,
    settle_ratio_to_1000: BTreeMap<u64, f64>,
    ready_s: f64,
    memory_mb: f64,
    recovered_s: BTreeMap<u64, f64>,
    recovered_cpu_us_each: BTreeMap<u64, f64>,
    recovered_peak_mb: BTreeMap<u64, f64>,
    holds: bool,
}

pub(crate) fn run(options: &Backlog, root: &Path) -> Result<ExitCode> {
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => process::build(root)?,
    };
    let folder = tempfile::tempdir_in(root.join("target"))?;
    let (ingress, operator) = (free_port()?, free_port()?);
    lay(folder.path(), files(ingress, operator, free_port()?))?;
    tell("filling the store, and claiming from it");
    let mut sizes: Vec<u64> = (0..12).map(|power| FEW * 10_u64.pow(power)).collect();
    sizes.retain(|size| *size < options.pending);
    sizes.push(options.pending);
    let store = fill(&sizes, folder.path(), None, root)?;
    let figures = |name: &str| -> Result<BTreeMap<u64, f64>> {
        let rows = store.get("sizes").and_then(Value::as_array).context("no sizes")?;
        let read = |row: &Value| Some((row.get("pending")?.as_u64()?, row.get(name)?.as_f64()?));
        Ok(rows.iter().filter_map(read).collect())
    };
    let (claim_us, settle_us) = (figures("claim_us")?, figures("settle_us")?);

    tell("starting a hub on it, with its target down");
    let started = wall_us();
    let hub = start(&binary, folder.path(), ingress)?;
    let ready_s = (wall_us() - started) as f64 / 1e6;
    std::thread::sleep(SETTLED);
    let memory_mb = hub.pss_mb()?;
    let pending_in_the_hub = pending(folder.path(), operator)?;
    drop((hub, folder));

    let (mut recovered_s, mut recovered_cpu_us_each, mut recovered_peak_mb) =
        (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for size in options.recover.iter().copied().filter(|size| *size > 0) {
        tell(&format!("working {size} off"));
        let recovered = recover(&binary, size, root)?;
        recovered_s.insert(size, recovered.seconds);
        recovered_cpu_us_each.insert(size, recovered.cpu_us / size as f64);
        recovered_peak_mb.insert(size, recovered.peak_mb);
    }

    let claim_ratio_to_1000 = ratios(&claim_us);
    let claim_ratio = claim_ratio_to_1000.values().copied().fold(0.0, f64::max);
    // What the target's refusals have moved since is a few retries; counts stop at a million.
    let all = pending_in_the_hub >= options.pending.min(1_000_000);
    let report = Report {
        pending: options.pending,
        pending_in_the_hub,
        settle_ratio_to_1000: ratios(&settle_us),
        claim_us,
        claim_ratio_to_1000,
        settle_us,
        ready_s,
        memory_mb,
        recovered_s,
        recovered_cpu_us_each,
        recovered_peak_mb,
        holds: all && claim_ratio <= CLAIM_RATIO_MAX && memory_mb <= MEMORY_MB_MAX && ready_s <= READY_S_MAX,
    };
    show(&report, &options.output)?;
    Ok(if report.holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Each figure beside that of the smallest.
fn ratios(figures: &BTreeMap<u64, f64>) -> BTreeMap<u64, f64> {
    let few = figures.values().next().copied().unwrap_or(f64::NAN);
    figures.iter().map(|(size, figure)| (*size, (figure / few * 1000.0).round() / 1000.0)).collect()
}

/// Fills the store of a folder, up to the last of these sizes, and claims from it at each; so many rounds.
fn fill(sizes: &[u64], folder: &Path, rounds: Option<u32>, root: &Path) -> Result<Value> {
    let sizes: Vec<String> = sizes.iter().map(ToString::to_string).collect();
    let mut command = Command::new("cargo");
    command.args(["run", "--release", "--quiet", "-p", "embedded", "--example", "backlog", "--"]);
    command.arg(sizes.join(",")).arg(folder.join("data"));
    command.args(rounds.map(|rounds| rounds.to_string()));
    let output = command.current_dir(root).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "the example `backlog` of the store failed");
    serde_json::from_slice(&output.stdout).context("what the example says")
}

/// Starts a hub, and waits until it is ready.
fn start(binary: &Path, folder: &Path, ingress: u16) -> Result<Part> {
    let started = wall_us();
    let mut command = Command::new(binary);
    command.arg("--quiet").arg("up").arg(folder).stdout(Stdio::null());
    let hub = Part::of(ingress, &mut command)?;
    while get(ingress, "/readyz", &[]).is_err() {
        ensure!(wall_us() - started < 60_000_000, "the hub is not ready after a minute");
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(hub)
}

/// How a backlog was worked off.
struct Recovered {
    seconds: f64,
    cpu_us: f64,
    peak_mb: f64,
}

fn recover(binary: &Path, size: u64, root: &Path) -> Result<Recovered> {
    let folder = tempfile::tempdir_in(root.join("target"))?;
    let (ingress, operator, sink) = (free_port()?, free_port()?, Part::sink()?);
    lay(folder.path(), files(ingress, operator, sink.port))?;
    fill(&[size], folder.path(), Some(0), root)?;
    let hub = start(binary, folder.path(), ingress)?;
    let (since, cpu_before, mut peak_mb) = (wall_us(), process::cpu_us(hub.pid())?, 0.0_f64);
    // The lane that its objects go to.
    while sink.counts()?.requests[2] < size {
        ensure!(wall_us() - since < 1_800_000_000, "{size} are not worked off after half an hour");
        std::thread::sleep(Duration::from_millis(50));
        peak_mb = peak_mb.max(hub.pss_mb()?);
    }
    let seconds = (wall_us() - since) as f64 / 1e6;
    Ok(Recovered { seconds, cpu_us: (process::cpu_us(hub.pid())? - cpu_before) as f64, peak_mb })
}

/// How many deliveries the hub says are open.
fn pending(folder: &Path, operator: u16) -> Result<u64> {
    let systems = ask(folder, operator, "/api/v1/systems")?;
    let systems: Value = serde_json::from_str(&systems).context("what the hub says of its systems")?;
    let open = systems.get("items").and_then(Value::as_array).into_iter().flatten();
    Ok(open.filter_map(|system| system.get("open").and_then(Value::as_u64)).sum())
}

/// The configuration that goes with the rows of the store's example: its tenant, route and system, whose port nobody
/// listens on.
fn files(ingress: u16, operator: u16, nobody: u16) -> Vec<(&'static str, String)> {
    let main = format!(
        "tenant: acme
public_url: http://127.0.0.1:{ingress}
store: {{folder: ./data, root_key: {{file: ./root.key}}}}
listeners: {{ingress: \"127.0.0.1:{ingress}\", operator: \"127.0.0.1:{operator}\"}}
"
    );
    let model = "entity: Contact
version: 2
schema: {type: object, properties: {name: {type: string}, email: {type: string}}}
fields: {name: {owner: crm}, email: {owner: crm}}
creators: [crm]
";
    let system = format!(
        "system: erp
connector: http
connection: {{base_url: \"http://127.0.0.1:{nobody}\", allow: [\"127.0.0.1:{nobody}\"]}}
"
    );
    let source = "system: crm
connector: webhook
connection: {base_url: \"https://crm.example.com\"}
webhook: {secrets: [{file: ./root.key}]}
";
    let incoming = "mapping: contact.crm
version: 1
entity: Contact
system: crm
object: contacts
fields:
  - {field: name, path: name, direction: in}
  - {field: email, path: email, direction: in}
";
    let mapping = "mapping: contact.erp
version: 1
entity: Contact
system: erp
object: customer
fields:
  - {field: name, path: name, direction: out}
";
    let routes = "routes:
  - {route: r, kind: sync, entity: Contact, system: erp, object: customer, mapping: contact.erp}
";
    vec![
        ("concord.yaml", main),
        ("root.key", format!("07{}\n", "03".repeat(31))),
        ("model/contact.yaml", model.to_owned()),
        ("systems/crm.yaml", source.to_owned()),
        ("mappings/contact.crm.yaml", incoming.to_owned()),
        ("systems/erp.yaml", system),
        ("mappings/contact.erp.yaml", mapping.to_owned()),
        ("routes/all.yaml", routes.to_owned()),
    ]
}
