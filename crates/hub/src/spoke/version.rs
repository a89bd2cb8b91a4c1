//! Changes that are sent with the version that was last shown (`If-Match`): where none is known, the object is read first.
//!
//! A link may come of a match, a probe or a list that shows no versions. To send such a change without one would be to
//! overwrite blindly what nobody has looked at. Where the target shows none even then, the operation decides: a slot that may
//! be missing goes, another leaves the delivery to a person.

use std::time::Duration;

use canonical::ExternalRef;
use ledger::{Obligation, State};

use crate::spoke::Spoke;
use crate::spoke::plan::{Rest, Wanted, reason};

/// Why such a delivery waits.
const VERSION_FIRST: &str = "version_first";

/// How often it is read before it goes as it is.
const ROUNDS_MAX: u32 = 4;

impl Spoke {
    /// How a write waits for the version that it is sent with; `None`: it goes.
    pub(super) fn version_first(&self, obligation: &Obligation, wanted: &Wanted) -> Option<(Rest, Duration)> {
        let object = &obligation.object;
        let versioned = self.operation_for(object, wanted).is_some_and(|spec| spec.versioned);
        let id = wanted.external_id.clone().filter(|_| versioned && wanted.shadow.version.is_none())?;
        let readable =
            self.connector.can_fetch(object) && self.config.inbound(&self.system, object).is_some();
        let rounds = rounds_of(obligation);
        if !readable || rounds >= ROUNDS_MAX {
            return None;
        }
        let mut why =
            reason(VERSION_FIRST, "its version there is not known: the object is read before it is written");
        why.code = Some((rounds + 1).to_string());
        let rest = Rest {
            waiting: super::wait::still(obligation),
            look: Some(ExternalRef { system: self.system.clone(), object: object.clone(), id }),
            ..Rest::of(State::Pending, why)
        };
        Some((rest, Duration::from_secs(1 << rounds)))
    }
}

/// How often it was read for this delivery. Kept with it, so that a restart does not begin anew.
fn rounds_of(obligation: &Obligation) -> u32 {
    let waits = obligation.reason.as_ref().filter(|reason| reason.class == VERSION_FIRST);
    waits.and_then(|reason| reason.code.as_deref()?.parse().ok()).unwrap_or(0)
}
