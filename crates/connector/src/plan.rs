//! A bound manifest, ready to run: templates split, paths cut, rules in order. Built by `compile`.

mod batch;
mod fetch;
mod gauge;
mod paging;
mod rule;
mod slots;
mod version;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use canonical::{Object, OrderToken, Rewrites, Wall};
use serde_json::Value;
use serde_saphyr::Location;

use crate::association::AssociationPlan;
use crate::batch::Together;
use crate::body::Node;
use crate::call::Cursor;
use crate::csv::CsvBody;
use crate::describe::DescribePlan;
use crate::exchange::Credential;
use crate::moment::{Form, Unit};
use crate::path::Path;
use crate::scope::ScopesPlan;
use crate::source::{Format, Handled, Serves, Sorting};
use crate::spec::{AuthKind, Charge, Limits, PollSpec, WebhookSpec, WriteSpec};
use crate::statement::Statement;
use crate::template::Template;
use crate::typed::Typed;
use crate::xml::XmlPlan;

pub(crate) use batch::{BatchPlan, Correlate, JobPlan};
pub(crate) use fetch::{FetchPlan, ManyErrors, ManyPlan};
pub(crate) use gauge::{Gauge, Left, item};
pub(crate) use paging::{CursorPlan, LinkAt, LinkPlan, More, PagePlan};
pub(crate) use rule::{ExistingPlan, HeaderPlan, RefusalPlan, Rule, Test, WaitPlan};
pub(crate) use slots::Parts;
pub(crate) use version::VersionPlan;

/// The whole.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) name: Arc<str>,
    pub(crate) version: Arc<str>,
    pub(crate) auth: AuthKind,
    pub(crate) limits: Limits,
    /// Headers that say what is left of a limit.
    pub(crate) gauges: Vec<Gauge>,
    pub(crate) identity: Option<IdentityPlan>,
    pub(crate) webhook: Option<WebhookPlan>,
    pub(crate) scopes: Option<ScopesPlan>,
    /// What stands between it and the vendor.
    pub(crate) code: Option<&'static dyn crate::Code>,
    /// How answers that are XML are read; `None`: they are JSON.
    pub(crate) xml: Option<XmlPlan>,
    pub(crate) cloud_events: Vec<Kind>,
    pub(crate) objects: BTreeMap<Object, Arc<ObjectPlan>>,
    pub(crate) any_object: Option<Arc<ObjectPlan>>,
    pub(crate) refusal: RefusalPlan,
    pub(crate) errors: Vec<Rule>,
    /// The keys that its paths lead through.
    pub(crate) names: BTreeSet<String>,
}

#[derive(Debug)]
pub(crate) struct IdentityPlan {
    pub(crate) request: RequestPlan,
    pub(crate) path: Path,
    /// The granted scopes.
    pub(crate) scopes: Option<Path>,
}

#[derive(Debug)]
pub(crate) struct ObjectPlan {
    pub(crate) shape: Shape,
    pub(crate) paths: Vec<String>,
    pub(crate) types: BTreeMap<String, Typed>,
    /// What the vendor makes of values.
    pub(crate) rewrites: Rewrites,
    /// Sets of paths by which it knows one.
    pub(crate) natural_keys: Vec<Vec<String>>,
    pub(crate) fetch: Option<FetchPlan>,
    pub(crate) poll: Option<PollPlan>,
    /// Lists all that is there; its mark stands nowhere.
    pub(crate) snapshot: Option<PollPlan>,
    pub(crate) describe: Option<DescribePlan>,
    pub(crate) associations: Vec<AssociationPlan>,
    /// The kinds of the others that a read asks for.
    pub(crate) asked: Vec<String>,
    pub(crate) writes: Vec<WritePlan>,
    pub(crate) errors: Vec<Rule>,
}

/// How an object looks in answers.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) id: Path,
    pub(crate) fields: Path,
    pub(crate) order: Option<Order>,
    pub(crate) version: Option<VersionPlan>,
    pub(crate) deleted: Option<Test>,
    pub(crate) merged_into: Option<Path>,
    pub(crate) typed: bool,
    /// The fields in which false is a value, where it stands for null in all others.
    pub(crate) booleans: Option<BTreeSet<String>>,
}

/// A moment in an answer.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    pub(crate) path: Path,
    pub(crate) or: Option<Path>,
    pub(crate) form: Form,
}

