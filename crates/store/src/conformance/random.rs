//! Random units and questions, the same for two backends: every answer must be equal.
//!
//! Few names and small numbers, so that operations meet: the same record, route, object and key again and again.

mod asks;
mod ops;

use std::collections::{BTreeMap, BTreeSet};

use canonical::Wall;
use ledger::ObligationKey;

use super::Backend;
use super::make::*;
use crate::Unit;

/// Applies `steps` random commits to both and compares every receipt, and after each some answers.
///
/// # Panics
/// At the first answer that differs, with the step.
pub fn agree(left: &Backend, right: &Backend, seed: u64, steps: usize) {
    let mut dice = Dice { state: seed, ended: BTreeSet::new() };
    for step in 0..steps {
        let units: Vec<Unit> = (0..=dice.below(3)).map(|_| dice.unit()).collect();
        let told = format!("seed {seed}, step {step}: {units:#?}");
        assert_eq!(left.commit(units.clone()), right.commit(units), "receipts differ at {told}");
        for _ in 0..3 {
            let query = dice.query();
            assert_eq!(left.find(query.clone()), right.find(query.clone()), "{query:?} differs after {told}");
        }
        let look = dice.look();
        let pages = (left.look(&acme(), look.clone()), right.look(&acme(), look.clone()));
        assert_eq!(pages.0, pages.1, "{look:?} differs after {told}");
    }
}

/// A seeded generator (splitmix64).
struct Dice {
    state: u64,
    /// Intents that were put as closed: they are not put again as newly rendered ones.
    ended: BTreeSet<u64>,
}

impl Dice {
    fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    fn number(&mut self, bound: i64) -> i64 {
        i64::try_from(self.below(bound.unsigned_abs())).unwrap_or_default()
    }

    fn maybe(&mut self) -> bool {
        self.below(2) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let at = usize::try_from(self.below(from.len() as u64)).unwrap_or_default();
        from[at].clone()
    }

    fn some<T>(&mut self, value: T) -> Option<T> {
        self.maybe().then_some(value)
    }

    fn time(&mut self) -> Wall {
        at(self.number(40))
    }

    fn system(&mut self) -> &'static str {
        self.pick(&["crm", "erp"])
    }

    fn object(&mut self) -> &'static str {
        self.pick(&["contacts", "customer"])
    }

    fn id(&mut self) -> &'static str {
        self.pick(&["a", "b", "c"])
    }

    fn unit(&mut self) -> Unit {
        let require = if self.below(3) == 0 { vec![self.require()] } else { vec![] };
        let ops = (0..self.below(5)).map(|_| self.op()).collect();
        Unit { require, ops }
    }

    fn key(&mut self) -> ObligationKey {
        let route = self.pick(&["r", "s"]);
        let number = self.below(4);
        if self.maybe() { sync_key(route, number) } else { notify_key(route, number) }
    }
}

/// How often each operation comes up in so many random units, by name.
#[must_use]
pub fn coverage(seed: u64, steps: usize) -> BTreeMap<String, usize> {
    let mut dice = Dice { state: seed, ended: BTreeSet::new() };
    let mut counts = BTreeMap::new();
    for _ in 0..steps {
        for op in dice.unit().ops {
            let name = format!("{op:?}");
            let name = name.split([' ', '(', '{']).next().unwrap_or_default().to_owned();
            *counts.entry(name).or_insert(0) += 1;
        }
    }
    counts
}
