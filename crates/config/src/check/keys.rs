//! By which values a vendor knows an object, against what a route writes there and how records are told apart here.

use std::collections::{BTreeMap, BTreeSet};

use canonical::{Entity, EntitySchema, Field, System};
use ledger::RouteKind;
use mapping::Direction;

use crate::check::Checks;
use crate::check::entity::DeclaredEntity;
use crate::check::mapping::DeclaredMapping;
use crate::check::route::DeclaredRoute;
use crate::check::system::DeclaredSystem;

impl Checks {
    /// Where a route makes objects that their vendor has once only, two records must not lead to one of them. A doubt: the
    /// data may be such that it never happens.
    pub(super) fn natural_keys_hold(
        &mut self,
        entities: &BTreeMap<Entity, DeclaredEntity>,
        mappings: &BTreeMap<String, DeclaredMapping>,
        routes: &[DeclaredRoute],
        systems: &BTreeMap<System, DeclaredSystem>,
    ) {
        for route in routes.iter().map(|declared| &declared.route).filter(|r| r.kind == RouteKind::Sync) {
            let (Some(entity), Some(mapping), Some(system)) =
                (entities.get(&route.entity), mappings.get(&route.mapping), systems.get(&route.system))
            else {
                continue;
            };
            let connector = &system.config.connector;
            let keys = connector.natural_keys(&route.object);
            let schema = &entity.schema;
            // Who alone makes records has their objects before they are records.
            let from_elsewhere =
                schema.creators.is_empty() || schema.creators.iter().any(|creator| *creator != route.system);
            let makes = from_elsewhere && connector.choose(&route.object, false, None).is_some();
            if makes && !keys.is_empty() {
                self.keys_of_one(keys, mapping, schema);
            }
        }
    }

    fn keys_of_one(&mut self, keys: &[Vec<String>], declared: &DeclaredMapping, schema: &EntitySchema) {
        let (system, object) = (declared.mapping.system(), declared.mapping.object());
        let rows = &declared.source.fields;
        let row_of = |path: &str| {
            rows.iter().position(|row| row.direction.writes() && row.path.as_deref() == Some(path))
        };
        let written: Vec<&Vec<String>> =
            keys.iter().filter(|key| key.iter().all(|path| row_of(path).is_some())).collect();
        if written.is_empty() {
            let known: Vec<String> = keys.iter().map(|key| told(key)).collect();
            let what = format!(
                "`{system}` knows `{object}` by {}, and the mapping writes none of it: whether an object is there \
                 already cannot be told",
                known.join(" or ")
            );
            let hint = "write it (`direction: out` or `both`), or let only records have objects there that came from there";
            self.problems.push(declared.document.problem(&["mapping"], what).hint(hint).warning());
        }
        for key in written {
            let fields = fields_of(declared, key);
            // Of constants every record has the same; a key of nothing else is no question of fields.
            if fields.is_empty() || is_told_apart(schema, &fields) {
                continue;
            }
            let Some(row) = key.first().and_then(|path| row_of(path)) else { continue };
            let names: Vec<&str> = fields.iter().map(Field::as_str).collect();
            let what = format!(
                "`{system}` has one `{object}` for each {}, and no match key of {} is over {}: of two records with the \
                 same, one is refused there, or both lead to one object",
                told(key),
                schema.entity,
                names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
            );
            let hint = format!(
                "add a match key to the entity: `match_keys: [{{name: {}, fields: [{}]}}]`",
                names.join("_"),
                names.join(", ")
            );
            let row = row.to_string();
            self.problems
                .push(declared.document.problem(&["fields", &row, "path"], what).hint(hint).warning());
        }
    }
}

fn told(key: &[String]) -> String {
    key.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(" and ")
}

/// The fields that stand at a key's paths when they are written.
fn fields_of(declared: &DeclaredMapping, key: &[String]) -> BTreeSet<Field> {
    let arrows = declared.mapping.lineage().into_iter();
    let written =
        arrows.filter(|arrow| arrow.direction != Direction::In && key.iter().any(|p| p == arrow.path));
    written.filter_map(|arrow| arrow.field.cloned()).collect()
}

/// Whether two records that have the same in all of these are found to be one: by a key of some of them that counts for every
/// record.
fn is_told_apart(schema: &EntitySchema, fields: &BTreeSet<Field>) -> bool {
    let mut keys = schema.match_keys.iter().filter(|key| key.when.is_empty() && !key.fields.is_empty());
    keys.any(|key| key.fields.iter().all(|field| fields.contains(field)))
}