impl Moment {
    /// Microseconds, or the bare number.
    pub(crate) fn read(&self, value: &Value) -> Option<i64> {
        let first = self.path.find_filled(value);
        let found = first.or_else(|| self.or.as_ref()?.find_filled(value))?;
        self.form.read(found)
    }
}

/// The order of states.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) moment: Moment,
    pub(crate) unit: Unit,
}

impl Order {
    pub(crate) fn read(&self, value: &Value) -> Option<OrderToken> {
        let read = self.moment.read(value)?;
        Some(OrderToken(if self.moment.form.is_time() { self.unit.of_micros(read) } else { read }))
    }

    /// The order of a moment, as coarse as it is written; bare microseconds where it is no moment that orders.
    pub(crate) fn of(&self, at: Wall) -> i64 {
        let micros = at.micros();
        if !self.moment.form.is_time() {
            return micros;
        }
        let step = self.moment.form.step();
        self.unit.of_micros(micros.div_euclid(step) * step)
    }

    /// The moment that orders it, where it is one.
    pub(crate) fn moment(&self, value: &Value) -> Option<Wall> {
        self.moment.form.is_time().then(|| self.moment.read(value)).flatten().map(Wall)
    }
}

#[derive(Debug)]
pub(crate) struct PollPlan {
    pub(crate) spec: PollSpec,
    pub(crate) request: RequestPlan,
    pub(crate) items: Path,
    /// What stands in an answer that found nothing and so has no list.
    pub(crate) empty: Option<Path>,
    pub(crate) object: Path,
    pub(crate) mark: Moment,
    pub(crate) exclusive: bool,
    /// The coarsest step of the mark, in its own unit (microseconds for times).
    pub(crate) step: i64,
    pub(crate) lookback: i64,
    pub(crate) first: Option<i64>,
    pub(crate) sorting: Sorting,
    pub(crate) page: PagePlan,
    pub(crate) size: usize,
    pub(crate) cap: Option<usize>,
    pub(crate) events: bool,
    /// Refusals that say that a cursor is too old.
    pub(crate) expired: Vec<Rule>,
}

impl ObjectPlan {
    /// What a cursor walks.
    pub(crate) fn listing(&self, cursor: &Cursor) -> Option<&PollPlan> {
        if cursor.snapshot.is_some() { self.snapshot.as_ref() } else { self.poll.as_ref() }
    }

    /// All listings that it has.
    pub(crate) fn listings(&self) -> impl Iterator<Item = &PollPlan> {
        self.poll.iter().chain(&self.snapshot)
    }
}

impl PollPlan {
    /// All requests that a listing makes.
    pub(crate) fn requests(&self) -> impl Iterator<Item = &RequestPlan> {
        let start = match &self.page {
            PagePlan::Cursor(cursor) => Some(&cursor.start),
            _ => None,
        };
        [&self.request].into_iter().chain(start)
    }

