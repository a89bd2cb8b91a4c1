//! Campaigns: an estate per seed, what it came to, and what of all that should sometimes happen never did.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::estate::{self, Mode, Violation};

/// Lines of the timeline that are shown of a violation.
const LINES_MAX: usize = 60000;

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

/// The same again, with the timeline of what broke, and of what else is `about`: names, separated by spaces.
#[must_use]
pub fn explain(seed: u64, mode: Mode, span: Duration, about: &str) -> SeedReport {
    report(seed, mode, span, Some(about))
}

fn report(seed: u64, mode: Mode, span: Duration, diary: Option<&str>) -> SeedReport {
    let mut run = estate::build(seed, mode, span, diary.is_some());
    let steps = run.run();
    if run.estate.as_ref().is_some_and(|estate| estate.violations.is_empty()) {
        run.judge_estate();
    }
    let simulated = Duration::from_micros(run.now);
    let trace = run.trace();
    let Some(estate) = run.estate.take() else { unreachable!("an estate was built") };
    let violation = estate.violations.first().cloned();
    let about = violation.as_ref().map_or("", |violation| violation.about.as_str());
    let timeline = diary.map(|more| estate.lines_about(&format!("{about} {more}"), LINES_MAX));
    SeedReport {
        seed,
        violation,
        accepted: estate.accepted,
        steps,
        simulated,
        trace,
        faults: estate.faults,
        marks: run.marks,
        timeline: timeline.unwrap_or_default(),
    }
}
