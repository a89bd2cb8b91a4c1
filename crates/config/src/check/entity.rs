//! `model/*.yaml`: entities.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use canonical::schema::{FactRule, MatchKey};
use canonical::{Entity, EntitySchema, Field, FieldSpec, FieldType, OnConflict, Ownership, System};

use crate::check::{Checks, Written};
use crate::document::Document;
use crate::source::{EntitySource, FieldSource, RuleSource};
use crate::versions::Past;
use mapping::upcast::StepSource;
use mapping::{Upcaster, suggest};

/// By how much two systems' clocks may differ where the file does not say.
const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// An entity and where it is declared.
pub(crate) struct DeclaredEntity {
    pub(crate) document: Document,
    pub(crate) schema: Arc<EntitySchema>,
    /// As they are written.
    pub(crate) rules: Vec<RuleSource>,
    pub(crate) past: Past,
}

impl Checks {
    /// Checks all entities; those with problems are left out. Where several files declare versions of one, the newest
    /// counts, and the others are kept for what was written under them.
    pub(super) fn entities(
        &mut self,
        written: Vec<Written<EntitySource>>,
    ) -> BTreeMap<Entity, DeclaredEntity> {
        let mut versions: BTreeMap<Entity, BTreeMap<u32, Written<EntitySource>>> = BTreeMap::new();
        for one in written {
            let of = versions.entry(one.value.entity.clone()).or_default();
            if let Some(other) = of.get(&one.value.version) {
                let what = format!("the entity `{}` is declared twice", one.value.entity);
                let hint = format!(
                    "it stands in {} too: keep one, or give the newer one another `version`",
                    other.document.file()
                );
                self.problems.push(one.document.problem(&["entity"], what).hint(hint));
                continue;
            }
            of.insert(one.value.version, one);
        }
        let mut entities: BTreeMap<Entity, DeclaredEntity> = BTreeMap::new();
        for (entity, mut of) in versions {
            let Some((_, Written { document, value })) = of.pop_last() else { continue };
            let earlier: Vec<Arc<EntitySchema>> =
                of.into_values().filter_map(|older| self.earlier(&older).map(Arc::new)).collect();
            let (rules, steps) = (value.rules.clone(), value.upcast.clone());
            let Some(schema) = self.entity(&document, value) else { continue };
            let Some(upcaster) = self.upcaster(&document, &steps, &schema, &earlier) else { continue };
            let past = Past::new(steps, earlier, upcaster);
            self.follows(&document, &schema, &past);
            entities.insert(entity, DeclaredEntity { document, schema: Arc::new(schema), rules, past });
        }
        self.events_once(&entities);
        entities
    }

    /// An older version: only what its records hold counts, not who decided.
    fn earlier(&mut self, written: &Written<EntitySource>) -> Option<EntitySchema> {
        let Written { document, value } = written;
        let (before, mut schema) = (self.problems.len(), self.fields(document, value)?);
        self.retired(document, &schema);
        self.required(document, value, &mut schema);
        for (name, wanted) in &value.fields {
            if let Some(spec) = schema.fields.get_mut(name) {
                spec.pii = wanted.pii;
            }
        }
        schema.match_keys.clone_from(&value.match_keys);
        (self.problems.len() == before).then_some(schema)
    }

    /// A version follows on the older one that is kept beside it.
    fn follows(&mut self, document: &Document, schema: &EntitySchema, past: &Past) {
        for breach in past.breaches(schema) {
            let path: Vec<&str> = breach.at.iter().map(String::as_str).collect();
            self.problems.push(document.problem(&path, breach.what).hint(breach.hint));
        }
    }

    /// The steps from older versions.
    fn upcaster(
        &mut self,
        document: &Document,
        steps: &[StepSource],
        schema: &EntitySchema,
        earlier: &[Arc<EntitySchema>],
    ) -> Option<Upcaster> {
        let earlier: Vec<&EntitySchema> = earlier.iter().map(|schema| &**schema).collect();
        let errors = match Upcaster::compile(steps, schema, &earlier) {
            Ok(upcaster) => return Some(upcaster),
            Err(errors) => errors,
        };
        for error in errors {
            let path: Vec<&str> =
                std::iter::once("upcast").chain(error.at.iter().map(String::as_str)).collect();
            let mut problem = match &error.within {
                Some(part) => document.within(&path, part, error.message),
                None => document.problem(&path, error.message),
            };
            problem.hint = error.hint;
            self.problems.push(problem);
        }
        None
    }

