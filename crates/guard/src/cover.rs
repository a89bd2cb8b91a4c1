//! Covers for numbers: a row's position becomes another number, the same one for the same, by a secret key.
//!
//! Positions count rows, of whichever tenant they are. Two covered ones tell neither which was first nor how many are
//! between. It is a Feistel network over 48 bits, which is a permutation, with keyed BLAKE3 as its round function.

use std::fmt;

/// Positions below this are covered by numbers below this.
const BITS: u32 = 48;
const HALF: u32 = BITS / 2;
const HALF_MASK: u64 = (1 << HALF) - 1;
/// Four rounds make it a good permutation; the others are for the small halves.
const ROUNDS: u8 = 8;

/// Covers positions by one key.
#[derive(Clone)]
pub struct Cover([u8; 32]);

impl fmt::Debug for Cover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cover")
    }
}

impl Cover {
    /// By a key of its own, made from `secret` and for whom it is.
    #[must_use]
    pub fn new(secret: &[u8], whose: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("concord 2026 positions shown to a tenant");
        hasher.update(&(secret.len() as u64).to_le_bytes());
        hasher.update(secret);
        hasher.update(whose.as_bytes());
        Self(*hasher.finalize().as_bytes())
    }

    /// Another number for a position: never 0, and fit for JSON. A number that is no position is given back.
    #[must_use]
    pub fn hide(&self, position: i64) -> i64 {
        self.walk(position, Self::forwards)
    }

    /// The position that is shown as `shown`.
    #[must_use]
    pub fn find(&self, shown: i64) -> i64 {
        self.walk(shown, Self::backwards)
    }

    /// Steps over 0, which is nowhere a position: still a permutation.
    fn walk(&self, number: i64, step: fn(&Self, u64) -> u64) -> i64 {
        let Ok(plain) = u64::try_from(number) else { return number };
        if plain == 0 || plain >> BITS != 0 {
            return number;
        }
        let once = step(self, plain);
        let there = if once == 0 { step(self, once) } else { once };
        i64::try_from(there).unwrap_or(number)
    }

    fn forwards(&self, number: u64) -> u64 {
        let (mut left, mut right) = (number >> HALF, number & HALF_MASK);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ self.mixed(round, right));
        }
        left << HALF | right
    }

    fn backwards(&self, number: u64) -> u64 {
        let (mut left, mut right) = (number >> HALF, number & HALF_MASK);
        for round in (0..ROUNDS).rev() {
            (left, right) = (right ^ self.mixed(round, left), left);
        }
        left << HALF | right
    }

    fn mixed(&self, round: u8, half: u64) -> u64 {
        let mut input = [round; 9];
        input[1..].copy_from_slice(&half.to_le_bytes());
        let hash = blake3::keyed_hash(&self.0, &input);
        let word = hash.as_bytes().iter().take(8).fold(0, |word, byte| word << 8 | u64::from(*byte));
        word & HALF_MASK
    }
}

#[cfg(test)]
mod tests {
    //! Every position is found again, and nothing of the order stays.
    use proptest::prelude::*;

    use super::Cover;

    proptest! {
        #[test]
        fn what_is_hidden_is_found(position in 1_i64..(1 << 48), key in any::<[u8; 32]>()) {
            let cover = Cover::new(&key, "acme");
            let shown = cover.hide(position);
            prop_assert!(shown > 0 && shown < 1 << 48);
            prop_assert_eq!(cover.find(shown), position);
            prop_assert_eq!(cover.hide(cover.find(position)), position);
        }
    }

    #[test]
    fn neighbours_are_far_apart_and_each_tenant_has_its_own() {
        let (one, other) = (Cover::new(b"key", "acme"), Cover::new(b"key", "globex"));
        let shown: Vec<i64> = (1..=1000).map(|position| one.hide(position)).collect();
        let rising = shown.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((400..600).contains(&rising), "no order is left: {rising}");
        let near = shown.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) < 1 << 30).count();
        assert!(near < 10, "no distance is left: {near}");
        assert!((1..=1000).all(|position| one.hide(position) != other.hide(position)));
        assert_eq!((one.hide(0), one.hide(-3), one.find(i64::MAX)), (0, -3, i64::MAX), "no positions");
    }
}
