//! Intents that are not closed: in memory, and in a journal.
//!
//! An intent lives for one call, mostly some milliseconds, and holds all bytes of its request. Kept as a row, it would
//! be inserted, indexed, moved, taken out of the index and emptied. Instead the intents of a group are written as one
//! block, which goes when the last of them has ended; what is read of them is read from memory. A closed intent
//! becomes a row of history. At the start the blocks are read: as many as calls were under way or in doubt.

use std::collections::BTreeMap;
use std::sync::Arc;

use canonical::{IntentId, Object, RecordId, System, Tenant};
use ledger::Intent;
use rusqlite::Connection;

use crate::book::Book;
use crate::fault::Outcome;
use crate::quick::QuickMap;
use crate::rows::intent::{Entry, entries, standing};
use crate::sql::{Sql, TEXTS};
use crate::vault::Keys;
use crate::writer::seal::Sealer;

/// A block is cut when it has grown beyond this.
const BLOCK_BYTES: usize = 256 << 10;

/// By what an intent is known.
pub(crate) type Key = (RecordId, IntentId);

/// The intents that are not closed, as of a commit.
#[derive(Clone, Default)]
pub(crate) struct OpenIntents(BTreeMap<Key, Arc<Intent>>);

impl OpenIntents {
    /// Of a record, oldest first.
    pub(crate) fn of_record(&self, tenant: &Tenant, record: RecordId) -> impl Iterator<Item = &Arc<Intent>> {
        let ids = (record, IntentId(uuid::Uuid::nil()))..=(record, IntentId(uuid::Uuid::max()));
        self.0.range(ids).map(|(_, intent)| intent).filter(move |intent| intent.tenant() == tenant)
    }

    /// Of a record in a system, oldest first.
    pub(crate) fn of_record_in(
        &self,
        tenant: &Tenant,
        record: RecordId,
        system: &System,
    ) -> impl Iterator<Item = &Arc<Intent>> {
        self.of_record(tenant, record).filter(move |intent| intent.system == *system)
    }

    /// Of a system, oldest first.
    pub(crate) fn of_system(&self, tenant: &Tenant, system: &System) -> Vec<Intent> {
        let here = |intent: &&Arc<Intent>| intent.tenant() == tenant && intent.system == *system;
        let mut found: Vec<Intent> =
            self.0.values().filter(here).map(|intent| Intent::clone(intent)).collect();
        found.sort_by_key(|intent| intent.id);
        found
    }

    /// Those that may make an object of that kind.
    pub(crate) fn creates(
        &self,
        tenant: &Tenant,
        system: &System,
        object: &Object,
    ) -> impl Iterator<Item = &Arc<Intent>> {
        self.0.values().filter(move |intent| {
            intent.external_id.is_none()
                && intent.tenant() == tenant
                && intent.system == *system
                && intent.object == *object
        })
    }
}

/// A row of the journal.
#[derive(Default)]
struct Block {
    /// Intents written in it, ended or not.
    written: Vec<Key>,
    /// Those that still stand there.
    live: Vec<Key>,
}

/// The writer's side: what is open, where it stands, and what this transaction moves.
pub(crate) struct Journal {
    open: Arc<OpenIntents>,
    places: QuickMap<Key, i64>,
    blocks: BTreeMap<i64, Block>,
    next: i64,
    /// What the transaction moved so far; `None`: no longer open.
    moved: BTreeMap<Key, Option<Intent>>,
    /// What the transaction wrote.
    written: Written,
    /// A block under construction. It is kept, so that it does not grow anew for each.
    bytes: Vec<u8>,
}

#[derive(Default)]
struct Written {
    blocks: Vec<(i64, Vec<Key>)>,
    dropped: Vec<i64>,
}

