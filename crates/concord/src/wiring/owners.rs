//! What each tenant that runs has for itself, and is about to have: no change may give it to another.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use canonical::Tenant;
use config::tenants::Own;

/// All tenants of a hub of several.
#[derive(Debug)]
pub(super) struct Owners<O = Own>(Mutex<BTreeMap<Tenant, Held<O>>>);

impl<O> Default for Owners<O> {
    /// Nobody has anything.
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// What one tenant has.
#[derive(Debug)]
struct Held<O> {
    now: O,
    /// While a change is under way: both count.
    next: Option<O>,
}

impl<O> Owners<O> {
    /// A tenant that is started with `own`.
    pub(super) fn enter(&self, tenant: Tenant, own: O) {
        self.lock().insert(tenant, Held { now: own, next: None });
    }

    /// A tenant is about to have `next`, unless `taken` has something to say against it, given what others have.
    /// In one step: of two who want the same at once, one gets it.
    pub(super) fn claim<P>(
        &self,
        tenant: &Tenant,
        next: O,
        taken: impl FnOnce(&O, &[&O]) -> Vec<P>,
    ) -> Result<(), Vec<P>> {
        let mut all = self.lock();
        let others = all.iter().filter(|(name, _)| *name != tenant);
        let others: Vec<&O> =
            others.flat_map(|(_, held)| [Some(&held.now), held.next.as_ref()]).flatten().collect();
        let problems = taken(&next, &others);
        if !problems.is_empty() {
            return Err(problems);
        }
        if let Some(held) = all.get_mut(tenant) {
            held.next = Some(next);
        }
        Ok(())
    }

    /// The change is over: it was `made`, or everything is as before.
    pub(super) fn settle(&self, tenant: &Tenant, made: bool) {
        if let Some(held) = self.lock().get_mut(tenant)
            && let Some(next) = held.next.take()
            && made
        {
            held.now = next;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Tenant, Held<O>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    //! One thing is never two tenants', whatever is under way.
    use super::{Owners, Tenant};

    fn taken(next: &char, others: &[&char]) -> Vec<char> {
        others.iter().filter(|other| **other == next).map(|other| **other).collect()
    }

    #[test]
    fn what_one_has_or_is_about_to_have_no_other_gets() {
        let owners = Owners::default();
        let [acme, globex] = ["acme", "globex"].map(|name| Tenant::new(name).unwrap());
        owners.enter(acme.clone(), 'a');
        owners.enter(globex.clone(), 'g');
        let claim = |tenant: &Tenant, next| owners.claim(tenant, next, taken);
        assert_eq!(claim(&acme, 'g'), Err(vec!['g']));
        assert_eq!(claim(&acme, 'a'), Ok(()), "its own is no other's");
        // While a change is under way, what was and what is to be are both its own.
        assert_eq!(claim(&acme, 'b'), Ok(()));
        assert_eq!((claim(&globex, 'a'), claim(&globex, 'b')), (Err(vec!['a']), Err(vec!['b'])));
        // Taken back: as before.
        owners.settle(&acme, false);
        assert_eq!((claim(&globex, 'a'), claim(&globex, 'b')), (Err(vec!['a']), Ok(())));
        // Made: what it had is free.
        owners.settle(&globex, true);
        assert_eq!((claim(&acme, 'b'), claim(&acme, 'g')), (Err(vec!['b']), Ok(())));
    }
}
