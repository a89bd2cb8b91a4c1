//! How a vendor's own people end an object there, bring it back, or merge it into another one.

use super::Vendor;

impl Vendor {
    /// Somebody throws an object away.
    pub(crate) fn remove(&mut self, id: u64, now: u64) {
        self.set_gone(id, true, now);
    }

    /// Somebody takes it out of the bin again.
    pub(crate) fn restore(&mut self, id: u64, now: u64) {
        self.set_gone(id, false, now);
    }

    /// Somebody says that one object is the other: who asks for the one is shown the other.
    pub(crate) fn merge(&mut self, lost: u64, into: u64, now: u64) {
        self.set_gone(lost, true, now);
        self.merged.insert(lost, into);
        self.change(into, &Default::default(), now);
    }

    /// What an object goes on as.
    pub(crate) fn merged_into(&self, id: u64) -> Option<u64> {
        self.merged.get(&id).copied()
    }

    fn set_gone(&mut self, id: u64, gone: bool, now: u64) {
        if let Some(item) = self.objects.get_mut(&id) {
            item.gone = gone;
        }
        self.change(id, &Default::default(), now);
    }

    /// The object that has that key already, where a key may be had once.
    pub(super) fn holder(&self, kind: &str, key: Option<&str>) -> Option<u64> {
        let key = key.filter(|_| self.unique)?;
        let holds = |item: &super::Item| item.kind == kind && !item.gone && item.name_is(key);
        self.objects.iter().find(|(_, item)| holds(item)).map(|(id, _)| *id)
    }
}
