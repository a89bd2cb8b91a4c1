//! `cargo xtask bench backlog`: what a million waiting deliveries cost: claims and settlements beside those with a
//! thousand, and the memory and start of a hub that has them, with their target down.

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

/// How to run the backlog benchmark.
#[derive(Args)]
pub(crate) struct Backlog {
    /// Deliveries that wait.
    #[arg(long, default_value_t = 1_000_000)]
    pending: u64,
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
    claim_us_with_1000: f64,
    claim_us: f64,
    claim_ratio: f64,
    settle_us_with_1000: f64,
    settle_us: f64,
    ready_s: f64,
    memory_mb: f64,
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
    let output = Command::new("cargo")
        .args(["run", "--release", "--quiet", "-p", "embedded", "--example", "backlog", "--"])
        .arg(options.pending.to_string())
        .arg(folder.path().join("data"))
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "the example `backlog` of the store failed");
    let store: Value = serde_json::from_slice(&output.stdout).context("what the example says")?;
    let figure = |name: &str| store.get(name).and_then(Value::as_f64).with_context(|| format!("no {name}"));

    tell("starting a hub on it");
    let started = wall_us();
    let mut command = Command::new(binary);
    command.arg("--quiet").arg("up").arg(folder.path()).stdout(Stdio::null());
    let hub = Part::of(ingress, &mut command)?;
    while get(ingress, "/readyz", &[]).is_err() {
        ensure!(wall_us() - started < 60_000_000, "the hub is not ready after a minute");
        std::thread::sleep(Duration::from_millis(10));
    }
    let ready_s = (wall_us() - started) as f64 / 1e6;
    std::thread::sleep(SETTLED);
    let memory_mb = hub.pss_mb()?;
    let pending_in_the_hub = pending(folder.path(), operator)?;
    drop(hub);

    let claim_ratio = figure("claim_ratio")?;
    // What the target's refusals have moved since is a few retries.
    let all = pending_in_the_hub >= options.pending;
    let report = Report {
        pending: options.pending,
        pending_in_the_hub,
        claim_us_with_1000: figure("claim_us_with_1000")?,
        claim_us: figure("claim_us")?,
        claim_ratio,
        settle_us_with_1000: figure("settle_us_with_1000")?,
        settle_us: figure("settle_us")?,
        ready_s,
        memory_mb,
        holds: all && claim_ratio <= CLAIM_RATIO_MAX && memory_mb <= MEMORY_MB_MAX && ready_s <= READY_S_MAX,
    };
    show(&report, &options.output)?;
    Ok(if report.holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
