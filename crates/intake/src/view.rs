//! The view: what intake must know to decide a batch. It carries the batch: each decision updates it.

use std::collections::{BTreeMap, BTreeSet};

use canonical::{Entity, ExternalRef, Object, Record, RecordId, System, Tenant, Wall};
use ledger::{Intent, Shadow};

use crate::link::Link;
use crate::verdict::Incoming;

/// What one message needs to be decided.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Ask {
    /// The source's id of the message with the source: asks whether it was seen, and with which content hash.
    pub event: Option<(System, String)>,
    /// The name by which the message waits for nothing but a late reference, with the source: asked like `event`.
    pub late: Option<(System, String)>,
    /// The name of the object's grave, with the system: see [`crate::Grave`].
    pub grave: Option<(System, String)>,
    /// Records that are needed by themselves.
    pub records: Vec<RecordId>,
    /// Objects whose links, records, shadows and open intents are needed: the message's own first.
    pub objects: Vec<ExternalRef>,
    /// Match keys: entity, key name, value in comparing form. Asks which records have them.
    pub matches: Vec<(Entity, String, String)>,
    /// Systems and objects that the record would be sent to and that the source shares: an open create there makes
    /// an unlinked inbound object wait.
    pub creating: Option<(Entity, System, Object)>,
    /// An object that ends: asks whether another one waits, as a duplicate beside it, for that.
    pub ending: Option<ExternalRef>,
}

/// What the store knows of a batch's asks, kept up to date by the decisions already made in it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct View {
    /// (source, event id) → content hash, for those seen before.
    pub seen: BTreeMap<(System, String), [u8; 32]>,
    /// Links of the asked objects.
    pub links: BTreeMap<ExternalRef, Link>,
    /// Records that links or match keys lead to. Aliases are followed: the surviving record is present too.
    pub records: BTreeMap<RecordId, Record>,
    /// Which records have a match key: (entity, key, value) → records.
    pub matches: BTreeMap<(Entity, String, String), Vec<RecordId>>,
    /// Links of those records in the asking system, per object: (record, system, object) → external id.
    pub linked: BTreeMap<(RecordId, System, Object), String>,
    /// Shadows of the asked objects' records in the source's system.
    pub shadows: BTreeMap<(RecordId, System, Object), Shadow>,
    /// Open and doubtful intents of those records in that system.
    pub intents: BTreeMap<(RecordId, System, Object), Intent>,
    /// Creates not yet closed in the source's system, per (tenant, entity, system, object): how many.
    pub creates_open: BTreeMap<(Entity, System, Object), u64>,
    /// Objects that end, and beside which another one waits as a duplicate.
    pub beside: BTreeSet<ExternalRef>,
    /// Whose.
    pub tenant: Option<Tenant>,
    /// When the store was last restored from a backup: what was known before may not hold any more.
    pub restored_at: Option<Wall>,
}

impl View {
    /// What is known of an object of a record: by the record, or still by the one that was merged into it and left the object.
    #[must_use]
    pub fn shadow_of(&self, record: RecordId, about: &ExternalRef) -> Option<&Shadow> {
        let of = |record: RecordId| {
            let shadow = self.shadows.get(&(record, about.system.clone(), about.object.clone()));
            shadow.filter(|shadow| shadow.is_of(&about.id))
        };
        of(record).or_else(|| of(self.links.get(about)?.record))
    }

    /// Whether something else is seen of a record's object than what is being written to it: when the answer comes, it must be
    /// known that this was seen meanwhile.
    pub(crate) fn crosses_a_write(&self, incoming: &Incoming, record: RecordId) -> bool {
        let key = (record, incoming.about.system.clone(), incoming.about.object.clone());
        self.intents.get(&key).is_some_and(|intent| {
            let mut seen = incoming.seen_paths.iter();
            seen.any(|(path, value)| intent.fields.get(path).is_some_and(|ours| ours != value))
        })
    }
}
