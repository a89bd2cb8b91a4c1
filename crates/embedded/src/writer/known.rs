//! Obligations as the writer last saw them: one that is raised is mostly settled a moment later, and needs no look.

use ledger::{ObligationKey, Subject};

use crate::quick::QuickMap;
use crate::rows::obligation::Stored;

/// Rows in one generation.
const GENERATION: usize = 2048;

/// Two generations: the young one becomes the old one when it is full, and the old one is dropped.
#[derive(Default)]
pub(crate) struct Known {
    young: QuickMap<ObligationKey, Stored>,
    old: QuickMap<ObligationKey, Stored>,
}

impl Known {
    pub(crate) fn get(&self, key: &ObligationKey) -> Option<&Stored> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Keeps a row as it is now. One of a line is not kept: others of its line move what holds it.
    pub(crate) fn keep(&mut self, row: Stored) {
        if matches!(row.row.key.subject, Subject::Event(_)) {
            return;
        }
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(row.row.key.clone(), row);
    }

    /// The transaction is undone: what was seen in it may not be so.
    pub(crate) fn forget(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}
