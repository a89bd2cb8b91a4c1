//! Two configurations compared: what a change of the folder would do, and what of it cannot be done to a running hub.
//!
//! Everything is said in the words of the files. What depends on what is stored (how many records, how much open
//! work) is not known here: the comparison names the entities, systems and routes to be counted.

mod parts;
mod places;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use canonical::{Entity, RouteId, System};
use mapping::{Mapping, OnRemoved};
use serde::{Deserialize, Serialize};

use crate::configuration::Configuration;
use crate::files::Files;
use crate::problem::Problem;
use crate::versions::{self, History, Versioned};
pub(crate) use places::Places;

/// Whether something is new, different or gone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It was not there.
    Added,
    /// It is different.
    Changed,
    /// It is not there any more.
    Removed,
}

/// One thing of the folder that is not as it was.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Change {
    /// What happened to it.
    pub how: How,
    /// `concord`, `entity`, `system`, `mapping` or `route`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What is different, a line each.
    pub details: Vec<String>,
}

/// Why a route's records may look different at its target from now on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteChange {
    /// The route is new: records go with their next change.
    Added,
    /// It is gone: what is open of it comes to rest as skipped.
    Removed,
    /// It renders or filters differently.
    Rendered,
}

/// What differs between the configuration that runs and another one.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// The digest of what runs.
    pub runs: String,
    /// Everything that is different, in the order of the folder.
    pub changes: Vec<Change>,
    /// What cannot be done to a running hub, each with what to do instead.
    pub refusals: Vec<Problem>,
    /// Systems that are connected.
    pub connected: BTreeSet<System>,
    /// Systems that are disconnected.
    pub disconnected: BTreeSet<System>,
    /// Systems that finish what is under way and start again.
    pub renewed: BTreeSet<System>,
    /// `sync` routes whose records may look different from now on.
    pub routes: BTreeMap<RouteId, (RouteChange, Entity, System)>,
    /// By what events are told that were raised so far, a sentence each.
    pub told: Vec<String>,
    /// Entities that are gone.
    pub entities_removed: BTreeSet<Entity>,
}

impl Comparison {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

impl How {
    /// The sign before it in a list.
    #[must_use]
    pub const fn sign(self) -> char {
        match self {
            Self::Added => '+',
            Self::Changed => '~',
            Self::Removed => '-',
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.how.sign(), self.kind, self.name)
    }
}

/// Compares what runs with what `files` were checked to be. `applied`: what counted before, and may not be said otherwise.
#[must_use]
pub fn compare(
    runs: &Configuration,
    next: &Configuration,
    files: &Files,
    applied: &[Versioned],
) -> Comparison {
    let mut compare = Compare { runs, next, places: Places::of(files), out: Comparison::default() };
    compare.out.runs.clone_from(&runs.digest);
    compare.settings();
    compare.entities();
    compare.systems();
    compare.mappings();
    compare.routes();
    let running = runs.versions();
    let history = History::of(applied.iter().chain(&running));
    compare.out.told = versions::told(runs, next);
    compare.out.refusals.extend(versions::judge(next, &compare.places, &history));
    compare.out
}

struct Compare<'c> {
    runs: &'c Configuration,
    next: &'c Configuration,
    places: Places,
    out: Comparison,
}

/// A name on either side, with what it stands for there.
type Sides<'c, K, V> = (&'c K, Option<&'c V>, Option<&'c V>);

fn sides<'c, K: Ord, V>(one: &'c BTreeMap<K, V>, other: &'c BTreeMap<K, V>) -> Vec<Sides<'c, K, V>> {
    let names: BTreeSet<&K> = one.keys().chain(other.keys()).collect();
    names.into_iter().map(|name| (name, one.get(name), other.get(name))).collect()
}

