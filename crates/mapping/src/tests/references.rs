//! References, extensions, and what a mapping says about itself.

use canonical::RecordId;
use serde_json::json;

use super::support::{compile, fields, normalise, project, schema, source};
use crate::{Direction, Mapping};

const REF: &str =
    "- {field: account, path: company.id, ref: {entity: Account, object: companies}, on_null: 'null'}";

fn record(n: u128) -> RecordId {
    RecordId::from_parts(canonical::Wall(0), n)
}

#[test]
fn references_are_read_as_ids_of_the_system() {
    let mapping = compile(REF);
    for (id, expected) in
        [(json!("c-1"), "c-1"), (json!(42), "42"), (json!(u64::MAX), "18446744073709551615")]
    {
        let patch = normalise(&mapping, json!({"company": {"id": id}})).unwrap();
        assert!(patch.fields.is_empty());
        let target = patch.references.get("account").unwrap();
        assert_eq!(target.external_id, expected);
        assert_eq!((target.entity.as_str(), target.object.as_str()), ("Account", "companies"));
    }
    for (object, expected) in [(json!({}), json!({})), (json!({"company": null}), json!({"account": null}))] {
        let patch = normalise(&mapping, object).unwrap();
        assert_eq!(json!(patch.fields), expected);
        assert!(patch.references.is_empty());
    }
    for odd in [json!(true), json!(1.5), json!({"x": 1}), json!(["a"])] {
        let misfit = normalise(&mapping, json!({"company": {"id": odd}})).unwrap_err();
        assert_eq!(misfit.fingerprint(), "normalise:account:company.id:kind");
    }
}

#[test]
fn references_are_written_by_links_or_missed() {
    let mapping = compile(REF);
    let target = record(7);
    let holder = fields(json!({"account": target.to_string()}));
    let linked = mapping.project(&holder, &|entity, object, id| {
        assert_eq!((entity.as_str(), object.as_str(), *id), ("Account", "companies", target));
        Some("c-1".to_owned())
    });
    assert_eq!(json!(linked.unwrap().fields), json!({"company.id": "c-1"}));
    let unlinked = mapping.project(&holder, &|_, _, _| None).unwrap();
    assert!(unlinked.fields.is_empty());
    assert_eq!(unlinked.missing.len(), 1);
    let missing = &unlinked.missing[0];
    assert_eq!((missing.field.as_str(), missing.record), ("account", target));
    assert_eq!(
        json!(project(&mapping, json!({"account": null})).unwrap().fields),
        json!({"company.id": null})
    );
    let error = project(&mapping, json!({"account": "not an id"})).unwrap_err();
    assert_eq!(error.fingerprint(), "project:account:company.id:form");
}

/// Which of them nobody waits for is said on both ways.
#[test]
fn late_references_are_told_apart() {
    for (late, row) in [(false, REF.to_owned()), (true, REF.replace("companies}", "companies, late: true}"))]
    {
        let mapping = compile(&row);
        let patch = normalise(&mapping, json!({"company": {"id": "c-1"}})).unwrap();
        assert_eq!(patch.references.get("account").unwrap().late, late);
        let holder = fields(json!({"account": record(7).to_string()}));
        let unlinked = mapping.project(&holder, &|_, _, _| None).unwrap();
        assert_eq!((unlinked.missing[0].late, unlinked.missing[0].path.as_str()), (late, "company.id"));
        assert_eq!(mapping.references().map(|used| used.late).collect::<Vec<_>>(), [late]);
    }
}

#[test]
fn ids_that_are_numbers_there_stay_numbers() {
    let mapping = compile(
        "- {field: account, path: party, ref: {entity: Account, object: party.party}, transform: [text]}",
    );
    let patch = normalise(&mapping, json!({"party": 42})).unwrap();
    assert_eq!(patch.references.get("account").unwrap().external_id, "42");
    let holder = fields(json!({"account": record(1).to_string()}));
    let projection = mapping.project(&holder, &|_, _, _| Some("42".to_owned())).unwrap();
    assert_eq!(json!(projection.fields), json!({"party": 42}));
    let error = mapping.project(&holder, &|_, _, _| Some("abc".to_owned())).unwrap_err();
    assert_eq!(error.why.code(), "form");
}

#[test]
fn extensions_are_kept_as_they_are() {
    let mut written = source("- {field: text, path: x}");
    written.extensions =
        vec!["hs.score".to_owned(), r"dot\.ted".to_owned(), "gone".to_owned(), "x.y".to_owned()];
    let mapping = Mapping::compile(&written, &schema(), &super::support::lookups()).unwrap();
    let patch = normalise(&mapping, json!({"hs": {"score": 1.25}, "dot.ted": null, "x": "t"})).unwrap();
    assert_eq!(json!(patch.extensions), json!({"hs.score": 1.25, r"dot\.ted": null}));
    for wrong in [vec!["a..b"], vec!["a", "a"], vec![""]] {
        written.extensions = wrong.into_iter().map(str::to_owned).collect();
        let errors = Mapping::compile(&written, &schema(), &super::support::lookups()).unwrap_err();
        assert!(errors[0].key.starts_with("extensions["), "{errors:?}");
    }
}

