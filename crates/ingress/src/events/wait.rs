//! `?wait=delivered:SYSTEM&timeout=TIME`: the answer waits until what was taken in has reached a system, or the time
//! is over, and says how each delivery stands then.

use std::collections::BTreeSet;
use std::time::Duration;

use canonical::System;
use hub::{Raised, Taken, TakenAs};
use runtime::{Standing, WATCHED_MAX, Watch};
use serde::Serialize;
use web::{Flaw, Problem, kinds};

/// How long is waited when the request does not say, and at most.
const WAIT: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(10));

/// What a request waits for.
#[derive(Debug)]
pub(super) struct Wanted {
    systems: BTreeSet<System>,
    longest: Duration,
}

/// How one event stands at one system.
#[derive(Serialize, Debug)]
pub(super) struct Delivered {
    system: String,
    /// The route; null where none takes it there.
    route: Option<String>,
    /// A delivery's state; `none`: nothing of the event goes there; `unknown`: see `reason`.
    state: &'static str,
    /// Whether the system has what the event said.
    reached: bool,
    /// The class of reason, or why nothing is known.
    reason: Option<String>,
}

impl Wanted {
    /// Reads the query; `None`: nothing is waited for.
    pub(super) fn read(query: Option<&str>, known: &BTreeSet<System>) -> Result<Option<Self>, Problem> {
        let mut systems = BTreeSet::new();
        let mut longest = WAIT.0;
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match name.as_ref() {
                "wait" => {
                    let named = value.strip_prefix("delivered:").unwrap_or_default();
                    for name in named.split(',') {
                        let system = known.get(name).ok_or_else(|| {
                            let names: Vec<&str> = known.iter().map(System::as_str).collect();
                            let wanted = "write `delivered:` and the name of a system";
                            bad("wait", &format!("{wanted}; there are {}", names.join(", ")))
                        })?;
                        systems.insert(system.clone());
                    }
                }
                "timeout" => longest = time(&value)?,
                _ => return Err(bad(&name, "there is no such parameter; there are wait, timeout")),
            }
        }
        Ok((!systems.is_empty()).then_some(Self { systems, longest }))
    }

    /// Waits, and says how each event stands.
    pub(super) async fn of(self, watch: Watch, taken: &[Taken]) -> Vec<Vec<Delivered>> {
        let concerned = taken.iter().flat_map(|taken| &taken.raised);
        let raised: Vec<Raised> =
            concerned.filter(|one| self.systems.contains(&one.system)).cloned().collect();
        let standing = watch.until(&raised, self.longest).await;
        let mut standing = standing.into_iter();
        taken.iter().map(|taken| self.event(taken, &mut standing)).collect()
    }

    fn event(&self, taken: &Taken, standing: &mut impl Iterator<Item = Option<Standing>>) -> Vec<Delivered> {
        let mut out = Vec::new();
        for one in taken.raised.iter().filter(|one| self.systems.contains(&one.system)) {
            // Of more deliveries than are waited for, the rest is not looked at.
            let stands = standing.next();
            let none = match stands {
                None => format!("only the first {WATCHED_MAX} deliveries are waited for"),
                Some(_) => "the store did not say".to_owned(),
            };
            out.push(delivered(one, stands.flatten(), none));
        }
        for system in &self.systems {
            if !taken.raised.iter().any(|one| one.system == *system) {
                let (state, reason) = untold(&taken.how);
                let (system, reason) = (system.to_string(), Some(reason.to_owned()));
                out.push(Delivered { system, route: None, state, reached: false, reason });
            }
        }
        out
    }
}

impl Delivered {
    /// Whether all that was waited for has come to be.
    pub(super) fn all(events: &[Vec<Self>]) -> bool {
        events.iter().flatten().all(|one| one.reached)
    }
}

fn delivered(one: &Raised, stands: Option<Standing>, none: String) -> Delivered {
    let (system, route) = (one.system.to_string(), Some(one.key.route.to_string()));
    match stands {
        Some(stands) => {
            Delivered { system, route, state: stands.name(), reached: stands.arrived(), reason: stands.class }
        }
        None => Delivered { system, route, state: "unknown", reached: false, reason: Some(none) },
    }
}

/// Why an event raised nothing for a system.
const fn untold(how: &TakenAs) -> (&'static str, &'static str) {
    match how {
        TakenAs::Accepted => (
            "none",
            "nothing of it goes there: no route, no change, or it waits for an object it refers to or for a read",
        ),
        TakenAs::Duplicate => ("unknown", "it was taken in before: look at the record"),
        TakenAs::Quarantined(_) => ("none", "it is kept for a person"),
    }
}

/// `500ms` or `2s`, up to the longest.
fn time(text: &str) -> Result<Duration, Problem> {
    let millis = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => number.parse::<u64>().ok(),
        (None, Some(number)) => number.parse::<u64>().ok().and_then(|seconds| seconds.checked_mul(1_000)),
        (None, None) => None,
    };
    let span = millis.filter(|millis| *millis > 0).map(Duration::from_millis).filter(|span| *span <= WAIT.1);
    span.ok_or_else(|| bad("timeout", "write a time of at most 10 seconds, such as `500ms` or `2s`"))
}

fn bad(parameter: &str, detail: &str) -> Problem {
    let flaw = Flaw { detail: detail.to_owned(), pointer: parameter.to_owned() };
    Problem::new(kinds::MALFORMED, format!("the parameter `{parameter}`: {detail}")).errors(vec![flaw])
}
