//! Turns: who goes next, of several who wait for one thing.
//!
//! Round robin between tenants, in order within each. So much of a tenant may be under way at once and no more: what a
//! newcomer finds before it is bounded, however much the others want.

use std::collections::VecDeque;

/// How much of one tenant may be under way at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Most {
    /// So many things.
    pub count: usize,
    /// So much together. A thing that is heavier goes when nothing else of its tenant is under way.
    pub weight: usize,
}

/// What waits, and what is under way.
#[derive(Debug)]
pub struct Turns<T> {
    most: Most,
    lines: Vec<Line<T>>,
    /// Who is asked first.
    next: usize,
}

#[derive(Debug)]
struct Line<T> {
    waiting: VecDeque<(usize, T)>,
    count: usize,
    weight: usize,
}

/// Whose turn it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Turn {
    /// The tenant's number.
    pub tenant: usize,
    /// How heavy.
    pub weight: usize,
}

impl<T> Turns<T> {
    /// Nothing waits; `tenants` are numbered from 0.
    #[must_use]
    pub fn new(tenants: usize, most: Most) -> Self {
        let line = || Line { waiting: VecDeque::new(), count: 0, weight: 0 };
        Self { most, lines: (0..tenants).map(|_| line()).collect(), next: 0 }
    }

    /// Something of a tenant waits for its turn. A tenant that is not there has none.
    pub fn enter(&mut self, turn: Turn, what: T) {
        if let Some(line) = self.lines.get_mut(turn.tenant) {
            line.waiting.push_back((turn.weight, what));
        }
    }

    /// Takes what goes next, if anything may. It is under way until it is [done](Self::done).
    pub fn take(&mut self) -> Option<(Turn, T)> {
        let count = self.lines.len();
        for step in 0..count {
            let tenant = (self.next + step) % count;
            let Some(line) = self.lines.get_mut(tenant) else { continue };
            if let Some((weight, what)) = line.take(self.most) {
                self.next = (tenant + 1) % count;
                return Some((Turn { tenant, weight }, what));
            }
        }
        None
    }

    /// Something has ended.
    pub fn done(&mut self, turn: Turn) {
        if let Some(line) = self.lines.get_mut(turn.tenant) {
            line.count = line.count.saturating_sub(1);
            line.weight = line.weight.saturating_sub(turn.weight);
        }
    }
}

impl<T> Line<T> {
    fn take(&mut self, most: Most) -> Option<(usize, T)> {
        let (weight, _) = self.waiting.front()?;
        let fits = self.count < most.count && self.weight.saturating_add(*weight) <= most.weight;
        if self.count > 0 && !fits {
            return None;
        }
        let (weight, what) = self.waiting.pop_front()?;
        self.count += 1;
        self.weight += weight;
        Some((weight, what))
    }
}
