//! How changes are read: polls, webhooks, and what each message means.

use std::collections::BTreeMap;

use canonical::Object;
use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{BodyTest, HandshakeSource, PageSource, RequestSource, SchemeSource, When};
use crate::moment::{Form, Span, Unit};
use crate::spec::Deletes;

/// A moment inside an object; the first path that holds one counts.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct MomentSource {
    pub(crate) path: Spanned<String>,
    #[serde(default)]
    pub(crate) or: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) form: Form,
}

/// The order of an object's states.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderSource {
    pub(crate) path: Spanned<String>,
    #[serde(default)]
    pub(crate) or: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) form: Form,
    /// The unit of the order token.
    #[serde(default)]
    pub(crate) unit: Unit,
}

/// The mark a listing moves along.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct MarkSource {
    pub(crate) path: Spanned<String>,
    #[serde(default)]
    pub(crate) or: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) form: Form,
    /// The vendor's filter leaves out what has exactly the lower bound's mark.
    #[serde(default)]
    pub(crate) exclusive: bool,
    /// The coarsest step of the mark: `1s` where the vendor keeps whole seconds.
    #[serde(default)]
    pub(crate) granularity: Option<Span>,
}

/// Reading what changed.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct PollSource {
    /// Only for objects that have these constants, not empty.
    #[serde(default)]
    pub(crate) with: Vec<Spanned<String>>,
    /// How often, unless the configuration says otherwise.
    pub(crate) every: Spanned<Span>,
    /// How far each listing reaches behind the last one's end.
    #[serde(default)]
    pub(crate) lookback: Option<Span>,
    pub(crate) request: RequestSource,
    /// Where the list stands in the answer; absent: it is the answer.
    #[serde(default)]
    pub(crate) items: Option<Spanned<String>>,
    /// What stands in an answer that found nothing and so has no list.
    #[serde(default)]
    pub(crate) empty: Option<Spanned<String>>,
    /// Where the object stands in an item; absent: it is the item.
    #[serde(default)]
    pub(crate) object: Option<Spanned<String>>,
    pub(crate) mark: MarkSource,
    /// How the vendor sorts what it lists.
    pub(crate) sorting: Sorting,
    pub(crate) page: PageSource,
    /// Items in a full page.
    pub(crate) size: u32,
    /// Most items the vendor lists for one question; the window is split before.
    #[serde(default)]
    pub(crate) cap: Option<u32>,
    /// Items are only hints: each is fetched.
    #[serde(default)]
    pub(crate) hint: bool,
    #[serde(default)]
    pub(crate) deletes: Deletes,
    /// What it never shows.
    #[serde(default)]
    pub(crate) blind: Vec<String>,
    /// How far back the first listing reaches; absent: everything.
    #[serde(default)]
    pub(crate) first: Option<Span>,
    /// How long the vendor keeps what it lists here: a mark older than that shows only a part of what changed since.
    #[serde(default)]
    pub(crate) keeps: Option<Spanned<Span>>,
    /// Which refusals say that a mark or page is too old to go on from; one of them is enough.
    #[serde(default)]
    pub(crate) expired: Vec<Spanned<When>>,
    /// Items say what happened (an event feed): the rules of the webhook apply to each.
    #[serde(default)]
    pub(crate) events: bool,
}

/// The order of a listing.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sorting {
    /// By the mark, oldest first. Each page asks anew from the highest mark seen, so that nothing slips through when
    /// objects move to the end while they are listed; offsets, ids, tokens and links only pass objects with one mark. By id, those
    /// of one mark are sorted by it, and the request asks for what has the bound's mark and a greater id, or a later mark.
    Ascending,
    /// By the mark, newest first (an event feed). The mark moves when the last page is read.
    Descending,
    /// By id.
    Id,
}

impl Sorting {
    /// Its name, as in manifests.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ascending => "ascending",
            Self::Descending => "descending",
            Self::Id => "id",
        }
    }
}

/// How the system pushes changes.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookSource {
    pub(crate) scheme: SchemeSource,
    #[serde(default)]
    pub(crate) handshake: Option<HandshakeSource>,
    /// The status that says "durable".
    #[serde(default = "ack_default")]
    pub(crate) ack: u16,
    #[serde(default)]
    pub(crate) format: Format,
    /// Every message is only a hint.
    #[serde(default)]
    pub(crate) hint: bool,
    /// Where the list of messages stands; absent: the body is one message, or a list of them.
    #[serde(default)]
    pub(crate) items: Option<Spanned<String>>,
    /// The message's id: these places together. What a vendor repeats within one place (`HubSpot` says that its
    /// `eventId` is not unique) is told apart by the others.
    #[serde(default)]
    pub(crate) id: Vec<Spanned<String>>,
    /// What kind of message it is.
    #[serde(default)]
    pub(crate) kind: Option<Spanned<String>>,
    /// The object's id, unless a rule says otherwise.
    #[serde(default)]
    pub(crate) object_id: Option<Spanned<String>>,
    /// Where the object's fields start, unless a rule says otherwise.
    #[serde(default)]
    pub(crate) fields: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) order: Option<OrderSource>,
    #[serde(default)]
    pub(crate) occurred_at: Option<MomentSource>,
    /// A W3C `traceparent`.
    #[serde(default)]
    pub(crate) trace: Option<Spanned<String>>,
    /// The scopes or permissions that a subscription needs; `{object}` is each object that comes in.
    #[serde(default)]
    pub(crate) scopes: Vec<Spanned<String>>,
    /// What each kind of message means: first match wins.
    pub(crate) rules: Vec<TypeRule>,
    /// What it never reports.
    #[serde(default)]
    pub(crate) blind: Vec<String>,
}

const fn ack_default() -> u16 {
    200
}

/// How a webhook's body is written.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// JSON.
    #[default]
    Json,
    /// A form with nested names, `data[email]`.
    Form,
    /// A CloudEvent or a batch of them.
    CloudEvents,
}

/// What a kind of message means.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct TypeRule {
    /// The kind: a text with at most one `*`, which stands for anything.
    #[serde(rename = "match")]
    pub(crate) pattern: Spanned<String>,
    /// Only if this also holds.
    #[serde(default, rename = "if")]
    pub(crate) only: Option<BodyTest>,
    /// The object it is about; absent: what the `*` stood for.
    #[serde(default)]
    pub(crate) object: Option<Spanned<String>>,
    /// Where the object's name stands in the message.
    #[serde(default)]
    pub(crate) object_path: Option<Spanned<String>>,
    /// Names in messages that differ from the objects' names here.
    #[serde(default)]
    pub(crate) objects: BTreeMap<String, Object>,
    /// The parameter with more of them.
    #[serde(default)]
    pub(crate) objects_from: Option<Spanned<String>>,
    pub(crate) seen: Handled,
    /// The object's id.
    #[serde(default)]
    pub(crate) id: Option<Spanned<String>>,
    /// The object's id is the MD5 of this address in lower case (Mailchimp).
    #[serde(default)]
    pub(crate) id_md5: Option<Spanned<String>>,
    /// Where the object's fields start.
    #[serde(default)]
    pub(crate) fields: Option<Spanned<String>>,
    /// For `merged`: the surviving id.
    #[serde(default)]
    pub(crate) into: Option<Spanned<String>>,
}

/// What becomes of a message.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Handled {
    /// It carries the object.
    State,
    /// It only says that something changed.
    Hint,
    /// The object is gone.
    Deleted,
    /// The object was merged into another.
    Merged,
    /// It is of no interest: acknowledged, not stored.
    Ignored,
}
