//! The checked configuration: what the hub, the runtime and the command line work with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use canonical::{Entity, EntitySchema, Object, RouteId, System, Tenant};
use connector::Connector;
use guard::address::AllowList;
use ledger::{RetryPolicy, Route, RouteKind};
use mapping::{Mapping, Upcaster};
use serde::Deserialize;

use crate::document::Place;
use crate::problem::Problem;
use crate::settings::Settings;
use crate::versions::Past;
use crate::words::SecretRef;

/// A configuration that can be used, and what is doubtful about it.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The configuration.
    pub configuration: Configuration,
    /// What can be used but is probably not meant, by file and line.
    pub warnings: Vec<Problem>,
}

/// One folder, checked. Immutable: a changed folder is another configuration with another digest.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The tenant all of it is about.
    pub tenant: Tenant,
    /// What `concord.yaml` says.
    pub settings: Settings,
    /// The connected systems.
    pub systems: BTreeMap<System, SystemConfig>,
    /// The canonical types.
    pub entities: BTreeMap<Entity, Arc<EntitySchema>>,
    /// The field tables, by their names.
    pub mappings: BTreeMap<String, Arc<Mapping>>,
    /// All routes, by name.
    pub routes: Vec<Arc<Route>>,
    /// 64 hex digits over all files: changes when any of them does.
    pub digest: String,
    pub(crate) pasts: BTreeMap<Entity, Past>,
    /// Other versions of the mappings that `notify` routes tell by, by name and version.
    pub(crate) kept: BTreeMap<String, BTreeMap<u32, Arc<Mapping>>>,
    pub(crate) index: Index,
    pub(crate) secret_places: Vec<(SecretRef, Place)>,
}

/// One connected system.
#[derive(Clone, Debug)]
pub struct SystemConfig {
    /// Its name.
    pub system: System,
    /// How to talk to its kind, bound to its parameters.
    pub connector: Arc<Connector>,
    /// Changes when the connector's manifest, its parameters or the paths it reads change.
    pub(crate) connector_digest: blake3::Hash,
    /// Limits, lanes and breaker: the connector's, changed by the file.
    pub limits: dispatch::Limits,
    /// The hours in which the bulk lane goes; `None`: always.
    pub bulk_window: Option<dispatch::Windows>,
    /// How often and how slowly to try again.
    pub retry: RetryPolicy,
    /// How it is reached.
    pub connection: ConnectionConfig,
    /// The scopes that were granted at the vendor, in its words; `None`: the file does not say.
    pub scopes: Option<Vec<String>>,
    /// How its webhooks come in; `None`: it sends none, or none are wanted.
    pub webhook: Option<WebhookConfig>,
    /// How often which objects are listed.
    pub poll: BTreeMap<Object, Duration>,
    /// What becomes of what it holds when it is listed for the first time.
    pub history: History,
    /// How often something is expected to be heard of it.
    pub heard_within: HeardWithin,
}

/// How often something is expected to be heard of a source. What is not is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HeardWithin {
    /// A message that it posts; `None`: that is not known.
    pub messages: Option<Duration>,
    /// A page of a listing that gets through; `None`: ten of its periods, and ten minutes at least.
    pub listings: Option<Duration>,
}

/// What becomes of objects that a system had before it was first listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum History {
    /// They come in by a plan that was read (`concord link`). Without one, a system that holds any pauses.
    #[default]
    Plan,
    /// They are taken in as if they had all just changed.
    All,
}

/// How a system is reached.
#[derive(Clone, PartialEq, Debug)]
pub struct ConnectionConfig {
    /// Scheme, host, port and path, without a slash at the end.
    pub base_url: String,
    /// The credentials that the connector's authentication names.
    pub secrets: BTreeMap<String, SecretRef>,
    /// Addresses besides the public internet that may be dialled for it.
    pub allow: AllowList,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for a whole answer; the operation's own limit counts where it is shorter.
    pub request_timeout: Duration,
}

/// How a system's webhooks come in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WebhookConfig {
    /// The part of the address that names it: `{public_url}/v1/webhooks/{path}`. For a source that does not sign,
    /// a secret follows as the last part.
    pub path: String,
    /// Signing secrets, any of which is taken; for a source that does not sign, the last part of the address.
    pub secrets: Vec<SecretRef>,
}

impl SystemConfig {
    /// Whether a spoke that works by `other` also works by this: all is the same but webhooks, which ingress alone looks
    /// at, and scopes, which only checks look at.
    #[must_use]
    pub fn works_as(&self, other: &Self) -> bool {
        self.connector_digest == other.connector_digest
            && self.limits == other.limits
            && self.bulk_window == other.bulk_window
            && self.retry == other.retry
            && self.connection == other.connection
            && self.poll == other.poll
            && self.history == other.history
            && self.heard_within == other.heard_within
    }
}

