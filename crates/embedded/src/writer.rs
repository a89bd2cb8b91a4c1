//! The writer: one thread owns the only connection that writes, and commits in groups.
//!
//! It takes what is waiting, up to [`GROUP_COMMITS_MAX`] commits; applies them in one transaction; and hands them to the
//! [syncer](crate::syncer), which syncs once and answers all. A lone commit waits for nobody; while a group is being
//! synced and another waits for that, the next is gathered. Where threads wait for a processor, they run first: what
//! they are about to commit then shares a group, and a group's pages are written once; where none waits, nothing is lost.
//! Most groups need no savepoints (see [`apply`]); when a
//! commit fails for a reason of its own, its group is done again with one savepoint per commit, so that it fails alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use canonical::Tenant;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use guard::seal::KeyringError;
use rusqlite::Connection;
use store::{Receipt, StoreError, Unit, rules};

use crate::Point;
use crate::book::Book;
use crate::checkpoint::Poke;
use crate::fault::{Fault, Outcome};
use crate::folder::Reserve;
use crate::journal::Journal;
use crate::lately::{self, Said};
use crate::shared::{Answering, Shared};
use crate::sql::Sql;
use crate::syncer::Syncing;

mod apply;
mod bulk;
mod fetch;
mod known;
mod obligations;
mod old;
mod require;
mod room;
pub(crate) mod seal;

use apply::{Desk, Waits};
use known::{Known, Moved};
use room::Room;
use seal::Sealer;

/// One transaction takes at most so many commits.
const GROUP_COMMITS_MAX: usize = 512;
/// How often others are let run before a group is taken, at most.
const YIELDS_MAX: u32 = 8;
/// How often in a row, when nothing more comes of it.
const YIELDS_IN_VAIN_MAX: u32 = 2;
/// While the disk is full and nothing comes in, room is looked for this often.
const LOOK_FOR_ROOM: Duration = Duration::from_secs(1);

/// One commit waiting for its turn.
pub(crate) struct Job {
    pub(crate) units: Vec<Unit>,
    pub(crate) reply: Answering<Vec<Receipt>>,
}

/// What comes in.
pub(crate) enum Call {
    Commit(Job),
    Close,
}

type Answer = Result<Vec<Receipt>, StoreError>;

struct Writer<'c> {
    book: Book<'c>,
    sealer: Sealer,
    tally: BTreeMap<(i64, i64, i64), i64>,
    waits: Waits,
    journal: Journal,
    known: Known,
    room: Room,
    shared: Arc<Shared>,
    poke: Poke,
    syncing: Syncing,
}

/// Works until told to close, then answers what is left.
pub(crate) fn run(
    connection: &Connection,
    calls: &Receiver<Call>,
    reserve: Reserve,
    journal: Journal,
    shared: &Arc<Shared>,
    poke: Poke,
    syncing: Syncing,
) {
    let mut writer = Writer {
        book: Book::new(connection, Arc::clone(&shared.vault)),
        sealer: Sealer::new(),
        tally: BTreeMap::new(),
        waits: Waits::default(),
        journal,
        known: Known::default(),
        room: Room::new(reserve, shared.options.max_pages),
        shared: Arc::clone(shared),
        poke,
        syncing,
    };
    if let Err(fault) = writer.room.start(writer.book.connection) {
        // A store that opens on a full disk starts with intake stopped, not with an error.
        writer.note_room(Some(&fault));
    }
    while let Some((group, last)) = writer.next_group(calls) {
        writer.serve(group);
        if last {
            break;
        }
    }
    // What is left in the channel is answered as it is dropped: the store is closing.
    writer.shared.lately().end();
}

