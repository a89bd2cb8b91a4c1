//! A manifest bound to one system: what it says of itself, and which operation serves a need.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use canonical::{Object, OrderToken, Wall};

use crate::batch::Together;
use crate::call::{Call, JobStep};
use crate::plan::{BatchPlan, JobPlan, ObjectPlan, Plan, RequestPlan, WritePlan};
use crate::source::Serves;
use crate::spec::{AuthKind, Charge, Limits, PollSpec, WebhookSpec, WriteSpec};

/// Stands for any object that a generic connector takes.
const ANY: &str = "any";

/// A bound connector. Cheap to clone; pure: it renders requests and reads answers, and holds no secret.
#[derive(Clone, Debug)]
pub struct Connector {
    pub(crate) plan: Arc<Plan>,
}

impl Connector {
    pub(crate) fn new(plan: Plan) -> Self {
        Self { plan: Arc::new(plan) }
    }

    /// The manifest's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.plan.name
    }

    /// The manifest's version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.plan.version
    }

    /// The objects it names. A generic connector takes others too: see [`Self::has_object`].
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.plan.objects.keys()
    }

    /// Whether it can talk about such objects.
    #[must_use]
    pub fn has_object(&self, object: &Object) -> bool {
        self.object(object).is_some()
    }

    /// The objects whose changes are polled.
    pub fn polled_objects(&self) -> impl Iterator<Item = &Object> {
        self.plan.objects.iter().filter(|(_, plan)| plan.poll.is_some()).map(|(object, _)| object)
    }

    /// What the vendor allows.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.plan.limits
    }

    /// How requests prove who sends them.
    #[must_use]
    pub fn auth(&self) -> &AuthKind {
        &self.plan.auth
    }

    /// How the system pushes its changes; `None`: it does not.
    #[must_use]
    pub fn webhook(&self) -> Option<&WebhookSpec> {
        self.plan.webhook.as_ref().map(|webhook| &webhook.spec)
    }

    /// Whether it reads `CloudEvents` sent to the events API.
    #[must_use]
    pub fn takes_cloud_events(&self) -> bool {
        !self.plan.cloud_events.is_empty()
    }

    /// Whether [`Call::Identity`] can be asked.
    #[must_use]
    pub fn has_identity(&self) -> bool {
        self.plan.identity.is_some()
    }

    /// How changes of that object are polled; `None`: they are not.
    #[must_use]
    pub fn poll(&self, object: &Object) -> Option<&PollSpec> {
        Some(&self.object(object)?.poll.as_ref()?.spec)
    }

    /// Whether one such object can be read by its id.
    #[must_use]
    pub fn can_fetch(&self, object: &Object) -> bool {
        self.object(object).is_some_and(|plan| plan.fetch.is_some())
    }

    /// How far behind the writes a read of one such object by its id may be.
    #[must_use]
    pub fn read_lag(&self, object: &Object) -> Duration {
        self.object(object).and_then(|plan| plan.fetch.as_ref()).map_or(Duration::ZERO, |fetch| fetch.lag)
    }

    /// The order of a state that was read at `at` and has none of its own: the moment, in the form that the system's messages
    /// are ordered by, so that both can be compared. A coarse clock (whole seconds) is rounded down: a message of the same
    /// second then is a tie, not older.
    #[must_use]
    pub fn stamp(&self, at: Wall) -> OrderToken {
        let order = self.plan.webhook.as_ref().and_then(|webhook| webhook.order.as_ref());
        OrderToken(order.map_or(at.micros(), |order| order.of(at)))
    }

    /// The write operation for a need: `exit` (`archive`, `delete`, `unsubscribe`) when the record leaves, else an
    /// update when it is linked and a create when it is not. An exit that the connector does not have gives `None`.
    #[must_use]
    pub fn choose(&self, object: &Object, linked: bool, exit: Option<&str>) -> Option<&WriteSpec> {
        let serves = match exit {
            Some("archive") => Serves::Archive,
            Some("delete") => Serves::Delete,
            Some("unsubscribe") => Serves::Unsubscribe,
            Some(_) => return None,
            None if linked => Serves::Update,
            None => Serves::Create,
        };
        let writes = &self.object(object)?.writes;
        writes.iter().find(|write| write.serves.contains(&serves)).map(|write| &write.spec)
    }

    /// The write operation of that name.
    #[must_use]
    pub fn operation(&self, name: &str, object: &Object) -> Option<&WriteSpec> {
        Some(&self.object(object)?.write(name)?.spec)
    }

    /// The names of an object's write operations, for messages.
    pub fn operations(&self, object: &Object) -> impl Iterator<Item = &str> {
        self.object(object).into_iter().flat_map(|plan| plan.writes.iter().map(|write| &*write.spec.name))
    }

    /// The objects as people are shown them: those it names, and `*` for any other that it takes.
    pub fn shown_objects(&self) -> impl Iterator<Item = Object> {
        let any = self.plan.any_object.as_ref().and_then(|_| Object::new(ANY).ok());
        self.plan.objects.keys().cloned().chain(any)
    }

    /// How such an object is called.
    #[must_use]
    pub fn name_of<'o>(&self, object: &'o Object) -> &'o str {
        if self.plan.objects.contains_key(object) { object.as_str() } else { "*" }
    }

    /// The write operations of an object, each with what it is chosen for.
    pub fn writes(&self, object: &Object) -> impl Iterator<Item = (&WriteSpec, Vec<&'static str>)> {
        let plans = self.object(object).into_iter().flat_map(|plan| &plan.writes);
        plans.map(|plan| (&plan.spec, plan.serves.iter().map(Serves::name).collect()))
    }

    /// The most records that go in one job, of any operation; 0: none has one.
    #[must_use]
    pub fn job_max(&self) -> usize {
        let objects = self.plan.objects.values().chain(self.plan.any_object.as_ref());
        let specs =
            objects.flat_map(|object| object.writes.iter().filter_map(|write| write.spec.bulk.as_ref()));
        specs.map(|bulk| bulk.records_max).max().unwrap_or(0)
    }

    /// Whether its requests are statements for a database, and not HTTP.
    #[must_use]
    pub fn asks_database(&self) -> bool {
        let identity = self.plan.identity.iter().map(|identity| &identity.request);
        let objects = self.plan.objects.values().chain(self.plan.any_object.as_ref());
        let of = |object: &'_ Arc<ObjectPlan>| object.asks_database();
        identity.into_iter().any(RequestPlan::is_statement) || objects.into_iter().any(of)
    }

    /// What a call draws from the vendor's limits; nothing when there is no such call.
    #[must_use]
    pub fn charge(&self, call: &Call) -> Charge {
        self.request_plan(call).map(|request| request.charge.clone()).unwrap_or_default()
    }

    /// What looking for the effect of a write operation draws; `None`: it can't be looked for.
    #[must_use]
    pub fn probe_charge(&self, name: &str, object: &Object) -> Option<&Charge> {
        Some(&self.object(object)?.write(name)?.probe.as_ref()?.request.charge)
    }

    pub(crate) fn object(&self, object: &Object) -> Option<&ObjectPlan> {
        self.plan.objects.get(object).or(self.plan.any_object.as_ref()).map(Arc::as_ref)
    }

    /// The object and operation of a write or probe.
    pub(crate) fn write_plan(&self, call: &Call) -> Option<&WritePlan> {
        let (Call::Write(write) | Call::Probe(write)) = call else { return None };
        self.object(&write.object)?.write(&write.operation)
    }

    /// A batch form of a write's operation.
    pub(crate) fn batch_plan(&self, call: &Call, form: Together) -> Option<&BatchPlan> {
        match call {
            Call::Write(_) => self.write_plan(call)?.form(form),
            _ => None,
        }
    }

    /// The batch form that began the job of a call about one.
    pub(crate) fn batch_of_job(&self, call: &Call) -> Option<&BatchPlan> {
        let Call::Job { object, operation, .. } = call else { return None };
        self.object(object)?.write(operation)?.bulk.as_ref()
    }

    pub(crate) fn job_plan(&self, call: &Call) -> Option<&JobPlan> {
        self.batch_of_job(call)?.job.as_ref()
    }

    pub(crate) fn request_plan(&self, call: &Call) -> Option<&RequestPlan> {
        Some(match call {
            Call::Write(_) => &self.write_plan(call)?.request,
            Call::Probe(_) => &self.write_plan(call)?.probe.as_ref()?.request,
            Call::List { object, cursor, .. } => {
                let poll = self.object(object)?.listing(cursor)?;
                crate::listing::starting(poll, cursor).map_or(&poll.request, |plan| &plan.start)
            }
            Call::Fetch { object, .. } => &self.object(object)?.fetch.as_ref()?.request,
            Call::FetchMany { object, .. } => &self.many_plan(object)?.request,
            Call::Identity => &self.plan.identity.as_ref()?.request,
            Call::Describe { object } => &self.object(object)?.describe.as_ref()?.request,
            Call::Job { step, .. } => {
                let job = self.job_plan(call)?;
                match step {
                    JobStep::Upload => job.upload.as_ref()?,
                    JobStep::Close => job.close.as_ref()?,
                    JobStep::Abort => job.abort.as_ref()?,
                    JobStep::Status => &job.status,
                    JobStep::Results => job.results.as_ref()?,
                    JobStep::Errors => job.errors.as_ref()?,
                    JobStep::Unprocessed => job.unprocessed.as_ref()?,
                }
            }
        })
    }

    /// The object a call is about.
    pub(crate) fn object_of<'a>(&'a self, call: &Call) -> Option<&'a ObjectPlan> {
        match call {
            Call::Write(write) | Call::Probe(write) => self.object(&write.object),
            Call::List { object, .. }
            | Call::Fetch { object, .. }
            | Call::FetchMany { object, .. }
            | Call::Describe { object }
            | Call::Job { object, .. } => self.object(object),
            Call::Identity => None,
        }
    }

    /// No types, for calls without an object.
    pub(crate) fn no_types() -> &'static BTreeMap<String, crate::typed::Typed> {
        static NONE: BTreeMap<String, crate::typed::Typed> = BTreeMap::new();
        &NONE
    }
}
