//! A manifest as it is written: the shape of the YAML, before anything in it is resolved.
//!
//! The tables here are the format's reference. Unknown keys are errors everywhere.

mod answer;
mod association;
mod batch;
mod body;
mod describe;
mod fetch;
mod habit;
mod idempotency;
mod listing;
mod paging;
mod scope;
mod snapshot;
mod statement;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeMap;

use canonical::Object;
use guard::signature::Scheme;
use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::Spanned;

use crate::exchange::Request;
use crate::handshake::Handshake;
use crate::moment::Span;
use crate::spec::AuthKind;
use crate::typed::Typed;

pub(crate) use answer::{
    AnswerSource, BodyTest, CallKind, CreatedFrom, IdFrom, ProbeAnswer, RefusalSource, RuleSource, Transport,
    VersionFrom, WaitForm, WaitSource, When,
};
pub(crate) use association::AssociationSource;
pub(crate) use batch::{BatchSource, CorrelateSource, CsvAnswerSource, CsvSource, JobSource, LineEnd};
pub(crate) use body::{AnswersSource, GraphQlSource};
pub(crate) use describe::DescribeSource;
pub(crate) use fetch::{Absent, AbsentOfMany, FetchSource, ManySource};
pub(crate) use habit::RewritesSource;
pub(crate) use idempotency::IdempotencySource;
pub(crate) use listing::{
    Format, Handled, MomentSource, OrderSource, PollSource, Sorting, TypeRule, WebhookSource,
};
pub(crate) use paging::PageSource;
pub(crate) use scope::ScopesSource;
pub(crate) use snapshot::SnapshotSource;
pub(crate) use statement::{BindSource, BindType, SqlSource};
pub(crate) use tree::Tree;

/// The whole document.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct ManifestSource {
    /// Its name: the kind of system, in lower case.
    pub(crate) connector: Spanned<String>,
    /// Its own version, counted up with each change.
    pub(crate) version: String,
    /// What it connects to, in a sentence or two.
    pub(crate) about: String,
    /// Where the vendor documents it.
    #[serde(default)]
    pub(crate) docs: Vec<String>,
    /// Code of the binary, for what the rest can't say.
    #[serde(default)]
    pub(crate) code: Option<Spanned<String>>,
    /// What each system must or may set.
    #[serde(default)]
    pub(crate) parameters: BTreeMap<String, ParameterSource>,
    /// The ways to authenticate; a system chooses one by name, the one called `default` needs no choice.
    #[serde(default)]
    pub(crate) auth: BTreeMap<String, Spanned<AuthKind>>,
    /// What the vendor allows.
    #[serde(default)]
    pub(crate) limits: LimitsSource,
    /// What the vendor must permit: which scopes there are. What needs which stands with the requests.
    #[serde(default)]
    pub(crate) scopes: Option<Spanned<ScopesSource>>,
    /// Who am I? Guards links against a swapped account.
    #[serde(default)]
    pub(crate) identity: Option<IdentitySource>,
    /// How the system pushes changes.
    #[serde(default)]
    pub(crate) webhook: Option<WebhookSource>,
    /// How `CloudEvents` sent to the events API are read.
    #[serde(default)]
    pub(crate) cloud_events: Option<Vec<TypeRule>>,
    /// Shapes that several objects share.
    #[serde(default)]
    pub(crate) kinds: BTreeMap<String, ObjectSource>,
    /// The objects.
    #[serde(default)]
    pub(crate) objects: BTreeMap<Object, ObjectSource>,
    /// Objects that only the system's own configuration knows.
    #[serde(default)]
    pub(crate) more_objects: Option<MoreSource>,
    /// How answers and webhooks are written.
    #[serde(default)]
    pub(crate) answers: AnswersSource,
    /// Headers of every request.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, Spanned<String>>,
    /// What refusals look like.
    #[serde(default)]
    pub(crate) refusal: RefusalSource,
    /// Which answers mean what: first match wins.
    #[serde(default)]
    pub(crate) errors: Vec<RuleSource>,
}