impl Compare<'_> {
    fn changed(&mut self, how: How, kind: &str, name: impl fmt::Display, details: Vec<String>) {
        let (kind, name) = (kind.to_owned(), name.to_string());
        self.out.changes.push(Change { how, kind, name, details });
    }

    /// A part that is on one side only is said with `about`; one on both with what `differs`.
    fn settings(&mut self) {
        let details = parts::settings(&self.runs.settings, &self.next.settings);
        for (key, what, hint) in parts::fixed(&self.runs.settings, &self.next.settings) {
            self.out.refusals.push(self.places.concord(&key, what, hint));
        }
        if !details.is_empty() {
            let tenant = self.next.tenant.clone();
            self.changed(How::Changed, "concord", tenant, details);
        }
    }

    fn entities(&mut self) {
        for (name, was, is) in sides(&self.runs.entities, &self.next.entities) {
            match (was, is) {
                (Some(was), Some(is)) => {
                    let details = parts::entity(was, is);
                    for key in parts::new_keys(was, is) {
                        let what = format!(
                            "the match key `{key}` is new or different: records are found by it once all have been gone \
                             through, which a start does"
                        );
                        let hint = "stop the hub, and start it with the new folder".to_owned();
                        self.out.refusals.push(self.places.key(
                            "entity",
                            name.as_str(),
                            "match_keys",
                            what,
                            hint,
                        ));
                    }
                    if !details.is_empty() {
                        self.changed(How::Changed, "entity", name, details);
                    }
                }
                (None, Some(_)) => self.changed(How::Added, "entity", name, Vec::new()),
                (Some(_), None) => {
                    self.out.entities_removed.insert(name.clone());
                    self.changed(How::Removed, "entity", name, Vec::new());
                }
                (None, None) => {}
            }
        }
    }

    fn systems(&mut self) {
        for (name, was, is) in sides(&self.runs.systems, &self.next.systems) {
            match (was, is) {
                (Some(was), Some(is)) => {
                    if !is.works_as(was) {
                        self.out.renewed.insert(name.clone());
                    }
                    let details = parts::system(was, is);
                    if !details.is_empty() {
                        self.changed(How::Changed, "system", name, details);
                    }
                }
                (None, Some(is)) => {
                    self.out.connected.insert(name.clone());
                    let details = vec![format!("{} at {}", is.connector.name(), is.connection.base_url)];
                    self.changed(How::Added, "system", name, details);
                }
                (Some(_), None) => {
                    self.out.disconnected.insert(name.clone());
                    self.changed(How::Removed, "system", name, Vec::new());
                }
                (None, None) => {}
            }
        }
    }

    fn mappings(&mut self) {
        for (name, was, is) in sides(&self.runs.mappings, &self.next.mappings) {
            match (was, is) {
                (Some(was), Some(is)) => {
                    self.identity("mapping", name, &mapping_identity(was, is));
                    if was.digest() == is.digest() {
                        if was.version() != is.version() {
                            let details = vec![versions(was, is)];
                            self.changed(How::Changed, "mapping", name, details);
                        }
                        continue;
                    }
                    self.rules(name, was, is);
                    let details = if was.meaning() == is.meaning() {
                        vec!["the fields of its entity are other ones".to_owned()]
                    } else {
                        [vec![versions(was, is)], parts::mapping(was, is)].concat()
                    };
                    self.changed(How::Changed, "mapping", name, details);
                }
                (None, Some(is)) => {
                    let details = vec![format!("{} and {} {}", is.entity(), is.system(), is.object())];
                    self.changed(How::Added, "mapping", name, details);
                }
                (Some(_), None) => self.changed(How::Removed, "mapping", name, Vec::new()),
                (None, None) => {}
            }
        }
    }

    /// What a changed mapping must say: what becomes of what it writes no more. A step back to an earlier version leaves
    /// it: the earlier file could not know of it.
    fn rules(&mut self, name: &str, was: &Mapping, is: &Mapping) {
        if was.version() > is.version() {
            return;
        }
        let written: BTreeSet<&str> = is.out_paths().collect();
        for path in was.out_paths().filter(|path| !written.contains(path)) {
            if is.on_removed(path).is_none() {
                let what = format!("`{path}` is not written any more, and what stands there is left unsaid");
                let hint = format!("add `removed: {{\"{path}\": leave}}`, or `clear` to empty it there");
                self.out.refusals.push(self.places.key("mapping", name, "fields", what, hint));
            }
        }
    }

    /// A name keeps what it stands for.
    fn identity(&mut self, kind: &'static str, name: &str, moved: &[(&'static str, String, String)]) {
        for (key, was, is) in moved {
            let what = format!("the {kind} `{name}` is of {key} `{was}` and would be of `{is}`");
            let hint =
                format!("a {kind}'s name stands for one thing for ever: give the new one another name");
            self.out.refusals.push(self.places.key(kind, name, key, what, hint));
        }
    }

    fn routes(&mut self) {
        let by_id = |configuration: &Configuration| {
            configuration
                .routes
                .iter()
                .map(|route| (route.id.clone(), route.clone()))
                .collect::<BTreeMap<_, _>>()
        };
        let (runs, next) = (by_id(self.runs), by_id(self.next));
        for (id, was, is) in sides(&runs, &next) {
            let route_change = match (was, is) {
                (Some(was), Some(is)) => {
                    self.identity("route", id.as_str(), &parts::route_identity(was, is));
                    let details = parts::route(was, is);
                    let rendered = self.renders_otherwise(was, is);
                    if !details.is_empty() {
                        self.changed(How::Changed, "route", id, details);
                    }
                    rendered.then_some((RouteChange::Rendered, is))
                }
                (None, Some(is)) => {
                    self.changed(How::Added, "route", id, vec![parts::about(is)]);
                    Some((RouteChange::Added, is))
                }
                (Some(was), None) => {
                    self.changed(How::Removed, "route", id, vec![parts::about(was)]);
                    Some((RouteChange::Removed, was))
                }
                (None, None) => None,
            };
            if let Some((change, route)) = route_change {
                let about = (change, route.entity.clone(), route.system.clone());
                self.out.routes.insert(id.clone(), about);
            }
        }
    }

    /// Whether the route's records may look different at the target.
    fn renders_otherwise(&self, was: &ledger::Route, is: &ledger::Route) -> bool {
        let digest =
            |of: &Configuration, route| of.mapping_of(route).map(|mapping| mapping.digest().to_owned());
        was.kind == ledger::RouteKind::Sync
            && (was.filter != is.filter
                || was.on_exit != is.on_exit
                || was.on_delete != is.on_delete
                || digest(self.runs, was) != digest(self.next, is))
    }
}

fn versions(was: &Mapping, is: &Mapping) -> String {
    format!("version {} → {}", was.version(), is.version())
}

fn mapping_identity(was: &Mapping, is: &Mapping) -> Vec<(&'static str, String, String)> {
    parts::moved(&[
        ("entity", was.entity().as_str(), is.entity().as_str()),
        ("system", was.system().as_str(), is.system().as_str()),
        ("object", was.object().as_str(), is.object().as_str()),
    ])
}

/// What becomes of what stands at a path that is written no more, in words.
const fn removed(how: Option<OnRemoved>) -> &'static str {
    match how {
        Some(OnRemoved::Leave) => "what stands there stays",
        Some(OnRemoved::Clear) => "it is emptied with each record's next delivery",
        None => "nothing is said about what stands there, so it stays",
    }
}
