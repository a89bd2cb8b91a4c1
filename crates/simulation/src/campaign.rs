//! Campaigns: an estate per seed, what it came to, and what of all that should sometimes happen never did.

use std::collections::BTreeMap;
use std::time::Duration;

use planted::Bug;

use crate::driver::Simulation;
use crate::estate::{self, Mode, Violation};
use crate::{batches, hints, jobs, overtaken, ownership};

/// What one seed came to.
#[derive(Clone, Debug)]
pub struct SeedReport {
    /// The seed.
    pub seed: u64,
    /// The first thing that did not hold; the run ended there.
    pub violation: Option<Violation>,
    /// Messages that were taken in.
    pub accepted: u64,
    /// Effects that were performed.
    pub steps: u64,
    /// Virtual time that went by.
    pub simulated: Duration,
    /// A digest of everything that happened, in order (I18).
    pub trace: u64,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// What happened in the hub, by name.
    pub marks: BTreeMap<String, u64>,
    /// A minimal timeline of the violation.
    pub timeline: Vec<String>,
}

/// Runs the estate of a seed, with faults for `span`. What breaks an invariant ends it.
#[must_use]
pub fn run_seed(seed: u64, mode: Mode, span: Duration) -> SeedReport {
    report(seed, mode, span, None)
}

/// The same again, with the last lines of the timeline of what broke, so many at most.
#[must_use]
pub fn explain(seed: u64, mode: Mode, span: Duration, lines: usize) -> SeedReport {
    report(seed, mode, span, Some(lines))
}

fn report(seed: u64, mode: Mode, span: Duration, lines: Option<usize>) -> SeedReport {
    let mut run = estate::build(seed, mode, span, lines.is_some());
    if mode == Mode::Merging {
        run.let_people_merge();
    }
    finish(run, seed, lines)
}

fn finish(mut run: Simulation, seed: u64, lines: Option<usize>) -> SeedReport {
    let steps = run.run();
    if run.estate.as_ref().is_some_and(|estate| estate.violations.is_empty()) {
        run.judge_estate();
    }
    let simulated = Duration::from_micros(run.now);
    let trace = run.trace();
    let Some(estate) = run.estate.take() else { unreachable!("an estate was built") };
    let violation = estate.violations.first().cloned();
    let about = violation.as_ref().map_or("", |violation| violation.about.as_str());
    let timeline = lines.map(|lines| estate.lines_about(about, lines)).unwrap_or_default();
    SeedReport {
        seed,
        violation,
        accepted: estate.accepted,
        steps,
        simulated,
        trace,
        faults: estate.faults,
        marks: run.marks,
        timeline,
    }
}

/// Seeds within which a planted bug must be caught, and the virtual time of each.
pub const HUNT_SEEDS: u64 = 60;
/// Faults of each run of a hunt.
const HUNT_SPAN: Duration = Duration::from_secs(20 * 60);
/// Virtual time after which everything that happens sometimes has happened.
pub const SOMETIMES_AFTER: Duration = Duration::from_secs(5 * 3600);

/// What must have happened in a campaign, or it has not looked there.
const SOMETIMES: [&str; 53] = [
    "Accepted",
    "Authorised",
    "Batch",
    "BulkBegan",
    "BulkEnded",
    "Split",
    "Breaker",
    "Configured",
    "Dead",
    "Decided rejected",
    "Decided reverted",
    "Decided stale",
    "DecidedAgain",
    "Delivered",
    "Doubtful",
    "Duplicate",
    "Fetched",
    "Happened",
    "LinkRot",
    "Merged",
    "MessageParked",
    "NeedsPerson",
    "OperatorDecided",
    "OperatorForced",
    "OperatorHeld",
    "Ordered",
    "OrderDone",
    "OrderRefused",
    "Parked",
    "Paused",
    "PollFailed",
    "Polled",
    "Quarantined",
    "Refused",
    "Resolved",
    "Resumed",
    "Retrying",
    "SayingQuarantined",
    "Sent",
    "Skipped",
    "SomebodyEdited",
    "Throttled",
    "Answered",
    "Gauges",
    "ClockFollowed",
    "ClockJumped",
    "Planned",
    "PlanStale",
    "Job replay done",
    "Job replay paused",
    "Job replay cancelled",
    "Job retry done",
    "Job discard done",
];

