//! Obligations in the writer's transaction: the rules of the port, applied to rows; lines of `notify` deliveries;
//! counts per state.

use canonical::Wall;
use intake::{Link, Raise};
use ledger::{Aside, Obligation, ObligationKey, Subject, Waiting};
use rusqlite::params;
use store::{Decided, Head, rules};

use super::apply::Desk;
use crate::fault::Outcome;
use crate::rows::obligation::{HELD_BEHIND, HELD_BY_OPERATOR, Stored, stored};
use crate::rows::{self, state_number, subject_parts};
use crate::sql::Sql;

impl Desk<'_, '_> {
    pub(super) fn obligation(&mut self, key: &ObligationKey) -> Outcome<Option<Stored>> {
        if let Some(known) = self.known.get(key) {
            return Ok(Some(known.clone()));
        }
        let (kind, subject) = subject_parts(&key.subject);
        let (route, tenant) = (self.name(key.route.as_str())?, self.name(key.tenant.as_str())?);
        self.book.one(Sql::Obligation, (subject, route, tenant, kind), stored)
    }

    pub(super) fn raise(&mut self, raise: &Raise, heads: &mut Vec<Head>) -> Outcome<()> {
        // What is mostly the case is tried first: of a new record or event there is no obligation yet.
        let new = raise.version == 1 || matches!(raise.key.subject, Subject::Event(_));
        let may_begin = rules::may_begin(raise);
        if new && may_begin && self.first_raise(raise, heads)? {
            return Ok(());
        }
        let Some(before) = self.obligation(&raise.key)? else {
            if may_begin {
                return self.first_raise(raise, heads).map(drop);
            }
            // It has gone meanwhile: for a job it has ended.
            return raise.replay.map_or(Ok(()), |replay| self.count_other(replay.job));
        };
        let mut row = before.row.clone();
        if !rules::raise_again(&mut row, raise) {
            say(&before.row, before.held, heads);
            return Ok(());
        }
        if row.lane == before.row.lane && row.state == before.row.state && row.aside == before.row.aside {
            // Open and folded in, or resting and only noted: no index holds what moved.
            let (version, generation) = (row.wanted.version, row.wanted.generation);
            let trace = rows::trace_in(&row.trace);
            self.book.run(Sql::FoldObligation, params![row.seq, version, generation, row.folded, trace])?;
            say(&row, before.held, heads);
            self.known.keep(Stored { row, ..before });
            return Ok(());
        }
        let held = self.move_to(&before, &row, raise.at)?;
        say(&row, held, heads);
        Ok(())
    }

    /// Inserts an obligation that is not there. Says whether it was not.
    fn first_raise(&mut self, raise: &Raise, heads: &mut Vec<Head>) -> Outcome<bool> {
        let mut row = rules::first(raise);
        let (kind, subject) = subject_parts(&row.key.subject);
        let (tenant, route) = (self.name(row.key.tenant.as_str())?, self.name(row.key.route.as_str())?);
        let (system, object) = (self.name(row.system.as_str())?, self.name(row.object.as_str())?);
        let entity = self.name(row.entity.as_str())?;
        // A new one is the last of its line.
        let behind = rules::in_line(&row) && self.first_other(&row, route, tenant)?.is_some();
        let held = if behind { HELD_BEHIND } else { 0 };
        let inserted = self.book.run(
            Sql::PutObligation,
            params![
                tenant,
                route,
                kind,
                subject,
                system,
                object,
                entity,
                row.record.as_bytes(),
                row.lane.number(),
                row.wanted.version,
                row.wanted.generation,
                held,
                row.due.micros(),
                row.raised_at.micros(),
                rows::trace_in(&row.trace),
            ],
        )?;
        if inserted == 0 {
            return Ok(false);
        }
        row.seq = self.book.connection.last_insert_rowid();
        *self.tally.entry((tenant, system, state_number(row.state))).or_insert(0) += 1;
        say(&row, held, heads);
        self.known.keep(Stored { row, held, tenant, route, system });
        Ok(true)
    }

