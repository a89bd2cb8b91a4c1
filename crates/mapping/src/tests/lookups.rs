//! Lookup tables: both ways, unmapped values, ambiguity, types.

use serde_json::json;

use super::support::{error, read, write};
use crate::Lookup;

fn table(name: &str, rest: &str) -> String {
    format!("lookup: {{table: {name}, from: crm, to: canonical{rest}}}")
}

#[test]
fn values_are_translated_both_ways() {
    let stages = table("stages", "");
    assert_eq!(read("stage", &stages, json!("Won")), json!("customer"));
    assert_eq!(write("stage", &stages, json!("customer")), json!("Won"));
    assert_eq!(read("stage", &stages, json!("won")), json!("misfit unmapped"));
    assert_eq!(read("stage", &stages, json!(["Won"])), json!("misfit kind"));
    assert_eq!(write("stage", &stages, json!("unheard")), json!("error unmapped"));
    let trimmed = format!("transform: [trim, title], {stages}");
    assert_eq!(read("stage", &trimmed, json!(" WON ")), json!("customer"));
}

#[test]
fn cells_have_the_fields_type() {
    let flags = table("flags", "");
    assert_eq!(read("boolean", &flags, json!("1")), json!(true));
    assert_eq!(read("boolean", &flags, json!(0)), json!(false), "a number looks up by its digits");
    assert_eq!(write("boolean", &flags, json!(true)), json!("1"));
    let sizes = table("sizes", "");
    assert_eq!(read("integer", &sizes, json!("large")), json!(1000));
    assert_eq!(write("integer", &sizes, json!(10)), json!("small"));
    assert_eq!(read("decimal", &sizes, json!("large")), json!("1000"));
    assert_eq!(write("decimal", &sizes, json!("1000")), json!("large"));
    let out = format!("direction: both, transform: [text], {}", table("flags", ""));
    assert_eq!(write("boolean", &out, json!(true)), json!(1), "digits become the number there");
    assert_eq!(read("boolean", &out, json!(1)), json!(true));
}

#[test]
fn unmapped_values_follow_the_policy() {
    for (policy, reads, writes) in [
        ("fail", "misfit unmapped", "error unmapped"),
        ("pass", "odd", "odd"),
        ("{default: lost}", "lost", "lost"),
    ] {
        let options = table("stages", &format!(", on_unmapped: {policy}"));
        assert_eq!(read("text", &options, json!("odd")), json!(reads), "{policy}");
        assert_eq!(write("text", &options, json!("odd")), json!(writes), "{policy}");
    }
    for policy in ["null", "'null'", ""] {
        let options = table("stages", &format!(", on_unmapped: {policy}"));
        assert_eq!(read("text", &options, json!("odd")), json!(null));
        assert_eq!(write("text", &options, json!("odd")), json!(null));
    }
}

#[test]
fn what_passes_must_come_back_as_it_was() {
    let both = format!("direction: both, {}", table("stages", ", on_unmapped: pass"));
    assert_eq!(read("text", &both, json!("odd")), json!("odd"));
    assert_eq!(
        read("text", &both, json!("customer")),
        json!("misfit unmapped"),
        "it would be written as Won"
    );
    assert_eq!(write("text", &both, json!("Won")), json!("error unmapped"), "it would be read as customer");
}

#[test]
fn an_ambiguous_way_back_needs_preferred() {
    let many = format!("direction: both, {}", table("many", ""));
    assert_eq!(read("stage", &many, json!("Subscriber")), json!("lead"));
    assert_eq!(read("stage", &many, json!("Lead")), json!("lead"));
    assert_eq!(write("stage", &many, json!("lead")), json!("Lead"));
    assert_eq!(read("stage", &table("vague", ""), json!("Subscriber")), json!("lead"), "one way it is clear");
    for direction in ["both", "out"] {
        let row = format!("- {{field: stage, path: x, direction: {direction}, {}}}", table("vague", ""));
        let error = error(&row);
        assert!(error.contains("in `vague`, row 2: its `canonical` stands in row 1 too"), "{error}");
        assert!(error.contains("preferred"), "{error}");
    }
}

