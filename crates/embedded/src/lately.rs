//! New records whose deliveries are under way. A record that begins is asked for by every target's spoke a moment later,
//! and of its links and shadows there is nothing to read yet.
//!
//! Kept is what commits said of such a record since it began; what they did not say is not there. What they moved is
//! left to the readers, as is everything once all deliveries rest. An answer waits for the group that moved the record
//! last, since nobody may hear of one that is not synced.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use canonical::{Alive, Field, Fields, Object, Record, RecordId, System, Tenant};
use ledger::{Intent, ObligationKey, Subject};
use serde_json::Value;
use store::retention::OldRow;
use store::{Op, Query, Receipt, Reply, Require, Rows, SpokeAsk, SpokeRow, StoreError, Unit};

use crate::journal::OpenIntents;
use crate::quick::QuickMap;
use crate::rows::obligation::Stored;
use crate::shared::{Answering, Shared};

/// Bytes of values kept in one generation; in memory they take a few times as much.
const GENERATION_BYTES: usize = 2 << 20;
/// Counted for a row and for a field besides their texts.
const ROW_BYTES: usize = 256;
const FIELD_BYTES: usize = 32;

/// What a group said of records, in order.
pub(crate) enum Said {
    /// A record as it is now. `new`: it was not there before.
    Record { record: Arc<Record>, new: bool },
    /// Its link or shadow moved there.
    Moved { record: RecordId, system: System, object: Object },
    /// A delivery as it is now.
    Obligation(Arc<Stored>),
    /// An intent of the record began, moved or ended.
    Intent(RecordId),
    /// Nothing is certain about the record any more.
    Forget(RecordId),
    /// Nor about any.
    ForgetAll,
}

/// What a unit that was applied said, besides its deliveries. Its records are taken out of it.
fn said(unit: &mut Unit, said: &mut Vec<Said>) {
    // Before what else the unit says of it, in whatever order.
    let mut records = said.len();
    for op in std::mem::take(&mut unit.ops) {
        match op {
            Op::PutRecord(record) => {
                let first = Require::RecordAt { record: record.id, version: 0 };
                let new = unit.require.contains(&first);
                said.insert(records, Said::Record { record: Arc::new(record), new });
                records += 1;
            }
            Op::PutLink(link) => {
                // Else it may have taken the object from a record that is kept here.
                let free = unit.require.iter().any(|require| {
                    matches!(require, Require::Unlinked { tenant, external }
                        if *tenant == link.tenant && external.id == link.external_id
                            && external.system == link.system && external.object == link.object)
                });
                if !free {
                    said.push(Said::ForgetAll);
                }
                said.push(Said::Moved { record: link.record, system: link.system, object: link.object });
            }
            Op::DropLink(link) => {
                said.push(Said::Moved { record: link.record, system: link.system, object: link.object });
            }
            Op::PutShadow(shadow) => said.push(Said::Moved {
                record: shadow.record,
                system: shadow.system.clone(),
                object: shadow.object.clone(),
            }),
            Op::PutIntent(intent) => said.push(Said::Intent(intent.record)),
            Op::Forget { row: OldRow::Delivery(key), .. } => {
                if let Subject::Record(record) = key.subject {
                    said.push(Said::Forget(record));
                }
            }
            _ => {}
        }
    }
}

/// Takes what was said out of the units that were applied.
pub(crate) fn said_by(units: &mut [Unit], receipts: &[Receipt], all: &mut Vec<Said>) {
    for (unit, receipt) in units.iter_mut().zip(receipts) {
        if matches!(receipt, Receipt::Done(_)) {
            said(unit, all);
        }
    }
}

/// Answers a question from what is known, or gives the reply back for a reader.
pub(crate) fn answer(query: &Query, reply: Reply<Rows>, shared: &Arc<Shared>) -> Option<Reply<Rows>> {
    let Query::Spoke { tenant, system, asks } = query else { return Some(reply) };
    let found = {
        let lately = shared.lately();
        lately.spoke(tenant, system, asks, &shared.open())
    };
    let Some((rows, group)) = found else { return Some(reply) };
    shared.counters.finds.fetch_add(1, Ordering::Relaxed);
    let (store, reply) = (Arc::clone(shared), Answering::new(reply));
    shared.gate.pass_after(group, move || {
        let broken = store.broken().map(|detail| StoreError::Broken { detail: detail.clone() });
        reply.answer(broken.map_or(Ok(Rows::Spoke(rows)), Err));
    });
    None
}

/// What is known of one record.
struct Of {
    /// The group that moved it last.
    group: u64,
    record: Arc<Record>,
    /// Where its link or shadow moved: what is there now a reader says.
    moved: Vec<(System, Object)>,
    obligations: Vec<Arc<Stored>>,
}

/// Two generations: the young one becomes the old one when it is full, and the old one is dropped.
#[derive(Default)]
pub(crate) struct Lately {
    young: QuickMap<RecordId, Of>,
    old: QuickMap<RecordId, Of>,
    young_bytes: usize,
    /// Whether nothing is kept any more.
    ended: bool,
}