    pub(super) fn settle(
        &mut self,
        key: &ObligationKey,
        settled: &rules::Settled<'_>,
        heads: &mut Vec<Head>,
    ) -> Outcome<()> {
        let Some(before) = self.obligation(key)? else { return Ok(()) };
        let mut row = before.row.clone();
        let again = rules::settle(&mut row, settled);
        let held = self.move_to(&before, &row, settled.at)?;
        if again || (!rules::claimable(&before.row) && rules::claimable(&row)) {
            say(&row, held, heads);
        }
        if rules::in_line(&row) && before.row.state.is_open() && !row.state.is_open() {
            self.next_in_line(&before, heads)?;
        }
        if rules::ended(before.row.state, &row) {
            self.rouse(&row, settled.at, heads)?;
        }
        Ok(())
    }

    /// What is parked for the object that this one would have brought is judged again.
    fn rouse(&mut self, ended: &Obligation, at: Wall, heads: &mut Vec<Head>) -> Outcome<()> {
        if !self.waiting()?.0 {
            return Ok(());
        }
        let names = (self.name(ended.object.as_str())?, self.name(ended.system.as_str())?);
        let tenant = self.name(ended.key.tenant.as_str())?;
        let named = self.aliases(ended.record)?;
        for record in std::iter::once(ended.record).chain(named) {
            let params = (record.as_bytes(), names.0, names.1, tenant);
            for before in self.book.all(Sql::WaitingObligations, params, stored)? {
                let mut row = before.row.clone();
                if rules::rouse(&mut row, at) {
                    let held = self.move_to(&before, &row, at)?;
                    say(&row, held, heads);
                }
            }
        }
        Ok(())
    }

    /// An operator holds it back, or lets it go: then it can be gone on with.
    pub(super) fn move_held(
        &mut self,
        key: &ObligationKey,
        moved: Wall,
        change: impl FnOnce(&mut Obligation) -> bool,
        heads: &mut Vec<Head>,
    ) -> Outcome<()> {
        let Some(before) = self.obligation(key)? else { return Ok(()) };
        let mut row = before.row.clone();
        if !change(&mut row) {
            return Ok(());
        }
        let held = self.move_to(&before, &row, moved)?;
        say(&row, held, heads);
        Ok(())
    }

    /// Deliveries parked for this link go on, in their order.
    pub(super) fn wake(
        &mut self,
        link: &Link,
        (tenant, system, object): (i64, i64, i64),
        heads: &mut Vec<Head>,
    ) -> Outcome<()> {
        let named = self.aliases(link.record)?;
        for record in std::iter::once(link.record).chain(named) {
            let params = (record.as_bytes(), object, system, tenant);
            for before in self.book.all(Sql::WaitingObligations, params, stored)? {
                let mut row = before.row.clone();
                rules::wake(&mut row, link);
                let held = self.move_to(&before, &row, link.created_at)?;
                say(&row, held, heads);
            }
        }
        Ok(())
    }

    /// A decision about a dead delivery.
    pub(super) fn decide(
        &mut self,
        key: &ObligationKey,
        decided: &Decided,
        heads: &mut Vec<Head>,
    ) -> Outcome<()> {
        let Some(before) = self.obligation(key)? else { return Ok(()) };
        let mut row = before.row.clone();
        if !rules::decide(&mut row, decided) {
            return self.count_other(decided.job);
        }
        let held = self.move_to(&before, &row, decided.at)?;
        say(&row, held, heads);
        Ok(())
    }

    /// Of what a job set going one has come to nothing.
    fn count_other(&mut self, job: canonical::JobId) -> Outcome<()> {
        self.book.run(Sql::AddJobTally, (job.as_bytes(), 0, 0, 1)).map(drop)
    }

