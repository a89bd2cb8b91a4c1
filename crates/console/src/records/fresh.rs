//! `?fresh=SYSTEM&timeout=TIME`: a record's objects in a system are read before it is shown, and what that came to is
//! said: `fresh`, or `stale` with why, and how old what is known is.
//!
//! The read is a wish like a source's own hint: it passes the system's limits, breaker and pause, and what it brings is
//! merged by the rules of ownership before it is shown. What comes too late is taken in all the same.

use std::time::Duration;

use canonical::{ExternalRef, System, Wall};
use runtime::ReadThrough;
use serde::Serialize;
use store::browse::RecordSheet;
use tokio::task::JoinSet;
use web::Problem;

use super::{Sheet, sheet};
use crate::asked::{Asked, bad};
use crate::desk::{Desk, nothing};
use crate::mask::Mask;
use crate::rows::time;

/// How long is waited when the question does not say, and at most.
const WAIT: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(10));
/// Objects of a record in one system that are read, at most.
const OBJECTS_MAX: usize = 4;

/// What a read of one object came to.
#[derive(Serialize)]
pub(super) struct FreshRow {
    system: String,
    object: Option<String>,
    id: Option<String>,
    /// `fresh`: read after the question came, and merged. `stale`: what is shown was known before.
    state: &'static str,
    /// When what is shown was read there, or last heard of.
    known_at: Option<String>,
    /// How old that is, in milliseconds.
    age_ms: Option<u64>,
    /// Why it is stale.
    why: Option<String>,
}

/// What is to be read first.
pub(super) struct Wanted {
    system: System,
    longest: Duration,
}

impl Wanted {
    /// Reads the parameters; `None`: nothing is to be read.
    pub(super) fn read(desk: &Desk, asked: &Asked) -> Result<Option<Self>, Problem> {
        let longest = match asked.text("timeout") {
            None => WAIT.0,
            Some(text) => span(text).ok_or_else(|| {
                bad("timeout", "write a time of at most 10 seconds, such as `500ms` or `2s`")
            })?,
        };
        let Some(system) = asked.system("fresh")? else { return Ok(None) };
        let known = desk.configuration.systems.keys().map(System::as_str);
        crate::asked::expect("fresh", Some(system.as_str()), known)?;
        Ok(Some(Self { system, longest }))
    }
}

fn span(text: &str) -> Option<Duration> {
    let millis = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => number.parse::<u64>().ok(),
        (None, Some(number)) => number.parse::<u64>().ok().and_then(|seconds| seconds.checked_mul(1_000)),
        (None, None) => None,
    };
    millis.filter(|millis| *millis > 0).map(Duration::from_millis).filter(|span| *span <= WAIT.1)
}

impl Desk {
    /// A record as it is shown, after what is wanted was read.
    pub(super) async fn sheet(
        &self,
        found: Box<RecordSheet>,
        wanted: Option<Wanted>,
        mask: &Mask<'_>,
    ) -> Result<Sheet, Problem> {
        let Some(wanted) = wanted else { return Ok(sheet(self, &found, Vec::new(), mask)) };
        let read = self.read_through(&found, &wanted).await;
        let again = self.record(found.record.id).await?.ok_or_else(|| nothing("record"))?;
        let known = heard(&again, &wanted.system);
        let rows =
            read.into_iter().map(|(object, read)| self.row(&wanted.system, object, &read, known, mask));
        Ok(sheet(self, &again, rows.collect(), mask))
    }

    async fn read_through(
        &self,
        found: &RecordSheet,
        wanted: &Wanted,
    ) -> Vec<(Option<ExternalRef>, ReadThrough)> {
        let unasked = |why: &str| ReadThrough::Unasked(why.to_owned());
        // What is durable: gauges follow a little later.
        let paused = self.systems().await.is_ok_and(|rows| {
            rows.iter().any(|(state, _)| state.system == wanted.system && state.paused.is_some())
        });
        let connector = self.configuration.systems.get(&wanted.system).map(|settings| &settings.connector);
        let mut out = Vec::new();
        let mut reads = JoinSet::new();
        let links = found.links.iter().filter(|link| link.system == wanted.system);
        for (number, link) in links.enumerate() {
            let external = link.external();
            let readable = connector.is_some_and(|connector| connector.can_fetch(&external.object))
                && self.configuration.inbound(&wanted.system, &external.object).is_some();
            let refused = match () {
                () if number >= OBJECTS_MAX => Some("no more than 4 objects are read for one question"),
                () if !readable => {
                    Some("objects of this kind cannot be read one by one, or no mapping reads them")
                }
                () if paused => Some("the system is paused"),
                () => None,
            };
            let watch = if refused.is_some() { None } else { self.hub.watch() };
            match (refused, watch) {
                (Some(why), _) => out.push((Some(external), unasked(why))),
                (None, None) => {
                    out.push((Some(external), unasked("too many questions wait for reads already")))
                }
                (None, Some(watch)) => {
                    let longest = wanted.longest;
                    reads.spawn(async move { (Some(external.clone()), watch.read(external, longest).await) });
                }
            }
        }
        while let Some(read) = reads.join_next().await {
            out.extend(read);
        }
        out.sort_by(|(one, _), (other, _)| one.cmp(other));
        if out.is_empty() {
            out.push((None, unasked("the record has no object there")));
        }
        out
    }

    fn row(
        &self,
        system: &System,
        object: Option<ExternalRef>,
        read: &ReadThrough,
        known: Option<Wall>,
        mask: &Mask<'_>,
    ) -> FreshRow {
        let (state, at, why) = match read {
            ReadThrough::Fresh(at) => ("fresh", Some(*at), None),
            ReadThrough::Aside => {
                let why = "it was read, and waits for an object it refers to, or for a person: see the dead letters";
                ("stale", known, Some(why.to_owned()))
            }
            ReadThrough::Failed => ("stale", known, Some(self.trouble(system, "the system did not give it"))),
            ReadThrough::Late => ("stale", known, Some(self.trouble(system, "it was not read in time"))),
            ReadThrough::Unasked(why) => ("stale", known, Some(why.clone())),
        };
        FreshRow {
            system: system.to_string(),
            object: object.as_ref().map(|object| object.object.to_string()),
            id: object.map(|object| mask.external_id(&object.id)),
            state,
            known_at: at.map(time),
            age_ms: at.map(|at| u64::try_from(self.hub.now().wall.since(at).as_millis()).unwrap_or(u64::MAX)),
            why,
        }
    }

    /// Why a read may not come: how the system stands.
    fn trouble(&self, system: &System, what: &str) -> String {
        let gauges = self.hub.telemetry().snapshot().systems.get(system).map(|(_, gauges, _)| *gauges);
        let gauges = gauges.unwrap_or_default();
        let why = match () {
            () if gauges.paused => ": it is paused",
            () if gauges.breaker == 2 => ": its breaker is open",
            () if gauges.throttled => ": it asked to be left alone for a while",
            () => "",
        };
        format!("{what}{why}; it is tried again, and taken in when it comes")
    }
}

/// When a system was last heard of a record: a value that came from there, or its object as it was seen.
fn heard(found: &RecordSheet, system: &System) -> Option<Wall> {
    let said = found.record.provenance.values().filter(|from| from.system == *system).map(|from| from.at);
    let seen =
        found.shadows.iter().filter(|shadow| shadow.system == *system).filter_map(|shadow| shadow.seen_at);
    said.chain(seen).max()
}
