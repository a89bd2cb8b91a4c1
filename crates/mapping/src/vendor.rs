//! What the system makes of the values at a mapping's paths (`normalises` of its connector), for every comparison.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use canonical::rewrite::rewritten;
use canonical::value::is_empty;
use canonical::{Field, Fields, Rewrite, Rewrites};
use serde_json::Value;

use crate::equal::formed;
use crate::mapping::{Inner, Mapping};
use crate::row::{InRow, OutRow, Reads, Said};
use crate::step::Step;

/// The rewrites of the paths that a mapping names; those that nothing happens to are left out.
#[derive(Debug, Default)]
pub(crate) struct Vendor {
    paths: BTreeMap<String, Vec<Rewrite>>,
}

impl Vendor {
    pub(crate) fn new(inner: &Inner, rewrites: &Rewrites) -> Self {
        let written = inner.outs.iter().map(|row| &row.path);
        let constants = inner.constants.iter().map(|(path, _)| path);
        let read = inner.ins.iter().flat_map(InRow::paths);
        let named: BTreeSet<&str> = written.chain(constants).chain(read).map(|path| path.as_str()).collect();
        let paths = named.into_iter().map(|path| (path.to_owned(), rewrites.at(path)));
        Self { paths: paths.filter(|(_, all)| !all.is_empty()).collect() }
    }

    /// What is left of a value there.
    fn form<'v>(&self, path: &str, value: &'v Value) -> Cow<'v, Value> {
        match self.paths.get(path) {
            Some(all) => Cow::Owned(rewritten(all, value)),
            None => Cow::Borrowed(value),
        }
    }

    /// Of all values of a memory.
    fn forms(&self, memory: &Fields) -> Fields {
        memory.iter().map(|(path, value)| (path.clone(), self.form(path, value).into_owned())).collect()
    }
}

impl Mapping {
    /// What is left there of a value at a written path. A code that the row's table reads stays as it is: the table says
    /// which codes mean the same.
    pub(crate) fn there<'v>(&self, path: &str, row: Option<&OutRow>, value: &'v Value) -> Cow<'v, Value> {
        let coded = row.filter(|row| row.table.is_some() || row.back.is_some());
        if coded.is_some_and(|row| row.meaning(value.clone()).is_some()) {
            return Cow::Borrowed(value);
        }
        self.vendor.form(path, value)
    }

    /// Whether two canonical values are one in the system: written there, and rewritten, they read as the same.
    pub(crate) fn alike_there(&self, row: &InRow, one: &Value, other: &Value) -> bool {
        if !self.vendor.paths.contains_key(row.path.as_str()) {
            return false;
        }
        let of = |value: &Value| self.read_back(row, value);
        of(one).is_some_and(|one| of(other) == Some(one))
    }

    /// A canonical value as it would come back. `None`: the row cannot say how it is written.
    fn read_back(&self, row: &InRow, value: &Value) -> Option<Value> {
        if is_empty(value) {
            return Some(Value::Null);
        }
        let plain = matches!(row.reads, Reads::One) && row.table.is_none() && row.reference.is_none();
        if !plain || row.steps.iter().any(Step::is_one_way) {
            return None;
        }
        let mut written = value.clone();
        for step in row.steps.iter().rev() {
            written = step.write(written).ok()?;
        }
        let kept = self.vendor.form(row.path.as_str(), &written).into_owned();
        if is_empty(&kept) {
            return Some(Value::Null);
        }
        let mut read = kept.clone();
        for step in &row.steps {
            // What is cut may not be in the row's form any more.
            let Ok(next) = step.read(read) else { return Some(kept) };
            read = next;
        }
        let read = row.equal.map_or_else(|| read.clone(), |equal| formed(equal, read.clone()));
        Some(match row.check.apply(read.clone()) {
            Ok(normal) => normal,
            Err(_) => read,
        })
    }

    /// Whether a memory of the object and what is seen of it now say the same of a field once the system has rewritten
    /// both: for rows that several paths go into, or an expression.
    #[must_use]
    pub fn said_alike(&self, field: &Field, memory: &Fields, seen: &Fields) -> bool {
        if self.vendor.paths.is_empty() {
            return false;
        }
        let Some(row) = self.inner.by_field.get(field).and_then(|at| self.inner.ins.get(*at)) else {
            return false;
        };
        let rewritten = row.paths().iter().any(|path| self.vendor.paths.contains_key(path.as_str()));
        if !rewritten || matches!(row.reads, Reads::One) {
            return false;
        }
        let say = |fields: &Fields| row.recall(&self.vendor.forms(fields)).ok();
        matches!((say(memory), say(seen)), (Some(Said::Value(one)), Some(Said::Value(other))) if one == other)
    }
}
