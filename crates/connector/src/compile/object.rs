//! Objects: kinds folded in, reads and writes resolved.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use canonical::Object;
use ledger::IdempotencyClass;
use serde_json::Value;
use serde_saphyr::{Location, Spanned};

use super::Compiler;
use crate::batch::Together;
use crate::plan::{FetchPlan, HeaderPlan, ObjectPlan, Parts, ProbePlan, RequestPlan, Shape, WritePlan};
use crate::source::{FalseSource, ObjectSource, RequestSource, Serves, ShapeSource, WriteSource};
use crate::spec::WriteSpec;
use crate::template::{Allowed, Source};

/// How long a target may go on working on a request, unless the manifest says otherwise.
const PROCESSING_MAX: Duration = Duration::from_secs(60);

/// The setting of an object that names another kind.
const KIND: &str = "kind";

type Objects = BTreeMap<Object, Arc<ObjectPlan>>;

impl Compiler<'_> {
    /// The named objects, and the one that stands for any other.
    pub(super) fn objects(
        &mut self,
        paths: &BTreeMap<Object, Vec<String>>,
    ) -> (Objects, Option<Arc<ObjectPlan>>) {
        let source = self.source;
        let mut objects = Objects::new();
        for (name, object) in &source.objects {
            let plan = self.object(name.as_str(), object, paths.get(name.as_str()));
            objects.insert(name.clone(), Arc::new(plan));
        }
        let Some(more) = &source.more_objects else { return (objects, None) };
        let of_kind = ObjectSource { kind: Some(more.kind.clone()), ..ObjectSource::default() };
        let Some(parameter) = &more.parameter else {
            for (name, mapped) in paths {
                if !objects.contains_key(name) {
                    objects
                        .insert(name.clone(), Arc::new(self.object(name.as_str(), &of_kind, Some(mapped))));
                }
            }
            return (objects, Some(Arc::new(self.object("any", &of_kind, None))));
        };
        let names = match self.parameters.get(&parameter.value) {
            Some(Value::Array(names)) => {
                let names = names.iter().filter_map(Value::as_str);
                names.map(|name| (name.to_owned(), None)).collect()
            }
            Some(Value::Object(names)) => {
                let of = |(name, value): (&String, &Value)| (name.clone(), Some(value.clone()));
                names.iter().map(of).collect()
            }
            Some(_) => Vec::new(),
            None => {
                let hint =
                    canonical::suggest::hint(&parameter.value, source.parameters.keys().map(String::as_str));
                self.error(
                    parameter.referenced,
                    format!("there is no parameter `{}`", parameter.value),
                    hint,
                );
                Vec::new()
            }
        };
        for (name, given) in names {
            let mut of_kind = of_kind.clone();
            match given {
                Some(Value::String(text)) => of_kind.values.extend(more.value.clone().zip(Some(text))),
                Some(Value::Object(constants)) => self.constants(&name, &mut of_kind, constants),
                _ => {}
            }
            match Object::new(&name) {
                Ok(object) => {
                    let plan = self.object(&name, &of_kind, paths.get(&object));
                    objects.insert(object, Arc::new(plan));
                }
                Err(error) => self.whole(format!("parameter `{}`: {error}", parameter.value), ""),
            }
        }
        (objects, None)
    }

    fn object(&mut self, name: &str, source: &ObjectSource, mapped: Option<&Vec<String>>) -> ObjectPlan {
        let source = self.with_kind(source);
        self.values.clone_from(&source.values);
        let Some(shape) = &source.shape else {
            self.whole(
                format!("objects.{name} has no `shape`"),
                "say where the object's id stands: `shape: {id: id}`, or name a `kind` that does",
            );
            return ObjectPlan::empty();
        };
        let shape = self.shape(shape);
        let paths = self.select(&source, mapped);
        let (rewrites, natural_keys) = (self.rewrites(&source), self.natural_keys(&source));
        let fetch = source.fetch.as_ref().map(|fetch| FetchPlan {
            request: self.fetch(name, &fetch.request),
            at: self.path_or_root(fetch.at.as_ref()),
            absent: fetch.absent,
            lag: self.tuned("read_lag_ms").or(fetch.lag.map(|span| span.0)).unwrap_or_default(),
            many: fetch.many.as_ref().and_then(|many| self.many(name, &shape, many)),
        });
        if shape.order.is_none() && fetch.as_ref().is_some_and(|fetch| !fetch.lag.is_zero()) {
            self.whole(
                format!("objects.{name}: its reads lag, and it has no order: nobody can tell what is older"),
                "say where its version or time of change stands: `shape: {order: …}`; or leave `lag` out",
            );
        }
        let poll = source.poll.as_ref().filter(|poll| self.offered(&poll.with, &[]));
        let poll = poll.map(|poll| self.poll(name, poll));
        let snapshot = source.snapshot.as_ref().filter(|all| self.offered(&all.with, &[]));
        let snapshot = snapshot.map(|all| self.snapshot(name, all));
        if let Some(poll) = source.poll.as_ref().filter(|_| poll.is_some()) {
            self.check_keeps(name, poll, snapshot.as_ref());
        }
        let describe = source.describe.as_ref().map(|describe| self.describe(describe));
        let associations = self.associations(name, &source, mapped);
        let mut writes = Vec::new();
        let mut served = BTreeMap::new();
        for (operation, write) in &source.writes {
            if !self.offered(&write.with, &write.without) {
                continue;
            }
            // A kind's operations about associations are for those of its objects that have some.
            if write.step().is_some() && source.associations.is_empty() {
                continue;
            }
            let chosen = |serves: &&Serves| **serves != Serves::Notify && serves.step().is_none();
            for serves in write.serves.iter().filter(chosen) {
                if let Some(other) = served.insert(*serves, operation.clone()) {
                    self.error(
                        write.request.path.referenced,
                        format!(
                            "objects.{name}: `{other}` and `{operation}` are both for `{}`",
                            serves.name()
                        ),
                        "leave it to one of them",
                    );
                }
            }
            let mut plan = self.write(operation, write);
            plan.associations = self.served(operation, write, &source);
            self.check_version(&source, write, &plan);
            writes.push(plan);
        }
        self.check_associations(name, &source, &writes);
        let asked: BTreeSet<String> = associations
            .iter()
            .filter(|one| one.seen.is_some())
            .map(|one| one.spec.to.as_str().to_owned())
            .collect();
        self.values.clear();
        ObjectPlan {
            shape,
            paths,
            types: source.types.clone(),
            rewrites,
            natural_keys,
            fetch,
            poll,
            snapshot,
            describe,
            associations,
            asked: asked.into_iter().collect(),
            writes,
            errors: self.rules(&source.errors),
        }
    }

    /// The request that reads an object, which says which.
    fn fetch(&mut self, name: &str, source: &RequestSource) -> RequestPlan {
        let before = self.faults;
        let request = self.request("fetch", source, Allowed::Fetch);
        if self.faults == before && !request.mentions(Parts::All, &|source| *source == Source::Id) {
            let what = format!("objects.{name}.fetch does not say which object it reads");
            self.error(super::repeat::place(source), what, "put `{id}` into its path or query");
        }
        request
    }

    /// The object with the parts of its kind that it does not say itself.
    fn with_kind(&mut self, object: &ObjectSource) -> ObjectSource {
        let Some(kind) = &object.kind else { return object.clone() };
        let kinds = &self.source.kinds;
        let Some(base) = kinds.get(&kind.value) else {
            let hint = canonical::suggest::hint(&kind.value, kinds.keys().map(String::as_str));
            self.error(kind.referenced, format!("there is no kind `{}`", kind.value), hint);
            return object.clone();
        };
        let mut merged = base.clone();
        merged.values.extend(object.values.clone());
        merged.types.extend(object.types.clone());
        merged.normalises.extend(object.normalises.clone());
        if !object.keys.is_empty() {
            merged.keys.clone_from(&object.keys);
        }
        merged.associations.extend(object.associations.clone());
        merged.writes.extend(object.writes.clone());
        merged.shape = object.shape.clone().or(merged.shape);
        merged.fetch = object.fetch.clone().or(merged.fetch);
        merged.poll = object.poll.clone().or(merged.poll);
        merged.snapshot = object.snapshot.clone().or(merged.snapshot);
        merged.describe = object.describe.clone().or(merged.describe);
        if !object.paths.is_empty() {
            merged.paths.clone_from(&object.paths);
        }
        merged.paths_always.extend(object.paths_always.clone());
        let mut errors = object.errors.clone();
        errors.append(&mut merged.errors);
        merged.errors = errors;
        merged
    }

    fn shape(&mut self, source: &ShapeSource) -> Shape {
        Shape {
            id: self.path(&source.id),
            fields: self.path_or_root(source.fields.as_ref()),
            order: source
                .order
                .as_ref()
                .map(|order| self.order(order))
                .filter(|order| !order.moment.path.as_str().is_empty()),
            version: self.version(source.version.as_ref()),
            deleted: source
                .deleted
                .as_ref()
                .map(|test| self.test(test))
                .filter(|test| !test.path.as_str().is_empty()),
            merged_into: source.merged_into.as_ref().map(|path| self.path(path)),
            typed: source.typed,
            booleans: source.false_is_null.as_ref().map(|source| self.booleans(source)),
        }
    }

    /// The fields in which false is a value: the manifest's, then the parameter's.
    fn booleans(&mut self, source: &FalseSource) -> BTreeSet<String> {
        let mut names: BTreeSet<String> = source.booleans.iter().cloned().collect();
        let Some(parameter) = &source.parameter else { return names };
        match self.parameters.get(&parameter.value) {
            Some(Value::Array(more)) => {
                names.extend(more.iter().filter_map(Value::as_str).map(str::to_owned))
            }
            Some(_) => {}
            None => {
                let known = self.source.parameters.keys().map(String::as_str);
                let hint = canonical::suggest::hint(&parameter.value, known);
                let what = format!("there is no parameter `{}`", parameter.value);
                self.error(parameter.referenced, what, hint);
            }
        }
        names
    }

    fn write(&mut self, name: &str, source: &WriteSource) -> WritePlan {
        let before = self.faults;
        let allowed = if source.step().is_some() { Allowed::Association } else { Allowed::Write };
        let request = self.request(name, &source.request, allowed);
        let probe = source.probe.as_ref().map(|probe| ProbePlan {
            request: self.request(&format!("{name}.probe"), &probe.request, Allowed::Write),
            found: probe.answer.found.as_ref().map(|path| self.path(path)),
            empty: probe.answer.empty.as_ref().map(|path| self.path(path)),
            id: self.path(&probe.answer.id),
            order: probe.answer.order.as_ref().map(|order| self.order(order)),
            version: self.version(probe.answer.version.as_ref()),
        });
        let class = source.idempotency.value.class();
        // What could not be read says nothing of what it would have meant.
        if self.faults == before {
            self.check_repeat(name, source, &request, probe.as_ref());
            self.check_association(name, source, &request);
        }
        let batch = source.batch.as_ref().map(|batch| self.batch(name, source, batch, Together::Batch));
        let bulk = source.bulk.as_ref().map(|bulk| self.batch(name, source, bulk, Together::Bulk));
        let keyed = matches!(class, IdempotencyClass::NativeKey { .. } | IdempotencyClass::Upsert);
        let spec = WriteSpec {
            name: Arc::from(name),
            idempotency: self.idempotency(&class),
            partial: source.partial,
            probe: probe.is_some(),
            linked: request.needs_id(),
            versioned: request.names_version()
                || batch.as_ref().is_some_and(|(_, plan)| plan.record.names_version()),
            names: source.answer.id.is_some()
                && source.batch.iter().chain(&source.bulk).all(|batch| batch.answer.id.is_some()),
            by_key: match (&class, &probe) {
                (_, Some(probe)) => probe.request.names_key(),
                (IdempotencyClass::Upsert, None) => request.names_key(),
                (_, None) => true,
            },
            processing_max: self
                .tuned("processing_max_ms")
                .or(source.processing_max.map(|span| span.0))
                .unwrap_or(PROCESSING_MAX),
            timeout: request.timeout,
            charge: request.charge.clone(),
            safe: source.safe.unwrap_or(keyed),
            batch: batch.as_ref().and_then(|(spec, _)| spec.clone()),
            bulk: bulk.as_ref().and_then(|(spec, _)| spec.clone()),
            serial_by: source.serial_by.as_ref().and_then(|path| self.serial_by(path)),
        };
        WritePlan {
            spec,
            serves: source.serves.clone(),
            associations: Vec::new(),
            request,
            answer: self.answer(&source.answer),
            replayed: source
                .idempotency
                .value
                .replayed()
                .map(|replayed| HeaderPlan::new(&replayed.header, replayed.equals.as_deref())),
            probe,
            errors: self.rules(&source.errors),
            batch: batch.map(|(_, plan)| plan),
            bulk: bulk.map(|(_, plan)| plan),
        }
    }
}

