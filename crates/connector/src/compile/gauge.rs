//! What is left of a limit: which header says it, and how.

use std::sync::Arc;

use serde_saphyr::Location;

use super::Compiler;
use crate::plan::{Gauge, Left};
use crate::source::BucketSource;

impl Compiler<'_> {
    /// The header that says what is left of a limit; `None`: none does.
    pub(super) fn gauge(&mut self, bucket: Arc<str>, at: Location, source: &BucketSource) -> Option<Gauge> {
        let said = match (&source.used, &source.item) {
            (Some(_), Some(_)) => {
                self.error(
                    at,
                    format!("limits.buckets.{bucket}: `used` and `item` are two ways to read one header"),
                    "keep `used` where an entry says `18/5000`, and `item` where it says what is left",
                );
                return None;
            }
            (Some(name), None) => Left::Used(name.as_str().into()),
            (None, Some(name)) => Left::Item(name.as_str().into()),
            (None, None) => Left::Number,
        };
        let Some(header) = &source.remaining else {
            let keys = [
                ("told", source.told),
                ("used", source.used.is_some()),
                ("item", source.item.is_some()),
                ("reset", source.reset.is_some()),
            ];
            if let Some((key, _)) = keys.into_iter().find(|(_, given)| *given) {
                self.error(
                    at,
                    format!("limits.buckets.{bucket}: `{key}` is about a header, and there is none"),
                    "add `remaining: HEADER`",
                );
            }
            return None;
        };
        if let Some(path) = source.reset.as_ref().and_then(|reset| reset.path.as_ref()) {
            let at = path.referenced;
            self.error(
                at,
                "what is left of a limit is read from headers, not from a body",
                "name a `header`",
            );
        }
        let reset = source.reset.as_ref().map(|reset| self.wait(reset));
        Some(Gauge { bucket, header: header.to_ascii_lowercase().into(), said, reset })
    }
}
