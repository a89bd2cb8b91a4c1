//! `docs/mapping.md`: its table of transforms says what they do, and names them all.

use std::collections::BTreeSet;

use canonical::value::kind_of;
use serde_json::{Value, json};

use super::support::{compile, project, read, source, write};
use crate::source::NAMES;
use crate::step::Step;
use crate::{Direction, Transform};

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/mapping.md");
    std::fs::read_to_string(path).expect("docs/mapping.md")
}

/// A cell without its backticks.
fn code(cell: &str) -> &str {
    cell.trim_matches('`')
}

/// A field of the kind that a transform gives.
fn field(transform: &Transform) -> &'static str {
    match transform.name() {
        "number" => "integer",
        "list" => "tags",
        name @ ("decimal" | "boolean" | "date" | "time") => name,
        _ => "text",
    }
}

/// A row of the table as it must be: of the one that is written, its first and last cells and its example count.
fn row(line: &str) -> (&'static str, String) {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let [_, written, _, _, there, _, _, _, about, _] = cells[..] else { panic!("{line}") };
    let options = format!("transform: [{}]", code(written));
    let transform = source(&format!("- {{field: text, path: x, {options}}}")).fields[0].transform[0].clone();
    let sample: Value = serde_json::from_str(code(there)).unwrap_or_else(|_| panic!("{there} is no JSON"));
    let field = field(&transform);
    let step = Step::compile(&transform).unwrap_or_else(|_| panic!("{written} does not compile"));
    let (kinds, here, back, both) = match step {
        None => concat(&options, &sample),
        Some(step) => {
            let here = read(field, &options, sample.clone());
            let (takes, gives) = (taken(field, &options, &sample), step.read_shapes().1);
            let one_way = step.is_one_way();
            let back = if one_way { json!(null) } else { write(field, &options, here.clone()) };
            let both = match step.loses() {
                _ if one_way => "no".to_owned(),
                None => "yes".to_owned(),
                Some(equal) => format!("with `equal: {}`", equal.as_str()),
            };
            assert!(compiles(field, &options, &both), "{written} goes both ways: {both}");
            (format!("{takes} | {gives}"), here, back, both)
        }
    };
    assert!(!is_refusal(&here) && !is_refusal(&back), "{written}: {here}, {back}");
    let back = if back.is_null() { "–".to_owned() } else { format!("`{back}`") };
    let name = NAMES.iter().find(|name| **name == transform.name()).expect("a name");
    (name, format!("| {written} | {kinds} | {there} | `{here}` | {back} | {both} | {about} |"))
}

/// The kinds in which a transform reads its example: as it is, and as a text or what the text spells.
fn taken(field: &str, options: &str, sample: &Value) -> String {
    let other = match sample {
        Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
        other => json!(other.to_string()),
    };
    let reads = |value: &&Value| !value.is_null() && !is_refusal(&read(field, options, (*value).clone()));
    let kinds: Vec<&str> = [sample, &other].into_iter().filter(reads).map(kind_of).collect();
    kinds.join(" or ")
}

fn is_refusal(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.starts_with("misfit ") || text.starts_with("error "))
}

/// Whether a row that goes both ways is taken exactly under the conditions of the table.
fn compiles(field: &str, options: &str, both: &str) -> bool {
    let takes = |equal: &str| {
        super::support::try_compile(&format!("- {{field: {field}, path: x, {options}{equal}}}")).is_ok()
    };
    match both.strip_prefix("with `").and_then(|rest| rest.strip_suffix('`')) {
        Some(equal) => takes(&format!(", {equal}")) && !takes(""),
        None => takes("") == (both == "yes"),
    }
}

/// `concat` starts from several values. Its example is what the parts `text` and `other` of a record hold.
fn concat(options: &str, sample: &Value) -> (String, Value, Value, String) {
    let mapping = compile(&format!("- {{path: x, direction: out, {options}}}"));
    let written = project(&mapping, json!({"text": sample[0], "other": sample[1]})).expect("it is written");
    assert!(!compiles("text", options, "yes"));
    ("several values | a text".to_owned(), written.fields["x"].clone(), json!(null), "no".to_owned())
}

#[test]
fn every_transform_is_on_the_page_and_does_what_it_says() {
    let page = page();
    let table =
        page.split_once("<!-- transforms -->\n").and_then(|(_, rest)| rest.split_once("<!-- end -->"));
    let table: Vec<&str> = table.expect("the marks").0.lines().skip(2).collect();
    let (names, rows): (BTreeSet<&str>, Vec<String>) = table.iter().map(|line| row(line)).unzip();
    assert_eq!(table, rows, "what they do:\n{}\n", rows.join("\n"));
    assert_eq!(names, NAMES.iter().copied().collect());
}

/// The page's mapping is one.
#[test]
fn the_mapping_on_the_page_holds() {
    let page = page();
    let text = page.split_once("<!-- mapping -->\n```yaml\n").and_then(|(_, rest)| rest.split_once("```"));
    let source: crate::MappingSource = serde_saphyr::from_str(text.expect("the mapping").0).unwrap();
    let mut schema = super::support::schema();
    schema.fields = ["name", "email", "phone", "stage", "score", "account"]
        .map(|name| {
            let kind = match name {
                "score" => canonical::FieldType::Decimal,
                "account" => canonical::FieldType::Reference(canonical::Entity::new("Account").unwrap()),
                _ => canonical::FieldType::Text,
            };
            (canonical::Field::new(name).unwrap(), canonical::FieldSpec::of(kind))
        })
        .into();
    let mapping = crate::Mapping::compile(&source, &schema, &super::support::lookups()).unwrap();
    assert_eq!(mapping.run_examples(), []);
    assert!(mapping.examples() > 1 && mapping.prove().is_empty());
    let directions: BTreeSet<Direction> = source.fields.iter().map(|row| row.direction).collect();
    assert_eq!(directions.len(), 3);
}
