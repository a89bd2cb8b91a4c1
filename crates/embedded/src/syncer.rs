//! The syncer: makes the log durable on a thread of its own, while the writer applies the next group.
//!
//! The writer commits a group into the log without a sync (`synchronous = NORMAL`) and hands it over; the syncer syncs
//! the log and only then answers. Whatever became of a group is told when all groups before it are durable, too. A
//! crash loses a tail of groups that nobody heard of.
//!
//! Other connections see a group as soon as it is committed. So that nobody hears of what may still be lost, an answer
//! to a question waits for the sync of the last group that its transaction may have seen (see [`Gate`]).

use std::ffi::OsString;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};
use store::{Receipt, StoreError};

use crate::Point;
use crate::shared::Shared;
use crate::writer::Job;

/// Groups that wait while one is synced. The writer gathers while there is no room for the next.
const GROUPS_WAITING_MAX: usize = 1;

/// A group that is in the log.
struct Written {
    /// Groups are numbered from 1.
    number: u64,
    jobs: Vec<Job>,
    answers: Vec<Result<Vec<Receipt>, StoreError>>,
    /// Whether it changed anything.
    changed: bool,
}

/// The log of a store's file, opened once for each who syncs: the system tells an error of writing once to each.
pub(crate) struct Log(File);

impl Log {
    /// SQLite keeps the file for as long as a connection is open.
    pub(crate) fn of(database: &Path) -> std::io::Result<Self> {
        Ok(Self(File::options().read(true).write(true).open(path_of(database))?))
    }

    /// Makes durable what a former process left in the log, before anything is read from it (I2). One that died of a
    /// failed sync left what can be read and may not be on the disk; the system takes that for written and would sync
    /// nothing of it. Written once more in its place it is on the disk, or opening fails.
    pub(crate) fn renew(database: &Path) -> std::io::Result<()> {
        let log = match File::options().read(true).write(true).open(path_of(database)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            log => log?,
        };
        let (mut part, mut at) = (vec![0; 1 << 20], 0);
        loop {
            let read = log.read_at(&mut part, at)?;
            if read == 0 {
                return log.sync_data();
            }
            log.write_all_at(&part[..read], at)?;
            at += read as u64;
        }
    }

    /// What was written is durable.
    pub(crate) fn sync(&self) -> std::io::Result<()> {
        self.0.sync_data()
    }
}

fn path_of(database: &Path) -> OsString {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    name
}

/// The writer's side.
pub(crate) struct Syncing {
    log: Log,
    shared: Arc<Shared>,
    groups: Sender<Written>,
    number: u64,
}

/// What a new thread works on.
pub(crate) struct Work {
    log: Log,
    groups: Receiver<Written>,
}

/// Both sides.
pub(crate) fn pair(database: &Path, shared: Arc<Shared>) -> std::io::Result<(Syncing, Work)> {
    let (send, groups) = bounded(GROUPS_WAITING_MAX);
    let syncing = Syncing { log: Log::of(database)?, shared, groups: send, number: 0 };
    Ok((syncing, Work { log: Log::of(database)?, groups }))
}

impl Syncing {
    /// Before a group is committed: from now on, questions may see it.
    pub(crate) fn begin(&mut self) {
        self.number += 1;
        self.shared.gate.begun.store(self.number, Ordering::SeqCst);
    }

    /// The group that began last.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// The group that began is in the log, or (without jobs) was not committed.
    pub(crate) fn hand_over(
        &self,
        jobs: Vec<Job>,
        answers: Vec<Result<Vec<Receipt>, StoreError>>,
        changed: bool,
    ) {
        let group = Written { number: self.number, jobs, answers, changed };
        // It ends after the writer only; if it ended otherwise, the jobs answer as they are dropped.
        drop(self.groups.send(group));
    }

    /// Makes durable, at once, what only the writer knows of.
    pub(crate) fn sync(&self) -> std::io::Result<()> {
        self.shared.counters.syncs.fetch_add(1, Ordering::Relaxed);
        self.log.sync()
    }
}

