//! What operators ask a running hub, and order, on the command line.

use clap::{Args, Subcommand};

/// Connected systems.
#[derive(Subcommand, Debug)]
pub(crate) enum System {
    /// List systems: queue, breaker, pauses
    List,
    /// Show one system: limits, breakers, what is held, and when planned calls would be through
    Get {
        /// The system
        system: String,
        /// Say when so many calls would be through, such as a backfill's
        #[arg(long, value_name = "N")]
        calls: Option<u64>,
        /// On this lane: critical, standard or bulk [default: bulk]
        #[arg(long, value_name = "LANE", requires = "calls")]
        lane: Option<String>,
    },
    /// Hold everything to and from a system, or a part of it; nothing is dropped
    Pause {
        /// The system
        system: String,
        #[command(flatten)]
        part: Part,
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Go on with a paused system, or a part of it
    Resume {
        /// The system
        system: String,
        #[command(flatten)]
        part: Part,
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Force a breaker open or closed, or let it decide by itself again
    Breaker {
        /// The system
        system: String,
        /// open: nothing goes; closed: everything goes; auto: by what the system answers
        #[arg(value_parser = ["open", "closed", "auto"])]
        to: String,
        /// Only of this operation, as `system get` shows it [default: all]
        #[arg(long, value_name = "OPERATION")]
        operation: Option<String>,
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// List what changed about systems, newest first: pauses, holds, breakers, silence, silence
    #[command(
        after_help = "With --follow each change is a CloudEvent (`concord.system.breaker_opened`), a line each with \
        --output jsonl: pipe it to what pages people. A hub that goes away is waited for, and nothing is missed \
        meanwhile; a listener that was away itself goes on with --after and the `id` of the last event that it \
        read.\n\n  concord system journal --follow -o jsonl --after \"$(cat seen)\" | while read -r event; do ...; done"
    )]
    Journal {
        /// Only of this system
        system: Option<String>,
        #[command(flatten)]
        page: Page,
        /// Go on, and write what changes from now on as it comes, oldest first
        #[arg(long, conflicts_with_all = ["before", "limit"])]
        follow: bool,
        /// Follow from after this position: the `id` of an event; 0 for all that is kept
        #[arg(long, value_name = "POSITION", requires = "follow")]
        after: Option<u64>,
    },
}

/// A part of a system's work.
#[derive(Args, Debug)]
#[group(multiple = false)]
pub(crate) struct Part {
    /// Only what is about this type of record
    #[arg(long, value_name = "ENTITY")]
    pub(crate) entity: Option<String>,
    /// Only what goes by this route
    #[arg(long, value_name = "ROUTE")]
    pub(crate) route: Option<String>,
    /// Only what is about this record
    #[arg(long, value_name = "ID")]
    pub(crate) record: Option<String>,
}

/// Events.
#[derive(Subcommand, Debug)]
pub(crate) enum Event {
    /// List events, newest first
    List {
        /// Only of this kind, such as OpportunityWon
        #[arg(long, value_name = "KIND")]
        kind: Option<String>,
        /// Only about this type of record
        #[arg(long, value_name = "ENTITY")]
        entity: Option<String>,
        /// Only about this record
        #[arg(long, value_name = "ID")]
        record: Option<String>,
        /// Only caused by this system
        #[arg(long, value_name = "SYSTEM")]
        source: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Show one event as a CloudEvent
    Get {
        /// The event's id
        id: String,
        #[command(flatten)]
        mask: Mask,
    },
}

/// Records.
#[derive(Subcommand, Debug)]
pub(crate) enum Record {
    /// Show a record: fields and where they came from, links, what each system has, timeline
    Get {
        /// The record's id, or SYSTEM:ID for the object's id in a system
        #[arg(value_name = "ID|SYSTEM:ID")]
        id: String,
        /// Read the record's objects in this system first; what that came to is said
        #[arg(long, value_name = "SYSTEM")]
        fresh: Option<String>,
        #[command(flatten)]
        mask: Mask,
    },
    /// Why a record is as it is: of each field its owner, where its value came from, and what was refused
    Explain {
        /// The record's id (also as ENTITY/ID), or SYSTEM:ID for the object's id in a system
        #[arg(value_name = "ID|SYSTEM:ID")]
        id: String,
        /// Only this field, with all that was decided about it
        #[arg(long, value_name = "FIELD")]
        field: Option<String>,
        #[command(flatten)]
        mask: Mask,
    },
    /// Settle what is open about a field: frozen, proposed, or in conflict
    Settle {
        /// The record's id (also as ENTITY/ID), or SYSTEM:ID for the object's id in a system
        #[arg(value_name = "ID|SYSTEM:ID")]
        id: String,
        /// The field
        #[arg(long, value_name = "FIELD")]
        field: String,
        /// What counts: what the record has, or what the other system says, which then is told to all
        #[arg(long, value_name = "WHICH", value_parser = ["record", "other"])]
        take: String,
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Say that an object stands for a record
    Link(ByHand),
    /// Say that an object does not stand for a record any more; neither is changed
    Unlink(ByHand),
    /// Plan to merge a record into another: what each field, object and system comes to; nothing is done yet
    Merge(Merge),
    /// Plan to take a merge back: what each record has, and what can't be taken back; nothing is done yet
    Split(Split),
    /// List what was refused, reverted, proposed or left open, newest first, of all records
    Violations {
        /// Only of these kinds [default: rejected,reverted,frozen,proposed,declined,conflict]
        #[arg(long, value_name = "KINDS", value_delimiter = ',')]
        kind: Vec<String>,
        /// Only by this system
        #[arg(long, value_name = "SYSTEM")]
        system: Option<String>,
        #[command(flatten)]
        page: Page,
    },
}

/// Which records are one.
#[derive(Args, Debug)]
#[command(
    after_help = "The record that is merged stays as an alias for ever: its id, its objects and its match keys lead to the \
    other one. An owner's value counts, then the field's policy, then what was said last. Where both have an object in \
    one system, the other one's becomes a duplicate there, which a person merges or deletes at the vendor. Nothing is \
    written before the plan is applied (concord job apply PLAN --reason …), and what is on its way about either record is \
    waited for. A plan can be applied for an hour, once, and only while neither record has changed."
)]
pub(crate) struct Merge {
    /// The record that stays: its id (also as ENTITY/ID), or SYSTEM:ID for the object's id in a system
    #[arg(value_name = "KEEP")]
    pub(crate) keep: String,
    /// The record that is merged into it, named likewise
    #[arg(value_name = "GONE")]
    pub(crate) gone: String,
    /// Whose value counts, where both have one and no rule says it: FIELD=keep or FIELD=gone; repeatable
    #[arg(long, value_name = "FIELD=WHOSE")]
    pub(crate) prefer: Vec<String>,
}

/// Which record is one of its own again.
#[derive(Args, Debug)]
#[command(
    after_help = "Only what `concord record merge` did is taken back; objects that were merged at a vendor stay one. The \
    record has what it had, and what its own objects said since; its objects are read again. What systems were told \
    meanwhile is written over, and can't be unsaid. Nothing is written before the plan is applied \
    (concord job apply PLAN --reason …)."
)]
pub(crate) struct Split {
    /// The record that was merged into another: its id (also as ENTITY/ID)
    #[arg(value_name = "GONE")]
    pub(crate) gone: String,
}