/// A parameter.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct ParameterSource {
    /// What it is for.
    #[allow(dead_code, reason = "read by people and by the published reference, not by the code")]
    pub(crate) about: String,
    /// Its type.
    pub(crate) kind: ParameterKind,
    /// Whether it must be set.
    #[serde(default)]
    pub(crate) required: bool,
    /// Its value when it is not.
    #[serde(default)]
    pub(crate) default: Option<Value>,
    /// The values there are.
    #[serde(default)]
    pub(crate) choices: Vec<Value>,
}

/// The type of a parameter.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ParameterKind {
    Text,
    Integer,
    Boolean,
    /// A list of texts.
    List,
    /// Texts by name.
    Map,
    /// By name, the constants of an object: a table of texts each.
    Constants,
}

/// Objects that the manifest does not name, all of one kind.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct MoreSource {
    /// The parameter that lists their names, or has them as its keys; absent: any name is taken. Of a table of
    /// constants, each object has its own: they win over the kind's `values`, and `kind` names another kind.
    #[serde(default)]
    pub(crate) parameter: Option<Spanned<String>>,
    /// The parameter is a map: the constant that each name's text becomes.
    #[serde(default)]
    pub(crate) value: Option<String>,
    /// Their kind.
    pub(crate) kind: Spanned<String>,
}

/// The vendor's limits.
#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitsSource {
    /// Calls at once.
    #[serde(default)]
    pub(crate) concurrency: Option<u32>,
    /// Windows and quotas by name.
    #[serde(default)]
    pub(crate) buckets: BTreeMap<String, Spanned<BucketSource>>,
    /// What calls draw from that name nothing themselves.
    #[serde(default)]
    pub(crate) every_call: Vec<Spanned<String>>,
}

/// A window or quota.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct BucketSource {
    /// Most calls in one burst.
    pub(crate) size: u64,
    /// Calls given back per `per`; `size` unless said.
    #[serde(default)]
    pub(crate) refill: Option<u64>,
    /// The window.
    pub(crate) per: Span,
    /// Whether others draw from it too.
    #[serde(default)]
    pub(crate) shared: bool,
    /// The header that says how many calls are left.
    #[serde(default)]
    pub(crate) remaining: Option<String>,
    /// That header is a list such as `api-usage=18/5000; other=1/9`: the entry that says `used/limit`. The empty text: the
    /// header is nothing but that, `18/5000`.
    #[serde(default)]
    pub(crate) used: Option<String>,
    /// That header is a list such as `"default";r=50;t=30` or `limit=100, remaining=50`: the entry that says what is left.
    #[serde(default)]
    pub(crate) item: Option<String>,
    /// The header counts the whole window, for everybody who draws from it: the first answer after a start says what was
    /// spent before. Without it a window starts empty.
    #[serde(default)]
    pub(crate) told: bool,
    /// The header that says when the window starts anew.
    #[serde(default)]
    pub(crate) reset: Option<WaitSource>,
}

/// A request.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestSource {
    /// Absent where a statement goes to a database.
    #[serde(default)]
    pub(crate) method: Method,
    /// Path template, starting with `/`. Absent likewise.
    #[serde(default = "statement::no_path")]
    pub(crate) path: Spanned<String>,
    /// An SQL statement for a database, in place of method, path and body.
    #[serde(default)]
    pub(crate) sql: Option<SqlSource>,
    /// Query: name → template; a name that ends in `?` goes when its value is missing.
    #[serde(default)]
    pub(crate) query: BTreeMap<String, Spanned<String>>,
    /// Headers: lower-case name → template, `?` likewise.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, Spanned<String>>,
    /// A JSON body.
    #[serde(default)]
    pub(crate) json: Option<Spanned<Tree>>,
    /// The media type of the JSON or XML body.
    #[serde(default)]
    pub(crate) content_type: Option<String>,
    /// A form body.
    #[serde(default)]
    pub(crate) form: Option<Spanned<Tree>>,
    /// An XML body: a table with the root as its key.
    #[serde(default)]
    pub(crate) xml: Option<Spanned<Tree>>,
    /// A GraphQL request.
    #[serde(default)]
    pub(crate) graphql: Option<Spanned<GraphQlSource>>,
    /// The records of a job, as CSV: only its `upload` has it.
    #[serde(default)]
    pub(crate) csv: Option<Spanned<CsvSource>>,
    /// Sent without credential.
    #[serde(default)]
    pub(crate) anonymous: bool,
    /// Longest the exchange may take.
    #[serde(default)]
    pub(crate) timeout: Option<Span>,
    /// What it draws from, instead of the usual.
    #[serde(default)]
    pub(crate) limits: Option<Vec<Spanned<String>>>,
    /// How much it draws.
    #[serde(default)]
    pub(crate) cost: Option<u32>,
    /// The scopes or permissions that it needs, in the vendor's words; of `a or b` one is enough.
    #[serde(default)]
    pub(crate) scopes: Vec<Spanned<String>>,
}

