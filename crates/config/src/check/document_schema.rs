//! An entity's JSON Schema document: the subset that Concord can hold to, read into field types.

use canonical::value::normal;
use canonical::{Entity, Field, FieldSpec, FieldType, PiiClass};
use serde_json::Value;

use crate::check::Checks;
use crate::document::Document;
use crate::tree::{Entry, Node, Yaml};
use mapping::suggest;

/// Keywords that a field may have.
const KEYWORDS: [&str; 11] = [
    "type",
    "format",
    "enum",
    "maxLength",
    "items",
    "uniqueItems",
    "x-entity",
    "title",
    "description",
    "examples",
    "deprecated",
];
const FORMATS: [&str; 5] = ["decimal", "date", "date-time", "email", "record"];
/// Most fields of an entity.
const FIELDS_MAX: usize = 500;

/// What is wrong with a field: the keyword (empty: the field), what, and a hint.
type Flaw<'a> = (&'a str, String, Option<String>);

impl Checks {
    /// Reads the fields of a schema document, without their owners.
    pub(super) fn schema_fields(&mut self, document: &Document) -> Vec<(Field, FieldSpec)> {
        let before = self.problems.len();
        let properties = document.root().get("schema").and_then(|schema| schema.get("properties"));
        let Some(Yaml::Map(entries)) = properties.map(|node| &node.value) else { return Vec::new() };
        if entries.len() > FIELDS_MAX {
            let what = format!("the entity has more than {FIELDS_MAX} fields");
            let hint = "keep what only one system knows in a mapping's `extensions`";
            self.problems.push(document.key_problem(&["schema", "properties"], what).hint(hint));
            return Vec::new();
        }
        let mut fields = Vec::with_capacity(entries.len());
        for entry in entries {
            let path = ["schema", "properties", entry.key.as_str()];
            match Field::new(&entry.key) {
                Err(error) => self.problems.push(document.key_problem(&path, error.to_string())),
                Ok(name) => match self.field(entry) {
                    Ok(spec) => fields.push((name, spec)),
                    Err(flaws) => {
                        for (keyword, what, hint) in flaws {
                            let path: Vec<&str> =
                                path.into_iter().chain((!keyword.is_empty()).then_some(keyword)).collect();
                            let mut problem = match KEYWORDS.contains(&keyword) {
                                true => document.problem(&path, what),
                                false => document.key_problem(&path, what),
                            };
                            problem.hint = hint;
                            self.problems.push(problem);
                        }
                    }
                },
            }
        }
        if self.problems.len() == before {
            self.compiles(document);
        }
        fields
    }

    fn field<'a>(&self, entry: &'a Entry) -> Result<FieldSpec, Vec<Flaw<'a>>> {
        let Yaml::Map(keywords) = &entry.node.value else {
            return Err(vec![("", "expected a table of keys".to_owned(), None)]);
        };
        let mut flaws: Vec<Flaw<'a>> = keywords
            .iter()
            .filter(|keyword| !KEYWORDS.contains(&keyword.key.as_str()))
            .map(|keyword| {
                (
                    keyword.key.as_str(),
                    format!("the keyword `{}` is not taken", keyword.key),
                    Some(instead(&keyword.key)),
                )
            })
            .collect();
        if !flaws.is_empty() {
            return Err(flaws);
        }
        let kind = kind(&entry.node).map_err(|flaw| vec![flaw])?;
        if let FieldType::Reference(entity) = &kind
            && let Some((what, hint)) = self.entities.lacks("entity", entity.as_str())
        {
            flaws.push(("x-entity", what, Some(hint)));
        }
        let choices = choices(&entry.node, &kind).map_err(|flaw| vec![flaw])?;
        let chars_max = entry.node.get("maxLength").and_then(|node| node.to_json().as_u64());
        if entry.node.get("maxLength").is_some() && kind != FieldType::Text {
            flaws.push(("maxLength", "only texts have a length".to_owned(), Some("remove it".to_owned())));
        }
        if !flaws.is_empty() {
            return Err(flaws);
        }
        Ok(FieldSpec {
            email: text(&entry.node, "format") == Some("email"),
            pii: PiiClass::Basic,
            choices,
            chars_max: chars_max.and_then(|chars| usize::try_from(chars).ok()),
            ..FieldSpec::of(kind)
        })
    }

    /// Whatever the subset lets through must be a JSON Schema for everybody else, too.
    fn compiles(&mut self, document: &Document) {
        let Some(schema) = document.root().get("schema") else { return };
        let options = jsonschema::draft202012::options().should_ignore_unknown_formats(true);
        let value = schema.to_json();
        if let Err(error) = options.build(&value) {
            let pointer = error.instance_path().as_str().to_owned();
            let path: Vec<&str> = std::iter::once("schema").chain(pointer.split('/').skip(1)).collect();
            let what = format!("this is not a JSON Schema: {error}");
            self.problems
                .push(document.problem(&path, what).hint("see https://json-schema.org/draft/2020-12"));
        }
    }
}

fn text<'a>(node: &'a Node, key: &str) -> Option<&'a str> {
    match node.get(key).map(|node| &node.value) {
        Some(Yaml::Text(text)) => Some(text),
        _ => None,
    }
}