#[test]
fn a_mapping_says_what_it_touches() {
    let mapping = compile(&format!(
        "{REF}\n{}",
        concat!(
            "- {field: email, path: properties.email}\n",
            "- {field: text, path: first, direction: in}\n",
            "- {path: name, direction: out, transform: [{concat: {parts: [text, other], separator: ' '}}]}\n",
            "- {path: source, direction: out, constant: 1}\n",
            "- {field: stage, path: stage, transform: [trim], lookup: {table: stages, from: crm, to: canonical}}",
        )
    ));
    let read: Vec<&str> = mapping.in_fields().map(canonical::Field::as_str).collect();
    assert_eq!(read, ["account", "email", "text", "stage"]);
    let written: Vec<&str> = mapping.out_fields().map(canonical::Field::as_str).collect();
    assert_eq!(written, ["account", "email", "other", "stage", "text"]);
    assert_eq!(
        mapping.out_paths().collect::<Vec<_>>(),
        ["company.id", "properties.email", "name", "stage", "source"]
    );
    let references: Vec<String> =
        mapping.references().map(|r| format!("{} {} {}", r.field, r.entity, r.object)).collect();
    assert_eq!(references, ["account Account companies"]);
    let mut written = source("- {field: email, path: properties.email}");
    written.extensions = vec!["properties.score".to_owned()];
    let kept = Mapping::compile(&written, &schema(), &super::support::lookups()).unwrap();
    let lineage: Vec<(&str, &str, Direction, String)> = (mapping.lineage().into_iter())
        .chain(kept.lineage().into_iter().skip(1))
        .map(|row| (row.path, row.field.map_or("-", |f| f.as_str()), row.direction, row.how.to_string()))
        .collect();
    assert_eq!(
        lineage,
        [
            ("company.id", "account", Direction::Both, "reference to Account".to_owned()),
            ("properties.email", "email", Direction::Both, "direct".to_owned()),
            ("first", "text", Direction::In, "direct".to_owned()),
            ("name", "text", Direction::Out, "joined".to_owned()),
            ("name", "other", Direction::Out, "joined".to_owned()),
            ("source", "-", Direction::Out, "constant".to_owned()),
            ("stage", "stage", Direction::Both, "trim, lookup stages".to_owned()),
            ("properties.score", "-", Direction::In, "extension".to_owned()),
        ]
    );
    assert_eq!((mapping.id(), mapping.version()), ("contact.crm", 1));
    let names = (mapping.entity().as_str(), mapping.system().as_str(), mapping.object().as_str());
    assert_eq!(names, ("Contact", "crm", "contacts"));
}

#[test]
fn what_is_observed_at_written_paths_reads_as_the_object_does() {
    let mapping = compile(&format!(
        "{REF}\n{}",
        concat!(
            "- {field: decimal, path: properties.amount, transform: [{decimal: {minor_units: 2}}]}\n",
            "- {field: email, path: properties.email, on_null: 'null', on_missing: default, default: a@b.co}\n",
            "- {field: text, path: lines.0.name, on_null: fail}\n",
            "- {field: other, path: read.only, direction: in}\n",
            "- {path: written, direction: out, constant: 1}",
        )
    ));
    let object = fields(json!({
        "company": {"id": "c-1"}, "properties": {"amount": 1250, "email": null},
        "lines": [{"name": "first"}], "read": {"only": "x"}, "written": 2, "more": 3
    }));
    let seen = mapping.observe(&object);
    assert_eq!(
        json!(seen),
        json!({
            "company.id": "c-1", "properties.amount": 1250, "properties.email": null, "lines.0.name": "first", "written": 2
        })
    );
    assert_eq!(json!(mapping.recall(&seen)), json!({"decimal": "12.5", "email": null, "text": "first"}));
    assert_eq!(
        json!(mapping.recall(&fields(json!({})))),
        json!({}),
        "a memory that says nothing has no defaults"
    );
    let odd = fields(json!({"properties.amount": "odd", "lines.0.name": null}));
    assert_eq!(json!(mapping.recall(&odd)), json!({}), "what cannot be read is left out");
    assert_eq!(json!(mapping.observe(&fields(json!({"company": 1, "lines": {}})))), json!({}));
    let joined =
        compile("- {field: text, direction: in, transform: [{concat: {parts: [a.x, a.y], separator: ' '}}]}");
    assert_eq!(json!(joined.recall(&fields(json!({"a.x": "1", "a.y": "2"})))), json!({"text": "1 2"}));
    assert_eq!(json!(joined.recall(&fields(json!({"b": "1"})))), json!({}));
}

#[test]
fn the_digest_changes_with_the_meaning_only() {
    let digest = |rows: &str| compile(rows).digest().to_owned();
    let plain = digest("- {field: text, path: x}");
    assert_eq!(
        plain,
        digest("- field: text\n  path: x\n  direction: both"),
        "how it is written does not count"
    );
    assert_ne!(plain, digest("- {field: text, path: y}"));
    let two = digest("- {field: text, path: x}\n- {field: other, path: y}");
    assert_eq!(two, digest("- {field: other, path: y}\n- {field: text, path: x}"), "nor in which order");
    assert_ne!(plain, digest("- {field: text, path: x, on_null: null}"));
    let mut other = source("- {field: text, path: x}");
    other.version = 9;
    other.examples =
        vec![crate::ExampleSource { from: Some(fields(json!({}))), ..crate::ExampleSource::default() }];
    let lookups = super::support::lookups();
    assert_eq!(plain, Mapping::compile(&other, &schema(), &lookups).unwrap().digest());
    let row =
        source("- {field: stage, path: x, direction: in, lookup: {table: stages, from: crm, to: canonical}}");
    let before = Mapping::compile(&row, &schema(), &lookups).unwrap();
    let mut changed = lookups;
    changed.insert("stages".to_owned(), changed["many"].clone());
    assert_ne!(before.digest(), Mapping::compile(&row, &schema(), &changed).unwrap().digest());
    assert!(plain.starts_with("blake3:") && plain.len() == 71, "{plain}");
    assert_eq!(
        plain, "blake3:e48a9e9920050c57b33e9a462187fb2ea099a6a66d6808d991b66f767783904f",
        "the same on every machine and in every version: change it only knowingly"
    );
}
