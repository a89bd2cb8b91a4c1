//! Sealing on the way in: data keys are made in the transaction of the first row that needs them.

use canonical::{RecordId, Tenant, Wall};
use guard::seal::{DataKey, KeyId, Place};

use crate::book::Book;
use crate::entropy::Entropy;
use crate::fault::{Fault, Outcome};
use crate::quick::QuickMap;
use crate::sql::Sql;

/// One day of raw messages shares a key.
const DAY_MICROS: i64 = 86_400_000_000;

/// Seals for the writer.
pub(crate) struct Sealer {
    pub(crate) entropy: Entropy,
    // Keys made in this transaction: no other connection may see them before it is committed.
    fresh: QuickMap<KeyId, DataKey>,
    order: Vec<KeyId>,
    // The newest day's key of each tenant.
    days: QuickMap<i64, (i64, KeyId)>,
}

impl Sealer {
    pub(crate) fn new() -> Self {
        Self {
            entropy: Entropy::new(),
            fresh: QuickMap::default(),
            order: Vec::new(),
            days: QuickMap::default(),
        }
    }

    /// Makes the key of a record that is expected to have none yet; harmless when it has one.
    pub(crate) fn expect_new(
        &mut self,
        book: &mut Book<'_>,
        tenant: &Tenant,
        record: RecordId,
    ) -> Outcome<()> {
        let id = KeyId(*record.as_bytes());
        if !self.fresh.contains_key(&id) && book.desk.keys.vault.ring().known(id).is_none() {
            self.make(book, tenant, id)?;
        }
        Ok(())
    }

    /// The record's key, made when it has none: what is sealed under it later in the transaction then can't fail.
    pub(crate) fn key(&mut self, book: &mut Book<'_>, tenant: &Tenant, record: RecordId) -> Outcome<DataKey> {
        let id = KeyId(*record.as_bytes());
        match self.known(book, tenant, id)? {
            Some(key) => Ok(key),
            None => self.made(book, tenant, id),
        }
    }

    /// Seals under the record's key.
    pub(crate) fn of_record(
        &mut self,
        book: &mut Book<'_>,
        tenant: &Tenant,
        record: RecordId,
        place: &Place,
        plain: &[u8],
    ) -> Outcome<Vec<u8>> {
        let key = self.key(book, tenant, record)?;
        Ok(key.seal(self.entropy.nonce()?, place, plain))
    }

    /// Seals under the key of the tenant's day.
    pub(crate) fn of_day(
        &mut self,
        book: &mut Book<'_>,
        tenant: &Tenant,
        at: Wall,
        place: &Place,
        plain: &[u8],
    ) -> Outcome<Vec<u8>> {
        let number = book.desk.names.intern(tenant.as_str())?;
        let day = at.micros().div_euclid(DAY_MICROS);
        let newest = self.days.get(&number).filter(|(known, _)| *known == day).map(|(_, id)| *id);
        let id = match newest {
            Some(id) => Some(id),
            None => book.one(Sql::DayKey, (number, day), |row, _| Ok(KeyId(row.get(0)?)))?,
        };
        let key = match id {
            Some(id) => self.known(book, tenant, id)?,
            None => None,
        };
        let key = match (key, id) {
            (Some(key), _) => key,
            // The day's row without its key: the day was erased. What comes in now gets the same id a new key.
            (None, Some(id)) => self.made(book, tenant, id)?,
            (None, None) => {
                let id = self.entropy.key_id()?;
                book.run(Sql::PutDayKey, (number, day, id.0))?;
                self.made(book, tenant, id)?
            }
        };
        self.days.insert(number, (day, key.id));
        Ok(key.seal(self.entropy.nonce()?, place, plain))
    }

    /// How many keys this transaction has made so far.
    pub(crate) fn mark(&self) -> usize {
        self.order.len()
    }

    /// The transaction went back to where it stood at the mark: its keys are as if never made.
    pub(crate) fn rolled_back(&mut self, mark: usize) {
        for id in self.order.drain(mark..) {
            self.fresh.remove(&id);
        }
        self.days.clear();
    }

    /// The transaction was committed: its keys are for everybody.
    pub(crate) fn committed(&mut self, book: &Book<'_>) {
        if self.order.is_empty() {
            return;
        }
        let mut ring = book.desk.keys.vault.ring();
        for id in self.order.drain(..) {
            if let Some(key) = self.fresh.remove(&id) {
                ring.adopt(key);
            }
        }
    }

    fn known(&self, book: &Book<'_>, tenant: &Tenant, id: KeyId) -> Outcome<Option<DataKey>> {
        match self.fresh.get(&id) {
            Some(key) => Ok(Some(key.clone())),
            None => book.desk.keys.data_key(tenant, id),
        }
    }

    fn made(&mut self, book: &mut Book<'_>, tenant: &Tenant, id: KeyId) -> Outcome<DataKey> {
        self.make(book, tenant, id)?
            .ok_or_else(|| Fault::corrupt(&format!("key {id}"), "is there and can't be read"))
    }

    /// Makes a key; `None` when there is one.
    fn make(&mut self, book: &mut Book<'_>, tenant: &Tenant, id: KeyId) -> Outcome<Option<DataKey>> {
        let (key, nonce) = (self.entropy.key()?, self.entropy.nonce()?);
        let wrapped = book.desk.keys.vault.ring().wrap_data(tenant, id, &key, nonce)?;
        let number = book.desk.names.intern(tenant.as_str())?;
        if book.run(Sql::PutDataKey, (id.0, number, &wrapped.bytes))? == 0 {
            return Ok(None);
        }
        let key = DataKey::new(id, key);
        self.fresh.insert(id, key.clone());
        self.order.push(id);
        Ok(Some(key))
    }
}
