//! Records written lately, as they are in memory: each new version is read by every target's spoke right after it was
//! written, and opening and parsing it each time costs more than all the rest of that question.
//!
//! The key is the sealed value's own key id and nonce, which is drawn at random for every sealing: what is found under
//! it is what was sealed, whatever became of the transaction.

use std::sync::Arc;

use canonical::Record;

use crate::quick::QuickMap;

/// Key id and nonce, as they stand in a sealed value behind its version byte.
const KEY: std::ops::Range<usize> = 1..41;
/// Sealed bytes kept in one generation; in memory a record is a few times as large.
const GENERATION_BYTES: usize = 1 << 20;
/// Larger records are not kept.
const RECORD_BYTES_MAX: usize = 32 << 10;

/// By what a sealed record is known.
pub(crate) type RecentKey = [u8; 40];

/// Two generations: the young one becomes the old one when it is full, and the old one is dropped.
#[derive(Default)]
pub(crate) struct Recent {
    young: QuickMap<RecentKey, Arc<Record>>,
    old: QuickMap<RecentKey, Arc<Record>>,
    young_bytes: usize,
}

impl Recent {
    /// Keeps a record under the key of its sealed value of so many bytes.
    pub(crate) fn keep(&mut self, key: RecentKey, bytes: usize, record: Arc<Record>) {
        if bytes > RECORD_BYTES_MAX {
            return;
        }
        if self.young_bytes + bytes > GENERATION_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += bytes;
        self.young.insert(key, record);
    }

    pub(crate) fn get(&self, sealed: &[u8]) -> Option<Arc<Record>> {
        let key = key(sealed)?;
        self.young.get(&key).or_else(|| self.old.get(&key)).cloned()
    }
}

/// The key of a sealed value.
pub(crate) fn key(sealed: &[u8]) -> Option<RecentKey> {
    sealed.get(KEY)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(number: u16, size: usize) -> Vec<u8> {
        let mut bytes = vec![1; size];
        bytes[20..22].copy_from_slice(&number.to_le_bytes());
        bytes
    }

    #[test]
    fn what_is_kept_is_bounded_and_told_apart() {
        let mut recent = Recent::default();
        let record = |version| Arc::new(store::conformance::make::record(1, version));
        for number in 0..3000 {
            recent.keep(key(&sealed(number, 2000)).unwrap(), 2000, record(i64::from(number)));
        }
        assert_eq!(recent.get(&sealed(2999, 2000)).unwrap().version, 2999);
        assert!(recent.get(&sealed(0, 2000)).is_none());
        assert!(recent.young.len() + recent.old.len() <= 2 * GENERATION_BYTES / 2000);
        recent.keep(key(&sealed(5, 2000)).unwrap(), RECORD_BYTES_MAX + 1, record(5));
        assert!(recent.get(&sealed(5, 2000)).is_none() && key(&[1; 30]).is_none());
    }
}
