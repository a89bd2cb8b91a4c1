//! Several objects read by their ids in one call.

use super::{RequestPlan, Rule};
use crate::many::ManySpec;
use crate::path::Path;
use crate::source::AbsentOfMany;

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