    /// A schema with its fields, and nothing of who decides.
    fn fields(&mut self, document: &Document, source: &EntitySource) -> Option<EntitySchema> {
        let before = self.problems.len();
        let fields: BTreeMap<Field, FieldSpec> = self.schema_fields(document).into_iter().collect();
        if self.problems.len() > before {
            return None;
        }
        Some(EntitySchema {
            entity: source.entity.clone(),
            version: source.version,
            fields,
            required: Vec::new(),
            compatibility: source.compatibility,
            retired: source.retired.clone(),
            match_keys: Vec::new(),
            rules: Vec::new(),
            creators: source.creators.clone(),
            deleters: source.deleters.clone(),
            on_delete: source.on_delete,
            on_recreate: source.on_recreate,
            facts: Vec::new(),
            document: source.schema.clone(),
            counter_writes_max: source.counter_writes_max,
            clock_skew: source.clock_skew.map_or(CLOCK_SKEW, |skew| skew.0),
        })
    }

    fn entity(&mut self, document: &Document, source: EntitySource) -> Option<EntitySchema> {
        let before = self.problems.len();
        let mut schema = self.fields(document, &source)?;
        self.retired(document, &schema);
        self.required(document, &source, &mut schema);
        self.owners(document, &source, &mut schema);
        for (key, systems) in [("creators", &source.creators), ("deleters", &source.deleters)] {
            for (i, system) in systems.iter().enumerate() {
                self.known_system(document, &[key, &i.to_string()], system);
            }
        }
        self.match_keys(document, source.match_keys, &mut schema);
        self.facts(document, source.events, &mut schema);
        self.problems[before..].iter().all(|problem| !problem.is_error()).then_some(schema)
    }

    /// A retired name is no field's.
    fn retired(&mut self, document: &Document, schema: &EntitySchema) {
        for name in schema.retired.iter().filter(|name| schema.fields.contains_key(*name)) {
            let what = format!("the name `{name}` is retired, and this field has it");
            let hint = "give the field another name: records and events may hold other values under this one";
            let path = ["schema", "properties", name.as_str()];
            self.problems.push(document.key_problem(&path, what).hint(hint));
        }
    }

    fn required(&mut self, document: &Document, source: &EntitySource, schema: &mut EntitySchema) {
        let names = source.schema.get("required").and_then(|required| required.as_array());
        for (i, name) in names.into_iter().flatten().enumerate() {
            let name = name.as_str().unwrap_or_default();
            if let Some(field) =
                self.known_field(document, &["schema", "required", &i.to_string()], name, schema)
            {
                schema.required.push(field);
            }
        }
    }

    fn owners(&mut self, document: &Document, source: &EntitySource, schema: &mut EntitySchema) {
        for (name, wanted) in &source.fields {
            let path = ["fields", name.as_str()];
            if !schema.fields.contains_key(name) {
                let what = format!("the schema has no field `{name}`");
                let hint = suggest::hint(name.as_str(), schema.fields.keys().map(Field::as_str));
                self.problems.push(document.key_problem(&path, what).hint(hint));
                continue;
            }
            if let Some(owner) = &wanted.owner {
                self.known_system(document, &["fields", name.as_str(), "owner"], owner);
            }
            let mut owners = wanted.owners.clone();
            self.moving_owners(document, name, &mut owners, source, schema);
            for (j, system) in wanted.prefer.iter().enumerate() {
                self.known_system(document, &["fields", name.as_str(), "prefer", &j.to_string()], system);
            }
            self.policy(document, name, wanted, schema);
            if let Some(spec) = schema.fields.get_mut(name) {
                spec.owner.clone_from(&wanted.owner);
                spec.owners = owners;
                spec.prefer.clone_from(&wanted.prefer);
                spec.on_conflict = wanted.on_conflict.unwrap_or_default();
                spec.pii = wanted.pii;
            }
        }
    }

    /// Ownership that moves with the record's state: known systems, conditions on fields whose own owner does not move.
    fn moving_owners(
        &mut self,
        document: &Document,
        name: &Field,
        owners: &mut [Ownership],
        source: &EntitySource,
        schema: &EntitySchema,
    ) {
        for (j, rule) in owners.iter_mut().enumerate() {
            let at = j.to_string();
            let path = ["fields", name.as_str(), "owners", &at];
            self.known_system(document, &[path[0], path[1], path[2], path[3], "owner"], &rule.owner);
            let when = [path[0], path[1], path[2], path[3], "when"];
            self.conditions(document, &when, &mut rule.when, schema);
            for (k, condition) in rule.when.iter().enumerate() {
                let moves = source.fields.get(&condition.field).is_some_and(|other| !other.owners.is_empty());
                if moves {
                    let what = format!("whose `{}` is depends on the record, too", condition.field);
                    let hint = "use a field that always has the same owner: else it could never be settled whose they are";
                    let k = k.to_string();
                    let at = [path[0], path[1], path[2], path[3], "when", &k, "field"];
                    self.problems.push(document.problem(&at, what).hint(hint));
                }
            }
        }
    }

