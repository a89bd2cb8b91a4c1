//! The business's own record of what it did: the only thing the proof believes besides the sandboxes' books.

use std::collections::BTreeMap;

/// One of the three systems.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Place {
    Crm,
    Erp,
    Marketing,
}

/// What a record is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Kind {
    Account,
    Contact,
    Lead,
    Opportunity,
    Product,
    Order,
    Invoice,
    Subscription,
}

/// A record by the id that the business gave it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Key {
    pub(crate) kind: Kind,
    pub(crate) id: String,
}

/// One value that the business stands for, from a moment on. `None`: cleared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Said {
    pub(crate) at_ms: u64,
    /// Where it was said: in the owner's system, or, for a first value, where the record was first entered.
    pub(crate) place: Place,
    pub(crate) value: Option<String>,
}

/// A field of a record: what its owner said, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FieldDiary {
    /// Whose word counts.
    pub(crate) owner: Place,
    pub(crate) said: Vec<Said>,
}

/// What becomes of an edit in the wrong system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Policy {
    /// It is refused, and stays where it was made until the owner says something new.
    Reject,
    /// It is refused, and the owner's value is written back over it.
    Revert,
    /// Nobody can make sense of it: it waits for a person, and is put right where it was made.
    Garbage,
}

/// An edit by somebody who does not own the field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Stray {
    pub(crate) key: Key,
    pub(crate) field: &'static str,
    pub(crate) place: Place,
    pub(crate) at_ms: u64,
    pub(crate) value: String,
    pub(crate) policy: Policy,
}

/// Something that happens at a target so often, such as a mail.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Often {
    pub(crate) least: u64,
    pub(crate) most: u64,
}

/// What is counted: in which system, and under which business id.
pub(crate) type Counted = (Place, String);

/// A record.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Entry {
    pub(crate) fields: BTreeMap<&'static str, FieldDiary>,
}

/// Everything.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Diary {
    pub(crate) records: BTreeMap<Key, Entry>,
    pub(crate) strays: Vec<Stray>,
    /// Messages that a target gets about a business id, and that cannot be taken back.
    pub(crate) told: BTreeMap<Counted, Often>,
    /// Edits made, strays among them.
    pub(crate) edits: u64,
    /// Messages that no hub can read, sent on purpose.
    pub(crate) bad_messages: u64,
}

impl Place {
    /// Its name in the configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Crm => "crm",
            Self::Erp => "erp",
            Self::Marketing => "marketing",
        }
    }
}

impl Kind {
    /// Its name, for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Contact => "contact",
            Self::Lead => "lead",
            Self::Opportunity => "opportunity",
            Self::Product => "product",
            Self::Order => "order",
            Self::Invoice => "invoice",
            Self::Subscription => "subscription",
        }
    }
}

impl Key {
    pub(crate) fn new(kind: Kind, id: impl Into<String>) -> Self {
        Self { kind, id: id.into() }
    }
}

impl Entry {
    /// What a field's owner said last.
    pub(crate) fn now(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.said.last()?.value.as_deref()
    }
}

impl Diary {
    /// Notes what the owner of a field said.
    pub(crate) fn say(
        &mut self,
        key: &Key,
        field: &'static str,
        place: Place,
        value: Option<&str>,
        at_ms: u64,
    ) {
        let entry = self.records.entry(key.clone()).or_default();
        let diary = entry
            .fields
            .entry(field)
            .or_insert_with(|| FieldDiary { owner: owner(key.kind, field), said: Vec::new() });
        let value = value.map(str::to_owned);
        // Said again is nothing new, as it is for the systems.
        if diary.said.last().map(|said| &said.value) != Some(&value) {
            diary.said.push(Said { at_ms, place, value });
        }
    }
}

/// Whose word counts on a field.
pub(crate) fn owner(kind: Kind, field: &str) -> Place {
    match (kind, field) {
        (Kind::Account, "payment_state" | "credit_hold" | "credit_limit") | (Kind::Contact, "plan") => {
            Place::Erp
        }
        (Kind::Contact, "consent") => Place::Marketing,
        (Kind::Account | Kind::Contact | Kind::Lead | Kind::Opportunity, _) => Place::Crm,
        (Kind::Product | Kind::Order | Kind::Invoice | Kind::Subscription, _) => Place::Erp,
    }
}
