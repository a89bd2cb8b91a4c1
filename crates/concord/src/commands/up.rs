//! `concord up`: a configuration folder, run until it is asked to end.

use std::path::Path;
use std::time::Duration;

use canonical::Tenant;
use config::{Checked, Configuration};
use runtime::Ended;
use telemetry::logs::LogFormat;

use crate::arguments::Up;
use crate::commands::{check, key};
use crate::crash::CrashAt;
use crate::environment;
use crate::exit::Exit;
use crate::output::Output;
use crate::place::{Place, Run};
use crate::settings::Settings;
use crate::wiring::{self, Hub, Plan, Unresolved};

/// Runs a folder.
pub(crate) fn run(given: &Up, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    let dir = given.folder.as_ref().unwrap_or(&settings.dir);
    let crash = match given.crash_at.clone().or_else(|| environment::variable(environment::CRASH_AT)) {
        None => None,
        Some(text) => Some(text.parse::<CrashAt>().map_err(|why| Exit::Usage.because(why))?),
    };
    telemetry::logs::init(settings.log_format(), &settings.log_filter())
        .map_err(|error| Exit::Usage.because(error.to_string()))?;
    let configuration = load(dir, output)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let voice = Voice { output, lines: settings.log_format() == LogFormat::Json };
    runtime.block_on(until_asked(dir, configuration, crash, given.drain, &voice))
}

/// Talk of a process that also writes log lines: where those are for machines, it is one of them.
struct Voice<'o> {
    output: &'o Output,
    lines: bool,
}

impl Voice<'_> {
    fn up(&self, tenant: &Tenant, run: &Run, dir: &Path) {
        let Run { ingress, operator, .. } = run;
        if self.lines {
            // In text, addresses would be redacted; as fields they are what they are.
            return tracing::info!(target: "concord", class = "up", %tenant, %ingress, %operator, "the hub is up");
        }
        self.output.say(&format!(
            "tenant {tenant} is up: sources to http://{ingress}, operators to http://{operator} (`concord --dir {} \
             system list`); Ctrl-C drains and ends",
            dir.display()
        ));
    }

    fn say(&self, class: &str, text: &str) {
        if self.lines {
            tracing::info!(target: "concord", class, "{text}");
        } else {
            self.output.say(text);
        }
    }
}

/// Checks the folder; shows what is wrong.
pub(crate) fn load(dir: &Path, output: &Output) -> anyhow::Result<Configuration> {
    match config::load_folder(dir) {
        Ok(Checked { configuration, warnings }) => {
            check::tell(&warnings, output);
            Ok(configuration)
        }
        Err(problems) => {
            check::tell(&problems, output);
            Err(Exit::Failed.because(format!("{} cannot be used: see above", dir.display())))
        }
    }
}

/// Starts a hub; shows what is wrong with its secrets.
pub(crate) async fn start(plan: Plan<'_>, output: &Output) -> anyhow::Result<Hub> {
    wiring::start(plan).await.inspect_err(|error| {
        if let Some(Unresolved(problems)) = error.downcast_ref() {
            check::tell(problems, output);
        }
    })
}

async fn until_asked(
    dir: &Path,
    configuration: Configuration,
    crash: Option<CrashAt>,
    drain: Duration,
    voice: &Voice<'_>,
) -> anyhow::Result<Exit> {
    let place = Place::of(dir);
    let token = place.prepare(key::random()?)?;
    let tenant = configuration.tenant.clone();
    let hub = start(Plan { dir, configuration, token, crash }, voice.output).await?;
    let pid = std::process::id();
    let run = Run {
        pid,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ingress: hub.ingress,
        operator: hub.operator,
    };
    place.announce(&run)?;
    voice.up(&tenant, &run, dir);
    let exit = tokio::select! {
        asked = wiring::asked_to_end() => {
            asked?;
            voice.say("draining", "nothing new is taken, what is under way is finished; once more ends at once");
            tokio::select! {
                late = hub.stop(drain) => {
                    if let Some(late) = late {
                        voice.output.warn(&late);
                    }
                    Ok(Exit::Done)
                }
                again = wiring::asked_to_end() => {
                    again?;
                    Err(anyhow::anyhow!("ended at once, as asked: what was open is taken up at the next start"))
                }
            }
        }
        ended = hub.ended() => match ended {
            Ended::Drained => Ok(Exit::Done),
            Ended::Stopped(why) => Err(anyhow::anyhow!(why)),
        },
    };
    place.withdraw(pid);
    exit
}
