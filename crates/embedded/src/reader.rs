//! The readers: a few threads, each with its own connection, that answer questions from synced state.
//!
//! Each question is answered in one read transaction, so that its parts agree. A batch is looked up key by key with
//! prepared statements: inside the process a point look-up costs about a microsecond, less than what it takes to hand
//! a list over and join it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use canonical::Tenant;
use crossbeam_channel::Receiver;
use rusqlite::Connection;
use store::browse::{Look, Page};
use store::{Query, Rows, StoreError};

use crate::book::Book;
use crate::fault::Outcome;
use crate::journal::OpenIntents;
use crate::shared::{Answering, Shared};
use crate::sql::Sql;

mod bulk;
mod find;
pub(crate) mod footprint;
mod lists;
mod look;
mod old;
mod view;

/// What comes in.
pub(crate) enum Job {
    Find(Query, Answering<Rows>),
    Look(Tenant, Look, Answering<Page>),
    Close,
}

/// One connection that answers.
struct Reader<'c> {
    book: Book<'c>,
    /// The intents that are open.
    open: Arc<OpenIntents>,
}

/// Works until told to close.
pub(crate) fn run(connection: &Connection, jobs: &Receiver<Job>, shared: &Arc<Shared>) {
    let mut reader = Reader { book: Book::new(connection, Arc::clone(&shared.vault)), open: Arc::default() };
    for job in jobs {
        shared.counters.finds.fetch_add(1, Ordering::Relaxed);
        match job {
            Job::Find(query, reply) => {
                let answer = reader.answer(shared, |reader| reader.find(query));
                give(answer, reply, shared);
            }
            Job::Look(tenant, look, reply) => {
                let answer = reader.answer(shared, |reader| reader.look(&tenant, look));
                give(answer, reply, shared);
            }
            Job::Close => return,
        }
    }
}

/// Gives an answer when what it saw is durable.
fn give<T: Send + 'static>(answer: Result<T, StoreError>, reply: Answering<T>, shared: &Arc<Shared>) {
    let store = Arc::clone(shared);
    shared.gate.pass(move || {
        let broken = store.broken().map(|detail| StoreError::Broken { detail: detail.clone() });
        reply.answer(broken.map_or(answer, Err));
    });
}

impl<'c> Reader<'c> {
    /// Answers in one read transaction.
    fn answer<T>(
        &mut self,
        shared: &Shared,
        ask: impl FnOnce(&mut Self) -> Outcome<T>,
    ) -> Result<T, StoreError> {
        if let Some(detail) = shared.broken() {
            return Err(StoreError::Broken { detail: detail.clone() });
        }
        // Before the first row is read, which is when the transaction begins to see.
        self.open = shared.open();
        let answer = self.book.run(Sql::BeginRead, []).and_then(|_| ask(self));
        self.open = Arc::default();
        if !self.book.connection.is_autocommit() {
            let ended = self.book.run(Sql::Commit, []);
            if let Err(fault) = ended {
                return Err(fault.of_read());
            }
        }
        answer.map_err(|fault| {
            let error = fault.of_read();
            if let StoreError::Broken { detail } = &error {
                shared.break_down(detail);
            }
            error
        })
    }

    /// The number of a name; `None` when nothing stored has it.
    fn name(&mut self, text: &str) -> Outcome<Option<i64>> {
        self.book.desk.names.find(text)
    }
}

/// The numbers of names, or the answer for when one of them is nowhere stored.
macro_rules! names_or {
    ($reader:expr, $none:expr; $($text:expr),+) => {
        ($(match $reader.name($text)? {
            Some(number) => number,
            None => return Ok($none),
        }),+)
    };
}
use names_or;