    /// Writes a row that moved at `moved`, keeps its line, its groups and the counts; gives what holds it now.
    fn move_to(&mut self, before: &Stored, row: &Obligation, moved: Wall) -> Outcome<i64> {
        let held = self.held(before, row)?;
        let (wait_record, wait_object, wait_until) = match &row.waiting {
            Some(Waiting::Link { record, object, until }) => {
                self.waits.obligation();
                (Some(*record.as_bytes()), Some(self.name(object.as_str())?), Some(until.micros()))
            }
            Some(Waiting::Operator) | None => (None, None, None),
        };
        let fingerprint =
            row.reason.as_ref().map(|reason| &reason.fingerprint).filter(|group| !group.is_empty());
        self.book.run(
            Sql::MoveObligation,
            params![
                row.seq,
                row.lane.number(),
                row.wanted.version,
                row.wanted.generation,
                row.reached.version,
                row.reached.generation,
                state_number(row.state),
                held,
                row.attempts,
                row.due.micros(),
                row.raised_at.micros(),
                row.folded,
                wait_record,
                wait_object,
                wait_until,
                fingerprint,
                rows::reason_in(row.reason.as_ref())?,
                rows::trace_in(&row.trace),
                aside_in(&row.aside)?,
            ],
        )?;
        self.count_failures(&before.row, row, moved)?;
        let (from, to) = (state_number(before.row.state), state_number(row.state));
        if from != to {
            *self.tally.entry((before.tenant, before.system, from)).or_insert(0) -= 1;
            *self.tally.entry((before.tenant, before.system, to)).or_insert(0) += 1;
        }
        self.known.keep(Stored { row: row.clone(), held, ..*before });
        Ok(held)
    }

    /// What holds a row that moved. One that opens goes behind the earlier open ones of its line, and before the
    /// later ones.
    fn held(&mut self, before: &Stored, row: &Obligation) -> Outcome<i64> {
        let operator = if row.waiting == Some(Waiting::Operator) { HELD_BY_OPERATOR } else { 0 };
        if !rules::in_line(row) || !row.state.is_open() {
            return Ok(operator);
        }
        if before.row.state.is_open() {
            return Ok(operator | (before.held & HELD_BEHIND));
        }
        match self.first_other(row, before.route, before.tenant)? {
            Some((other, _)) if other < row.seq => Ok(operator | HELD_BEHIND),
            Some((other, held)) => {
                self.book.run(Sql::HoldObligation, (other, held | HELD_BEHIND))?;
                Ok(operator)
            }
            None => Ok(operator),
        }
    }

    /// One has left its line: when it was the first, the next one is free to go.
    fn next_in_line(&mut self, left: &Stored, heads: &mut Vec<Head>) -> Outcome<()> {
        let Some((next, held)) = self.first_other(&left.row, left.route, left.tenant)? else { return Ok(()) };
        if held & HELD_BEHIND == 0 {
            return Ok(());
        }
        let held = held & !HELD_BEHIND;
        self.book.run(Sql::HoldObligation, (next, held))?;
        if let Some(found) = self.book.one(Sql::ObligationAt, [next], stored)? {
            say(&found.row, held, heads);
        }
        Ok(())
    }

    /// The first open one of the row's line besides itself, with what holds it.
    fn first_other(&mut self, row: &Obligation, route: i64, tenant: i64) -> Outcome<Option<(i64, i64)>> {
        let params = (row.record.as_bytes(), route, tenant, row.seq);
        self.book.one(Sql::FirstInLine, params, |row, _| Ok((row.get(0)?, row.get(1)?)))
    }
}

/// Of most rows there is nothing to keep aside.
fn aside_in(aside: &Aside) -> Outcome<Option<String>> {
    if aside.is_blank() { Ok(None) } else { rows::to_text(aside, "obligation").map(Some) }
}

/// Gives the head of an obligation that the hub can go on with.
fn say(row: &Obligation, held: i64, heads: &mut Vec<Head>) {
    if rules::ready(row) && held == 0 {
        heads.push(rules::head(row));
    }
}
