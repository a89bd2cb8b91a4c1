//! `concord sim`: the hub on a virtual clock through hours of faults, judged by its invariants.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use planted::Bug;
use runtime::clock::Clock;
use serde_json::{Value, json};
use simulation::{Hunt, Mode, SOMETIMES_AFTER, SeedReport};

use crate::arguments::{Sim, SimMode};
use crate::exit::Exit;
use crate::output::{self, Output, Paint};

/// Seeds, where nothing is said; and as many as a time may take.
const SEEDS: u64 = 20;
const SEEDS_MAX: u64 = 1_000_000;
/// A simulated hour in which less happens proves little: messages taken in, and faults.
const ACCEPTED_MIN: f64 = 1_000.0;
const FAULTS_MIN: f64 = 20.0;

/// What a campaign came to.
#[derive(Default)]
struct Campaign {
    reports: Vec<SeedReport>,
    hunts: Vec<Hunt>,
    /// The first seed, run twice (I18).
    differs: Option<simulation::Violation>,
}

/// Runs a campaign.
pub(crate) fn run(given: &Sim, output: &Output) -> anyhow::Result<Exit> {
    if given.bug.is_some() && !planted::ARMED {
        return Err(Exit::Usage.because(
            "this build has no planted bugs: build it with `cargo build --release --features planted-bugs`",
        ));
    }
    let span = Duration::from_secs_f64(given.hours * 3600.0);
    let mode = match given.mode {
        SimMode::Safety => Mode::Safety,
        SimMode::Liveness => Mode::Liveness,
        SimMode::Restore => Mode::Restore,
        SimMode::Merging => Mode::Merging,
    };
    let clock = Clock::system();
    let bugs: Vec<Bug> = match given.bug {
        Some(bug) => vec![bug],
        None if planted::ARMED && !given.no_bugs => Bug::ALL.to_vec(),
        None => Vec::new(),
    };
    let limit = given.minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0));
    let seeds = match (given.bug, given.seeds) {
        (Some(_), _) => 0,
        (None, Some(seeds)) => seeds,
        (None, None) if limit.is_some() => SEEDS_MAX,
        (None, None) => SEEDS,
    };
    let more = || limit.is_none_or(|limit| clock.now().mono.since(canonical::Mono::default()) < limit);
    let mut campaign = work(given.from, seeds, mode, span, &[], &more, output);
    let cpu =
        cpu_seconds().unwrap_or_else(|| clock.now().mono.since(canonical::Mono::default()).as_secs_f64());
    if let Some(first) = campaign.reports.first() {
        campaign.differs = simulation::differs(first, mode, span);
    }
    campaign.hunts = work(given.from, 0, mode, span, &bugs, &|| true, output).hunts;
    let summary = summary(&campaign, cpu);
    output.one(&summary, |output| shown(&summary, output));
    tell(&campaign, mode, span, given.lines, output);
    for (key, what) in [("never_happened", "never happened"), ("too_thin", "too little happened")] {
        let names: Vec<&str> =
            summary[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !names.is_empty() {
            output.always(&format!("{}: {}", output.paint_talk(Paint::Bad, what), names.join(", ")));
        }
    }
    let holds = summary["holds"] == Value::Bool(true);
    Ok(if holds { Exit::Done } else { Exit::Failed })
}

/// Runs seeds and hunts, as many at once as there are processors, and begins them while there is to be more.
fn work(
    from: u64,
    seeds: u64,
    mode: Mode,
    span: Duration,
    bugs: &[Bug],
    more: &(impl Fn() -> bool + Sync),
    output: &Output,
) -> Campaign {
    let next = AtomicU64::new(0);
    let all = seeds + bugs.len() as u64;
    let done = Mutex::new(Campaign::default());
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    // One is run in any case.
                    if number >= all || number > 0 && !more() {
                        return;
                    }
                    let bug =
                        number.checked_sub(seeds).and_then(|place| bugs.get(usize::try_from(place).ok()?));
                    let (report, hunt) = match bug {
                        Some(bug) => (None, Some(simulation::hunt(*bug))),
                        None => (Some(simulation::run_seed(from + number, mode, span)), None),
                    };
                    let mut campaign = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    campaign.reports.extend(report);
                    campaign.hunts.extend(hunt);
                    progress(&campaign, all, output);
                }
            });
        }
    });
    let mut campaign = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    campaign.reports.sort_by_key(|report| report.seed);
    campaign.hunts.sort_by_key(|hunt| hunt.bug);
    campaign
}

