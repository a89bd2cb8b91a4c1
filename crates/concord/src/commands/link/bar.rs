//! How far a reading is, on stderr: a line that rewrites itself on a terminal, else one now and then.

use std::time::Duration;

use canonical::Mono;

use crate::output::{self, Output};
use crate::wiring::reading::Progress;

/// How often the line is rewritten.
const REWRITE_EVERY: Duration = Duration::from_millis(200);
/// How often one is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Characters of the bar.
const WIDTH: usize = 20;

/// The line.
pub(super) struct Bar {
    output: Output,
    terminal: bool,
    next: Mono,
    /// The listing that was shown last, and since when.
    since: Option<((usize, usize), Mono)>,
    drawn: bool,
}

impl Bar {
    pub(super) fn new(output: &Output, terminal: bool) -> Self {
        Self { output: output.clone(), terminal, next: Mono::default(), since: None, drawn: false }
    }

    /// Shows how far it is, when it is time to.
    pub(super) fn show(&mut self, progress: &Progress, now: Mono) {
        let began = match self.since {
            Some((step, since)) if step == progress.step => since,
            _ => {
                self.since = Some((progress.step, now));
                now
            }
        };
        if !self.output.talks() || now < self.next {
            return;
        }
        self.next = now + if self.terminal { REWRITE_EVERY } else { LINE_EVERY };
        let line = line(progress, began.until(now));
        if self.terminal {
            output::raw_talk(&format!("\r\x1b[K{line}"));
            self.drawn = true;
        } else {
            self.output.say(&line);
        }
    }

    /// Takes the line away.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            output::raw_talk("\r\x1b[K");
        }
    }
}

fn line(progress: &Progress, took: Duration) -> String {
    let (step, of) = progress.step;
    let full = (step.saturating_sub(1)) * WIDTH / of.max(1);
    let bar = format!("[{}{}]", "#".repeat(full), "-".repeat(WIDTH - full.min(WIDTH)));
    let mut line = match &progress.listing {
        Some(listing) => {
            let rate = progress.named as f64 / took.as_secs_f64().max(1.0);
            format!(
                "{bar} {step}/{of} {}/{}: {} named, {rate:.0}/s",
                listing.system, listing.object, progress.named
            )
        }
        None => format!("{bar} {step}/{of} what is left of all"),
    };
    if let Some(why) = &progress.trouble {
        line.push_str(&format!("; tries again: {why}"));
    }
    line
}