/// What to do without a keyword that is not taken.
fn instead(keyword: &str) -> String {
    match keyword {
        "default" => "a validator never fills defaults in: say `default` in the mapping's row".to_owned(),
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" | "pattern"
        | "minLength" => {
            "Concord brings values across and does not judge them: leave such rules to the owner".to_owned()
        }
        "const" => "use `enum` with one value".to_owned(),
        "anyOf" | "oneOf" | "allOf" | "not" | "if" | "$ref" | "$defs" => {
            "a field has one type: write it out".to_owned()
        }
        "properties" | "additionalProperties" | "required" => {
            "fields are not nested: make each inner value a field, or leave out `type` to keep any JSON"
                .to_owned()
        }
        "owner" | "on_conflict" | "pii" => "say it under `fields:` at the top of this file".to_owned(),
        other => suggest::hint(other, KEYWORDS),
    }
}

/// The type of a field.
fn kind(node: &Node) -> Result<FieldType, Flaw<'static>> {
    let format = text(node, "format");
    if node.get("format").is_some() && !format.is_some_and(|format| FORMATS.contains(&format)) {
        let hint = suggest::hint(format.unwrap_or_default(), FORMATS);
        return Err((
            "format",
            format!("the format `{}` is not known", format.unwrap_or_default()),
            Some(hint),
        ));
    }
    let kind = match &node.get("type").map(|node| &node.value) {
        None => FieldType::Any,
        Some(Yaml::List(_)) => {
            let hint = "any field may be null: write only its own type".to_owned();
            return Err(("type", "a field has one type".to_owned(), Some(hint)));
        }
        Some(Yaml::Text(word)) => match word.as_str() {
            "string" => return string(node, format),
            "integer" => FieldType::Integer,
            "boolean" => FieldType::Boolean,
            "array" => {
                let items = node.get("items").and_then(|items| text(items, "type"));
                if items != Some("string") {
                    let hint = "write `items: {type: string}`".to_owned();
                    return Err(("items", "lists hold texts only".to_owned(), Some(hint)));
                }
                FieldType::List {
                    set: matches!(node.get("uniqueItems").map(|n| &n.value), Some(Yaml::Bool(true))),
                }
            }
            "number" => {
                let hint = "for money and quantities write `type: string` with `format: decimal`; for counts \
                            `type: integer`";
                let what = "numbers with a fraction lose digits on the way";
                return Err(("type", what.to_owned(), Some(hint.to_owned())));
            }
            "object" => {
                let hint = "make each inner value a field, or leave out `type` to keep any JSON".to_owned();
                return Err(("type", "fields are not nested".to_owned(), Some(hint)));
            }
            other => {
                let hint = suggest::hint(other, ["string", "integer", "boolean", "array"]);
                return Err(("type", format!("the type `{other}` is not known"), Some(hint)));
            }
        },
        Some(_) => return Err(("type", "the type must be a text".to_owned(), None)),
    };
    if format.is_some() {
        let hint = "write `type: string`".to_owned();
        return Err(("format", "only texts have a format".to_owned(), Some(hint)));
    }
    for (keyword, wanted) in [("items", "array"), ("uniqueItems", "array"), ("x-entity", "format: record")] {
        let meant = keyword != "x-entity" && matches!(kind, FieldType::List { .. });
        if node.get(keyword).is_some() && !meant {
            let hint = format!("write `{wanted}`, or remove it");
            return Err((keyword, format!("`{keyword}` means nothing here"), Some(hint)));
        }
    }
    Ok(kind)
}

fn string(node: &Node, format: Option<&str>) -> Result<FieldType, Flaw<'static>> {
    if node.get("x-entity").is_some() && format != Some("record") {
        let hint = "add `format: record`".to_owned();
        return Err(("x-entity", "only references name an entity".to_owned(), Some(hint)));
    }
    Ok(match format {
        Some("decimal") => FieldType::Decimal,
        Some("date") => FieldType::Date,
        Some("date-time") => FieldType::Time,
        Some("record") => match text(node, "x-entity").map(Entity::new) {
            Some(Ok(entity)) => FieldType::Reference(entity),
            Some(Err(error)) => return Err(("x-entity", error.to_string(), None)),
            None => {
                let hint = "add `x-entity: Account`, with the name of the entity".to_owned();
                return Err(("format", "a reference must say to which entity".to_owned(), Some(hint)));
            }
        },
        _ => FieldType::Text,
    })
}

/// The closed list, in normal form.
fn choices(node: &Node, kind: &FieldType) -> Result<Option<Vec<Value>>, Flaw<'static>> {
    let Some(list) = node.get("enum") else { return Ok(None) };
    let Yaml::List(items) = &list.value else { return Err(("enum", "expected a list".to_owned(), None)) };
    if items.is_empty() {
        let hint = "name the values, or remove it".to_owned();
        return Err(("enum", "the list is empty".to_owned(), Some(hint)));
    }
    let mut choices = Vec::with_capacity(items.len());
    for item in items {
        let value = item.to_json();
        if value.is_null() {
            let hint = "any field may be null: leave it out of the list".to_owned();
            return Err(("enum", "the list holds null".to_owned(), Some(hint)));
        }
        match normal(kind, value) {
            Ok(value) => choices.push(value),
            Err(misfit) => return Err(("enum", format!("a value of the list does not fit: {misfit}"), None)),
        }
    }
    Ok(Some(choices))
}