    /// The list in an answer; `None` when there is none, and nothing that says so.
    pub(crate) fn found<'a>(&self, body: &'a Value) -> Option<&'a [Value]> {
        match (self.items.find_list(body), &self.empty) {
            (Some(Value::Array(items)), _) => Some(items),
            (None, Some(empty)) if empty.find(body).is_some() => Some(&[]),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub(crate) struct WritePlan {
    pub(crate) spec: WriteSpec,
    pub(crate) serves: Vec<Serves>,
    /// The associations that it makes or takes back.
    pub(crate) associations: Vec<Arc<str>>,
    pub(crate) request: RequestPlan,
    pub(crate) answer: AnswerPlan,
    /// What an answer carries that was stored under the key.
    pub(crate) replayed: Option<HeaderPlan>,
    pub(crate) probe: Option<ProbePlan>,
    pub(crate) errors: Vec<Rule>,
    pub(crate) batch: Option<BatchPlan>,
    /// Its batch that begins a job.
    pub(crate) bulk: Option<BatchPlan>,
}

impl WritePlan {
    /// All requests that belong to it: itself, looking for its effect, its batches, its job.
    pub(crate) fn requests(&self) -> impl Iterator<Item = &RequestPlan> {
        let probe = self.probe.iter().map(|probe| &probe.request);
        let batches = self.batch.iter().chain(&self.bulk).map(|batch| &batch.request);
        let jobs = self.bulk.iter().filter_map(|batch| batch.job.as_ref());
        [&self.request].into_iter().chain(probe).chain(batches).chain(jobs.flat_map(JobPlan::requests))
    }

    /// The plan of a form. What went in a batch before the operation had two is of the one that it has.
    pub(crate) fn form(&self, form: Together) -> Option<&BatchPlan> {
        match form {
            Together::Batch => self.batch.as_ref().or(self.bulk.as_ref()),
            Together::Bulk => self.bulk.as_ref(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct RequestPlan {
    /// Where it is written.
    pub(crate) at: Location,
    /// For limits, breaker, metrics and errors.
    pub(crate) operation: Arc<str>,
    pub(crate) method: &'static str,
    pub(crate) path: Template,
    pub(crate) query: Vec<Pair>,
    pub(crate) headers: Vec<Pair>,
    pub(crate) body: BodyPlan,
    pub(crate) credential: Credential,
    pub(crate) timeout: Duration,
    pub(crate) charge: Charge,
    pub(crate) scopes: Vec<Template>,
}

impl RequestPlan {
    /// Whether it is a statement for a database.
    pub(crate) const fn is_statement(&self) -> bool {
        matches!(self.body, BodyPlan::Sql(_))
    }

    /// Whether it addresses the object by the vendor's id.
    pub(crate) fn needs_id(&self) -> bool {
        let body = match &self.body {
            BodyPlan::None | BodyPlan::Csv(_) => false,
            BodyPlan::Json { node, .. } | BodyPlan::Form(node) | BodyPlan::Xml { node, .. } => {
                node.needs_id()
            }
            BodyPlan::GraphQl { variables, .. } => variables.needs_id(),
            BodyPlan::Sql(statement) => statement.needs_id(),
        };
        body || self.path.needs_id() || self.query.iter().any(|pair| !pair.optional && pair.value.needs_id())
    }

    /// Whether it says which job it is about.
    pub(crate) fn names_job(&self) -> bool {
        self.path.names_job() || self.query.iter().any(|pair| pair.value.names_job())
    }

    /// Whether Concord's own id stands in it.
    pub(crate) fn names_key(&self) -> bool {
        let body = match &self.body {
            BodyPlan::None | BodyPlan::Csv(_) => false,
            BodyPlan::Json { node, .. } | BodyPlan::Form(node) | BodyPlan::Xml { node, .. } => {
                node.names_key()
            }
            BodyPlan::GraphQl { variables, .. } => variables.names_key(),
            BodyPlan::Sql(statement) => statement.names_key(),
        };
        body || self.path.names_key() || self.query.iter().any(|pair| pair.value.names_key())
    }
}

#[derive(Debug)]
pub(crate) struct Pair {
    /// Escaped for its place.
    pub(crate) name: Box<str>,
    pub(crate) optional: bool,
    pub(crate) value: Template,
}

#[derive(Debug)]
pub(crate) enum BodyPlan {
    None,
    Json {
        node: Node,
        content_type: Box<str>,
    },
    Form(Node),
    Xml {
        node: Node,
        content_type: Box<str>,
    },
    /// `head`: the object up to the value of `variables`, which is its last.
    GraphQl {
        head: Box<[u8]>,
        variables: Node,
    },
    Sql(Statement),
    /// The records of a job: they are put in when all are known.
    Csv(CsvBody),
}

impl BodyPlan {
    /// Places for the records of a batch.
    pub(crate) fn holes(&self) -> usize {
        match self {
            Self::Json { node, .. } => node.holes(),
            // Of these no parts are joined.
            Self::None
            | Self::Form(_)
            | Self::Xml { .. }
            | Self::GraphQl { .. }
            | Self::Sql(_)
            | Self::Csv(_) => 0,
        }
    }
}

#[derive(Debug)]
pub(crate) struct AnswerPlan {
    pub(crate) id: Option<IdPlan>,
    pub(crate) order: Option<Order>,
    pub(crate) version: Option<VersionPlan>,
    pub(crate) created: Option<CreatedPlan>,
    pub(crate) batch: Option<(Path, Path)>,
    pub(crate) needs: Vec<Path>,
}

impl ObjectPlan {
    /// Stands in while errors are collected.
    pub(crate) fn empty() -> Self {
        Self {
            shape: Shape {
                id: Path::default(),
                fields: Path::default(),
                order: None,
                version: None,
                deleted: None,
                merged_into: None,
                typed: false,
                booleans: None,
            },
            paths: Vec::new(),
            types: BTreeMap::new(),
            rewrites: Rewrites::default(),
            natural_keys: Vec::new(),
            fetch: None,
            poll: None,
            snapshot: None,
            describe: None,
            associations: Vec::new(),
            asked: Vec::new(),
            writes: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Whether its requests are statements for a database.
    pub(crate) fn asks_database(&self) -> bool {
        let reads = self.fetch.iter().flat_map(|fetch| fetch.requests());
        let reads = reads.chain(self.listings().map(|poll| &poll.request));
        reads.chain(self.writes.iter().map(|write| &write.request)).any(RequestPlan::is_statement)
    }

    /// The write operation of that name.
    pub(crate) fn write(&self, name: &str) -> Option<&WritePlan> {
        self.writes.iter().find(|write| &*write.spec.name == name)
    }
}

impl AnswerPlan {
    /// Whether a success must have a body that is JSON.
    pub(crate) fn needs_body(&self) -> bool {
        !self.needs.is_empty() || self.batch.is_some() || matches!(self.id, Some(IdPlan::Path(_)))
    }
}

#[derive(Debug)]
pub(crate) enum IdPlan {
    Path(Path),
    Header(Box<str>),
    Known(Template),
}

#[derive(Debug)]
pub(crate) enum CreatedPlan {
    Path(Path),
    Status(u16),
}

#[derive(Debug)]
pub(crate) struct ProbePlan {
    pub(crate) request: RequestPlan,
    pub(crate) found: Option<Path>,
    /// What stands in an answer that found nothing and so has no list.
    pub(crate) empty: Option<Path>,
    pub(crate) id: Path,
    pub(crate) order: Option<Order>,
    pub(crate) version: Option<VersionPlan>,
}

impl ProbePlan {
    /// Whether an answer without the list says that nothing was found.
    pub(crate) fn says_nothing(&self, body: &Value) -> bool {
        self.empty.as_ref().is_some_and(|empty| empty.find(body).is_some())
    }
}

#[derive(Debug)]
pub(crate) struct WebhookPlan {
    pub(crate) spec: WebhookSpec,
    pub(crate) scopes: Vec<Template>,
    pub(crate) format: Format,
    pub(crate) items: Option<Path>,
    pub(crate) id: Vec<Path>,
    pub(crate) kind: Option<Path>,
    pub(crate) object_id: Option<Path>,
    pub(crate) fields: Option<Path>,
    pub(crate) order: Option<Order>,
    pub(crate) occurred_at: Option<Moment>,
    pub(crate) trace: Option<Path>,
    pub(crate) rules: Vec<Kind>,
}

/// What a kind of message means.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) pattern: Pattern,
    pub(crate) only: Option<Test>,
    pub(crate) object: Option<Object>,
    pub(crate) object_path: Option<Path>,
    pub(crate) objects: BTreeMap<String, Object>,
    pub(crate) seen: Handled,
    pub(crate) id: Option<Path>,
    pub(crate) id_md5: Option<Path>,
    pub(crate) fields: Option<Path>,
    pub(crate) into: Option<Path>,
}

/// A text with at most one `*`.
#[derive(Debug)]
pub(crate) struct Pattern {
    pub(crate) before: Box<str>,
    /// What stands behind the `*`; `None`: there is no `*`.
    pub(crate) after: Option<Box<str>>,
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.after {
            None => f.write_str(&self.before),
            Some(after) => write!(f, "{}*{after}", self.before),
        }
    }
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.split_once('*') {
            None => Some(Self { before: text.into(), after: None }),
            Some((_, after)) if after.contains('*') => None,
            Some((before, after)) => Some(Self { before: before.into(), after: Some(after.into()) }),
        }
    }

    /// What the `*` stands for (the empty text when there is none); `None` when it does not match.
    pub(crate) fn matches<'a>(&self, text: &'a str) -> Option<&'a str> {
        match &self.after {
            None => (text == &*self.before).then_some(""),
            Some(after) => text.strip_prefix(&*self.before)?.strip_suffix(&**after),
        }
    }
}