/// A line that is rewritten in place, on a terminal.
fn progress(campaign: &Campaign, all: u64, output: &Output) {
    if !output.talks() || !std::io::stderr().is_terminal() {
        return;
    }
    let done = (campaign.reports.len() + campaign.hunts.len()) as u64;
    let hours: f64 = campaign.reports.iter().map(|report| report.simulated.as_secs_f64() / 3600.0).sum();
    let broken = campaign.reports.iter().filter(|report| report.violation.is_some()).count();
    let told = format!("{hours:.1} simulated hours  {broken} broken ");
    if all == SEEDS_MAX {
        return output::raw_talk(&format!("\r{done} seeds  {told}"));
    }
    let filled = usize::try_from(done * 30 / all.max(1)).unwrap_or(30);
    let bar = format!("{}{}", "█".repeat(filled), "░".repeat(30 - filled));
    let end = if done == all { "\n" } else { "" };
    output::raw_talk(&format!("\r{bar} {done}/{all}  {told}{end}"));
}

/// The whole as data.
fn summary(campaign: &Campaign, cpu: f64) -> Value {
    let hours: f64 = campaign.reports.iter().map(|report| report.simulated.as_secs_f64() / 3600.0).sum();
    let steps: u64 = campaign.reports.iter().map(|report| report.steps).sum();
    let accepted: u64 = campaign.reports.iter().map(|report| report.accepted).sum();
    let (mut faults, mut marks) = (BTreeMap::new(), BTreeMap::new());
    for report in &campaign.reports {
        report.faults.iter().for_each(|(name, count)| *faults.entry(*name).or_insert(0) += count);
        report.marks.iter().for_each(|(name, count)| *marks.entry(name.clone()).or_insert(0) += count);
    }
    let long = hours * 3600.0 >= SOMETIMES_AFTER.as_secs_f64();
    let never = if long { simulation::never_happened(&marks, &faults) } else { Vec::new() };
    let failures =
        campaign.reports.iter().filter_map(|report| Some((report.seed, report.violation.as_ref()?)));
    let mut failures: Vec<Value> = failures
        .map(|(seed, broken)| {
            json!({"seed": seed, "invariant": broken.invariant, "at_s": broken.at as f64 / 1e6, "what": broken.what})
        })
        .collect();
    failures.extend(campaign.differs.iter().map(|broken| json!({"invariant": "I18", "what": broken.what})));
    let planted: BTreeMap<&str, Value> =
        campaign.hunts.iter().map(|hunt| (hunt.bug.name(), told(hunt))).collect();
    let missed = campaign.hunts.iter().any(|hunt| !hunt.caught());
    let per_hour = |count: u64| count as f64 / hours.max(1e-9);
    let (accepted, faulty) = (per_hour(accepted), per_hour(faults.values().sum()));
    // A run that a violation ended is short; and of minutes nothing is asked.
    let whole = hours >= 1.0 && failures.is_empty();
    let thin = [("accepted_per_hour", accepted < ACCEPTED_MIN), ("faults_per_hour", faulty < FAULTS_MIN)];
    let thin: Vec<&str> = thin.iter().filter(|(_, low)| *low && whole).map(|(name, _)| *name).collect();
    json!({
        "holds": failures.is_empty() && never.is_empty() && thin.is_empty() && !missed,
        "seeds": campaign.reports.len(),
        "violations": failures.len(),
        "simulated_hours": round(hours),
        "simulated_hours_per_cpu_second": round(hours / cpu.max(1e-9)),
        "steps_per_cpu_second": (steps as f64 / cpu.max(1e-9)).round(),
        "accepted_per_hour": accepted.round(),
        "faults_per_hour": faulty.round(),
        "faults": faults,
        "never_happened": never,
        "too_thin": thin,
        "failures": failures,
        "planted": planted,
    })
}

