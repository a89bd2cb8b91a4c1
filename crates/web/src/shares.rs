//! Shares: places that several tenants take from, so that one that takes all it can leaves the others theirs.
//!
//! Half of the places is split among the tenants, and each tenant's part is kept for it alone; the other half goes to
//! whoever comes first. Nothing here waits: a place is there, or it is not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Places for several tenants.
#[derive(Debug)]
pub struct Shares {
    own_max: usize,
    common_max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug)]
struct Taken {
    own: Vec<usize>,
    common: usize,
}

/// A taken place: free again when it is dropped.
#[derive(Debug)]
pub struct Seat {
    shares: Arc<Shares>,
    tenant: usize,
    common: bool,
}

impl Shares {
    /// `places` for so many tenants. Each has at least one of its own.
    #[must_use]
    pub fn new(places: usize, tenants: usize) -> Arc<Self> {
        let tenants = tenants.max(1);
        let own_max = (places / (2 * tenants)).max(1);
        let common_max = places.saturating_sub(own_max * tenants);
        Arc::new(Self { own_max, common_max, taken: Mutex::new(Taken { own: vec![0; tenants], common: 0 }) })
    }

    /// A place for the tenant of that number: one of its own, else a common one. `None` when both are taken, or there
    /// is no such tenant.
    #[must_use]
    pub fn take(self: &Arc<Self>, tenant: usize) -> Option<Seat> {
        let mut taken = self.lock();
        let own = taken.own.get_mut(tenant)?;
        let common = *own >= self.own_max;
        if !common {
            *own += 1;
        } else if taken.common < self.common_max {
            taken.common += 1;
        } else {
            return None;
        }
        drop(taken);
        Some(Seat { shares: Arc::clone(self), tenant, common })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Whose place it is.
    #[must_use]
    pub const fn tenant(&self) -> usize {
        self.tenant
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.shares.lock();
        if self.common {
            taken.common = taken.common.saturating_sub(1);
        } else if let Some(own) = taken.own.get_mut(self.tenant) {
            *own = own.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    //! Whatever one tenant takes, the others find their part free; nothing is lost on the way.
    use super::{Seat, Shares};

    #[test]
    fn a_tenant_that_takes_all_it_can_leaves_the_others_theirs() {
        let shares = Shares::new(100, 2);
        let greedy: Vec<Seat> = std::iter::from_fn(|| shares.take(0)).collect();
        assert_eq!(greedy.len(), 75, "its own quarter, and the common half");
        let modest: Vec<Seat> = std::iter::from_fn(|| shares.take(1)).collect();
        assert_eq!(modest.len(), 25);
        assert!(modest.iter().all(|seat| seat.tenant() == 1));
        drop(greedy);
        let more: Vec<Seat> = std::iter::from_fn(|| shares.take(1)).collect();
        assert_eq!(more.len(), 50, "what is common is free again");
        drop((modest, more));
        let again: Vec<Seat> = std::iter::from_fn(|| shares.take(0)).collect();
        assert_eq!(again.len(), 75, "no place was lost");
    }

    #[test]
    fn one_tenant_has_all_and_many_have_one_each() {
        let alone = Shares::new(10, 1);
        assert_eq!(std::iter::from_fn(|| alone.take(0)).collect::<Vec<_>>().len(), 10);
        let crowd = Shares::new(2, 5);
        let seats: Vec<Seat> = (0..5).filter_map(|tenant| crowd.take(tenant)).collect();
        assert_eq!(seats.len(), 5);
        assert!(crowd.take(3).is_none() && crowd.take(9).is_none());
    }
}
