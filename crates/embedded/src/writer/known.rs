//! Obligations as the writer last saw them: one that is raised is mostly settled a moment later, and needs no look.
//! Which of them a transaction moved is kept until its end.

use std::sync::Arc;

use canonical::RecordId;
use ledger::{ObligationKey, Subject};

use crate::quick::QuickMap;
use crate::recent::{self, RecentKey};
use crate::rows::obligation::Stored;

/// Rows in one generation.
const GENERATION: usize = 2048;

/// Two generations: the young one becomes the old one when it is full, and the old one is dropped.
#[derive(Default)]
pub(crate) struct Known {
    young: QuickMap<ObligationKey, Arc<Stored>>,
    old: QuickMap<ObligationKey, Arc<Stored>>,
    moved: Moved,
}

/// What a transaction moved, in order.
#[derive(Default)]
pub(crate) struct Moved {
    pub(crate) obligations: Vec<Arc<Stored>>,
    /// Under which key a record of that version is kept among the recent ones, and its sealed bytes.
    pub(crate) records: Vec<(RecordId, i64, RecentKey, usize)>,
    /// Whether not all of it is listed.
    pub(crate) unsure: bool,
}

impl Known {
    pub(crate) fn get(&self, key: &ObligationKey) -> Option<&Stored> {
        self.young.get(key).or_else(|| self.old.get(key)).map(AsRef::as_ref)
    }

    /// Keeps a row as it is now. One of a line is not kept: others of its line move what holds it.
    pub(crate) fn keep(&mut self, row: Stored) {
        if matches!(row.row.key.subject, Subject::Event(_)) {
            return;
        }
        if self.young.len() >= GENERATION {
            // The room of the one that goes is that of the next.
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        let row = Arc::new(row);
        self.moved.obligations.push(Arc::clone(&row));
        self.young.insert(row.row.key.clone(), row);
    }

    /// A record was sealed.
    pub(crate) fn sealed(&mut self, record: RecordId, version: i64, sealed: &[u8]) {
        if let Some(key) = recent::key(sealed) {
            self.moved.records.push((record, version, key, sealed.len()));
        }
    }

    /// What was moved since this was asked last.
    pub(crate) fn moved(&mut self) -> Moved {
        std::mem::take(&mut self.moved)
    }

    /// The transaction is undone, or a part of it: what was seen in it may not be so.
    pub(crate) fn forget(&mut self) {
        self.moved = Moved { unsure: true, ..Moved::default() };
        self.young.clear();
        self.old.clear();
    }
}