/// Faults that must have happened.
const FAULTS: [&str; 21] = [
    "answers_lost",
    "brownout",
    "clock_jump",
    "clock_lies",
    "clock_slept",
    "crash",
    "disk_failed",
    "disk_full",
    "down",
    "hanging",
    "late_effects",
    "poison",
    "replayed",
    "slow",
    "throttling",
    "token_expired",
    "thrown_away",
    "webhook_late",
    "webhook_lost",
    "webhook_twice",
    "webhook_hint",
];

/// What should have happened at least once and never did.
#[must_use]
pub fn never_happened(
    marks: &BTreeMap<String, u64>,
    faults: &BTreeMap<&'static str, u64>,
) -> Vec<&'static str> {
    let marks = SOMETIMES.into_iter().filter(|name| !marks.contains_key(*name));
    marks.chain(FAULTS.into_iter().filter(|name| !faults.contains_key(name))).collect()
}

/// How the hunt for a planted bug ended.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// The bug.
    pub bug: Bug,
    /// Seeds that were run: the last one broke something, when anything did.
    pub seeds: u64,
    /// What broke first.
    pub violation: Option<Violation>,
}

impl Hunt {
    /// Whether it was caught as what it is.
    #[must_use]
    pub fn caught(&self) -> bool {
        self.violation.as_ref().is_some_and(|violation| violation.invariant == self.bug.invariant())
    }
}

/// Plants a bug and runs seeds until something breaks. Needs a build with the planted bugs.
#[must_use]
pub fn hunt(bug: Bug) -> Hunt {
    planted::plant(Some(bug));
    let mut out = Hunt { bug, seeds: 0, violation: None };
    while out.violation.is_none() && out.seeds < HUNT_SEEDS {
        out.seeds += 1;
        out.violation = hunted(bug, out.seeds);
    }
    planted::plant(None);
    out
}

/// What breaks in one seed of a hunt.
fn hunted(bug: Bug, seed: u64) -> Option<Violation> {
    if bug == Bug::OvertakenIsNew {
        return overtaken::broken(seed);
    }
    if bug == Bug::LaterHintIsLost {
        return hints::broken(seed);
    }
    if matches!(bug, Bug::SplitInDoubt | Bug::NoRestInDoubt) {
        return batches::broken(seed);
    }
    if matches!(bug, Bug::SubmittedIsDone | Bug::RunningJobForgotten) {
        return jobs::broken(bug, seed);
    }
    if matches!(bug, Bug::EditIsEcho | Bug::OwnersEchoIsWord) {
        return ownership::broken(seed);
    }
    if bug == Bug::NewOwnerIsNotAsked {
        return ownership::moved(seed).1;
    }
    if matches!(bug, Bug::MergedLinkStays | Bug::TwinIsForgotten) {
        return ownership::existence::broken(seed);
    }
    let of_two = [Bug::AbsorbedIsNew, Bug::SecondObjectSpeaks, Bug::SecondStaysSecond, Bug::LostIsReplaced];
    // What is read once more puts it right elsewhere.
    if of_two.contains(&bug) || bug == Bug::CrossingWriteStands {
        return ownership::merging::broken(seed);
    }
    let report = run_seed(seed, mode_of(bug), HUNT_SPAN);
    report.violation.clone().or_else(|| twice(&report))
}

/// Where a bug shows.
const fn mode_of(bug: Bug) -> Mode {
    match bug {
        Bug::RestoreIsTrusted => Mode::Restore,
        _ => Mode::Liveness,
    }
}

/// The timeline of what broke first in a hunt.
#[must_use]
pub fn explain_hunt(hunt: &Hunt, lines: usize) -> Vec<String> {
    planted::plant(Some(hunt.bug));
    let timeline = explain(hunt.seeds, mode_of(hunt.bug), HUNT_SPAN, lines).timeline;
    planted::plant(None);
    timeline
}

/// For the hunts: a second run only where the dice are the question, so that the others are no slower.
fn twice(report: &SeedReport) -> Option<Violation> {
    planted::is(Bug::AnotherDice).then(|| differs(report, Mode::Liveness, HUNT_SPAN)).flatten()
}

/// I18: the same seed again must give the same trace.
#[must_use]
pub fn differs(report: &SeedReport, mode: Mode, span: Duration) -> Option<Violation> {
    let again = run_seed(report.seed, mode, span);
    (again.trace != report.trace).then(|| Violation {
        invariant: "I18",
        at: 0,
        what: format!("seed {} gave two traces: {:016x} and {:016x}", report.seed, report.trace, again.trace),
        about: String::new(),
    })
}
