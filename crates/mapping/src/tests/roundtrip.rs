//! Rows that lose something are caught, with what does it; rows that lose nothing are not.

use super::properties::{invertible, lossy};
use super::support::{compile, fields, lookups, schema, source};
use crate::Mapping;

/// What is said of the first row that does not come back.
fn disproof(rows: &str) -> Option<String> {
    compile(rows).prove().first().map(ToString::to_string)
}

#[test]
fn rows_that_come_back_are_proven_on_values_of_their_type() {
    let sets = [("tags", "transform: [lower, {list: {separator: ;}}], equal: case_insensitive", None)];
    let rows = invertible().into_iter().chain(lossy()).map(|(field, options, by)| (field, options, Some(by)));
    for (field, options, _) in rows.chain(sets) {
        let mapping = compile(&format!("- {{field: {field}, path: a.x, {options}}}"));
        let proofs = mapping.proofs();
        assert_eq!(proofs.len(), 1, "{field} {options}");
        assert_eq!(proofs[0].disproof, None, "{field} {options}");
        let least = if matches!(field, "stage" | "boolean") { 2 } else { 8 };
        assert!(proofs[0].values - proofs[0].refused >= least, "{field} {options}: {:?}", proofs[0]);
    }
}

#[test]
fn what_is_lost_is_said_with_the_part_that_loses_it() {
    for (row, key, says) in [
        (
            "{field: stage, path: x, transform: [lower], lookup: {table: stages, from: crm, to: canonical}}",
            "transform[0]",
            "`lower` loses something: `Lead` of the table `stages` is never read: it arrives as \"lead\", which the \
             table does not have; write the table's values as `lower` leaves them",
        ),
        (
            "{field: stage, path: x, transform: [trim, upper], lookup: {table: stages, from: crm, to: canonical}}",
            "transform[1]",
            "`upper` loses something: `Lead`",
        ),
        (
            "{field: stage, path: x, lookup: {table: coarse, from: crm, to: canonical}}",
            "lookup",
            "\"customer\" is written as \"Open\" and read as \"lead\"; give each of the record's values one of its own",
        ),
        (
            "{field: stage, path: x, on_null: 'null', lookup: {table: many, from: crm, to: canonical, on_unmapped: 'null'}}",
            "lookup",
            "\"lost\" is written as null and read as null",
        ),
        (
            "{field: boolean, path: x, transform: [{boolean: {true: 'yes', false: ''}}]}",
            "field",
            "false is written as nothing",
        ),
        (
            "{field: text, path: x, transform: [text], lookup: {table: padded, from: crm, to: canonical}}",
            "lookup",
            "`01` of the table `padded` is never read: it is refused",
        ),
    ] {
        let said = disproof(&format!("- {row}")).unwrap_or_else(|| panic!("it comes back: {row}"));
        assert!(said.starts_with(&format!("`fields[0].{key}`: ")), "{row}: {said}");
        assert!(said.contains(says), "{row}: {said}");
    }
}

#[test]
fn two_one_way_rows_of_a_field_at_one_path_are_two_ways() {
    let pair = |path: &str, equal: &str| {
        disproof(&format!(
            "- {{field: text, path: x, direction: in, transform: [lower]{equal}}}\n- {{field: text, path: {path}, direction: out}}"
        ))
    };
    let said = pair("x", "").unwrap();
    assert!(said.starts_with("`fields[0].field`: "), "{said}");
    assert!(said.contains("make the two rows one"), "{said}");
    assert_eq!(pair("x", ", equal: case_insensitive"), None, "it says what counts as the same");
    assert_eq!(pair("y", ""), None, "what is written elsewhere is not read back");
    let default = "lookup: {table: stages, from: crm, to: canonical";
    let rows = format!(
        "- {{field: stage, path: x, direction: in, {default}, on_unmapped: {{default: lost}}}}}}\n- {{field: stage, path: x, direction: out, {default}}}}}"
    );
    assert_eq!(disproof(&rows), None, "a default of the way in is not written over what it stands for");
}

#[test]
fn values_of_examples_are_tried_and_never_shown() {
    // A text that only an example holds: its five characters are ten in upper case.
    let mut written = source("- {field: short, path: x, transform: [upper], equal: case_insensitive}");
    assert_eq!(mapping(&written).prove(), []);
    let held = "ßßßßß";
    written.examples.push(crate::ExampleSource {
        from: Some(fields(serde_json::json!({ "x": "abc" }))),
        canonical: fields(serde_json::json!({ "short": held })),
        ..crate::ExampleSource::default()
    });
    let said = mapping(&written).prove()[0].to_string();
    assert!(said.contains("what `examples[0]` says of it does not come back"), "{said}");
    assert!(!said.contains('ß') && !said.contains("SS"), "{said}");
}

#[test]
fn the_same_mapping_is_tried_with_the_same_values() {
    let row = "- {field: text, path: x, direction: in, transform: [title]}\n- {field: text, path: x, direction: out}";
    assert_eq!(compile(row).prove(), compile(row).prove());
    assert!(compile("- {field: account, path: x, ref: {entity: Account, object: o}}").proofs().is_empty());
}

fn mapping(source: &crate::MappingSource) -> Mapping {
    Mapping::compile(source, &schema(), &lookups()).unwrap()
}
