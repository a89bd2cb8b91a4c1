//! The desk: the hub and the configuration behind every answer, and questions to the store with typed answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use canonical::{Alive, EventId, Fact, Field, JobId, MessageId, Object, Record, RecordId, System};
use config::Configuration;
use hub::{Description, MachineId, Order};
use intake::{Decision, Message};
use ledger::{Action, Group, Intent, Job, Lane, Obligation, ObligationKey, Scope, Side, Tally};
use runtime::{Handle, OrderError};
use store::browse::{
    DecisionFilter, DeliveryFilter, EventFilter, GroupFilter, JobFilter, Look, MessageFilter, Page,
    RecordSheet, SystemCounts,
};
use store::{Attempt, Change, StoreError, SystemState};
use web::{Problem, kinds};

use crate::change::Changer;

/// Longest wait for an order's confirmation.
const ORDER_WAIT: Duration = Duration::from_secs(20);
/// When to ask again after the store or a machine could not answer.
const AGAIN: Duration = Duration::from_secs(2);

/// What answers are made from.
pub struct Desk {
    pub(crate) hub: Handle,
    pub(crate) configuration: Arc<Configuration>,
    /// Changes it; a hub without a folder of its own has none.
    pub(crate) changer: Option<Arc<dyn Changer>>,
}

type DeliveryFile = (Obligation, Vec<Intent>, Vec<Attempt>);

impl Desk {
    /// Over a running hub and the configuration it runs.
    #[must_use]
    pub fn new(hub: Handle, configuration: Arc<Configuration>) -> Self {
        Self { hub, configuration, changer: None }
    }

    pub(crate) async fn deliveries(&self, filter: DeliveryFilter) -> Result<Vec<(i64, Obligation)>, Problem> {
        match self.look(Look::Deliveries(filter)).await? {
            Page::Deliveries(rows) => Ok(rows),
            other => Err(crossed(&other)),
        }
    }

    pub(crate) async fn delivery(&self, key: ObligationKey) -> Result<Option<DeliveryFile>, Problem> {
        match self.look(Look::Delivery(key)).await? {
            Page::Delivery(file) => Ok(file),
            other => Err(crossed(&other)),
        }
    }

    pub(crate) async fn events(&self, filter: EventFilter) -> Result<Vec<(i64, Fact)>, Problem> {
        match self.look(Look::Events(filter)).await? {
            Page::Events(rows) => Ok(rows),
            other => Err(crossed(&other)),
        }
    }

    pub(crate) async fn event(&self, id: EventId) -> Result<Option<Fact>, Problem> {
        match self.look(Look::Event(id)).await? {
            Page::Events(mut rows) => Ok(rows.pop().map(|(_, fact)| fact)),
            other => Err(crossed(&other)),
        }
    }

    pub(crate) async fn decisions(&self, filter: DecisionFilter) -> Result<Vec<(i64, Decision)>, Problem> {
        match self.look(Look::Decisions(filter)).await? {
            Page::Decisions(rows) => Ok(rows),
            other => Err(crossed(&other)),
        }
    }

    pub(crate) async fn messages(&self, filter: MessageFilter) -> Result<Vec<(i64, Message)>, Problem> {
        match self.look(Look::Messages(filter)).await? {
            Page::Messages(rows) => Ok(rows),
            other => Err(crossed(&other)),
        }
    }

    pub(crate) async fn message(&self, id: MessageId) -> Result<Option<Message>, Problem> {
        match self.look(Look::Message(id)).await? {
            Page::Messages(mut rows) => Ok(rows.pop().map(|(_, message)| message)),
            other => Err(crossed(&other)),
        }
    }

    pub(crate) async fn record(&self, id: RecordId) -> Result<Option<Box<RecordSheet>>, Problem> {
        match self.look(Look::Record(id)).await? {
            Page::Record(sheet) => Ok(sheet),
            other => Err(crossed(&other)),
        }
    }

    /// The record of that id, as it stands in an address.
    pub(crate) async fn record_named(&self, id: &str) -> Result<Box<RecordSheet>, Problem> {
        let id = id.parse().map_err(|_| nothing("record"))?;
        self.record(id).await?.ok_or_else(|| nothing("record"))
    }

