//! The report: one line per claim, each with what was seen, and the document that scripts read.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::diary::{Diary, Place};
use super::live::time;
use super::proof::{Findings, quantile};
use crate::output::{Output, Paint};

/// What scripts read. Counts are exact; times are in milliseconds.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct Report {
    /// Whether every line holds.
    pub(crate) passed: bool,
    pub(crate) seed: u64,
    /// Edits that people made.
    pub(crate) produced: u64,
    /// Changes that a target had to learn, one per target: delivered + superseded + lost.
    pub(crate) expected: u64,
    pub(crate) delivered: u64,
    pub(crate) superseded: u64,
    pub(crate) lost: u64,
    pub(crate) duplicate_effects: u64,
    pub(crate) out_of_order: u64,
    pub(crate) ownership_violations: u64,
    /// Messages kept for a person.
    pub(crate) quarantined: u64,
    /// Edits that nobody can make sense of, made on purpose.
    pub(crate) garbage_sent: u64,
    /// Deliveries that were given up.
    pub(crate) dead: u64,
    pub(crate) records: u64,
    /// Share of records that are equal in all systems at the end.
    pub(crate) agreement: f64,
    /// From the edit to the target, in calm times.
    pub(crate) latency_ms: Times,
    /// The longest wait of a change to or from a system that was ill, per system.
    pub(crate) outage_latency_ms: BTreeMap<&'static str, u64>,
    /// From the edit to the target between two systems that were well while the third was ill.
    pub(crate) beside_latency_ms: Times,
    /// How many of the latter there are. One of the two is always finance.
    pub(crate) beside: u64,
    /// How many of these took longer than half as much again as 95 % do on the same way in calm times.
    pub(crate) beside_late: u64,
    /// From the end of the business to the last change in place.
    pub(crate) drained_ms: u64,
    pub(crate) happened: Happened,
    /// What is wrong, for people; at most 40.
    pub(crate) complaints: Vec<String>,
}

/// How often the things happened that a proof without them would not be worth much.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub(crate) struct Happened {
    pub(crate) breaker_opened: u64,
    pub(crate) throttled: u64,
    pub(crate) uncertain_resolved: u64,
    pub(crate) coalesced: u64,
    pub(crate) reverted_or_rejected: u64,
    pub(crate) quarantined: u64,
}

/// A distribution.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub(crate) struct Times {
    pub(crate) p50: u64,
    pub(crate) p95: u64,
    pub(crate) p99: u64,
}

/// One claim.
struct Line {
    claim: &'static str,
    seen: String,
    holds: bool,
}

/// What the hub's own counters add: how often things happened. Never whether they were right.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Counted {
    pub(crate) happened: Happened,
    pub(crate) dead: u64,
}

impl Times {
    fn of(sorted: &[u64]) -> Self {
        let at = |share| quantile(sorted, share).unwrap_or(0);
        Self { p50: at(0.5), p95: at(0.95), p99: at(0.99) }
    }
}

impl Report {
    /// Puts it together.
    pub(crate) fn new(
        seed: u64,
        diary: &Diary,
        found: &Findings,
        counted: Counted,
        drained: Duration,
    ) -> Self {
        let longest = |(place, times): (&Place, &Vec<u64>)| Some((place.name(), *times.last()?));
        let mut report = Self {
            passed: false,
            seed,
            produced: diary.edits,
            expected: found.expected,
            delivered: found.delivered,
            superseded: found.superseded,
            lost: found.lost,
            duplicate_effects: found.duplicate_effects,
            out_of_order: found.out_of_order,
            ownership_violations: found.ownership_violations,
            quarantined: counted.happened.quarantined,
            garbage_sent: diary.bad_messages,
            dead: counted.dead,
            records: found.records,
            agreement: found.agreement(),
            latency_ms: Times::of(&found.calm_ms),
            outage_latency_ms: found.outage_ms.iter().filter_map(longest).collect(),
            beside_latency_ms: Times::of(&found.beside_ms),
            beside: found.beside_ms.len() as u64,
            beside_late: found.late_beside(),
            drained_ms: u64::try_from(drained.as_millis()).unwrap_or(u64::MAX),
            happened: counted.happened,
            complaints: found.complaints.clone(),
        };
        report.passed = report.lines().iter().all(|line| line.holds);
        report
    }

