//! Taking away: into a file first where an archive is wanted, then out of the store, commit after commit.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use store::retention::{OldRow, Part, Retained};
use store::{Op, Receipt, StoreError, Unit};

use super::{Batch, Retention, Step, arrive, horizons};
use crate::mark::Mark;
use crate::turn::{Ack, Effect, Ticket, Turn};

/// Rows that go in one commit.
pub(super) const GONE_AT_ONCE: usize = 200;
/// How long it waits after an archive could not be written.
const ARCHIVE_WAIT: Duration = Duration::from_secs(60);

/// Lines that are to be durable in a file of their own before their rows go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Archive {
    /// The folder; one that is not absolute starts at the configuration folder.
    pub folder: PathBuf,
    /// The file's name there. It holds no values.
    pub name: String,
    /// A JSON document each.
    pub lines: Arc<Vec<String>>,
}

/// A commit under way.
#[derive(Debug)]
pub(super) struct Forgetting {
    /// The state from then on.
    next: Retained,
    /// What goes with it.
    rows: Vec<OldRow>,
    /// Who is told.
    told: Vec<Ticket>,
    /// Whether an archive was wanted: then they are in it.
    archive: bool,
}

impl Retention {
    /// What was found goes: into a file first, where one is wanted.
    pub(super) fn close_batch(&mut self, turn: &mut Turn<'_>) {
        let Some(folder) = self.config.settings.retention.archive.clone() else {
            self.going = std::mem::take(&mut self.batch.rows).into();
            return self.forget(turn);
        };
        if self.batch.lines.is_empty() {
            self.going = std::mem::take(&mut self.batch.rows).into();
            return self.forget(turn);
        }
        let part = match self.state.part {
            Some(Part::Payloads | Part::Messages) => "messages",
            Some(Part::Attempts) => "attempts",
            Some(Part::Records) | None => "records",
            Some(Part::Groups) => "groups",
            Some(Part::Jobs) => "jobs",
        };
        let time: String =
            turn.now.wall.to_string().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '.').collect();
        let name = format!("{part}-{time}-{:08x}.jsonl.gz", turn.entropy() >> 32);
        let ticket = self.ticket();
        // They stay here until the file is durable: one that fails is written again.
        let lines = Arc::clone(&self.batch.lines);
        self.step = Step::Archiving(ticket, lines.len());
        turn.effect(Effect::Archive(ticket, Archive { folder, name, lines }));
    }

    pub(super) fn forget(&mut self, turn: &mut Turn<'_>) {
        let count = self.going.len().min(GONE_AT_ONCE);
        let rows: Vec<OldRow> = self.going.drain(..count).collect();
        let mut next = self.state.clone();
        for row in &rows {
            *next.removed.entry(row.kind().to_owned()).or_default() += 1;
        }
        if self.going.is_empty()
            && let Some(place) = self.batch.next
        {
            arrive(&mut next, place, self.batch.open);
        }
        self.commit(next, rows, turn);
    }

    pub(super) fn commit(&mut self, next: Retained, rows: Vec<OldRow>, turn: &mut Turn<'_>) {
        let (tenant, horizons) = (&self.config.tenant, horizons(&self.config, turn.now.wall));
        let forget = |row: &OldRow| Op::Forget {
            tenant: tenant.clone(),
            row: row.clone(),
            before: row.horizon(&horizons),
        };
        let mut ops: Vec<Op> = rows.iter().map(forget).collect();
        ops.push(Op::PutRetained(tenant.clone(), next.clone()));
        let ticket = self.ticket();
        let told = std::mem::take(&mut self.ordered);
        self.moved = false;
        let archive = self.wants_archive();
        self.step = Step::Forgetting(ticket, Box::new(Forgetting { next, rows, told, archive }));
        turn.effect(Effect::Commit(ticket, vec![Unit { require: Vec::new(), ops }]));
    }

    pub(super) fn archived(&mut self, ticket: Ticket, result: Result<u64, String>, turn: &mut Turn<'_>) {
        match std::mem::replace(&mut self.step, Step::Idle) {
            Step::Archiving(wanted, rows) if wanted == ticket => match result {
                Ok(bytes) => {
                    turn.note(Mark::Archived { rows, bytes });
                    self.going = std::mem::take(&mut self.batch.rows).into();
                    self.batch.lines = Arc::default();
                    self.batch.bytes = 0;
                    self.rest(turn);
                }
                Err(why) => {
                    turn.note(Mark::ArchiveFailed { why });
                    self.due = turn.now.mono + ARCHIVE_WAIT;
                }
            },
            step => self.step = step,
        }
    }

    pub(super) fn committed(
        &mut self,
        ticket: Ticket,
        result: Result<Vec<Receipt>, StoreError>,
        turn: &mut Turn<'_>,
    ) {
        match (std::mem::replace(&mut self.step, Step::Idle), result) {
            (Step::Forgetting(wanted, step), Ok(_)) if wanted == ticket => {
                let Forgetting { next, rows, told, .. } = *step;
                let mut kinds: BTreeMap<&'static str, usize> = BTreeMap::new();
                for row in &rows {
                    *kinds.entry(row.kind()).or_default() += 1;
                }
                for (kind, count) in kinds {
                    turn.note(Mark::Forgotten { kind, count });
                }
                // What was ordered meanwhile is not in it.
                let orders = std::mem::take(&mut self.state.orders);
                self.state = Retained { orders, ..next };
                if !rows.is_empty() && self.going.is_empty() {
                    self.batch = Batch { over: self.batch.over, ..Batch::default() };
                }
                for outside in told {
                    turn.effect(Effect::Ack(outside, Ack::Done));
                }
                if self.state.part.is_some() {
                    self.rest(turn);
                }
            }
            (Step::Forgetting(wanted, step), Err(error)) if wanted == ticket => {
                let Forgetting { rows, told, archive, .. } = *step;
                // Another configuration came between: they are looked for again, and archived if that is wanted now.
                if archive == self.wants_archive() {
                    for row in rows.into_iter().rev() {
                        self.going.push_front(row);
                    }
                }
                // What is refused was not ordered.
                let until = self.state.orders.len().saturating_sub(self.ordered.len());
                self.state.orders.drain(until.saturating_sub(told.len())..until);
                for outside in told {
                    turn.effect(Effect::Ack(outside, Ack::Refused(error.to_string())));
                }
                self.trouble(&error, turn);
            }
            (step, _) => self.step = step,
        }
    }
}
