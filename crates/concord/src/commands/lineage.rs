//! `concord mapping lineage`: which source fields feed which target fields.

use std::collections::BTreeSet;

use canonical::PiiClass;
use config::{Checked, Configuration};
use mapping::{Lineage as Arrow, Mapping, suggest};
use serde_json::{Value, json};

use crate::arguments::{Form, Lineage};
use crate::commands::check::tell;
use crate::exit::Exit;
use crate::output::{Column, Output};
use crate::settings::Settings;

const COLUMNS: [Column; 8] = [
    ("FIELD", "/shown/field"),
    ("DIRECTION", "/direction"),
    ("SYSTEM AND PATH", "/shown/path"),
    ("MAPPING", "/shown/mapping"),
    ("HOW", "/how"),
    ("OWNER", "/shown/owner"),
    ("PII", "/pii"),
    ("PART", "/part"),
];

/// Shows where a field's values come from and go to, or what a system's path feeds.
pub(crate) fn run(given: &Lineage, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    let configuration = match config::load_folder(&settings.dir) {
        Ok(Checked { configuration, .. }) => configuration,
        Err(problems) => {
            tell(&problems, output);
            let folder = settings.dir.display();
            return Err(Exit::Failed.because(format!("{folder} cannot be used: `concord check` says why")));
        }
    };
    if let Some(entity) =
        given.entity.as_ref().filter(|name| !configuration.entities.contains_key(name.as_str()))
    {
        let hint = suggest::hint(entity, configuration.entities.keys().map(|entity| entity.as_str()));
        return Err(Exit::NotFound.because(format!("there is no entity `{entity}`; {hint}")));
    }
    let all: Vec<Row<'_>> = rows(&configuration, given.entity.as_deref());
    let found = match given.of.split_once(':') {
        Some((system, path)) => of_path(&all, system, path, &configuration)?,
        None => match as_shown(&all, &given.of) {
            Some((system, path)) => of_path(&all, system, path, &configuration)?,
            None => of_field(&all, &given.of)?,
        },
    };
    let table = output.form() == Form::Table;
    let shown = |(part, row): &(&str, Row<'_>)| row.document(part, &configuration, table);
    let found: Vec<Value> = found.iter().map(shown).collect();
    output.rows(&COLUMNS, &found);
    Ok(Exit::Done)
}

/// An arrow with the mapping that it is of.
#[derive(Clone, Copy)]
struct Row<'a> {
    mapping: &'a Mapping,
    arrow: Arrow<'a>,
}

fn rows<'a>(configuration: &'a Configuration, entity: Option<&str>) -> Vec<Row<'a>> {
    let mappings = configuration.mappings.values().map(AsRef::as_ref);
    let mappings = mappings.filter(|mapping| entity.is_none_or(|entity| mapping.entity().as_str() == entity));
    mappings
        .flat_map(|mapping: &Mapping| mapping.lineage().into_iter().map(move |arrow| Row { mapping, arrow }))
        .collect()
}

/// The system and the path of one that is written as the table shows paths, `crm.contacts.email`.
fn as_shown<'of>(all: &[Row<'_>], of: &'of str) -> Option<(&'of str, &'of str)> {
    all.iter().find_map(|row| {
        let system = row.mapping.system().as_str();
        let path = of.strip_prefix(system)?.strip_prefix('.')?;
        row.stands_in(path).then(|| (of.get(..system.len()).unwrap_or(of), path))
    })
}

type Found<'a> = Vec<(&'static str, Row<'a>)>;

fn of_field<'a>(all: &[Row<'a>], name: &str) -> anyhow::Result<Found<'a>> {
    let mut found: Vec<Row<'a>> = all.iter().filter(|row| row.is_of(name)).copied().collect();
    if found.is_empty() {
        let fields = all.iter().filter_map(|row| Some((row.mapping.entity(), row.arrow.field?)));
        let fields: BTreeSet<String> = fields
            .map(|(entity, field)| match name.contains('.') {
                true => format!("{entity}.{field}"),
                false => field.to_string(),
            })
            .collect();
        let hint = suggest::hint(name, fields.iter().map(String::as_str));
        return Err(Exit::NotFound.because(format!("no mapping has a field `{name}`; {hint}")));
    }
    // Sources come before targets, for each entity.
    found.sort_by_key(|row| (row.mapping.entity().clone(), !row.arrow.direction.reads()));
    Ok(found.into_iter().map(|row| ("field", row)).collect())
}

