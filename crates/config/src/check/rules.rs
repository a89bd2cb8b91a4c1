//! Reference data: what values must be one of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use canonical::schema::{ReferenceRule, Wants};
use canonical::{Entity, EntitySchema, FieldType};
use mapping::{Lookup, suggest};

use crate::check::Checks;
use crate::check::entity::DeclaredEntity;
use crate::document::Document;
use crate::source::{ColumnSource, KeySource, RuleSource};

impl Checks {
    /// Checks the rules of all entities, and gives them to their schemas.
    pub(super) fn rules(
        &mut self,
        entities: &mut BTreeMap<Entity, DeclaredEntity>,
        lookups: &BTreeMap<String, Lookup>,
    ) {
        let schemas: BTreeMap<Entity, Arc<EntitySchema>> =
            entities.iter().map(|(name, declared)| (name.clone(), Arc::clone(&declared.schema))).collect();
        for declared in entities.values_mut() {
            let mut rules = Vec::new();
            for (i, source) in declared.rules.iter().enumerate() {
                rules.extend(self.rule(&declared.document, i, source, &declared.schema, &schemas, lookups));
            }
            if !rules.is_empty() {
                Arc::make_mut(&mut declared.schema).rules = rules;
            }
        }
    }

    fn rule(
        &mut self,
        document: &Document,
        at: usize,
        source: &RuleSource,
        schema: &EntitySchema,
        schemas: &BTreeMap<Entity, Arc<EntitySchema>>,
        lookups: &BTreeMap<String, Lookup>,
    ) -> Option<ReferenceRule> {
        let at = at.to_string();
        let path = ["rules", at.as_str()];
        let kind = schema.fields.get(&source.field).map(|spec| &spec.kind);
        match kind {
            None => {
                let what = format!("{} has no field `{}`", schema.entity, source.field);
                let hint =
                    suggest::hint(source.field.as_str(), schema.fields.keys().map(canonical::Field::as_str));
                self.problems.push(document.problem(&[path[0], path[1], "field"], what).hint(hint));
                return None;
            }
            Some(FieldType::Text | FieldType::List { .. }) => {}
            Some(_) => {
                let what = format!("`{}` is no text: only texts are looked up", source.field);
                let problem = document.problem(&[path[0], path[1], "field"], what);
                self.problems.push(problem.hint("remove the rule"));
                return None;
            }
        }
        let wants = match (&source.one_of, &source.exists) {
            (Some(column), None) => self.column(document, &at, column, lookups),
            (None, Some(key)) => self.key(document, &at, key, schemas),
            _ => {
                let what = "a rule says one thing that the values must be one of";
                let hint = "write `in: {table: …, column: …}` or `exists: {entity: …, key: …}`";
                self.problems.push(document.problem(&path, what).hint(hint));
                None
            }
        }?;
        Some(ReferenceRule { name: source.name.clone(), field: source.field.clone(), wants })
    }

    fn column(
        &mut self,
        document: &Document,
        at: &str,
        source: &ColumnSource,
        lookups: &BTreeMap<String, Lookup>,
    ) -> Option<Wants> {
        let Some(table) = lookups.get(&source.table) else {
            if !self.lookups_broken.contains(&source.table) {
                let what = format!("there is no table `{}`", source.table);
                let hint = suggest::hint(&source.table, lookups.keys().map(String::as_str));
                self.problems.push(document.problem(&["rules", at, "in", "table"], what).hint(hint));
            }
            return None;
        };
        let Some(values) = table.values(&source.column) else {
            let what = format!("the table `{}` has no column `{}`", source.table, source.column);
            let hint = suggest::hint(&source.column, table.columns());
            self.problems.push(document.problem(&["rules", at, "in", "column"], what).hint(hint));
            return None;
        };
        let values: BTreeSet<String> = values.filter(|value| !value.is_empty()).map(str::to_owned).collect();
        Some(Wants::OneOf { table: source.table.clone(), values })
    }

    fn key(
        &mut self,
        document: &Document,
        at: &str,
        source: &KeySource,
        schemas: &BTreeMap<Entity, Arc<EntitySchema>>,
    ) -> Option<Wants> {
        if let Some((what, hint)) = self.entities.lacks("entity", source.entity.as_str()) {
            self.problems.push(document.problem(&["rules", at, "exists", "entity"], what).hint(hint));
            return None;
        }
        let schema = schemas.get(&source.entity)?;
        let path = ["rules", at, "exists", "key"];
        let Some(key) = schema.match_keys.iter().find(|key| key.name == source.key) else {
            let what = format!("{} has no match key `{}`", source.entity, source.key);
            let hint = suggest::hint(&source.key, schema.match_keys.iter().map(|key| key.name.as_str()));
            self.problems.push(document.problem(&path, what).hint(hint));
            return None;
        };
        if key.fields.len() != 1 {
            let what = format!(
                "the match key `{}` has several fields: one value cannot be looked up by it",
                key.name
            );
            self.problems.push(document.problem(&path, what).hint("use a key of one field"));
            return None;
        }
        let normalise = key.normalise.clone();
        Some(Wants::Record { entity: source.entity.clone(), key: key.kept_as(), fold: key.fold, normalise })
    }
}
