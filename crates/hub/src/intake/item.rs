//! An item: one arrival on its way through intake, with what to do about it and what must be known for that.

use std::sync::Arc;

use canonical::{EntitySchema, ExternalRef, MessageId, RecordId, System, Tenant, Wall};
use config::Configuration;
use intake::{Ask, Incoming, Message, MessageState};
use ledger::Reason;
use mapping::Mapping;

use crate::turn::{Origin, Ticket};

/// One arrival on its way through intake.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// By what it was read, and is decided.
    pub(super) config: Arc<Configuration>,
    /// The offer it came with; `None` for a message taken in again.
    pub(super) offer: Option<u64>,
    /// Its place in the offer.
    pub(super) index: usize,
    /// The source.
    pub(super) source: System,
    /// The message as it will be kept.
    pub(super) message: Message,
    /// Whether it is already stored (taken in again).
    pub(super) stored: bool,
    /// Whether it was pushed: then the source may not have it any more.
    pub(super) pushed: bool,
    /// Names a read state, so that what waits, for a link or for a person, is not put there again by every poll.
    pub(super) read_key: Option<String>,
    /// Hash of the content.
    pub(super) hash: [u8; 32],
    /// What to do with it.
    pub(super) task: Task,
    /// What must be known.
    pub(super) ask: Ask,
    /// A cursor or a finished fetch that is kept with it.
    pub(super) origin: Option<Origin>,
    /// How often it was decided and conflicted.
    pub(super) tries: u32,
    /// Whether somebody wants to know what it raises.
    pub(super) watched: bool,
    /// It tells what was so before the hub began: no event comes of it, and what it said is kept for the report.
    pub(super) history: bool,
    /// It was read, and has no order: what waits of its object has the object's name, which stands for what was read last.
    pub(super) moves: bool,
}

/// What to do with an arrival.
#[derive(Clone, Debug)]
pub(super) enum Task {
    /// Decide and merge.
    Merge(Box<Merge>),
    /// Fetch the object.
    Fetch(ExternalRef),
    /// Keep it for a person.
    Quarantine(Reason),
    /// Only keep the cursor, or end the fetch.
    Nothing,
    /// A person settles a field of a record.
    Settle(Box<Settle>),
}

/// What a person settles.
#[derive(Clone, Debug)]
pub(super) struct Settle {
    /// Who waits for the answer.
    pub(super) outside: Ticket,
    pub(super) record: RecordId,
    pub(super) field: canonical::Field,
    pub(super) choice: intake::Choice,
    pub(super) reason: String,
}

/// A state or deletion, normalised.
#[derive(Clone, Debug)]
pub(super) struct Merge {
    pub(super) incoming: Incoming,
    pub(super) schema: Arc<EntitySchema>,
    pub(super) mapping: Arc<Mapping>,
}

impl Item {
    /// By what it is known again: the source's own id, or the name of what was read.
    pub(super) fn name(&self) -> Option<&str> {
        self.message.event_id.as_deref().or(self.read_key.as_deref())
    }

    /// By what is known again that nothing but a late reference of what was read waits.
    pub(super) fn late_key(&self) -> Option<String> {
        self.read_key.as_ref().map(|name| format!("late/{name}"))
    }

    /// It is of what was so before the hub began.
    pub(super) fn of_history(&mut self) {
        self.history = true;
        if let Task::Merge(merge) = &mut self.task {
            merge.incoming.silent = true;
        }
    }

    /// Nothing but the cursor of an offer to keep, or its fetch to end.
    pub(super) fn bare(
        config: &Arc<Configuration>,
        offer: u64,
        source: &System,
        as_of: Wall,
        origin: Origin,
    ) -> Self {
        Self {
            config: Arc::clone(config),
            offer: Some(offer),
            index: 0,
            source: source.clone(),
            message: blank(config.tenant.clone(), source.clone(), as_of),
            stored: true,
            pushed: false,
            read_key: None,
            hash: [0; 32],
            task: Task::Nothing,
            ask: Ask::default(),
            origin: Some(origin),
            tries: 0,
            watched: false,
            history: false,
            moves: false,
        }
    }

    /// A person's order about a record, in line with the messages about it.
    pub(super) fn settle(config: &Arc<Configuration>, source: &System, wanted: Settle, now: Wall) -> Self {
        let ask = Ask { records: vec![wanted.record], ..Ask::default() };
        Self {
            config: Arc::clone(config),
            offer: None,
            index: 0,
            source: source.clone(),
            message: blank(config.tenant.clone(), source.clone(), now),
            stored: true,
            pushed: false,
            read_key: None,
            hash: [0; 32],
            task: Task::Settle(Box::new(wanted)),
            ask,
            origin: None,
            tries: 0,
            watched: false,
            history: false,
            moves: false,
        }
    }
}

/// A message of which nothing is known but whose it is.
pub(super) fn blank(tenant: Tenant, source: System, as_of: Wall) -> Message {
    Message {
        id: MessageId(uuid::Uuid::nil()),
        tenant,
        source,
        event_id: None,
        about: None,
        state: MessageState::Accepted,
        raw: Vec::new(),
        read: false,
        lacking: false,
        reason: None,
        waiting: None,
        deadline: None,
        received_at: as_of,
        as_of,
        trace: String::new(),
    }
}