    /// The same; where it was merged into another, the one that stands for it, and the alias.
    pub(crate) async fn record_standing(
        &self,
        id: &str,
    ) -> Result<(Box<RecordSheet>, Option<Box<RecordSheet>>), Problem> {
        let found = self.record_named(id).await?;
        self.standing(found).await
    }

    /// The record that stands for one, and that one where it is an alias.
    pub(crate) async fn standing(
        &self,
        found: Box<RecordSheet>,
    ) -> Result<(Box<RecordSheet>, Option<Box<RecordSheet>>), Problem> {
        let mut stands: Option<Box<RecordSheet>> = None;
        for _ in 0..store::rules::ALIAS_HOPS_MAX {
            let Alive::Merged { into } = stands.as_ref().unwrap_or(&found).record.alive else { break };
            let Some(next) = self.record(into).await? else { break };
            stands = Some(next);
        }
        Ok(match stands {
            Some(stands) => (stands, Some(found)),
            None => (found, None),
        })
    }

    pub(crate) async fn record_linked(
        &self,
        system: System,
        object: Option<Object>,
        external_id: String,
    ) -> Result<Option<Box<RecordSheet>>, Problem> {
        match self.look(Look::RecordByLink { system, object, external_id }).await? {
            Page::Record(sheet) => Ok(sheet),
            other => Err(crossed(&other)),
        }
    }

    pub(crate) async fn systems(&self) -> Result<Vec<(SystemState, SystemCounts)>, Problem> {
        match self.look(Look::Systems).await? {
            Page::Systems(rows) => Ok(rows),
            other => Err(crossed(&other)),
        }
    }

