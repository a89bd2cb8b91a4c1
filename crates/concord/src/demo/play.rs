//! The play: the business at work through all acts, then the catching up, then the proof.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use runtime::clock::Clock;
use telemetry::{Registry, Snapshot};

use super::acts::{ACTS, Act};
use super::business::{Business, Mood};
use super::diary::Place;
use super::live::{Live, Scene};
use super::proof::{Findings, Outage, prove};
use super::report::{Counted, Happened, Report};
use super::stage::Stage;
use crate::output::Output;

/// How often people are given a chance to do something.
const TICK: Duration = Duration::from_millis(10);
/// How often people look at their screens.
const LOOK_EVERY: Duration = Duration::from_millis(400);
/// How often the books are compared while everything catches up.
const PROVE_EVERY: Duration = Duration::from_millis(500);
/// Once everything is in place: how long to wait for what must not come.
const SETTLE: Duration = Duration::from_millis(2_500);
/// Longest time to catch up, besides the length of the play.
const CATCH_UP: Duration = Duration::from_secs(20);

/// The play.
pub(crate) struct Play<'p> {
    pub(crate) stage: &'p mut Stage,
    pub(crate) telemetry: &'p Registry,
    pub(crate) clock: Clock,
    pub(crate) live: Live,
    pub(crate) output: &'p Output,
    pub(crate) length: Duration,
    pub(crate) rate: u32,
    pub(crate) seed: u64,
}

/// What is known between the acts.
struct Running {
    business: Business,
    start: Duration,
    start_ms: u64,
    outages: Vec<Outage>,
    refused: u64,
}

impl Play<'_> {
    /// Plays, and reports. Where a folder is given, all books and the diary are left in it.
    pub(crate) async fn run(mut self, books: Option<&Path>) -> Report {
        let mut running = Running {
            business: Business::new(self.seed),
            start: self.elapsed(),
            start_ms: self.now_ms(),
            outages: Vec::new(),
            refused: 0,
        };
        for act in &ACTS {
            self.act(act, &mut running).await;
        }
        self.stage.heal();
        running.business.puts_the_stage_right();
        let ended = self.elapsed();
        let found = self.catch_up(&mut running).await;
        self.live.clear();
        let counted = counted(&self.telemetry.snapshot());
        let drained = self.elapsed().saturating_sub(ended + SETTLE);
        let report = Report::new(self.seed, &running.business.diary, &found, counted, drained);
        if let Some(dir) = books {
            let diary = format!("{:#?}", running.business.diary);
            if let Err(why) = self.stage.keep_books(dir, &diary) {
                self.output.warn(&format!("the books could not be kept: {why:#}"));
            }
        }
        report
    }

    fn elapsed(&self) -> Duration {
        Duration::from_micros(self.clock.now().mono.0)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.clock.now().wall.micros() / 1_000).unwrap_or(0)
    }

    /// One act: its faults, and people at work.
    async fn act(&mut self, act: &Act, running: &mut Running) {
        let (from_ms, until_ms) = act.span(running.start_ms, self.length);
        for (place, fault) in act.faults(from_ms, until_ms) {
            self.stage.fault(place, fault);
        }
        running.outages.extend(act.outages(from_ms, until_ms));
        let until = running.start + self.length.mul_f64(act.until);
        let from = running.start + self.length.mul_f64(act.from);
        let away = act.disturbed.first().copied().filter(|_| act.away);
        let mood = Mood { away, winding_down: act.until >= 1.0 };
        let garbles_at = from + (until - from).mul_f64(0.2);
        let mut garbles = act.bad_message;
        let mut looked = Duration::ZERO;
        loop {
            let now = self.elapsed();
            if now >= until {
                break;
            }
            if now >= looked + LOOK_EVERY {
                self.stage.look();
                looked = now;
            }
            if garbles && now >= garbles_at {
                garbles = !self.garble(running);
            }
            self.work(running, mood, now);
            self.show(act.name, running);
            tokio::time::sleep(TICK).await;
        }
    }

    /// People do what is due by now.
    fn work(&mut self, running: &mut Running, mood: Mood, now: Duration) {
        let due = (now.saturating_sub(running.start).as_secs_f64() * f64::from(self.rate)) as u64;
        // After a pause nobody does everything at once.
        let most = u64::from(self.rate).div_ceil(10).max(2);
        let mut done = 0;
        while running.business.diary.edits < due && done < most {
            let Some(deed) = running.business.next(self.stage.screen(), mood) else { break };
            let at_ms = self.now_ms();
            match self.stage.perform(&deed) {
                Ok(()) => running.business.done(&deed, at_ms),
                Err(why) => {
                    running.refused += 1;
                    self.output.detail(&format!(
                        "{} refuses an edit of {}: {why:#}",
                        deed.place.name(),
                        deed.key.id
                    ));
                }
            }
            done += 1;
        }
    }

    /// Somebody enters what nobody can make sense of. Whether somebody could.
    fn garble(&mut self, running: &mut Running) -> bool {
        let Some(deed) = running.business.invents_a_stage(self.stage.screen()) else { return false };
        let done = self.stage.perform(&deed).is_ok();
        if done {
            running.business.done(&deed, self.now_ms());
        }
        done
    }

    fn show(&mut self, act: &str, running: &Running) {
        let scene = Scene {
            elapsed: self.elapsed().saturating_sub(running.start),
            length: self.length,
            act,
            edits: running.business.diary.edits,
        };
        let telemetry = self.telemetry;
        self.live.show(scene, || telemetry.snapshot());
    }

    /// Waits until everything is in place, and a little longer; or until that takes too long.
    async fn catch_up(&mut self, running: &mut Running) -> Findings {
        let longest = self.elapsed() + CATCH_UP + self.length / 2;
        let mut settled_since = None;
        let mut proved = Duration::ZERO;
        loop {
            self.show("catching up", running);
            let now = self.elapsed();
            if now >= proved + PROVE_EVERY {
                proved = now;
                self.put_right(running);
                let found = self.prove(running);
                settled_since = if found.settled() { settled_since.or(Some(now)) } else { None };
                let waited = settled_since.is_some_and(|since| now >= since + SETTLE);
                if waited || now >= longest {
                    return found;
                }
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// What somebody still has to put right is done now, if it could not be before.
    fn put_right(&mut self, running: &mut Running) {
        self.stage.look();
        while let Some(deed) = running.business.left_over(self.stage.screen()) {
            let at_ms = self.now_ms();
            if self.stage.perform(&deed).is_ok() {
                running.business.done(&deed, at_ms);
            }
        }
    }

    fn prove(&self, running: &Running) -> Findings {
        let books: BTreeMap<Place, _> = self.stage.books();
        prove(&running.business.diary, &books, &self.stage.views, &running.outages)
    }
}

/// How often things happened, by the hub's own counters.
fn counted(snapshot: &Snapshot) -> Counted {
    let totals = &snapshot.totals;
    let happened = Happened {
        breaker_opened: totals.breaker_opens,
        throttled: snapshot.systems.values().map(|(figures, _, _)| figures.rate_limited).sum(),
        uncertain_resolved: totals.resolved,
        coalesced: totals.coalesced,
        reverted_or_rejected: totals.reverted + totals.rejected,
        quarantined: totals.quarantined,
    };
    Counted { happened, dead: totals.dead }
}
