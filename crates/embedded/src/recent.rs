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

/// Two generations: the young one becomes the old one when it is full, and the old one is dropped.
#[derive(Default)]
pub(crate) struct Recent {
    young: QuickMap<[u8; 40], Arc<Record>>,
    old: QuickMap<[u8; 40], Arc<Record>>,
    young_bytes: usize,
}

impl Recent {
    pub(crate) fn keep(&mut self, sealed: &[u8], record: Arc<Record>) {
        let Some(key) = key(sealed).filter(|_| sealed.len() <= RECORD_BYTES_MAX) else { return };
        if self.young_bytes + sealed.len() > GENERATION_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += sealed.len();
        self.young.insert(key, record);
    }

    pub(crate) fn get(&self, sealed: &[u8]) -> Option<Arc<Record>> {
        let key = key(sealed)?;
        self.young.get(&key).or_else(|| self.old.get(&key)).cloned()
    }
}

fn key(sealed: &[u8]) -> Option<[u8; 40]> {
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
            recent.keep(&sealed(number, 2000), record(i64::from(number)));
        }
        assert_eq!(recent.get(&sealed(2999, 2000)).unwrap().version, 2999);
        assert!(recent.get(&sealed(0, 2000)).is_none());
        assert!(recent.young.len() + recent.old.len() <= 2 * GENERATION_BYTES / 2000);
        recent.keep(&sealed(5, RECORD_BYTES_MAX + 1), record(5));
        recent.keep(&[1; 30], record(5));
        assert!(recent.get(&sealed(5, RECORD_BYTES_MAX + 1)).is_none() && recent.get(&[1; 30]).is_none());
    }
}