    pub(crate) async fn changes(
        &self,
        system: Option<System>,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<(i64, Change)>, Problem> {
        match self.look(Look::Changes { system, before, limit }).await? {
            Page::Changes(rows) => Ok(rows),
            other => Err(crossed(&other)),
        }
    }

    pub(crate) async fn groups(&self, filter: GroupFilter) -> Result<Vec<(i64, Group)>, Problem> {
        match self.look(Look::Groups(filter)).await? {
            Page::Groups(rows) => Ok(rows),
            other => Err(crossed(&other)),
        }
    }

    /// How a system stands, by the word of what runs for it.
    pub(crate) async fn described(
        &self,
        system: &System,
        forecast: Option<(u64, Lane)>,
    ) -> Result<Description, Problem> {
        match tokio::time::timeout(ORDER_WAIT, self.hub.describe(system, forecast)).await {
            Ok(Ok(described)) => Ok(described),
            Ok(Err(error)) => Err(Problem::new(kinds::BUSY, error.to_string()).retry_after(AGAIN)),
            Err(_) => {
                let detail = format!("nothing answers for `{system}` within {} s", ORDER_WAIT.as_secs());
                Err(Problem::new(kinds::BUSY, detail).retry_after(AGAIN))
            }
        }
    }

    /// The group of that name.
    pub(crate) async fn group(&self, name: &str) -> Result<Option<Group>, Problem> {
        let filter = GroupFilter { fingerprint: Some(name.to_owned()), limit: 1, ..GroupFilter::default() };
        Ok(self.groups(filter).await?.pop().map(|(_, group)| group))
    }

    pub(crate) async fn jobs(&self, filter: JobFilter) -> Result<Vec<(i64, Job, Tally)>, Problem> {
        match self.look(Look::Jobs(filter)).await? {
            Page::Jobs(rows) => Ok(rows),
            other => Err(crossed(&other)),
        }
    }

    pub(crate) async fn look(&self, look: Look) -> Result<Page, Problem> {
        let mut page = self.hub.look(look).await.map_err(|error| match error {
            StoreError::Full { .. } | StoreError::Closed => {
                Problem::new(kinds::BUSY, error.to_string()).retry_after(AGAIN)
            }
            StoreError::Broken { .. } | StoreError::Corrupt { .. } | StoreError::Refused { .. } => {
                Problem::new(kinds::INTERNAL, error.to_string())
            }
        })?;
        self.read(&mut page);
        Ok(page)
    }

    /// What was written under an older schema is shown as it is read, and says under which.
    fn read(&self, page: &mut Page) {
        let record = |record: &mut Record| {
            hub::versions::read(&self.configuration, record);
            let to = self.configuration.upcaster(&record.entity).map_or(0, config::Upcaster::to);
            record.schema = record.schema.max(to);
        };
        let event = |fact: &mut Fact| hub::versions::read_event(&self.configuration, fact);
        match page {
            Page::Record(Some(sheet)) => {
                record(&mut sheet.record);
                sheet.facts.iter_mut().for_each(event);
            }
            Page::Records(rows, _) => rows.iter_mut().for_each(|(one, _)| record(one)),
            Page::Events(rows) => rows.iter_mut().for_each(|(_, fact)| event(fact)),
            _ => {}
        }
    }

    /// Gives an order and waits until it is carried out.
    pub(crate) async fn order(&self, machine: &MachineId, order: Order) -> Result<(), Problem> {
        confirmed(tokio::time::timeout(ORDER_WAIT, self.hub.order(machine, order)).await)
    }

    /// Has bulk work counted, and kept as a plan.
    pub(crate) async fn plan(&self, action: Action, scope: Scope, by: String) -> Result<JobId, Problem> {
        confirmed(tokio::time::timeout(ORDER_WAIT, self.hub.plan(action, scope, by)).await)
    }

    /// Has it seen what merging two records, or splitting them again, would do, and kept as a plan; gives its id.
    pub(crate) async fn plan_reshape(
        &self,
        action: Action,
        records: (RecordId, RecordId),
        prefer: BTreeMap<Field, Side>,
        by: String,
    ) -> Result<JobId, Problem> {
        let asked = self.hub.plan_reshape(action, records, prefer, by);
        confirmed(tokio::time::timeout(ORDER_WAIT, asked).await)
    }

    /// A configured system by the name in an address.
    pub(crate) fn named(&self, name: &str) -> Result<System, Problem> {
        let known = &self.configuration.systems;
        match known.get_key_value(name) {
            Some((system, _)) => Ok(system.clone()),
            None => {
                let names: Vec<&str> = known.keys().map(System::as_str).collect();
                let detail = format!("there is no system of that name; there are {}", names.join(", "));
                Err(Problem::new(kinds::NOT_FOUND, detail))
            }
        }
    }
}

/// What a machine answered to an order, in time or not.
fn confirmed<T>(answer: Result<Result<T, OrderError>, tokio::time::error::Elapsed>) -> Result<T, Problem> {
    match answer {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(OrderError::Unknown(MachineId::Spoke(system)))) => {
            let detail =
                format!("nothing runs for the system `{system}`: it is not in the configuration any more");
            Err(Problem::new(kinds::CONFLICT, detail))
        }
        Ok(Err(OrderError::Refused(why))) => Err(Problem::new(kinds::CONFLICT, why)),
        Ok(Err(error @ (OrderError::Unknown(_) | OrderError::Stopping))) => {
            Err(Problem::new(kinds::BUSY, error.to_string()).retry_after(AGAIN))
        }
        Err(_) => {
            let waited = ORDER_WAIT.as_secs();
            let detail =
                format!("the order was given and not confirmed within {waited} s: look whether it was done");
            Err(Problem::new(kinds::BUSY, detail).retry_after(AGAIN))
        }
    }
}

/// Nothing has this id or key.
pub(crate) fn nothing(what: &str) -> Problem {
    Problem::new(kinds::NOT_FOUND, format!("there is no such {what}"))
}

pub(crate) fn crossed(page: &Page) -> Problem {
    let kind = match page {
        Page::Deliveries(_) => "deliveries",
        Page::Delivery(_) => "a delivery",
        Page::Decisions(_) => "decisions",
        Page::Events(_) => "events",
        Page::Messages(_) => "messages",
        Page::Record(_) => "a record",
        Page::Changes(_) => "changes",
        Page::Systems(_) => "systems",
        Page::Groups(_) => "groups",
        Page::Jobs(_) => "jobs",
        Page::Applied(_) => "a history",
        Page::Versions(_) => "versions",
        Page::Footprint(_) => "a footprint",
        Page::Records(..) => "records",
        Page::Retention(..) => "what is kept",
    };
    Problem::new(kinds::INTERNAL, format!("the store answered with {kind}, which was not the question"))
}