/// How a planted bug was caught, or not.
fn told(hunt: &Hunt) -> Value {
    let broken = hunt.violation.as_ref();
    json!({
        "caught": hunt.caught(),
        "invariant": hunt.bug.invariant(),
        "seeds": hunt.seeds,
        "about": hunt.bug.about(),
        "seen": broken.map(|broken| format!("{}: {}", broken.invariant, broken.what)),
    })
}

/// The whole for people.
fn shown(summary: &Value, output: &Output) -> String {
    let mut lines = Vec::new();
    for (title, key) in [
        ("seeds", "seeds"),
        ("simulated hours", "simulated_hours"),
        ("hours per CPU second", "simulated_hours_per_cpu_second"),
        ("steps per CPU second", "steps_per_cpu_second"),
        ("messages taken in per hour", "accepted_per_hour"),
        ("faults per hour", "faults_per_hour"),
        ("violations", "violations"),
    ]
    .into_iter()
    .filter(|_| summary["seeds"] != json!(0))
    {
        lines.push(format!("{title:<28}{}", output::shown(&summary[key])));
    }
    let faults = summary["faults"].as_object().into_iter().flatten();
    let faults: Vec<String> = faults.map(|(name, count)| format!("{name} {count}")).collect();
    if !faults.is_empty() {
        lines.push(format!("{:<28}{}", "faults", faults.join(", ")));
    }
    let planted: Vec<Value> = summary["planted"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, told)| {
            let caught = if told["caught"] == Value::Bool(true) { "caught" } else { "MISSED" };
            json!({"bug": name, "invariant": told["invariant"], "caught": caught, "seeds": told["seeds"], "seen": told["seen"]})
        })
        .collect();
    if !planted.is_empty() {
        let columns = [
            ("PLANTED BUG", "/bug"),
            ("BREAKS", "/invariant"),
            ("", "/caught"),
            ("SEEDS", "/seeds"),
            ("SEEN", "/seen"),
        ];
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.push(output.table(&columns, &planted));
    }
    lines.join("\n")
}

/// What failed, with a timeline, and the verdict.
fn tell(campaign: &Campaign, mode: Mode, span: Duration, lines: usize, output: &Output) {
    for report in &campaign.reports {
        let Some(broken) = &report.violation else { continue };
        let word = output.paint_talk(Paint::Bad, broken.invariant);
        output.always(&format!("seed {}: {word}: {}", report.seed, broken.what));
        for line in simulation::explain(report.seed, mode, span, lines).timeline {
            output.always(&line);
        }
    }
    if let Some(broken) = &campaign.differs {
        output.always(&format!("{}: {}", output.paint_talk(Paint::Bad, "I18"), broken.what));
    }
    for hunt in campaign.hunts.iter().filter(|hunt| !hunt.caught()) {
        let seen = hunt.violation.as_ref().map_or_else(
            || format!("nothing broke within {} seeds", hunt.seeds),
            |broken| format!("seen as {}: {}", broken.invariant, broken.what),
        );
        let word = output.paint_talk(Paint::Bad, "missed");
        output.always(&format!("{word}: {} should break {}; {seen}", hunt.bug, hunt.bug.invariant()));
        if hunt.violation.is_some() {
            simulation::explain_hunt(hunt, lines).iter().for_each(|line| output.always(line));
        }
    }
    if !planted::ARMED {
        output.detail("planted bugs are not in this build (--features planted-bugs)");
    }
}

fn round(value: f64) -> f64 {
    // No minus sign before nothing.
    (value * 1000.0).round() / 1000.0 + 0.0
}

/// Processor time of this process so far, in seconds; `None` where the system does not tell.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // After the command's name, which may hold blanks: the 12th and 13th are ticks of 10 ms in user and system mode.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut ticks = rest.split_whitespace().skip(11).take(2).filter_map(|text| text.parse::<u64>().ok());
    Some((ticks.next()? + ticks.next()?) as f64 / 100.0)
}
