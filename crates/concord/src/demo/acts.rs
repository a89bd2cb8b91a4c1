//! The acts: what goes wrong, when, as shares of the demonstration's length, so that all of them scale with it.

use std::time::Duration;

use sandbox::{Fault, FaultKind};

use super::diary::Place;
use super::proof::Outage;

/// One act.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Act {
    /// What the live view says.
    pub(crate) name: &'static str,
    /// Start and end, as shares of the whole.
    pub(crate) from: f64,
    pub(crate) until: f64,
    /// What goes wrong, given when the act starts and ends.
    faults: fn(u64, u64) -> Vec<(Place, Fault)>,
    /// The system that people can't work in, or that can't be relied on: edits that meet it are timed apart.
    pub(crate) disturbed: &'static [Place],
    /// Whether people can't work in the first of these.
    pub(crate) away: bool,
    /// Whether a message that nobody can read is sent in it.
    pub(crate) bad_message: bool,
}

const CALM: Act = Act {
    name: "",
    from: 0.0,
    until: 0.0,
    faults: |_, _| Vec::new(),
    disturbed: &[],
    away: false,
    bad_message: false,
};

/// All acts, in order, without gaps.
pub(crate) const ACTS: [Act; 7] = [
    Act { name: "business as usual", from: 0.0, until: 0.16, ..CALM },
    Act {
        name: "the CRM is down",
        from: 0.16,
        until: 0.36,
        faults: crm_down,
        disturbed: &[Place::Crm],
        away: true,
        ..CALM
    },
    Act { name: "the CRM is back", from: 0.36, until: 0.42, ..CALM },
    Act {
        name: "marketing is throttled",
        from: 0.42,
        until: 0.58,
        faults: throttled,
        disturbed: &[Place::Marketing],
        ..CALM
    },
    Act {
        name: "answers are lost, effects come late",
        from: 0.58,
        until: 0.74,
        faults: lost_answers,
        disturbed: &[Place::Crm, Place::Erp],
        ..CALM
    },
    Act {
        name: "webhooks come twice and out of order, one is garbage",
        from: 0.74,
        until: 0.86,
        faults: webhooks,
        bad_message: true,
        ..CALM
    },
    Act { name: "everything heals", from: 0.86, until: 1.0, ..CALM },
];

/// The port refuses connections.
fn crm_down(_from: u64, until: u64) -> Vec<(Place, Fault)> {
    vec![(Place::Crm, Fault::new(FaultKind::Refuse).until(until))]
}

/// 429: with Retry-After in the first half, without in the second.
fn throttled(from: u64, until: u64) -> Vec<(Place, Fault)> {
    let middle = from.midpoint(until);
    let mut late = Fault::new(FaultKind::Throttle { retry_after_s: None }).chance(0.5).until(until);
    late.from_ms = Some(middle);
    vec![
        (Place::Marketing, Fault::new(FaultKind::Throttle { retry_after_s: Some(1) }).until(middle)),
        (Place::Marketing, late),
    ]
}

/// Requests take effect, and nobody hears of it; some effects come after a 504.
fn lost_answers(_from: u64, until: u64) -> Vec<(Place, Fault)> {
    let lost =
        |method: &str, path: &str, chance| Fault::new(FaultKind::LostAnswer).on(method, path).chance(chance);
    let late = Fault::new(FaultKind::LateEffect { ms: 400, answer: true });
    let faults = [
        (Place::Crm, lost("POST", "/batch/upsert", 0.15)),
        (Place::Crm, lost("PATCH", "/objects/", 0.15)),
        (Place::Erp, lost("PUT", "/record/", 0.2)),
        (Place::Erp, late.on("PATCH", "/record/").chance(0.1)),
        (Place::Erp, Fault::new(FaultKind::ErrorAfter { status: 500 }).on("PATCH", "/record/").chance(0.1)),
    ];
    // Companies have no key to upsert by: they are looked for before they are made again.
    let create = lost("POST", "/objects/companies", 1.0).times(2);
    let mut all: Vec<_> = faults.into_iter().map(|(place, fault)| (place, fault.until(until))).collect();
    all.push((Place::Crm, create.until(until)));
    all
}

fn webhooks(from: u64, until: u64) -> Vec<(Place, Fault)> {
    // The garbage comes early in the act, and must not get lost.
    let mut drop = Fault::new(FaultKind::WebhookDrop).chance(0.05).until(until);
    drop.from_ms = Some(from.midpoint(until));
    vec![
        (Place::Crm, Fault::new(FaultKind::WebhookDuplicate { ms: 150 }).chance(0.3).until(until)),
        (Place::Crm, Fault::new(FaultKind::WebhookReorder { ms: 250 }).chance(0.3).until(until)),
        (Place::Crm, drop),
    ]
}

impl Act {
    /// Its start and end within a play of this length that begins at `start_ms`.
    pub(crate) fn span(&self, start_ms: u64, length: Duration) -> (u64, u64) {
        let at = |share: f64| start_ms + length.mul_f64(share).as_millis() as u64;
        (at(self.from), at(self.until))
    }

    /// What goes wrong in it.
    pub(crate) fn faults(&self, from_ms: u64, until_ms: u64) -> Vec<(Place, Fault)> {
        (self.faults)(from_ms, until_ms)
    }

    /// The times that are accounted apart.
    pub(crate) fn outages(&self, from_ms: u64, until_ms: u64) -> Vec<Outage> {
        self.disturbed.iter().map(|place| Outage { place: *place, from_ms, until_ms }).collect()
    }
}

#[cfg(test)]
mod tests {
    //! The acts fill the whole time.
    use std::time::Duration;

    use super::ACTS;

    #[test]
    fn acts_follow_each_other() {
        assert!(ACTS[0].from == 0.0 && ACTS[ACTS.len() - 1].until == 1.0);
        for pair in ACTS.windows(2) {
            assert!(pair[0].from < pair[0].until && pair[0].until == pair[1].from, "{}", pair[1].name);
        }
        assert_eq!(ACTS[1].span(1_000, Duration::from_secs(100)), (17_000, 37_000));
    }
}