/// A mapping that reads, and the entity it reads into.
type Inbound = (Arc<Mapping>, Arc<EntitySchema>);

/// What is looked up on the hot path, prepared once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    inbound: BTreeMap<System, BTreeMap<Object, Inbound>>,
    by_entity: BTreeMap<Entity, Vec<Arc<Route>>>,
    by_system: BTreeMap<System, Vec<Arc<Route>>>,
    by_id: BTreeMap<RouteId, (Arc<Route>, Arc<Mapping>)>,
}

impl Configuration {
    /// The mapping that reads a system's object, and the entity it reads it into. At most one does.
    #[must_use]
    pub fn inbound(&self, system: &System, object: &Object) -> Option<(&Arc<Mapping>, &Arc<EntitySchema>)> {
        self.index.inbound.get(system)?.get(object).map(|(mapping, schema)| (mapping, schema))
    }

    /// The objects of a system that are read.
    pub fn inbound_objects(&self, system: &System) -> impl Iterator<Item = &Object> {
        self.index.inbound.get(system).into_iter().flat_map(BTreeMap::keys)
    }

    /// The mapping that writes a system's object for a `sync` route, and the route. Several entities may be written
    /// to one kind of object; then the first by the route's name.
    #[must_use]
    pub fn outbound(&self, system: &System, object: &Object) -> Option<(&Arc<Mapping>, &Arc<Route>)> {
        let route =
            self.routes_to(system).iter().find(|r| r.kind == RouteKind::Sync && r.object == *object)?;
        Some((self.mapping_of(route)?, route))
    }

    /// The routes an entity's records and events take.
    #[must_use]
    pub fn routes_of(&self, entity: &Entity) -> &[Arc<Route>] {
        self.index.by_entity.get(entity).map_or(&[], Vec::as_slice)
    }

    /// The routes that lead to a system.
    #[must_use]
    pub fn routes_to(&self, system: &System) -> &[Arc<Route>] {
        self.index.by_system.get(system).map_or(&[], Vec::as_slice)
    }

    /// A route by its name.
    #[must_use]
    pub fn route(&self, id: &RouteId) -> Option<&Arc<Route>> {
        self.index.by_id.get(id).map(|(route, _)| route)
    }

    /// The mapping a route renders with.
    #[must_use]
    pub fn mapping_of(&self, route: &Route) -> Option<&Arc<Mapping>> {
        self.index.by_id.get(&route.id).map(|(_, mapping)| mapping)
    }

    /// The mapping that tells an event by a route: of the version that it was raised for, where that is kept, else the
    /// newest.
    #[must_use]
    pub fn mapping_told(&self, route: &Route, version: Option<u32>) -> Option<&Arc<Mapping>> {
        let newest = self.mapping_of(route)?;
        let kept = || self.kept.get(&route.mapping)?.get(&version?);
        if version == Some(newest.version()) { Some(newest) } else { kept().or(Some(newest)) }
    }

    /// All mappings that tell events by a route.
    pub fn mappings_of(&self, route: &Route) -> impl Iterator<Item = &Arc<Mapping>> {
        let kept = self.kept.get(&route.mapping).filter(|_| route.kind == RouteKind::Notify);
        self.mapping_of(route).into_iter().chain(kept.into_iter().flat_map(BTreeMap::values))
    }

    /// How what was written under older versions of an entity's schema is read.
    #[must_use]
    pub fn upcaster(&self, entity: &Entity) -> Option<&Upcaster> {
        self.pasts.get(entity).map(|past| &past.upcaster)
    }

    /// An entity by its name.
    #[must_use]
    pub fn entity(&self, entity: &Entity) -> Option<&Arc<EntitySchema>> {
        self.entities.get(entity)
    }
}

impl Index {
    /// Everything fits: the checks have passed.
    pub(crate) fn of(
        entities: &BTreeMap<Entity, Arc<EntitySchema>>,
        mappings: &BTreeMap<String, Arc<Mapping>>,
        routes: &[Arc<Route>],
    ) -> Self {
        let mut index = Self::default();
        for mapping in mappings.values().filter(|mapping| mapping.in_fields().next().is_some()) {
            if let Some(schema) = entities.get(mapping.entity()) {
                let objects = index.inbound.entry(mapping.system().clone()).or_default();
                objects.insert(mapping.object().clone(), (mapping.clone(), schema.clone()));
            }
        }
        for route in routes {
            index.by_entity.entry(route.entity.clone()).or_default().push(route.clone());
            index.by_system.entry(route.system.clone()).or_default().push(route.clone());
            if let Some(mapping) = mappings.get(&route.mapping) {
                index.by_id.insert(route.id.clone(), (route.clone(), mapping.clone()));
            }
        }
        index
    }
}