impl Journal {
    /// Reads what is open.
    pub(crate) fn load(connection: &Connection, keys: &Keys<'_>) -> Outcome<Self> {
        let mut found: BTreeMap<Key, (i64, Entry)> = BTreeMap::new();
        let mut blocks: BTreeMap<i64, Block> = BTreeMap::new();
        let mut rows = connection.prepare("SELECT seq, intents FROM intent_open ORDER BY seq")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let seq = row.get(0)?;
            for entry in entries(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?)? {
                blocks.entry(seq).or_default().written.push((entry.record, entry.id));
                // A later block has the newer state.
                found.insert((entry.record, entry.id), (seq, entry));
            }
        }
        let mut closed = connection.prepare(TEXTS[Sql::EndedIntent as usize])?;
        let (mut open, mut places) = (OpenIntents::default(), QuickMap::default());
        for (key, (seq, entry)) in found {
            if closed.exists((key.0.as_bytes(), key.1.0.as_bytes()))? {
                continue;
            }
            let intent = entry.open(keys)?;
            blocks.entry(seq).or_default().live.push(key);
            places.insert(key, seq);
            open.0.insert(key, Arc::new(intent));
        }
        let next = blocks.last_key_value().map_or(1, |(last, _)| last + 1);
        let (moved, written) = (BTreeMap::new(), Written::default());
        Ok(Self { open: Arc::new(open), places, blocks, next, moved, written, bytes: Vec::new() })
    }

    /// As of the last commit.
    pub(crate) fn open(&self) -> Arc<OpenIntents> {
        Arc::clone(&self.open)
    }

    /// An intent that is open in this transaction.
    pub(crate) fn get(&self, key: Key) -> Option<&Intent> {
        match self.moved.get(&key) {
            Some(moved) => moved.as_ref(),
            None => self.open.0.get(&key).map(AsRef::as_ref),
        }
    }

    /// Whether anything of a record is open in this transaction.
    pub(crate) fn holds_open(&self, record: RecordId) -> bool {
        let ids = (record, IntentId(uuid::Uuid::nil()))..=(record, IntentId(uuid::Uuid::max()));
        let moved = self.moved.range(ids.clone()).any(|(_, intent)| intent.is_some());
        moved || self.open.0.range(ids).any(|(key, _)| !self.moved.contains_key(key))
    }

    /// Whether a block has it. What has ended may be forgotten only when none has: else it would be open again after a
    /// start. Costs as much as there are blocks, which are kept only for what is open.
    pub(crate) fn holds(&self, key: Key) -> bool {
        self.blocks.values().any(|block| block.written.contains(&key))
    }

    /// It is open like this from now on, or (`None`) no longer.
    pub(crate) fn put(&mut self, key: Key, intent: Option<Intent>) {
        self.moved.insert(key, intent);
    }

    /// What was moved so far, to come back to.
    pub(crate) fn mark(&self) -> BTreeMap<Key, Option<Intent>> {
        self.moved.clone()
    }

    /// The transaction went back to the mark.
    pub(crate) fn rolled_back(&mut self, mark: BTreeMap<Key, Option<Intent>>) {
        self.moved = mark;
        self.written = Written::default();
    }

    /// Writes what was moved: a block with what is open now, and no longer the blocks in which nothing stands.
    pub(crate) fn write(&mut self, book: &mut Book<'_>, sealer: &mut Sealer) -> Outcome<()> {
        self.written = Written::default();
        if self.moved.is_empty() {
            return Ok(());
        }
        let mut left: BTreeMap<i64, usize> = BTreeMap::new();
        for place in self.moved.keys().filter_map(|key| self.places.get(key)) {
            *left.entry(*place).or_insert(0) += 1;
        }
        let mut carried = Vec::new();
        for (seq, gone) in left {
            let Some(block) = self.blocks.get(&seq) else { continue };
            let stays = block.live.len().saturating_sub(gone);
            // A few doubts must not keep the bytes of all the others: they move on.
            if stays == 0 || stays * 4 <= block.written.len() {
                carried.extend(block.live.iter().filter(|key| !self.moved.contains_key(key)));
                book.run(Sql::DropBlock, [seq])?;
                self.written.dropped.push(seq);
            }
        }
        // Found with nothing live in them at the start.
        for (seq, _) in self.blocks.iter().filter(|(_, block)| block.live.is_empty()) {
            book.run(Sql::DropBlock, [*seq])?;
            self.written.dropped.push(*seq);
        }
        let now = self.moved.iter().filter_map(|(key, intent)| Some((*key, intent.as_ref()?)));
        let kept = carried.iter().filter_map(|key| Some((*key, self.open.0.get(key)?.as_ref())));
        let mut keys = Vec::new();
        self.bytes.clear();
        for (key, intent) in now.chain(kept) {
            standing(&mut self.bytes, intent, book, sealer)?;
            keys.push(key);
            if self.bytes.len() >= BLOCK_BYTES {
                put(&mut self.next, book, &mut self.bytes, &mut keys, &mut self.written)?;
            }
        }
        if !keys.is_empty() {
            put(&mut self.next, book, &mut self.bytes, &mut keys, &mut self.written)?;
        }
        // A request of many megabytes is rare, and not worth its room for ever.
        self.bytes.shrink_to(2 * BLOCK_BYTES);
        Ok(())
    }

    /// The transaction is durable: what it moved is what stands, and what readers see.
    pub(crate) fn committed(&mut self, seen: &mut Arc<OpenIntents>) {
        if self.moved.is_empty() {
            return;
        }
        for key in self.moved.keys() {
            if let Some(block) = self.places.remove(key).and_then(|seq| self.blocks.get_mut(&seq)) {
                block.live.retain(|live| live != key);
            }
        }
        for seq in self.written.dropped.drain(..) {
            self.blocks.remove(&seq);
        }
        for (seq, live) in self.written.blocks.drain(..) {
            self.places.extend(live.iter().map(|key| (*key, seq)));
            self.blocks.insert(seq, Block { written: live.clone(), live });
        }
        // Given back below, so that it is copied only while a reader still looks at the old one.
        *seen = Arc::default();
        let open = Arc::make_mut(&mut self.open);
        for (key, intent) in std::mem::take(&mut self.moved) {
            match intent {
                Some(intent) => drop(open.0.insert(key, Arc::new(intent))),
                None => drop(open.0.remove(&key)),
            }
        }
        *seen = Arc::clone(&self.open);
    }
}

fn put(
    next: &mut i64,
    book: &mut Book<'_>,
    bytes: &mut Vec<u8>,
    keys: &mut Vec<Key>,
    written: &mut Written,
) -> Outcome<()> {
    book.run(Sql::PutBlock, (*next, &*bytes))?;
    bytes.clear();
    written.blocks.push((*next, std::mem::take(keys)));
    *next += 1;
    Ok(())
}
