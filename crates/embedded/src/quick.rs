//! A quick hash for maps in memory whose keys nobody outside chooses: names of the configuration, ids and nonces that
//! this process drew. It says nothing about keys that somebody makes collide on purpose, and is never stored.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map with it.
pub(crate) type QuickMap<K, V> = HashMap<K, V, BuildHasherDefault<Quick>>;

/// Odd, and without a pattern in its bits.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
/// Where a hash begins: from zero, zeros would lead nowhere.
const START: u64 = 0xd1b5_4a32_d192_ed03;

/// Multiplies, eight bytes at a time, and folds the upper half of the product into the lower.
pub(crate) struct Quick(u64);

impl Default for Quick {
    fn default() -> Self {
        Self(START)
    }
}

impl Quick {
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(FACTOR);
        let (low, high) = (product as u64, (product >> 64) as u64);
        self.0 = low ^ high;
    }
}

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            // Its last byte is free: the length tells apart what ends in zeros.
            last[7] = rest.len().to_le_bytes()[0];
            self.mix(u64::from_le_bytes(last));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.mix(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.mix(number);
    }

    fn write_usize(&mut self, number: usize) {
        self.mix(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(bytes: &[u8]) -> u64 {
        let mut quick = Quick::default();
        quick.write(bytes);
        quick.finish()
    }

    #[test]
    fn what_differs_is_told_apart() {
        let mut seen = std::collections::BTreeSet::new();
        for length in 0..24 {
            assert!(seen.insert(hash(&vec![0; length])), "{length} zeros");
        }
        for number in 1..10_000_u64 {
            assert!(seen.insert(hash(&number.to_le_bytes())), "{number}");
        }
    }

    #[test]
    fn the_low_bits_spread() {
        let mut buckets = [0_u32; 64];
        for number in 0..6400_u64 {
            let bucket = hash(&(number << 40).to_le_bytes()) % 64;
            buckets[usize::try_from(bucket).unwrap()] += 1;
        }
        assert!(buckets.iter().all(|count| (40..=180).contains(count)), "{buckets:?}");
    }
}
