//! Opaque versions: where they come from, and that who sends one has it from somewhere.

use serde_saphyr::Location;

use super::Compiler;
use crate::plan::{VersionPlan, WritePlan};
use crate::source::{ObjectSource, VersionFrom, WriteSource};

impl Compiler<'_> {
    pub(super) fn version(&mut self, from: Option<&VersionFrom>) -> Option<VersionPlan> {
        Some(match from? {
            VersionFrom::Path(path) => VersionPlan::Path(self.path(path)),
            VersionFrom::Header(name) => VersionPlan::Header(name.value.to_ascii_lowercase().into()),
        })
    }

    /// A batch's answer has one set of headers for all of its records.
    pub(super) fn check_batch_version(&mut self, from: Option<&VersionFrom>) {
        if let Some(VersionFrom::Header(name)) = from {
            let what = format!("header `{}` cannot be the version of each record in a batch", name.value);
            self.error(name.referenced, what, "name its place inside a result: `version: {path: PATH}`");
        }
    }

    /// What is sent as `{version}` must have been shown before.
    pub(super) fn check_version(&mut self, object: &ObjectSource, source: &WriteSource, plan: &WritePlan) {
        if !plan.spec.versioned {
            return;
        }
        let shown = object.shape.as_ref().and_then(|shape| shape.version.as_ref());
        let at = source.request.path.referenced;
        let Some(shown) = shown else {
            let what = format!(
                "`{}` sends `{{version}}`, and the shape does not say where it stands",
                plan.spec.name
            );
            self.error(at, what, "add `shape: {version: {header: etag}}`, or `{path: PATH}`");
            return;
        };
        if let VersionFrom::Header(name) = shown
            && object.fetch.is_none()
        {
            let at: Location = name.referenced;
            let what = format!("header `{}` is read with `fetch`, and there is none", name.value);
            self.error(at, what, "add `fetch`, or name a place in the object");
        }
    }
}