/// An HTTP method.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Method {
    /// None of HTTP's: a statement.
    #[default]
    #[serde(skip)]
    Sql,
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sql => Request::SQL,
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// The account behind the credential.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct IdentitySource {
    pub(crate) request: RequestSource,
    /// Where the account's id stands in the answer.
    pub(crate) path: Spanned<String>,
    /// Where the granted scopes stand in the answer: a list, or a text with spaces between them.
    #[serde(default)]
    pub(crate) scopes: Option<Spanned<String>>,
}

/// An object, or a kind that objects share. What an object says itself wins over its kind, part by part.
#[derive(Deserialize, Debug, Clone, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct ObjectSource {
    /// The kind it is of.
    #[serde(default)]
    pub(crate) kind: Option<Spanned<String>>,
    /// Constants for `{value.NAME}`.
    #[serde(default)]
    pub(crate) values: BTreeMap<String, String>,
    /// How one of it looks in answers.
    #[serde(default)]
    pub(crate) shape: Option<ShapeSource>,
    /// Paths read whenever nothing is mapped.
    #[serde(default)]
    pub(crate) paths: Vec<String>,
    /// Paths read besides the mapped ones. Constants are filled in; an empty one names none.
    #[serde(default)]
    pub(crate) paths_always: Vec<String>,
    /// Fields that must be sent in a type JSON does not have.
    #[serde(default)]
    pub(crate) types: BTreeMap<String, Typed>,
    /// What the vendor makes of values that are written, by the paths of mappings; `*` stands for all, `a.*` for those that
    /// begin so. Values that it cannot tell apart are the same to Concord, too.
    #[serde(default)]
    pub(crate) normalises: BTreeMap<String, Spanned<RewritesSource>>,
    /// The paths whose values, together, the vendor has once only: it refuses a second object, or takes it for the same.
    #[serde(default)]
    pub(crate) keys: Vec<Spanned<Vec<Spanned<String>>>>,
    /// Reading one by its id.
    #[serde(default)]
    pub(crate) fetch: Option<FetchSource>,
    /// Reading what changed.
    #[serde(default)]
    pub(crate) poll: Option<PollSource>,
    /// Listing all that is there.
    #[serde(default)]
    pub(crate) snapshot: Option<SnapshotSource>,
    /// Asking which fields it has.
    #[serde(default)]
    pub(crate) describe: Option<DescribeSource>,
    /// Relations to other objects that are no fields, by the path that mappings know them by.
    #[serde(default)]
    pub(crate) associations: BTreeMap<String, AssociationSource>,
    /// Writing.
    #[serde(default)]
    pub(crate) writes: BTreeMap<String, WriteSource>,
    /// Which answers mean what, before the manifest's own rules.
    #[serde(default)]
    pub(crate) errors: Vec<RuleSource>,
}

