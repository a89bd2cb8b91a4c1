//! Objects read by their ids: one, or several in one call.

use std::time::Duration;

use super::{RequestPlan, Rule};
use crate::many::ManySpec;
use crate::path::Path;
use crate::source::{Absent, AbsentOfMany};

#[derive(Debug)]
pub(crate) struct FetchPlan {
    pub(crate) request: RequestPlan,
    pub(crate) at: Path,
    pub(crate) absent: Absent,
    /// How far behind the writes an answer may be.
    pub(crate) lag: Duration,
    pub(crate) many: Option<ManyPlan>,
}

impl FetchPlan {
    /// All requests that read by id.
    pub(crate) fn requests(&self) -> impl Iterator<Item = &RequestPlan> {
        [&self.request].into_iter().chain(self.many.iter().map(|many| &many.request))
    }
}

#[derive(Debug)]
pub(crate) struct ManyPlan {
    pub(crate) spec: ManySpec,
    pub(crate) request: RequestPlan,
    /// The list of objects in the answer.
    pub(crate) items: Path,
    /// The object in an item.
    pub(crate) object: Path,
    pub(crate) absent: AbsentOfMany,
    pub(crate) errors: Option<ManyErrors>,
    /// Most bytes of the body, and of the address.
    pub(crate) bytes_max: usize,
    pub(crate) address_max: usize,
}

/// What an answer says of those that it does not hold.
#[derive(Debug)]
pub(crate) struct ManyErrors {
    pub(crate) at: Path,
    /// The ids in one error.
    pub(crate) ids: Path,
    pub(crate) rules: Vec<Rule>,
}
