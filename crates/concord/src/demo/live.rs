//! The live view on stderr: a block that rewrites itself on a terminal, else a line now and then.

use std::fmt::Write as _;
use std::time::Duration;

use telemetry::{Gauges, Snapshot, SystemFigures};

use crate::output::{self, Output, Paint};

/// How often the block is rewritten.
const BLOCK_EVERY: Duration = Duration::from_millis(200);
/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(3);

/// The view.
pub(crate) struct Live {
    output: Output,
    block: bool,
    /// Lines of the block on the screen.
    lines: usize,
    next: Duration,
    last: Option<(Duration, Snapshot)>,
}

/// What is shown besides the hub's figures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'s> {
    pub(crate) elapsed: Duration,
    pub(crate) length: Duration,
    pub(crate) act: &'s str,
    /// Edits that people made so far.
    pub(crate) edits: u64,
}

impl Live {
    pub(crate) fn new(output: &Output, terminal: bool) -> Self {
        Self { output: output.clone(), block: terminal, lines: 0, next: Duration::ZERO, last: None }
    }

    /// Shows how things stand, when it is time to.
    pub(crate) fn show(&mut self, scene: Scene<'_>, snapshot: impl FnOnce() -> Snapshot) {
        if !self.output.talks() || scene.elapsed < self.next {
            return;
        }
        self.next = scene.elapsed + if self.block { BLOCK_EVERY } else { LINE_EVERY };
        let now = snapshot();
        let since = match &self.last {
            Some((at, then)) => (scene.elapsed.saturating_sub(*at), now.since(then)),
            None => (scene.elapsed.max(BLOCK_EVERY), now.clone()),
        };
        if self.block {
            let text = self.block_of(scene, &now, &since);
            self.clear();
            self.lines = text.lines().count();
            output::raw_talk(&text);
        } else {
            self.output.say(&line_of(scene, &now, &since));
        }
        // Rates over about a second stand still enough to be read.
        if !self.block
            || self.last.as_ref().is_none_or(|(at, _)| scene.elapsed.saturating_sub(*at).as_secs() >= 1)
        {
            self.last = Some((scene.elapsed, now));
        }
    }

    /// Takes the block away.
    pub(crate) fn clear(&mut self) {
        if self.lines > 0 {
            output::raw_talk(&format!("\x1b[{}A\x1b[J", self.lines));
            self.lines = 0;
        }
    }

    fn block_of(&self, scene: Scene<'_>, now: &Snapshot, (took, since): &(Duration, Snapshot)) -> String {
        let mut text = String::new();
        let bar = bar(scene.elapsed.as_secs_f64() / scene.length.as_secs_f64());
        let act = self.output.paint_talk(Paint::Strong, scene.act);
        let _fits = writeln!(text, "{bar} {:>5.1} s  {act}", scene.elapsed.as_secs_f64());
        let lags = since.lags();
        let _fits = writeln!(
            text,
            "edits {}   taken in {} ({}/s)   delivered {} ({}/s)   lag p50 {}  p99 {}",
            scene.edits,
            now.totals.accepted,
            rate(since.totals.accepted, *took),
            now.totals.delivered,
            rate(since.totals.delivered, *took),
            time(lags.quantile(0.5)),
            time(lags.quantile(0.99)),
        );
        let head = "system      breaker    on the wire  waiting  in doubt  delivered  429s  tried again";
        let _fits = writeln!(text, "{}", self.output.paint_talk(Paint::Faint, head));
        for (system, (figures, gauges, _)) in &now.systems {
            let _fits = writeln!(text, "{}", self.row(system.as_str(), figures, *gauges));
        }
        text
    }

    fn row(&self, system: &str, figures: &SystemFigures, gauges: Gauges) -> String {
        let (word, paint) = standing(gauges);
        let more = if gauges.behind { "+" } else { "" };
        let waiting = format!("{}{more}", gauges.held.iter().sum::<usize>());
        format!(
            "{system:<11} {} {:>11}  {waiting:>7}  {:>8}  {:>9}  {:>4}  {:>11}",
            self.output.paint_talk(paint, &format!("{word:<10}")),
            gauges.in_flight,
            gauges.doubtful,
            figures.delivered,
            figures.rate_limited,
            figures.retried,
        )
    }
}

fn line_of(scene: Scene<'_>, now: &Snapshot, (took, since): &(Duration, Snapshot)) -> String {
    let lags = since.lags();
    let mut line = format!(
        "{:>5.1} s  {}: {} edits, {} delivered ({}/s), lag p99 {}",
        scene.elapsed.as_secs_f64(),
        scene.act,
        scene.edits,
        now.totals.delivered,
        rate(since.totals.delivered, *took),
        time(lags.quantile(0.99)),
    );
    for (system, (_, gauges, _)) in &now.systems {
        let waiting: usize = gauges.held.iter().sum();
        let _fits = write!(line, "; {system} {} {waiting} waiting", standing(*gauges).0);
    }
    line
}

fn standing(gauges: Gauges) -> (&'static str, Paint) {
    match gauges {
        Gauges { paused: true, .. } => ("paused", Paint::Doubt),
        Gauges { breaker: 2, .. } => ("open", Paint::Bad),
        Gauges { throttled: true, .. } => ("throttled", Paint::Doubt),
        Gauges { breaker: 1, .. } => ("half-open", Paint::Doubt),
        _ => ("closed", Paint::Good),
    }
}

fn bar(share: f64) -> String {
    let full = (share.clamp(0.0, 1.0) * 24.0).round() as usize;
    format!("[{}{}]", "#".repeat(full), "-".repeat(24 - full))
}

fn rate(count: u64, took: Duration) -> u64 {
    (count as f64 / took.as_secs_f64().max(0.001)).round() as u64
}

/// A time in the unit that suits it.
pub(crate) fn time(time: Option<Duration>) -> String {
    match time {
        None => "-".to_owned(),
        Some(time) if time < Duration::from_millis(10) => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        Some(time) if time < Duration::from_secs(1) => format!("{} ms", time.as_millis()),
        Some(time) => format!("{:.1} s", time.as_secs_f64()),
    }
}
