//! What the slots of a request mention.

use super::{BodyPlan, RequestPlan};
use crate::body::Node;
use crate::template::Source;

/// Which parts of a request are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Parts {
    /// All of them.
    All,
    /// What addresses an object: path, query and headers; of a database the whole statement.
    Address,
}

impl RequestPlan {
    /// Whether one of its slots mentions such a source.
    pub(crate) fn mentions(&self, parts: Parts, of: &dyn Fn(&Source) -> bool) -> bool {
        let body = match (&self.body, self.node()) {
            (BodyPlan::Sql(statement), _) => statement.mentions(of),
            (_, Some(node)) => parts == Parts::All && node.mentions(of),
            (_, None) => false,
        };
        let mut pairs = self.query.iter().chain(&self.headers);
        body || self.path.mentions(of) || pairs.any(|pair| pair.value.mentions(of))
    }

    /// Whether it cannot be written without such a source.
    pub(crate) fn rests_on(&self, of: &dyn Fn(&Source) -> bool) -> bool {
        let body = match (&self.body, self.node()) {
            (BodyPlan::Sql(statement), _) => statement.rests_on(of),
            (_, Some(node)) => node.rests_on(of),
            (_, None) => false,
        };
        let mut pairs = self.query.iter().chain(&self.headers);
        body || self.path.rests_on(of) || pairs.any(|pair| !pair.optional && pair.value.rests_on(of))
    }

    /// The tree of its body.
    const fn node(&self) -> Option<&Node> {
        match &self.body {
            BodyPlan::Json { node, .. } | BodyPlan::Form(node) | BodyPlan::Xml { node, .. } => Some(node),
            BodyPlan::GraphQl { variables, .. } => Some(variables),
            BodyPlan::None | BodyPlan::Sql(_) | BodyPlan::Csv(_) => None,
        }
    }
}
