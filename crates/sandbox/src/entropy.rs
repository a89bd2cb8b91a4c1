//! Seeded entropy, so that the same seed and the same requests give the same world (I18).

/// A SplitMix64 generator: small, fast, and repeatable. Not for secrets.
#[derive(Debug, Clone)]
pub(crate) struct Entropy(u64);

impl Entropy {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// True with probability `chance` (0 never, 1 always). Draws only when the answer is open.
    pub(crate) fn chance(&mut self, chance: f64) -> bool {
        if chance >= 1.0 {
            return true;
        }
        if chance <= 0.0 {
            return false;
        }
        // 53 bits fill the mantissa of a double in [0, 1).
        ((self.next() >> 11) as f64) < chance * 9_007_199_254_740_992.0
    }

    /// A number in `0..bound`; 0 when `bound` is 0. The bias is below 2^-32 for the small bounds used here.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next() % bound }
    }

    /// Thirty-two lower-case hex digits.
    pub(crate) fn hex(&mut self) -> String {
        format!("{:016x}{:016x}", self.next(), self.next())
    }

    /// The shape of a version 4 UUID, as vendors print for correlation.
    pub(crate) fn uuid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        uuid::Builder::from_random_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
            .into_uuid()
            .hyphenated()
            .to_string()
    }
}