impl Lately {
    /// A group is in the log.
    pub(crate) fn learn(&mut self, group: u64, all: Vec<Said>) {
        if self.ended {
            return;
        }
        for said in all {
            match said {
                Said::Record { record, new: true } => {
                    let (moved, obligations) = (Vec::new(), Vec::with_capacity(4));
                    self.begin(Of { group, record, moved, obligations });
                }
                Said::Record { record, new: false } => {
                    if let Some(known) = self.of(record.id, group) {
                        let more = bytes_of(&record).saturating_sub(bytes_of(&known.record));
                        known.record = record;
                        self.weigh(more);
                    }
                }
                Said::Moved { record, system, object } => {
                    if let Some(known) = self.of(record, group)
                        && !known.has_moved(&system, &object)
                    {
                        known.moved.push((system, object));
                    }
                }
                Said::Obligation(stored) => self.delivery(group, stored),
                Said::Intent(record) => drop(self.of(record, group)),
                Said::Forget(record) => drop(self.forget(record)),
                Said::ForgetAll => self.forget_all(),
            }
        }
    }

    /// The store closes: from now on readers answer, as long as they do.
    pub(crate) fn end(&mut self) {
        self.forget_all();
        self.ended = true;
    }

    /// Rows and the group that they need to be synced, when everything is known that was asked for.
    pub(crate) fn spoke(
        &self,
        tenant: &Tenant,
        system: &System,
        asks: &[SpokeAsk],
        open: &OpenIntents,
    ) -> Option<(Vec<SpokeRow>, u64)> {
        let mut group = 0;
        let mut rows = Vec::with_capacity(asks.len());
        for ask in asks {
            let known = self.young.get(&ask.record).or_else(|| self.old.get(&ask.record))?;
            rows.push(known.row(tenant, system, ask, open)?);
            group = group.max(known.group);
        }
        Some((rows, group))
    }

    fn delivery(&mut self, group: u64, stored: Arc<Stored>) {
        let record = stored.row.record;
        if stored.row.key.subject != Subject::Record(record) {
            return;
        }
        let Some(known) = self.of(record, group) else { return };
        match known.obligations.iter_mut().find(|known| known.row.key == stored.row.key) {
            Some(known) => *known = stored,
            None => known.obligations.push(stored),
        }
        // Nobody asks until it moves again.
        if known.obligations.iter().all(|known| !known.row.state.is_open()) {
            drop(self.forget(record));
        }
    }

    fn begin(&mut self, of: Of) {
        let bytes = bytes_of(&of.record);
        self.weigh(bytes);
        self.young.insert(of.record.id, of);
    }

    /// So many bytes more, of a new record or one that grew: the generations turn when that is too much.
    fn weigh(&mut self, bytes: usize) {
        if self.young_bytes + bytes > GENERATION_BYTES {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
            self.young_bytes = 0;
        }
        self.young_bytes += bytes;
    }

    fn of(&mut self, record: RecordId, group: u64) -> Option<&mut Of> {
        let known = self.young.get_mut(&record).or_else(|| self.old.get_mut(&record))?;
        known.group = group;
        Some(known)
    }

    fn forget(&mut self, record: RecordId) -> Option<Of> {
        self.young.remove(&record).or_else(|| self.old.remove(&record))
    }

    fn forget_all(&mut self) {
        self.young = QuickMap::default();
        self.old = QuickMap::default();
        self.young_bytes = 0;
    }
}

impl Of {
    fn has_moved(&self, system: &System, object: &Object) -> bool {
        self.moved.iter().any(|(known, kind)| known == system && kind == object)
    }

    /// `None` when something of it is not known.
    fn row(&self, tenant: &Tenant, system: &System, ask: &SpokeAsk, open: &OpenIntents) -> Option<SpokeRow> {
        let record = &self.record;
        let refers = |field: &Field| record.fields.contains_key(field.as_str());
        if record.tenant != *tenant
            || matches!(record.alive, Alive::Merged { .. })
            || !is_of(&ask.key, tenant, record.id)
            || ask.references.iter().any(|(field, _)| refers(field))
            || self.has_moved(system, &ask.object)
        {
            return None;
        }
        let obligation = self.obligations.iter().find(|known| known.row.key == ask.key);
        let mut intents = open.of_record_in(tenant, ask.record, system);
        Some(SpokeRow {
            obligation: obligation.map(|known| known.row.clone()),
            record: Some(Arc::clone(record)),
            fact: None,
            shadow: None,
            link: None,
            links: BTreeMap::new(),
            bringers: BTreeMap::new(),
            // It never had one there.
            next: None,
            intent: intents.find(|intent| intent.object == ask.object).map(|intent| Intent::clone(intent)),
        })
    }
}

/// Whether a delivery is of that record's own state.
fn is_of(key: &ObligationKey, tenant: &Tenant, record: RecordId) -> bool {
    key.tenant == *tenant && key.subject == Subject::Record(record)
}

fn bytes_of(record: &Record) -> usize {
    ROW_BYTES + record.extensions.values().chain([&record.fields]).map(weight).sum::<usize>()
}

fn weight(fields: &Fields) -> usize {
    fields.iter().map(|(name, value)| FIELD_BYTES + name.len() + size(value)).sum()
}

fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(|value| FIELD_BYTES + size(value)).sum(),
        Value::Object(values) => {
            values.iter().map(|(name, value)| FIELD_BYTES + name.len() + size(value)).sum()
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