/// How an object looks in answers.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShapeSource {
    /// Its id.
    pub(crate) id: Spanned<String>,
    /// Where its fields start; absent: at its root.
    #[serde(default)]
    pub(crate) fields: Option<Spanned<String>>,
    /// The order of its states.
    #[serde(default)]
    pub(crate) order: Option<OrderSource>,
    /// Its opaque version, such as an `ETag`: sent with changes as `{version}`.
    #[serde(default)]
    pub(crate) version: Option<VersionFrom>,
    /// It is deleted when this holds.
    #[serde(default)]
    pub(crate) deleted: Option<BodyTest>,
    /// The id it was merged into.
    #[serde(default)]
    pub(crate) merged_into: Option<Spanned<String>>,
    /// Values are Tryton's typed JSON.
    #[serde(default)]
    pub(crate) typed: bool,
    /// False stands for null, as in Odoo.
    #[serde(default)]
    pub(crate) false_is_null: Option<FalseSource>,
}

/// Where false is a value all the same.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct FalseSource {
    /// The fields that are true or false.
    pub(crate) booleans: Vec<String>,
    /// The parameter that lists more of them.
    #[serde(default)]
    pub(crate) parameter: Option<Spanned<String>>,
}

/// A write operation.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct WriteSource {
    /// What it is chosen for.
    #[serde(rename = "for")]
    pub(crate) serves: Vec<Serves>,
    /// The associations that it makes or takes back; absent: all of its object.
    #[serde(default)]
    pub(crate) associations: Option<Vec<Spanned<String>>>,
    /// Only for objects that have these constants, not empty.
    #[serde(default)]
    pub(crate) with: Vec<Spanned<String>>,
    /// Only for objects that do not have these.
    #[serde(default)]
    pub(crate) without: Vec<Spanned<String>>,
    /// How it can be repeated.
    pub(crate) idempotency: Spanned<IdempotencySource>,
    /// Whether it may carry only the difference.
    #[serde(default)]
    pub(crate) partial: bool,
    pub(crate) request: RequestSource,
    /// What a success looks like.
    #[serde(default)]
    pub(crate) answer: AnswerSource,
    /// How to look for its effect.
    #[serde(default)]
    pub(crate) probe: Option<ProbeSource>,
    /// How long the target may go on working after the last arrival.
    #[serde(default)]
    pub(crate) processing_max: Option<Span>,
    /// Whether it may be the first call of a breaker that tries again; keyed and upserting operations may.
    #[serde(default)]
    pub(crate) safe: Option<bool>,
    /// Which answers mean what, before the object's own rules.
    #[serde(default)]
    pub(crate) errors: Vec<RuleSource>,
    /// How several go in one request.
    #[serde(default)]
    pub(crate) batch: Option<BatchSource>,
    /// How very many go: in a job.
    #[serde(default)]
    pub(crate) bulk: Option<BatchSource>,
    /// The target path whose value no two calls may have at once: the parent, where the vendor locks its row. Constants are
    /// filled in; empty, it names none.
    #[serde(default)]
    pub(crate) serial_by: Option<Spanned<String>>,
}

/// What an operation is chosen for.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Serves {
    /// The record has no link yet.
    Create,
    /// It has.
    Update,
    /// It left the filter, or is a tombstone.
    Archive,
    /// Likewise, with `on_exit: delete`.
    Delete,
    /// Likewise, with `on_exit: unsubscribe`.
    Unsubscribe,
    /// It is to be associated with another object.
    Associate,
    /// It is associated no more.
    Dissociate,
    /// Only when a `notify` route names it.
    Notify,
}

impl Serves {
    /// Its name, as in manifests.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Archive => "archive",
            Self::Delete => "delete",
            Self::Unsubscribe => "unsubscribe",
            Self::Associate => "associate",
            Self::Dissociate => "dissociate",
            Self::Notify => "notify",
        }
    }
}

/// Looking for the effect of a write.
#[derive(Deserialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProbeSource {
    pub(crate) request: RequestSource,
    pub(crate) answer: ProbeAnswer,
}

/// A webhook's scheme, or that there is none.
pub(crate) type SchemeSource = Spanned<Scheme>;

/// Re-exported for the webhook's table.
pub(crate) type HandshakeSource = Spanned<Handshake>;