    /// A policy fits the field's type, and has what it needs.
    fn policy(&mut self, document: &Document, name: &Field, wanted: &FieldSource, schema: &EntitySchema) {
        let path = ["fields", name.as_str(), "on_conflict"];
        let kind = schema.fields.get(name).map(|spec| &spec.kind);
        let owned = wanted.owner.is_some() || !wanted.owners.is_empty();
        let mut flaw = |what: String, hint: &str| {
            self.problems.push(document.problem(&path, what).hint(hint));
        };
        let ordered =
            matches!(kind, Some(FieldType::Integer | FieldType::Decimal | FieldType::Date | FieldType::Time));
        match wanted.on_conflict {
            Some(policy) if !owned && !policy.needs_no_owner() => {
                flaw(
                    "`on_conflict` means nothing without an owner".to_owned(),
                    "say whose value wins: `owner: crm`",
                );
            }
            Some(policy @ (OnConflict::Min | OnConflict::Max)) if !ordered => flaw(
                format!("`{}` is for what has an order, and `{name}` has none", policy.name()),
                "use it for numbers, dates and times",
            ),
            Some(OnConflict::Union) if !matches!(kind, Some(FieldType::List { set: true })) => flaw(
                format!("`union` is for sets, and `{name}` is none"),
                "make it a list with `uniqueItems: true`",
            ),
            policy if !wanted.prefer.is_empty() && policy != Some(OnConflict::Latest) => {
                let what = "`prefer` only says who counts of two that changed at the same time";
                let path = ["fields", name.as_str(), "prefer"];
                let hint = "add `on_conflict: latest`, or remove it";
                self.problems.push(document.problem(&path, what).hint(hint));
            }
            _ => {}
        }
    }

    fn match_keys(&mut self, document: &Document, keys: Vec<MatchKey>, schema: &mut EntitySchema) {
        for (i, mut key) in keys.into_iter().enumerate() {
            let at = i.to_string();
            self.conditions(document, &["match_keys", &at, "when"], &mut key.when, schema);
            if schema.match_keys.iter().any(|other| other.name == key.name) {
                let what = format!("two match keys are called `{}`", key.name);
                let problem = document.problem(&["match_keys", &at, "name"], what);
                self.problems.push(problem.hint("give each its own name"));
            }
            for (j, field) in key.fields.iter().enumerate() {
                let path = ["match_keys", &at, "fields", &j.to_string()];
                self.known_field(document, &path, field.as_str(), schema);
                let kind = schema.fields.get(field).map(|spec| &spec.kind);
                if matches!(kind, Some(FieldType::List { .. } | FieldType::Any | FieldType::Boolean)) {
                    let what = format!("`{field}` cannot tell records apart");
                    let hint = "use texts, numbers, dates or references";
                    self.problems.push(document.problem(&path, what).hint(hint));
                }
            }
            schema.match_keys.push(key);
        }
    }

    fn facts(&mut self, document: &Document, rules: Vec<FactRule>, schema: &mut EntitySchema) {
        for (i, mut rule) in rules.into_iter().enumerate() {
            let at = i.to_string();
            self.conditions(document, &["events", &at, "when"], &mut rule.when, schema);
            for (key, fields) in [("occurrence", &rule.occurrence), ("carries", &rule.carries)] {
                for (j, field) in fields.iter().enumerate() {
                    self.known_field(document, &["events", &at, key, &j.to_string()], field.as_str(), schema);
                }
            }
            schema.facts.push(rule);
        }
    }

    /// An event's kind says what it is about: no two entities may share it. One entity may name several transitions
    /// by one kind.
    fn events_once(&mut self, entities: &BTreeMap<Entity, DeclaredEntity>) {
        let mut seen: BTreeMap<&str, &Entity> = BTreeMap::new();
        for (entity, declared) in entities {
            for (i, rule) in declared.schema.facts.iter().enumerate() {
                if let Some(other) = seen.insert(&rule.event, entity).filter(|other| *other != entity) {
                    let what = format!("the event `{}` is declared by two entities", rule.event);
                    let hint = format!("{other} declares it too: give each its own name");
                    let path = ["events", &i.to_string(), "event"];
                    self.problems.push(declared.document.problem(&path, what).hint(hint));
                }
            }
        }
    }

    fn known_field(
        &mut self,
        document: &Document,
        path: &[&str],
        name: &str,
        schema: &EntitySchema,
    ) -> Option<Field> {
        let known = schema.fields.keys().find(|field| field.as_str() == name);
        if known.is_none() {
            let what = format!("{} has no field `{name}`", schema.entity);
            let hint = suggest::hint(name, schema.fields.keys().map(Field::as_str));
            self.problems.push(document.problem(path, what).hint(hint));
        }
        known.cloned()
    }

    /// Says where a system is named that is not there.
    pub(super) fn known_system(&mut self, document: &Document, path: &[&str], system: &System) -> bool {
        let lacking = self.systems.lacks("system", system.as_str());
        if let Some((what, hint)) = &lacking {
            self.problems.push(document.problem(path, what).hint(hint));
        }
        lacking.is_none()
    }
}
