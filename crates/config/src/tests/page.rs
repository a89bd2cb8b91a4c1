//! `docs/model.md`: its entity is one, and its table of types says what the code makes of values.

use canonical::value::normal;
use canonical::{Entity, Field, RecordId, Wall};
use serde_json::Value;

use super::example;
use super::folder::{base, shown};
use crate::{Files, load};

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/model.md");
    std::fs::read_to_string(path).expect("docs/model.md")
}

#[test]
fn the_entity_on_the_page_is_the_examples() {
    let page = page();
    let written = page.split_once("```yaml\n").and_then(|(_, rest)| rest.split_once("```"));
    let (mut files, name) = (example::files(), Entity::new("Contract").unwrap());
    let loaded = |files: &Files| {
        let checked = load(files).unwrap_or_else(|problems| panic!("{}", shown(&problems)));
        checked.configuration.entities[&name].clone()
    };
    let there = loaded(&files);
    files.put("model/contract.yaml", written.expect("an entity").0);
    assert_eq!(loaded(&files), there);
}

#[test]
fn every_type_is_on_the_page_with_its_normal_form() {
    let page = page();
    let table = page.split_once("<!-- types -->\n").and_then(|(_, rest)| rest.split_once("<!-- end -->"));
    let table: Vec<&str> = table.expect("the marks").0.lines().skip(2).collect();
    let record = RecordId::from_parts(Wall(0), 1).to_string();
    let rows: Vec<(String, String)> = table
        .iter()
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, name, schema, example, _, _] = cells[..] else { panic!("{line}") };
            let schema_text = schema.trim_matches('`').replace("x-entity: Account", "x-entity: Person");
            let entity = format!(
                "entity: Page\nversion: 1\nschema: {{type: object, properties: {{it: {schema_text}}}}}\n"
            );
            let mut files = base();
            files.put("model/page.yaml", entity);
            let checked = load(&files).unwrap_or_else(|problems| panic!("{}", shown(&problems)));
            let page = &checked.configuration.entities[&Entity::new("Page").unwrap()];
            let kind = &page.fields[&Field::new("it").unwrap()].kind;
            let example_text = example.trim_matches('`').replace("rec_…", &record);
            let value: Value = serde_json::from_str(&example_text).unwrap_or_else(|_| panic!("{example}"));
            let kept = normal(kind, value).unwrap_or_else(|misfit| panic!("{line}: {misfit}"));
            let kept = kept.to_string().replace(&record, "rec_…");
            (kind.to_string(), format!("| {name} | {schema} | {example} | `{kept}` |"))
        })
        .collect();
    let written: Vec<&str> = rows.iter().map(|(_, row)| row.as_str()).collect();
    assert_eq!(table, written, "what is kept:\n{}\n", written.join("\n"));
    let mut kinds: Vec<&str> = rows.iter().map(|(kind, _)| kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), 10, "{kinds:?}");
}

/// The rules on the page are rules, of a table and a match key that the example has.
#[test]
fn the_rules_on_the_page_can_be_asked() {
    let page = page();
    let (_, block) = page.split_once("```yaml\nrules:\n").expect("rules");
    let rules = block.split_once("```").expect("an end").0;
    let line = "entity: Line\nversion: 1\nschema:\n  type: object\n  properties:\n    currency: {type: string}\n    \
                sku: {type: string}\nrules:\n";
    let mut files = example::files();
    files.put("model/line.yaml", format!("{line}{rules}"));
    let checked = load(&files).unwrap_or_else(|problems| panic!("{}", shown(&problems)));
    assert_eq!(checked.configuration.entities[&Entity::new("Line").unwrap()].rules.len(), 2);
}

/// The steps on the page lead where they say: their examples run.
#[test]
fn the_steps_on_the_page_come_out() {
    let page = page();
    let block = page.split("```yaml\n").nth(2).and_then(|rest| rest.split_once("```")).expect("steps").0;
    let steps = &block[block.find("retired:").expect("retired names")..];
    let version = |number: u32, fields: [&str; 3]| {
        let fields = fields.map(|name| format!("    {name}: {{type: string}}\n")).concat();
        format!("entity: Contact\nversion: {number}\nschema:\n  type: object\n  properties:\n{fields}")
    };
    let mut files = base();
    files.put("model/contact@1.yaml", version(1, ["first", "last", "nick"]));
    files.put("model/contact.yaml", version(2, ["name", "alias", "tier"]) + steps);
    let configuration = load(&files).unwrap_or_else(|problems| panic!("{}", shown(&problems))).configuration;
    let mut read =
        serde_json::json!({"first": null, "last": "Lovelace", "nick": null}).as_object().unwrap().clone();
    configuration.upcaster(&Entity::new("Contact").unwrap()).unwrap().fields(1, &mut read);
    assert_eq!((&read["name"], &read["tier"]), (&" Lovelace".into(), &"standard".into()));
    files.put(
        "model/contact.yaml",
        version(2, ["name", "alias", "tier"]) + &steps.replace("alias: al,", "alias: la,"),
    );
    assert!(load(&files).is_err(), "examples are run");
}
