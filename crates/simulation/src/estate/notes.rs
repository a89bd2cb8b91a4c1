//! What the owner said of each of its objects, and the hub acknowledged: nobody writes over that (I5).
//!
//! A store that is put back from a backup has forgotten what was said since. The object itself still says it, and is read
//! before anything is written to it. Where the object has been thrown away meanwhile, nothing says it any more: what is
//! made in its place goes over nothing.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use canonical::OrderToken;

/// The owner's words, by its object.
#[derive(Debug, Default)]
pub(super) struct Notes(BTreeMap<u64, Word>);

#[derive(Debug)]
struct Word {
    note: String,
    /// Since when that is the word, and when it was acknowledged last, in virtual microseconds.
    since: u64,
    heard: u64,
    /// Its order there.
    order: Option<OrderToken>,
    /// The store that had it was lost.
    forgotten: bool,
}

impl Notes {
    /// A word was acknowledged. What was said first may come last.
    pub(super) fn acknowledged(&mut self, id: u64, note: &str, order: Option<OrderToken>, now: u64) {
        let known = self.0.get_mut(&id);
        match known {
            Some(word) if order < word.order => {}
            Some(word) if order == word.order => {
                if word.note == note {
                    (word.heard, word.forgotten) = (now, false);
                }
            }
            known => {
                let since = known.filter(|word| word.note == note).map_or(now, |word| word.since);
                let word = Word { note: note.to_owned(), since, heard: now, order, forgotten: false };
                self.0.insert(id, word);
            }
        }
    }

    /// The store is as it was at that time.
    pub(super) fn restored(&mut self, taken_at: u64) {
        for word in self.0.values_mut() {
            word.forgotten |= word.heard > taken_at;
        }
    }

    /// The word that no write to this object may go over, and since when that is so.
    pub(super) fn stands(&self, id: u64, gone: bool) -> Option<(&str, u64)> {
        let word = self.0.get(&id).filter(|word| !(gone && word.forgotten))?;
        Some((&word.note, word.since))
    }
}