/// Works until the writer has ended.
pub(crate) fn run(work: &Work, shared: &Shared) {
    let _end = End(shared);
    while let Ok(first) = work.groups.recv() {
        let mut groups = vec![first];
        groups.extend(work.groups.try_iter());
        let last = groups.last().map_or(0, |group| group.number);
        if groups.iter().any(|group| group.changed) && shared.broken().is_none() {
            shared.counters.syncs.fetch_add(1, Ordering::Relaxed);
            match work.log.sync() {
                Ok(()) => shared.options.reached(Point::AfterSync),
                // What the kernel still holds of it may be lost, and no later sync would say so.
                Err(error) => shared.break_down(&format!("the log is not synced: {error}")),
            }
        }
        let waiting = shared.gate.open(last);
        match shared.broken() {
            None => {
                for group in groups {
                    for (job, answer) in group.jobs.into_iter().zip(group.answers) {
                        job.reply.answer(answer);
                    }
                }
            }
            Some(detail) => {
                for job in groups.into_iter().flat_map(|group| group.jobs) {
                    job.reply.answer(Err(StoreError::Broken { detail: detail.clone() }));
                }
            }
        }
        for answer in waiting {
            answer();
        }
    }
}

/// However it ends, nobody is left waiting; and where it ends before its time, nothing may be trusted any more.
struct End<'s>(&'s Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let gate = &self.0.gate;
        if gate.begun.load(Ordering::SeqCst) > gate.synced.load(Ordering::SeqCst) || std::thread::panicking()
        {
            self.0.break_down("what syncs the log has ended before its time: this is a defect");
        }
        gate.open(u64::MAX).into_iter().for_each(|answer| answer());
    }
}

/// Gives an answer.
type Answer = Box<dyn FnOnce() + Send>;

/// Holds answers back until what they may have seen is durable.
#[derive(Default)]
pub(crate) struct Gate {
    begun: AtomicU64,
    synced: AtomicU64,
    waiting: Mutex<Vec<(u64, Answer)>>,
}

impl Gate {
    /// Answers now, or when every group is durable that had begun when this was called. `answer` must look itself
    /// whether the store broke meanwhile.
    pub(crate) fn pass(&self, answer: impl FnOnce() + Send + 'static) {
        self.pass_after(self.begun.load(Ordering::SeqCst), answer);
    }

    /// Answers now, or when that group is durable.
    pub(crate) fn pass_after(&self, seen: u64, answer: impl FnOnce() + Send + 'static) {
        if self.synced.load(Ordering::SeqCst) >= seen {
            return answer();
        }
        let mut waiting = self.waiting();
        // The syncer opens first and then looks who waits.
        if self.synced.load(Ordering::SeqCst) >= seen {
            drop(waiting);
            return answer();
        }
        waiting.push((seen, Box::new(answer)));
    }

    /// Up to this group everything is durable: gives what waited for that.
    fn open(&self, number: u64) -> Vec<Answer> {
        self.synced.store(number, Ordering::SeqCst);
        let mut waiting = self.waiting();
        let (now, later) = std::mem::take(&mut *waiting).into_iter().partition(|(seen, _)| *seen <= number);
        *waiting = later;
        let now: Vec<(u64, Answer)> = now;
        now.into_iter().map(|(_, answer)| answer).collect()
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<(u64, Answer)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn an_answer_waits_for_what_it_may_have_seen() {
        let gate = Gate::default();
        let given = Arc::new(AtomicUsize::new(0));
        let ask = |gate: &Gate| {
            let given = Arc::clone(&given);
            gate.pass(move || {
                given.fetch_add(1, Ordering::SeqCst);
            });
        };
        ask(&gate);
        assert_eq!(given.load(Ordering::SeqCst), 1, "nothing has begun");
        gate.begun.store(1, Ordering::SeqCst);
        ask(&gate);
        gate.begun.store(2, Ordering::SeqCst);
        ask(&gate);
        assert_eq!(given.load(Ordering::SeqCst), 1, "neither group is durable");
        gate.open(1).into_iter().for_each(|answer| answer());
        assert_eq!(given.load(Ordering::SeqCst), 2, "the first is");
        gate.open(2).into_iter().for_each(|answer| answer());
        assert_eq!(given.load(Ordering::SeqCst), 3);
        ask(&gate);
        assert_eq!(given.load(Ordering::SeqCst), 4, "everything is durable");
    }
}
