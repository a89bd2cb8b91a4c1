//! Mappings against what a system says of its fields: each flaw with its place, and nothing that the vendor does not say.

use canonical::{Object, System};
use connector::{Described, FieldKind, FieldSeen};

use super::folder::{base, shown};
use crate::{Files, fits, load, mapped};

fn field(path: &str, kind: FieldKind) -> FieldSeen {
    FieldSeen {
        path: path.to_owned(),
        kind,
        vendor_type: format!("v-{}", kind.name()),
        ..FieldSeen::default()
    }
}

/// What fits the folder that is right.
fn right() -> Described {
    let texts = ["name", "email", "label", "class", "boss"];
    let mut fields: Vec<FieldSeen> = texts.iter().map(|path| field(path, FieldKind::Text)).collect();
    fields.push(FieldSeen {
        values: Some(vec!["basic".to_owned(), "gold".to_owned()]),
        ..field("level", FieldKind::Choice)
    });
    fields.push(field("consent", FieldKind::Boolean));
    fields.push(field("balance", FieldKind::Decimal));
    Described { fields }
}

fn told(files: &Files, system: &str, described: &Described) -> String {
    let configuration = load(files).unwrap_or_else(|problems| panic!("{}", shown(&problems))).configuration;
    let (system, object) = (System::new(system).unwrap(), Object::new("people").unwrap());
    shown(&fits(&configuration, files, &system, &object, described))
}

fn with(path: &str, change: impl Fn(&mut FieldSeen)) -> Described {
    let mut described = right();
    described.fields.iter_mut().filter(|field| field.path == path).for_each(change);
    described
}

#[test]
fn what_fits_says_nothing() {
    assert_eq!(told(&base(), "crm", &right()), "");
    assert_eq!(told(&base(), "erp", &right()), "");
    // A vendor that says nothing of its types is believed anything.
    let paths =
        right().fields.into_iter().map(|field| FieldSeen { path: field.path, ..FieldSeen::default() });
    assert_eq!(told(&base(), "crm", &Described { fields: paths.collect() }), "");
}

#[test]
fn a_field_that_is_not_there_has_its_place_and_the_nearest_name() {
    let mut described = right();
    described
        .fields
        .iter_mut()
        .filter(|field| field.path == "email")
        .for_each(|f| f.path = "e_mail".to_owned());
    assert_eq!(
        told(&base(), "crm", &described),
        "mappings/person.crm.yaml:8:26: error: `people` of `crm` has no field `email`\n  |\n\
         8 |   - {field: email, path: email}\n  |                          ^^^^^\n  \
         = did you mean `e_mail`? (what the credential may not see is not shown either)"
    );
}

#[test]
fn what_cannot_be_written_breaks_only_rows_that_write() {
    let shut = |path: &str| with(path, |field| field.writable = Some(false));
    let said = told(&base(), "erp", &shut("balance"));
    assert!(said.starts_with("mappings/person.erp.yaml:9:"), "{said}");
    assert!(said.contains("error: `balance` cannot be written there"), "{said}");
    let mut files = base();
    let text = files
        .get("mappings/person.crm.yaml")
        .unwrap()
        .replace("path: consent}", "path: consent, direction: in}");
    files.put("mappings/person.crm.yaml", text);
    assert_eq!(told(&files, "crm", &shut("consent")), "");
}

#[test]
fn another_type_breaks_where_nothing_makes_the_one_of_the_other() {
    let said = told(&base(), "crm", &with("consent", |field| field.kind = FieldKind::Text));
    assert!(
        said.contains(
            "error: `consent` holds another type: text, in the vendor's word v-boolean; the field is boolean"
        ),
        "{said}"
    );
    // `balance` goes through a transform, `class` through a table, `boss` is a reference.
    for path in ["balance", "class", "boss"] {
        assert_eq!(told(&base(), "erp", &with(path, |field| field.kind = FieldKind::Integer)), "", "{path}");
    }
}

#[test]
fn texts_that_may_be_too_long_are_doubts() {
    let said = told(&base(), "crm", &with("name", |field| field.chars_max = Some(40)));
    assert!(said.contains("warning: `name` takes 40 characters, and the field may have 80"), "{said}");
    assert_eq!(told(&base(), "crm", &with("name", |field| field.chars_max = Some(80))), "");
    // Nobody said how long an address may be.
    assert_eq!(told(&base(), "crm", &with("email", |field| field.chars_max = Some(5))), "");
}

#[test]
fn values_that_are_not_taken_break_and_unknown_ones_are_doubts() {
    let list = |values: &[&str]| Some(values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>());
    let said = told(&base(), "crm", &with("level", |field| field.values = list(&["gold", "silver"])));
    assert!(said.contains("error: `level` does not take `basic`"), "{said}");
    assert!(said.contains("warning: `level` may hold `silver`, which the record does not know"), "{said}");
    let choice = |values: &[&str]| {
        let values = list(values);
        with("class", move |field| (field.kind, field.values) = (FieldKind::Choice, values.clone()))
    };
    let said = told(&base(), "erp", &choice(&["A", "C"]));
    assert!(said.contains("error: `class` does not take `B`"), "{said}");
    assert!(said.contains("warning: `class` may hold `C`"), "{said}");
    assert_eq!(told(&base(), "erp", &choice(&["A", "B"])), "");
}

#[test]
fn what_a_new_object_needs_and_nobody_writes_is_a_doubt() {
    let mut described = right();
    described.fields.push(FieldSeen { required: Some(true), ..field("owner", FieldKind::Text) });
    let said = told(&base(), "crm", &described);
    assert!(
        said.contains(
            "warning: a new `people` of `crm` needs `owner`, and the route `person.crm` makes them without"
        ),
        "{said}"
    );
    described.fields.iter_mut().for_each(|field| field.writable = Some(field.path != "owner"));
    assert_eq!(told(&base(), "crm", &described), "");
    assert_eq!(told(&base(), "crm", &with("name", |field| field.required = Some(true))), "");
}

#[test]
fn fields_are_told_with_the_mappings_that_name_them() {
    let files = base();
    let configuration = load(&files).unwrap().configuration;
    let (system, object) = (System::new("crm").unwrap(), Object::new("people").unwrap());
    let found = mapped(&configuration, &files, &system, &object, &right());
    let of = |path: &str| found.iter().find(|(known, _)| known == path).unwrap().1.clone();
    assert_eq!((of("email"), of("boss")), (vec!["person.crm".to_owned()], vec![]));
}
