//! `concord demo`: the hub at work between three sandboxes, and the proof.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use runtime::clock::Clock;

use crate::arguments::{Demo, Form};
use crate::commands::{key, up};
use crate::demo::diary::Place;
use crate::demo::folder::{self, Addresses, Credentials};
use crate::demo::live::Live;
use crate::demo::play::Play;
use crate::demo::report::Report;
use crate::demo::stage::Stage;
use crate::environment;
use crate::exit::Exit;
use crate::output::Output;
use crate::place;
use crate::settings::Settings;
use crate::wiring::{Asked, Plan};

/// Longest wait for work under way at the end.
const DRAIN: Duration = Duration::from_secs(5);

/// Runs the demonstration.
pub(crate) fn run(given: &Demo, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    // The live view is on stderr, too: log lines are for who asks for them.
    if settings.verbose > 0 || environment::variable(environment::LOG).is_some() {
        telemetry::logs::init(settings.log_format(), &settings.log_filter())?;
    }
    let temporary = match &given.into {
        Some(_) => None,
        None => Some(
            tempfile::Builder::new()
                .prefix("concord-demo-")
                .tempdir()
                .context("no temporary folder can be made")?,
        ),
    };
    let dir: PathBuf = match (&given.into, &temporary) {
        (Some(dir), _) => dir.clone(),
        (None, Some(folder)) => folder.path().to_owned(),
        (None, None) => PathBuf::from("."),
    };
    if dir.join("concord.yaml").exists() {
        return Err(Exit::Conflict
            .because(format!("{} holds a configuration already: name a new folder", dir.display())));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(play(given, &dir, output))
}

async fn play(given: &Demo, dir: &Path, output: &Output) -> anyhow::Result<Exit> {
    let mut asked = Asked::listen()?;
    let credentials = Credentials::fresh()?;
    let mut stage = Stage::start(given.seed, &credentials).await?;
    let (ingress, operator) = free()?;
    let addresses = Addresses {
        ingress,
        operator,
        crm: stage.sandbox(Place::Crm)?.addr,
        erp: stage.sandbox(Place::Erp)?.addr,
        marketing: stage.sandbox(Place::Marketing)?.addr,
    };
    folder::write(dir, addresses, &credentials)?;
    let configuration = up::load(dir, output)?;
    let public_url = configuration.settings.public_url.clone();
    let place = place::Place::of(dir);
    let token = place.prepare(key::random()?)?;
    let hub = up::start(Plan { dir, configuration, token, crash: None }, output).await?;
    let pid = std::process::id();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    place.announce(&place::Run { pid, version, ingress: hub.ingress, operator: hub.operator })?;
    let clock = Clock::system();
    let now_ms = u64::try_from(clock.now().wall.micros() / 1_000).unwrap_or(0);
    stage.connect(&public_url, &credentials, now_ms)?;
    output.say(&format!(
        "seed {}: a CRM, an ERP and a marketing system, a hub between them, and {} people's edits per second for {} s",
        given.seed,
        given.rate,
        given.length.as_secs_f64()
    ));

    let telemetry = std::sync::Arc::clone(hub.handle().telemetry());
    let live = Live::new(output, environment::stderr_is_terminal());
    let acted = Play {
        stage: &mut stage,
        telemetry: &telemetry,
        clock,
        live,
        output,
        length: given.length,
        rate: given.rate,
        seed: given.seed,
    };
    let books = given.into.as_ref().map(|dir| dir.join("proof"));
    let report = tokio::select! {
        report = acted.run(books.as_deref()) => Some(report),
        () = asked.comes() => None,
        ended = hub.ended() => anyhow::bail!("the hub ended in the middle: {ended:?}"),
    };
    if let Some(report) = &report {
        tell(report, output)?;
        if given.keep {
            keep(dir, addresses, output);
            asked.comes().await;
        }
    }
    if let Some(late) = hub.stop(DRAIN).await {
        output.detail(&late);
    }
    place.withdraw(pid);
    stage.stop().await;
    match report {
        Some(report) if report.passed => Ok(Exit::Done),
        Some(_) => {
            Err(anyhow::anyhow!("the proof is broken: see the lines above; the seed is {}", given.seed))
        }
        None => Err(anyhow::anyhow!("ended before the proof, as asked")),
    }
}

fn tell(report: &Report, output: &Output) -> anyhow::Result<()> {
    if output.form() == Form::Table {
        output.data(&report.table(output));
    } else {
        // People who read along see the table; scripts take the last line.
        output.say(&report.table(output));
        output.data(&serde_json::to_string(report)?);
    }
    Ok(())
}

fn keep(dir: &Path, at: Addresses, output: &Output) {
    output.say(&format!(
        "\neverything still runs; in another terminal try\n  concord --dir {dir} system list\n  concord --dir {dir} event list \
         --kind PaymentOverdue\n  concord --dir {dir} dead-letter list\n  curl http://{crm}/_admin/books?history=0\n\
         Ctrl-C ends it",
        dir = dir.display(),
        crm = at.crm
    ));
}

/// Two addresses that are free now. They are below those that systems give out by themselves, so that nothing takes
/// them by chance before the hub does.
fn free() -> anyhow::Result<(SocketAddr, SocketAddr)> {
    let start = std::process::id() % 700 * 10;
    let ports = (24_000..31_000_u16).cycle().skip(start as usize).take(7_000);
    let mut free = ports.filter_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
    let (one, other) = free.next().zip(free.next()).context("no free port on loopback")?;
    Ok((one.local_addr()?, other.local_addr()?))
}
