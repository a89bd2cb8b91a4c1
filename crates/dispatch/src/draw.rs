//! Which of a system's limits a call draws from, as a set that costs nothing to copy and compare.

use std::ops::BitOr;

/// Limits are told apart up to this many; those beyond count as one.
const APART_MAX: usize = 63;

/// A set of one system's limits, made by [`crate::Dispatcher::draw`]. The default is every limit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct BucketSet(u64);

impl BucketSet {
    /// Every limit: what a call draws from of which nothing else is known.
    pub const ALL: Self = Self(u64::MAX);
    /// None.
    pub(crate) const NONE: Self = Self(0);

    /// The one at that place in `Limits::buckets`.
    pub(crate) fn one(number: usize) -> Self {
        Self(1 << number.min(APART_MAX))
    }

    /// The first so many.
    pub(crate) fn first(count: usize) -> Self {
        (0..count).map(Self::one).fold(Self::NONE, Self::bitor)
    }

    pub(crate) fn has(self, number: usize) -> bool {
        self.meets(Self::one(number))
    }

    pub(crate) const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Those in both.
    pub(crate) const fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether one at least is in both.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        !self.both(other).is_none()
    }

    /// Whether all of the other are here.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }
}

impl Default for BucketSet {
    fn default() -> Self {
        Self::ALL
    }
}

impl BitOr for BucketSet {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