    fn lines(&self) -> Vec<Line> {
        let line = |claim, seen: String, holds| Line { claim, seen, holds };
        let none = |claim, count: u64, what: &str| Line {
            claim,
            seen: format!("{count} {what}"),
            holds: count == 0,
        };
        let agreement = format!("{:.2} % of {} records", self.agreement * 100.0, self.records);
        let arrived = format!(
            "{} of {} changes, {} superseded by newer ones, {} lost",
            self.delivered, self.expected, self.superseded, self.lost
        );
        let waits: Vec<String> = self
            .outage_latency_ms
            .iter()
            .map(|(system, wait)| format!("{system} {}", time(Some(millis(*wait)))))
            .collect();
        vec![
            line("everything arrived", arrived, self.lost == 0 && self.expected > 0),
            none("nothing happened twice", self.duplicate_effects, "duplicate effects"),
            none("nothing went backwards", self.out_of_order, "writes out of order"),
            none("owners were never overruled", self.ownership_violations, "violations"),
            line("all systems agree", agreement, self.agreement >= 1.0),
            none("nothing was given up", self.dead, "dead letters"),
            line(
                "garbage waits for a person",
                format!("{} edits of garbage, {} messages quarantined", self.garbage_sent, self.quarantined),
                // What stays wrong is read again, and waits again.
                self.quarantined >= self.garbage_sent && self.garbage_sent > 0,
            ),
            line(
                "finance kept flowing",
                format!(
                    "{} changes between the well beside an outage, p50 {}; {} of them later than in calm times",
                    self.beside,
                    time(Some(millis(self.beside_latency_ms.p50))),
                    self.beside_late,
                ),
                // One in twenty would be without any outage; more may be clearing up after an outage of their own just
                // before, where a doubt takes some four seconds. Four in five are not touched at all.
                self.beside > 0 && self.beside_late * 5 <= self.beside,
            ),
            line("the ill caught up", format!("longest waits: {}", waits.join(", ")), !waits.is_empty()),
            line("all of it was put to the test", self.happened.to_string(), self.happened.all()),
        ]
    }

    /// The table for people.
    pub(crate) fn table(&self, output: &Output) -> String {
        let lines = self.lines();
        let width = lines.iter().map(|line| line.claim.chars().count()).max().unwrap_or(0);
        let row = |line: &Line| {
            let (word, paint) = if line.holds { ("holds ", Paint::Good) } else { ("BROKEN", Paint::Bad) };
            format!("  {}  {:<width$}  {}", output.paint(paint, word), line.claim, line.seen)
        };
        let calm = self.latency_ms;
        let head = format!(
            "{} edits; from edit to target p50 {}, p95 {}, p99 {}; drained in {}",
            self.produced,
            time(Some(millis(calm.p50))),
            time(Some(millis(calm.p95))),
            time(Some(millis(calm.p99))),
            time(Some(millis(self.drained_ms)))
        );
        let mut text = vec![output.paint(Paint::Strong, "Proof").into_owned(), head];
        text.extend(lines.iter().map(row));
        if !self.passed && !self.complaints.is_empty() {
            text.push(output.paint(Paint::Strong, "What is wrong").into_owned());
            text.extend(self.complaints.iter().map(|what| format!("  {what}")));
        }
        text.join("\n")
    }
}

impl Happened {
    /// Whether each happened.
    fn all(self) -> bool {
        self.each().iter().all(|(_, count)| *count > 0)
    }

    fn each(self) -> [(&'static str, u64); 6] {
        [
            ("breakers opened", self.breaker_opened),
            ("throttled", self.throttled),
            ("doubts resolved", self.uncertain_resolved),
            ("coalesced", self.coalesced),
            ("strays refused", self.reverted_or_rejected),
            ("quarantined", self.quarantined),
        ]
    }
}

impl std::fmt::Display for Happened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let each: Vec<String> = self.each().iter().map(|(what, count)| format!("{what} {count}")).collect();
        f.write_str(&each.join(", "))
    }
}

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
