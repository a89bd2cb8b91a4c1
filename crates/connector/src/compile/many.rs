//! Reading several objects by their ids in one call.

use serde_saphyr::Spanned;

use super::{BATCH_PARAMETER, Compiler};
use crate::many::ManySpec;
use crate::plan::{ManyErrors, ManyPlan, Parts, Shape, VersionPlan};
use crate::source::ManySource;
use crate::template::{Allowed, Source};

impl Compiler<'_> {
    /// `None` where the system's folder says `batch: false`: each is read alone.
    pub(super) fn many(&mut self, name: &str, shape: &Shape, from: &Spanned<ManySource>) -> Option<ManyPlan> {
        let (at, source) = (from.referenced, &from.value);
        if source.records_max < 2 {
            self.error(
                at,
                format!("objects.{name}.fetch.many: `records_max` is {}", source.records_max),
                "two or more are read in one call; leave `many` out where each is read alone",
            );
        }
        if matches!(shape.version, Some(VersionPlan::Header(_))) {
            self.error(
                at,
                format!("objects.{name}.fetch.many: its version stands in a header, which is of one object"),
                "say where it stands in the object, or leave `many` out",
            );
        }
        let before = self.faults;
        let request = self.request("fetch.many", &source.request, Allowed::Many);
        if self.faults == before && !request.mentions(Parts::All, &|one| *one == Source::Ids) {
            let what = format!("objects.{name}.fetch.many does not say which objects it reads");
            self.error(
                super::repeat::place(&source.request),
                what,
                "put `{ids}` where the vendor takes them",
            );
        }
        let errors = source.errors.as_ref().map(|errors| ManyErrors {
            at: self.path(&errors.at),
            ids: self.path(&errors.ids),
            rules: self.rules(&errors.rules),
        });
        let plan = ManyPlan {
            spec: ManySpec {
                records_max: usize::try_from(source.records_max).unwrap_or(usize::MAX),
                charge: request.charge.clone(),
            },
            request,
            items: self.path_or_root(source.items.as_ref()),
            object: self.path_or_root(source.object.as_ref()),
            absent: source.absent,
            errors,
            bytes_max: source.bytes_max,
            address_max: source.address_max,
        };
        let without = self.parameters.get(BATCH_PARAMETER) == Some(&serde_json::Value::Bool(false));
        Some(plan).filter(|_| !without)
    }
}