impl Compiler<'_> {
    fn serial_by(&mut self, path: &Spanned<String>) -> Option<Arc<str>> {
        let mut filled = path.value.clone();
        self.fill(&mut filled, path.referenced);
        Some(filled).filter(|filled| !filled.is_empty()).map(Arc::from)
    }

    fn idempotency(&self, declared: &IdempotencyClass) -> IdempotencyClass {
        let mut class = declared.clone();
        if let IdempotencyClass::SearchFirst { index_lag_ms } | IdempotencyClass::MarkerField { index_lag_ms } =
            &mut class
            && let Some(lag) = self.tuned("index_lag_ms")
        {
            *index_lag_ms = u64::try_from(lag.as_millis()).unwrap_or(u64::MAX);
        }
        class
    }
}

impl Compiler<'_> {
    /// The paths that reads ask for: the mapped ones with those that are always needed, or the manifest's own.
    fn select(&mut self, source: &ObjectSource, mapped: Option<&Vec<String>>) -> Vec<String> {
        let chosen = match mapped {
            Some(mapped) if mapped.iter().any(|path| !source.associations.contains_key(path)) => mapped,
            _ => &source.paths,
        };
        let field = |path: &&String| !source.associations.contains_key(*path);
        let mut all: BTreeSet<String> = chosen.iter().filter(field).cloned().collect();
        for path in &source.paths_always {
            let mut filled = path.clone();
            if filled.contains('{') {
                self.fill(&mut filled, Location::UNKNOWN);
            }
            all.extend(Some(filled).filter(|path| !path.is_empty()));
        }
        all.into_iter().collect()
    }

    /// Whether what stands `with` these constants, and `without` those, is for the object that is resolved.
    fn offered(&mut self, with: &[Spanned<String>], without: &[Spanned<String>]) -> bool {
        let mut has = |name: &Spanned<String>| {
            let value = self.values.get(&name.value).cloned();
            if value.is_none() {
                let hint = canonical::suggest::hint(&name.value, self.values.keys().map(String::as_str));
                self.error(name.referenced, format!("there is no value `{}`", name.value), hint);
            }
            value.is_some_and(|value| !value.is_empty())
        };
        with.iter().all(&mut has) && !without.iter().any(has)
    }

    /// The constants that a system gives one of its objects, and the kind that it names.
    fn constants(&mut self, name: &str, object: &mut ObjectSource, given: canonical::Fields) {
        let text = |value: Value| value.as_str().map(str::to_owned).unwrap_or_default();
        let mut given: BTreeMap<String, String> =
            given.into_iter().map(|(key, value)| (key, text(value))).collect();
        let source = self.source;
        if let (Some(kind), Some(of)) = (given.remove(KIND), &mut object.kind) {
            if !source.kinds.contains_key(&kind) {
                let hint = canonical::suggest::hint(&kind, source.kinds.keys().map(String::as_str));
                self.whole(format!("`{name}`: there is no kind `{kind}`"), hint);
                return;
            }
            of.value = kind;
        }
        let known = object.kind.as_ref().and_then(|kind| source.kinds.get(&kind.value));
        let known: BTreeSet<&str> =
            known.into_iter().flat_map(|kind| kind.values.keys().map(String::as_str)).collect();
        for unknown in given.keys().filter(|key| !known.contains(key.as_str())) {
            let hint = canonical::suggest::hint(unknown, known.iter().copied().chain([KIND]));
            self.whole(format!("`{name}` has no setting `{unknown}`"), hint);
        }
        object.values.extend(given);
    }
}
