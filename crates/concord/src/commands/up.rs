//! `concord up`: a configuration folder, or a hub's folder with one per tenant, run until it is asked to end.

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
use crate::folders::{self, Folder, Loaded, Tenants};
use crate::output::Output;
use crate::place::{Place, Run};
use crate::settings::Settings;
use crate::wiring::{self, Asked, Hub, Plan, Several, Unusable, start_several};

/// How long threads that are at work when the process ends may take to come to an end.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Runs a folder.
pub(crate) fn run(given: &Up, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    let dir = given.folder.as_ref().unwrap_or(&settings.dir);
    let crash = match given.crash_at.clone().or_else(|| environment::variable(environment::CRASH_AT)) {
        None => None,
        Some(text) => Some(text.parse::<CrashAt>().map_err(|why| Exit::Usage.because(why))?),
    };
    telemetry::logs::init(settings.log_format(), &settings.log_filter())
        .map_err(|error| Exit::Usage.because(error.to_string()))?;
    let what = match folders::look(dir)? {
        Folder::Tenant => {
            folders::alone(dir)?;
            What::One(Box::new(load(dir, output)?))
        }
        Folder::Hub(names) => What::Several(load_several(dir, &names, output)?),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let voice = Voice { output, lines: settings.log_format() == LogFormat::Json };
    let exit = runtime.block_on(until_asked(dir, what, crash, given.drain, &voice));
    // Whoever is asked to end at once does not wait for what runs on: the next start takes it up.
    runtime.shutdown_timeout(AT_ONCE);
    exit
}

/// What is run.
enum What {
    One(Box<Configuration>),
    Several(Vec<Loaded>),
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

    /// A tenant is not started, and the others are.
    fn left_out(&self, tenant: &str, why: &anyhow::Error) {
        if let Some(Unusable { problems, .. }) = why.downcast_ref() {
            check::tell(problems, self.output);
        }
        if self.lines {
            let detail = format!("{why:#}");
            return tracing::error!(target: "concord", class = "left_out", tenant, detail, "the tenant is not started");
        }
        self.output.warn(&format!("the tenant {tenant} is not started: {why:#}; the others are"));
    }

    /// A tenant runs, and its folder does not say where.
    fn not_announced(&self, tenant: &Tenant, run: &Run, why: &anyhow::Error) {
        let operator = run.operator;
        if self.lines {
            let detail = format!("{why:#}");
            return tracing::error!(
                target: "concord", class = "not_announced", %tenant, %operator, detail,
                "the tenant is up, but its folder does not say where"
            );
        }
        self.output.warn(&format!(
            "the tenant {tenant} is up, but its folder does not say where: {why:#}; until that is mended and the hub \
             started again, operate it with `--url http://{operator}` and its token in CONCORD_TOKEN"
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

/// Checks the folders of a hub's tenants; shows what is wrong. A tenant whose own folder cannot be used is left out;
/// folders that do not fit each other keep all of them from starting.
fn load_several(dir: &Path, names: &[String], output: &Output) -> anyhow::Result<Vec<Loaded>> {
    let Tenants { loaded, unusable, problems, clashes } = folders::load(dir, names);
    check::tell(&problems, output);
    check::tell(&clashes, output);
    if !clashes.is_empty() || loaded.is_empty() {
        return Err(Exit::Failed.because(format!("{} cannot be used: see above", dir.display())));
    }
    for name in unusable {
        output.warn(&format!(
            "the tenant {name} is not started: its folder cannot be used, see above; the others are"
        ));
    }
    Ok(loaded)
}

/// Starts a hub of one tenant; shows what is wrong with its secrets.
pub(crate) async fn start(plan: Plan<'_>, output: &Output) -> anyhow::Result<Hub> {
    wiring::start(plan).await.inspect_err(|error| tell_unusable(error, output))
}

fn tell_unusable(error: &anyhow::Error, output: &Output) {
    if let Some(Unusable { problems, .. }) = error.downcast_ref() {
        check::tell(problems, output);
    }
}

/// Starts, and says where. Gives the places where it said so.
async fn begin(
    dir: &Path,
    what: What,
    crash: Option<CrashAt>,
    voice: &Voice<'_>,
) -> anyhow::Result<(Hub, Vec<Place>)> {
    let several = matches!(what, What::Several(_));
    let (hub, dirs) = match what {
        What::One(configuration) => {
            let token = Place::of(dir).prepare(key::random()?)?;
            let plan = Plan { dir, configuration: *configuration, token, crash };
            (start(plan, voice.output).await?, vec![dir.to_owned()])
        }
        What::Several(loaded) => {
            let token = Place::of(dir).prepare(key::random()?)?;
            let (mut tenants, mut idle) = (Vec::new(), Vec::new());
            for one in loaded {
                match Place::of(&one.dir).prepare(key::random()?) {
                    Ok(token) => tenants.push((one, token)),
                    Err(why) => {
                        voice.left_out(&one.name, &why);
                        idle.push(one);
                    }
                }
            }
            let several = Several { tenants, idle, token, crash };
            let hub = start_several(several, |name, why| voice.left_out(name, &why)).await;
            let hub = hub.inspect_err(|error| tell_unusable(error, voice.output))?;
            let dirs = hub.tenants().iter().map(|one| folders::of_tenant(dir, one.tenant().as_str()));
            let dirs = dirs.collect();
            (hub, dirs)
        }
    };
    let (pid, version) = (std::process::id(), env!("CARGO_PKG_VERSION").to_owned());
    let run = Run { pid, version, ingress: hub.ingress, operator: hub.operator };
    let mut places = Vec::new();
    for (running, dir) in hub.tenants().iter().zip(&dirs) {
        let place = Place::of(dir);
        match place.announce(&run) {
            Ok(()) => voice.up(running.tenant(), &run, dir),
            // It is at work, and so are the others: only whoever looks in its folder does not find it.
            Err(why) if several => voice.not_announced(running.tenant(), &run, &why),
            Err(why) => return Err(why),
        }
        places.push(place);
    }
    Ok((hub, places))
}

async fn until_asked(
    dir: &Path,
    what: What,
    crash: Option<CrashAt>,
    drain: Duration,
    voice: &Voice<'_>,
) -> anyhow::Result<Exit> {
    let mut asked = Asked::listen()?;
    let (hub, places) = tokio::select! {
        begun = begin(dir, what, crash, voice) => begun?,
        () = asked.comes() => {
            voice.say("ended", "ended before it was up, as asked");
            return Ok(Exit::Done);
        }
    };
    let exit = tokio::select! {
        () = asked.comes() => {
            voice.say("draining", "nothing new is taken, what is under way is finished; once more ends at once");
            tokio::select! {
                late = hub.stop(drain) => {
                    if let Some(late) = late {
                        voice.output.warn(&late);
                    }
                    Ok(Exit::Done)
                }
                () = asked.comes() => {
                    Err(anyhow::anyhow!("ended at once, as asked: what was open is taken up at the next start"))
                }
            }
        }
        ended = hub.ended() => match ended {
            Ended::Drained => Ok(Exit::Done),
            Ended::Stopped(why) => Err(anyhow::anyhow!(why)),
        },
    };
    places.iter().for_each(|place| place.withdraw(std::process::id()));
    exit
}