/// Which object, of which record.
#[derive(Args, Debug)]
pub(crate) struct ByHand {
    /// The record's id (also as ENTITY/ID)
    #[arg(value_name = "RECORD")]
    pub(crate) record: String,
    /// The object: its system, kind and id there
    #[arg(value_name = "SYSTEM:OBJECT/ID")]
    pub(crate) object: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
}

/// Deliveries.
#[derive(Subcommand, Debug)]
pub(crate) enum Delivery {
    /// List deliveries, newest first
    List {
        /// Only to this system
        #[arg(long, value_name = "SYSTEM")]
        system: Option<String>,
        /// Only in these states, such as retrying,parked
        #[arg(long, value_name = "STATES", value_delimiter = ',')]
        state: Vec<String>,
        /// Only of this record
        #[arg(long, value_name = "ID")]
        record: Option<String>,
        /// Only by this route
        #[arg(long, value_name = "ROUTE")]
        route: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// Show one delivery with its intents and attempts
    Get {
        /// The delivery's key, as the list shows it
        key: String,
    },
    /// Pass over a delivery that is stuck; a newer version of its record goes as ever
    Skip(Decision),
}

/// What needs a person.
#[derive(Subcommand, Debug)]
pub(crate) enum DeadLetter {
    /// List dead letters, deliveries in doubt and quarantined messages, newest first
    List {
        /// Only of this system
        #[arg(long, value_name = "SYSTEM")]
        system: Option<String>,
        /// Only of this group, as the list shows it
        #[arg(long, value_name = "GROUP")]
        group: Option<String>,
        /// In place of them the messages that wait for a link, and for nobody yet
        #[arg(long, conflicts_with = "group")]
        waiting: bool,
        #[command(flatten)]
        page: Page,
    },
    /// List groups of alike failures, or show one with what differs from what gets through
    Groups {
        /// The group
        group: Option<String>,
        /// Only of this system
        #[arg(long, value_name = "SYSTEM", conflicts_with = "group")]
        system: Option<String>,
        /// Those in which nothing is left
        #[arg(long, conflicts_with = "group")]
        closed: bool,
        #[command(flatten)]
        page: Page,
    },
    /// Show one
    Get {
        /// Its key, as the list shows it
        key: String,
    },
    /// Try again, with the newest state of the record
    Retry(Decision),
    /// Give up for good
    Discard(Decision),
    /// Say for which record a quarantined message's object stands, and take the message in again
    Link {
        /// Its key, as the list shows it
        key: String,
        /// The record's id; `dead-letter get` shows the candidates
        #[arg(long, value_name = "RECORD")]
        to: String,
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Correct a quarantined message, or what a dead delivery says, and try again; the original is kept
    Edit(Edit),
}

/// What to put in place of what.
#[derive(Args, Debug)]
#[command(
    after_help = "Of a message, PATH is a path of the source's object, with dots; what came is kept, and a correction takes its \
    place by the rules that held for it: an owner's word and a newer one count as ever. Of a delivery, PATH is a path of the \
    target's object; the value counts for the version that is wanted now, and the record stays as it is: its next version \
    says again what the record says, so correct the record at its source, too. `dead-letter get` shows what was said \
    before, who put what in its place, and why."
)]
pub(crate) struct Edit {
    /// Its key, as the list shows it
    pub(crate) key: String,
    /// A value; JSON, or else a text
    #[arg(long, value_name = "PATH=VALUE", required_unless_present = "unset")]
    pub(crate) set: Vec<String>,
    /// A path that a message should not have
    #[arg(long, value_name = "PATH")]
    pub(crate) unset: Vec<String>,
    /// Of a message that could not be read: the kind of object it is about
    #[arg(long, value_name = "OBJECT", requires = "id")]
    pub(crate) object: Option<String>,
    /// And that object's id
    #[arg(long, value_name = "ID", requires = "object")]
    pub(crate) id: Option<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
}

/// What to decide about, and why.
#[derive(Args, Debug)]
pub(crate) struct Decision {
    /// Keys, as the list shows them
    #[arg(required_unless_present = "group", value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// Plan it for a whole group instead; `concord job apply` then starts it
    #[arg(long, value_name = "GROUP", conflicts_with_all = ["keys", "reason"])]
    pub(crate) group: Option<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", required_unless_present = "group")]
    pub(crate) reason: Option<String>,
}

/// Whether personal values are shown.
#[derive(Args, Debug)]
pub(crate) struct Mask {
    /// Show personal values, too; that they were asked for is logged
    #[arg(long)]
    pub(crate) unmask: bool,
}

/// How much of a list.
#[derive(Args, Debug)]
pub(crate) struct Page {
    /// At most so many rows
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    /// Only rows before this position, as the last page's end says
    #[arg(long, value_name = "POSITION")]
    pub(crate) before: Option<i64>,
}