fn of_path<'a>(
    all: &[Row<'a>],
    system: &str,
    path: &str,
    configuration: &Configuration,
) -> anyhow::Result<Found<'a>> {
    let of_system = |row: &&Row<'_>| row.mapping.system().as_str() == system;
    let here: Vec<Row<'a>> =
        all.iter().filter(of_system).filter(|row| row.is_in(path) || row.stands_in(path)).copied().collect();
    if here.is_empty() {
        let known = configuration.systems.keys().any(|name| name.as_str() == system);
        let said = if known {
            let paths: BTreeSet<&str> = all.iter().filter(of_system).map(|row| row.arrow.path).collect();
            format!("no mapping has the path `{path}` of `{system}`; {}", suggest::hint(path, paths))
        } else {
            let names = configuration.systems.keys().map(|name| name.as_str());
            format!("there is no system `{system}`; {}", suggest::hint(system, names))
        };
        return Err(Exit::NotFound.because(said));
    }
    let onward = all.iter().filter(|row| row.arrow.direction.writes()).filter(|row| {
        let fed = |from: &&Row<'_>| {
            from.arrow.direction.reads()
                && from.mapping.entity() == row.mapping.entity()
                && from.arrow.field.is_some()
                && from.arrow.field == row.arrow.field
        };
        here.iter().any(|from| fed(&from)) && !here.iter().any(|from| from.is(row))
    });
    let onward = onward.map(|row| ("onward", *row));
    Ok(here.iter().map(|row| ("path", *row)).chain(onward).collect())
}

impl Row<'_> {
    /// Whether it is of that field: by its name, or with the entity's before it, as the table shows it.
    fn is_of(&self, name: &str) -> bool {
        let of_entity = || name.strip_prefix(self.mapping.entity().as_str())?.strip_prefix('.');
        self.arrow.field.is_some_and(|field| field.as_str() == name || of_entity() == Some(field.as_str()))
    }

    /// Whether its path is that one, or below it.
    fn is_in(&self, path: &str) -> bool {
        let rest = self.arrow.path.strip_prefix(path);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// The same of a path with the kind of object before it.
    fn stands_in(&self, path: &str) -> bool {
        let below = path.strip_prefix(self.mapping.object().as_str()).and_then(|rest| rest.strip_prefix('.'));
        below.is_some_and(|path| self.is_in(path))
    }

    fn is(&self, other: &Row<'_>) -> bool {
        self.mapping.id() == other.mapping.id() && self.arrow == other.arrow
    }

    /// All of the arrow; for a `table` also as people read it.
    fn document(&self, part: &str, configuration: &Configuration, table: bool) -> Value {
        let Self { mapping, arrow } = self;
        let schema = configuration.entities.get(mapping.entity());
        let spec = arrow.field.and_then(|field| schema?.fields.get(field));
        let routes: Vec<&str> = (configuration.routes.iter())
            .filter(|route| arrow.direction.writes() && route.mapping == mapping.id())
            .map(|route| route.id.as_str())
            .collect();
        let mut document = json!({
            "part": part,
            "entity": mapping.entity(),
            "field": arrow.field,
            "direction": arrow.direction,
            "system": mapping.system(),
            "object": mapping.object(),
            "path": arrow.path,
            "mapping": mapping.id(),
            "version": mapping.version(),
            "how": arrow.how.to_string(),
            "owner": spec.and_then(|spec| spec.owner.as_ref()),
            "owners": spec.map(|spec| spec.possible_owners().collect::<BTreeSet<_>>()),
            "pii": spec.map(|spec| class(spec.pii)),
            "routes": routes,
        });
        if table {
            let (entity, system, object) = (mapping.entity(), mapping.system(), mapping.object());
            let owners: BTreeSet<&str> = spec
                .into_iter()
                .flat_map(|spec| spec.possible_owners())
                .map(canonical::System::as_str)
                .collect();
            let owners: Vec<&str> = owners.into_iter().collect();
            document["shown"] = json!({
                // One that moves with the record is whose it may be.
                "owner": (!owners.is_empty()).then(|| owners.join(" or ")),
                "field": arrow.field.map_or_else(|| entity.to_string(), |field| format!("{entity}.{field}")),
                "path": format!("{system}.{object}.{}", arrow.path),
                "mapping": format!("{} v{}", mapping.id(), mapping.version()),
            });
        }
        document
    }
}

fn class(pii: PiiClass) -> &'static str {
    match pii {
        PiiClass::None => "none",
        PiiClass::Basic => "basic",
        PiiClass::Sensitive => "sensitive",
    }
}