#[test]
fn preferred_must_be_clear() {
    let lookup = |marks: [&str; 3]| {
        let cell = |a: &str, b: &str, mark: &str| vec![a.to_owned(), b.to_owned(), mark.to_owned()];
        let rows = vec![cell("a", "x", marks[0]), cell("b", "x", marks[1]), cell("c", "x", marks[2])];
        Lookup::from_rows("t", ["from", "to", "preferred"].map(str::to_owned).to_vec(), rows).unwrap()
    };
    for (marks, expected) in [
        (["", "yes", ""], Some("b")),
        (["yes", "", ""], Some("a")),
        (["", "", "1"], Some("c")),
        (["", "", ""], None),
        (["yes", "", "yes"], None),
        (["", "x", "true"], None),
    ] {
        let lookup = lookup(marks);
        let pairs = lookup.pairs(1, 0);
        assert_eq!(pairs.as_ref().ok().and_then(|pairs| pairs.get("x")).copied(), expected, "{marks:?}");
    }
}

#[test]
fn wrong_tables_say_where() {
    let text = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<String>>();
    for (header, row, says) in [
        (text(&["a", ""]), text(&["1", "2"]), "lookup table `t`, header: column 2 has no name"),
        (text(&["a", "a"]), text(&["1", "2"]), "lookup table `t`, header: two columns are called `a`"),
        (text(&["a", "b"]), text(&["1"]), "lookup table `t`, row 1: it has 1 cells, the header has 2"),
        (
            text(&["a", "preferred"]),
            text(&["1", "perhaps"]),
            "lookup table `t`, row 1: `preferred` is neither yes nor no",
        ),
    ] {
        let error = Lookup::from_rows("t", header, vec![row]).unwrap_err().to_string();
        assert!(error.starts_with(says), "{error}");
    }
}

#[test]
fn rows_that_use_a_table_wrongly_do_not_compile() {
    for (field, lookup, key, says) in [
        ("stage", "{table: stage, from: crm, to: canonical}", "lookup.table", "did you mean `stages`?"),
        ("stage", "{table: stages, from: cmr, to: canonical}", "lookup.from", "did you mean `crm`?"),
        ("stage", "{table: stages, from: crm, to: erp}", "lookup.to", "use one of: crm, canonical"),
        ("stage", "{table: many, from: crm, to: preferred}", "lookup.to", "has no column `preferred`"),
        ("stage", "{table: stages, from: crm, to: crm}", "lookup.to", "same column"),
        ("stage", "{table: wrong, from: crm, to: canonical}", "lookup.to", "did you mean `lead`?"),
        ("integer", "{table: stages, from: crm, to: canonical}", "lookup.to", "holds `lead`"),
        (
            "stage",
            "{table: stages, from: crm, to: canonical, on_unmapped: {default: lost}}",
            "lookup.on_unmapped",
            "an `in` row",
        ),
        ("tags", "{table: stages, from: crm, to: canonical}", "lookup", "cannot look up a list"),
    ] {
        let error = error(&format!("- {{field: {field}, path: x, lookup: {lookup}}}"));
        assert!(error.starts_with(&format!("`fields[0].{key}`")), "{error}");
        assert!(error.contains(says), "{error}");
    }
    let forms = error("- {field: decimal, path: x, lookup: {table: forms, from: crm, to: canonical}}");
    assert!(forms.contains("two forms that the field holds as one"), "{forms}");
    let default = "{table: stages, from: crm, to: canonical, on_unmapped: {default: never}}";
    let error = error(&format!("- {{field: stage, path: x, direction: in, lookup: {default}}}"));
    assert!(error.contains("one of the field's choices"), "{error}");
}