impl Writer<'_> {
    /// The next group, and whether it is the last; `None` when there is none.
    fn next_group(&mut self, calls: &Receiver<Call>) -> Option<(Vec<Job>, bool)> {
        let mut group = vec![self.first_of_group(calls)?];
        gather(calls);
        while group.len() < GROUP_COMMITS_MAX {
            match calls.try_recv() {
                Ok(Call::Commit(job)) => group.push(job),
                Ok(Call::Close) => return Some((group, true)),
                Err(_) => break,
            }
        }
        Some((group, false))
    }

    fn first_of_group(&mut self, calls: &Receiver<Call>) -> Option<Job> {
        loop {
            let call = if self.room.is_free() {
                calls.recv().ok()?
            } else {
                match calls.recv_timeout(LOOK_FOR_ROOM) {
                    Ok(call) => call,
                    Err(RecvTimeoutError::Timeout) => {
                        self.look_for_room();
                        continue;
                    }
                    Err(RecvTimeoutError::Disconnected) => return None,
                }
            };
            return match call {
                Call::Commit(job) => Some(job),
                Call::Close => None,
            };
        }
    }

    fn serve(&mut self, group: Vec<Job>) {
        if !self.room.is_free() {
            self.look_for_room();
        }
        let mut group = self.refuse_for_room(group);
        while !group.is_empty() {
            if let Some(detail) = self.shared.broken() {
                return answer_all(group, &StoreError::Broken { detail: detail.clone() });
            }
            let fault = match self.attempt(&group) {
                Ok((answers, wrote)) => {
                    self.publish(&mut group, &answers);
                    return self.syncing.hand_over(group, answers, wrote > 0);
                }
                Err(fault) => fault,
            };
            if fault.is_full() {
                self.note_room(Some(&fault));
                if !self.room.shrink(self.book.connection) {
                    return answer_all(group, &fault.of_write());
                }
                self.move_log();
                self.poke.make_room();
                group = self.refuse_for_room(group);
            } else {
                self.shared.break_down(&fault.detail());
            }
        }
    }

    /// The group as it comes; with a tenant's first keys, and with care, where it needs that.
    fn attempt(&mut self, group: &[Job]) -> Outcome<(Vec<Answer>, u64)> {
        loop {
            match self.transact(group, false) {
                Err(Fault::NewTenant(tenant)) => self.make_tenant(tenant)?,
                Err(fault) if fault.is_local() => return self.transact(group, true),
                done => return done,
            }
        }
    }

    /// One transaction for a group. `careful`: with a savepoint per commit, so that a bad one fails alone.
    fn transact(&mut self, group: &[Job], careful: bool) -> Outcome<(Vec<Answer>, u64)> {
        let done = self.apply_and_commit(group, careful);
        if done.is_err() {
            self.roll_back();
        }
        done
    }

    /// Gives what became of each, and how many rows changed.
    fn apply_and_commit(&mut self, group: &[Job], careful: bool) -> Outcome<(Vec<Answer>, u64)> {
        self.book.run(Sql::Begin, [])?;
        let changes = self.book.connection.total_changes();
        let mut answers = Vec::with_capacity(group.len());
        for job in group {
            answers.push(if careful { self.apply_alone(job)? } else { Ok(self.apply(job)?) });
        }
        for ((tenant, system, state), more) in std::mem::take(&mut self.tally) {
            if more != 0 {
                self.book.run(Sql::AddTally, (tenant, system, state, more))?;
            }
        }
        self.journal.write(&mut self.book, &mut self.sealer)?;
        let wrote = self.book.connection.total_changes() - changes;
        self.shared.options.reached(Point::BeforeSync);
        self.commit()?;
        self.book.desk.names.committed();
        self.sealer.committed(&self.book);
        self.waits.look_again();
        self.count(group, &answers, wrote);
        Ok((answers, wrote))
    }

    /// Into the log. Nobody may hear of it before it is synced.
    fn commit(&mut self) -> Outcome<()> {
        self.syncing.begin();
        let done = self.book.run(Sql::Commit, []);
        if done.is_err() {
            // Questions may wait for it.
            self.syncing.hand_over(Vec::new(), Vec::new(), false);
        }
        done.map(drop)
    }

    /// What was committed is what questions see. What the units held is needed no more.
    fn publish(&mut self, group: &mut [Job], answers: &[Answer]) {
        let moved = self.known.moved();
        let mut said = Vec::new();
        for (job, answer) in group.iter_mut().zip(answers) {
            if let Ok(receipts) = answer {
                lately::said_by(&mut job.units, receipts, &mut said);
            }
        }
        self.share_records(&moved, &said);
        said.extend(moved.obligations.into_iter().map(Said::Obligation));
        if moved.unsure {
            said.push(Said::ForgetAll);
        }
        let number = self.syncing.number();
        let mut lately = self.shared.lately();
        lately.learn(number, said);
        self.journal.committed(&mut self.shared.open_mut());
    }

    /// Readers need not open and parse what was just written.
    fn share_records(&self, moved: &Moved, said: &[Said]) {
        let mut recent = self.shared.vault.recent();
        let records = said.iter().filter_map(|said| match said {
            Said::Record { record, .. } => Some(record),
            _ => None,
        });
        let mut records = records.peekable();
        for (id, version, key, bytes) in &moved.records {
            // In the same order, but for those of commits that failed alone.
            while records.peek().is_some_and(|record| record.id != *id || record.version != *version) {
                records.next();
            }
            if let Some(record) = records.next() {
                recent.keep(*key, *bytes, Arc::clone(record));
            }
        }
    }

    fn apply(&mut self, job: &Job) -> Outcome<Vec<Receipt>> {
        let mut desk = Desk {
            book: &mut self.book,
            sealer: &mut self.sealer,
            tally: &mut self.tally,
            waits: &mut self.waits,
            journal: &mut self.journal,
            known: &mut self.known,
        };
        job.units.iter().map(|unit| desk.unit(unit)).collect()
    }

    fn apply_alone(&mut self, job: &Job) -> Outcome<Answer> {
        let marks =
            (self.book.desk.names.mark(), self.sealer.mark(), self.tally.clone(), self.journal.mark());
        self.book.connection.execute_batch("SAVEPOINT one")?;
        match self.apply(job) {
            Ok(receipts) => {
                self.book.connection.execute_batch("RELEASE one")?;
                Ok(Ok(receipts))
            }
            Err(fault) if fault.is_local() => {
                self.book.connection.execute_batch("ROLLBACK TO one; RELEASE one")?;
                self.book.desk.names.rolled_back(marks.0);
                self.sealer.rolled_back(marks.1);
                self.tally = marks.2;
                self.journal.rolled_back(marks.3);
                self.known.forget();
                self.waits.forget();
                Ok(Err(fault.of_write()))
            }
            Err(fault) => Err(fault),
        }
    }

    fn roll_back(&mut self) {
        // Some errors have rolled back already.
        let open = !self.book.connection.is_autocommit();
        if open && let Err(fault) = self.book.run(Sql::Rollback, []) {
            self.shared.break_down(&fault.detail());
        }
        self.book.desk.names.rolled_back(0);
        self.sealer.rolled_back(0);
        self.tally.clear();
        self.journal.rolled_back(BTreeMap::new());
        self.known.forget();
        // Nothing of it is to be told.
        self.known.moved();
        self.waits.forget();
    }

    /// A tenant's keys are durable before anything is sealed under them.
    fn make_tenant(&mut self, tenant: Tenant) -> Outcome<()> {
        let entropy = &mut self.sealer.entropy;
        let fresh = [(entropy.key_id()?, entropy.key()?), (entropy.key_id()?, entropy.key()?)];
        let nonces = [entropy.nonce()?, entropy.nonce()?];
        let wrapped = self.shared.vault.ring().new_tenant(fresh, nonces);
        self.book.run(Sql::Begin, [])?;
        let put = self.book.desk.names.intern(tenant.as_str()).and_then(|number| {
            let [key, hashing] = &wrapped;
            self.book.connection.execute(
                "INSERT INTO tenant_key (tenant, id, wrapped, hash_id, hash_wrapped) VALUES (?1, ?2, ?3, ?4, ?5)",
                (number, key.id.0, &key.bytes, hashing.id.0, &hashing.bytes),
            )?;
            self.commit()?;
            Ok(())
        });
        if let Err(fault) = put {
            self.roll_back();
            return Err(fault);
        }
        self.book.desk.names.committed();
        if let Err(error) = self.syncing.sync() {
            self.shared.break_down(&format!("the log is not synced: {error}"));
        }
        self.syncing.hand_over(Vec::new(), Vec::new(), false);
        let loaded = self.shared.vault.ring().load_tenant(tenant, &wrapped);
        loaded.map_err(|error: KeyringError| Fault::Corrupt(error.to_string()))
    }

    fn refuse_for_room(&mut self, group: Vec<Job>) -> Vec<Job> {
        if self.room.is_free() {
            return group;
        }
        let detail = self.shared.full_detail();
        let mut taken = Vec::with_capacity(group.len());
        for job in group {
            let urgency = job.units.iter().map(rules::urgency).max().unwrap_or(rules::Urgency::Outcome);
            if self.room.takes(urgency) {
                taken.push(job);
            } else {
                job.reply.answer(Err(StoreError::Full { detail: detail.clone() }));
            }
        }
        taken
    }

    fn look_for_room(&mut self) {
        if self.room.grow(self.book.connection) {
            self.note_room(None);
        }
    }

    fn note_room(&self, fault: Option<&Fault>) {
        self.shared.set_full(fault.map(Fault::detail));
    }

    fn count(&mut self, group: &[Job], answers: &[Answer], wrote: u64) {
        let counters = &self.shared.counters;
        let units = group.iter().map(|job| job.units.len() as u64).sum();
        let conflicts =
            |receipts: &Vec<Receipt>| receipts.iter().filter(|one| **one == Receipt::Conflict).count() as u64;
        let conflicts = answers.iter().flatten().map(conflicts).sum();
        counters.groups.fetch_add(1, Ordering::Relaxed);
        counters.commits.fetch_add(group.len() as u64, Ordering::Relaxed);
        counters.units.fetch_add(units, Ordering::Relaxed);
        counters.conflicts.fetch_add(conflicts, Ordering::Relaxed);
        if wrote > 0 {
            if !self.room.is_free() {
                self.move_log();
            }
            let unmoved = self.unmoved_pages();
            self.poke.wrote(unmoved);
        }
    }

    fn unmoved_pages(&mut self) -> u64 {
        let pages =
            self.book.one(Sql::LogPages, [], |row, _| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?));
        // Not to be known: then a checkpoint is due, which will say why.
        pages.ok().flatten().map_or(u64::MAX, |pages| pages.max(0).unsigned_abs())
    }

    /// While the disk is full the log must not grow: it is moved after each group, and written anew from its start.
    fn move_log(&mut self) {
        if let Err(fault) = self.book.one(Sql::MoveLog, [], |_, _| Ok(()))
            && !fault.is_full()
        {
            self.shared.break_down(&format!("checkpoint: {}", fault.detail()));
        }
    }
}

/// Lets those run who are about to commit something, as long as more comes of it.
fn gather(calls: &Receiver<Call>) {
    let (mut waiting, mut in_vain) = (calls.len(), 0);
    for _ in 0..YIELDS_MAX {
        std::thread::yield_now();
        let now = calls.len();
        in_vain = if now == waiting { in_vain + 1 } else { 0 };
        if in_vain == YIELDS_IN_VAIN_MAX {
            break;
        }
        waiting = now;
    }
}

fn answer_all(group: Vec<Job>, error: &StoreError) {
    for job in group {
        job.reply.answer(Err(error.clone()));
    }
}
