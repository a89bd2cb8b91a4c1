//! What a mapping makes of one sample: what nobody takes, what is not there, and which rows say nothing.

use std::collections::BTreeSet;

use canonical::{Field, Fields};
use serde_json::Value;

use crate::example::leaves;
use crate::mapping::Mapping;
use crate::normalise::Patch;
use crate::path::{Found, Path};
use crate::project::Projection;

/// What a person who writes a mapping should look at. Names paths and fields, never values.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Coverage {
    /// Rows and extensions that ran.
    pub rows: usize,
    /// What the sample holds and nobody takes: paths when reading, fields when writing.
    pub unused: Vec<String>,
    /// What rows would take and the sample does not hold: paths when reading, fields when writing.
    pub missing: Vec<String>,
    /// What rows found something for and said nothing about: fields when reading, paths when writing.
    pub silent: Vec<String>,
}

impl Mapping {
    /// What reading `observed`, which gave `patch`, took of it.
    #[must_use]
    pub fn coverage_in(&self, observed: &Fields, patch: &Patch) -> Coverage {
        let inner = &self.inner;
        let mut coverage = Coverage { rows: inner.ins.len() + inner.extensions.len(), ..Coverage::default() };
        let mut known: Vec<Path> = inner.extensions.clone();
        let is_missing = |path: &Path| matches!(path.find(observed), Found::Missing);
        for row in &inner.ins {
            let paths: Vec<&Path> = row.paths().iter().collect();
            let field = &row.field;
            let said = patch.fields.contains_key(field.as_str()) || patch.references.contains_key(field);
            if !said && !paths.iter().all(|path| is_missing(path)) {
                coverage.silent.push(field.as_str().to_owned());
            }
            known.extend(paths.into_iter().cloned());
        }
        let missing = known.iter().filter(|path| is_missing(path)).map(|path| path.as_str().to_owned());
        coverage.missing = missing.collect::<BTreeSet<_>>().into_iter().collect();
        leaves(&Value::Object(observed.clone()), &mut Vec::new(), &known, &mut coverage.unused);
        // A null on the way to a path is what stands at the path.
        let leads = |unused: &str| {
            Path::parse(unused).is_ok_and(|unused| {
                known.iter().any(|path| unused.keys().zip(path.keys()).all(|(one, other)| one == other))
            })
        };
        coverage.unused.retain(|unused| !leads(unused));
        coverage
    }

    /// What writing `record`, which gave `projection`, took of it.
    #[must_use]
    pub fn coverage_out(&self, record: &Fields, projection: &Projection) -> Coverage {
        let inner = &self.inner;
        let taken: BTreeSet<&str> = self.out_fields().map(Field::as_str).collect();
        let held = |field: &str| record.contains_key(field);
        let unlinked = |field: &Field| projection.missing.iter().any(|link| link.field == *field);
        let silent = inner.outs.iter().filter(|row| {
            !projection.fields.contains_key(row.path.as_str())
                && row.fields().iter().any(|field| held(field.as_str()) && !unlinked(field))
        });
        Coverage {
            rows: inner.outs.len() + inner.constants.len(),
            unused: record.keys().filter(|name| !taken.contains(name.as_str())).cloned().collect(),
            missing: taken.iter().filter(|field| !held(field)).map(|field| (*field).to_owned()).collect(),
            silent: silent.map(|row| row.path.as_str().to_owned()).collect(),
        }
    }
}
