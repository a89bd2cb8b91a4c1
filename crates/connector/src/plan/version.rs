//! Opaque versions, such as `ETag`s: what a vendor wants to be shown again with a change, and nobody can order.

use serde_json::Value;

use super::{BodyPlan, RequestPlan};
use crate::exchange::Response;
use crate::path::Path;

/// The longest version that is kept; what is longer is none.
const VERSION_BYTES_MAX: usize = 1024;

/// Where an answer holds it.
#[derive(Debug)]
pub(crate) enum VersionPlan {
    Path(Path),
    Header(Box<str>),
}

impl VersionPlan {
    /// The version in an answer, or in a part of its body.
    pub(crate) fn read(&self, response: &Response, body: &Value) -> Option<String> {
        match self {
            Self::Path(_) => self.read_body(body),
            Self::Header(name) => fitting(response.header(name)?.to_owned()),
        }
    }

    /// The same where there are no headers: in messages, and in the items of a list.
    pub(crate) fn read_body(&self, body: &Value) -> Option<String> {
        match self {
            Self::Path(path) => fitting(path.text_at(body)?),
            Self::Header(_) => None,
        }
    }
}

fn fitting(version: String) -> Option<String> {
    (1..=VERSION_BYTES_MAX).contains(&version.len()).then_some(version)
}

impl RequestPlan {
    /// Whether the opaque version stands in it.
    pub(crate) fn names_version(&self) -> bool {
        let body = match &self.body {
            BodyPlan::None | BodyPlan::Csv(_) => false,
            BodyPlan::Json { node, .. } | BodyPlan::Form(node) | BodyPlan::Xml { node, .. } => {
                node.names_version()
            }
            BodyPlan::GraphQl { variables, .. } => variables.names_version(),
            BodyPlan::Sql(statement) => statement.names_version(),
        };
        let pairs = self.query.iter().chain(&self.headers);
        body || self.path.names_version() || pairs.into_iter().any(|pair| pair.value.names_version())
    }
}
