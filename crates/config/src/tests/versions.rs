//! What was applied under a version stays what it was: what counts as a change, where it is said, and the way back.

use super::folder::{LEVELS, PERSON, PERSON_ERP, base, shown};
use crate::{Checked, Files, Versioned, against, load, unkept};

fn with(text: &str, part: &str, by: &str) -> String {
    assert!(text.contains(part), "{part} is not in {text}");
    text.replacen(part, by, 1)
}

fn checked(files: &Files) -> Checked {
    load(files).unwrap_or_else(|problems| panic!("{}", shown(&problems)))
}

fn put(files: &Files, path: &str, text: impl Into<String>) -> Files {
    let mut files = files.clone();
    files.put(path, text);
    files
}

/// What is said of a folder where others were applied before it, one after the other.
fn said(before: &[&Files], files: &Files) -> String {
    let applied: Vec<Versioned> =
        before.iter().flat_map(|files| checked(files).configuration.versions()).collect();
    shown(&against(&checked(files).configuration, files, &applied))
}

#[test]
fn what_decides_nothing_may_change_under_a_version() {
    let files = base();
    for (path, text) in [
        ("model/person.yaml", format!("# A person.\n{PERSON}")),
        (
            "model/person.yaml",
            with(
                PERSON,
                "name: {type: string, maxLength: 80}",
                "name: {maxLength: 80, type: string, description: What she is called.}",
            ),
        ),
        ("model/person.yaml", with(PERSON, "enum: [basic, gold]", "enum: [gold, basic]")),
        // Whose word counts is no part of what a record holds.
        ("model/person.yaml", with(PERSON, "on_conflict: revert, ", "")),
        ("model/person.yaml", with(PERSON, "creators: [crm]\n", "")),
        (
            "mappings/person.erp.yaml",
            with(PERSON_ERP, "{field: name, path: label}", "{path: label, direction: both, field: name}"),
        ),
        (
            "mappings/person.erp.yaml",
            with(PERSON_ERP, "  - {field: name, path: label}\n", "") + "  - {field: name, path: label}\n",
        ),
        (
            "mappings/person.erp.yaml",
            format!("{PERSON_ERP}examples:\n  - {{canonical: {{name: Ada}}, to: {{label: Ada}}}}\n"),
        ),
    ] {
        assert_eq!(said(&[&files], &put(&files, path, text.clone())), "", "{text}");
    }
}

#[test]
fn a_mapping_that_changed_says_where_and_in_what() {
    let files = base();
    let changed =
        with(PERSON_ERP, "path: balance, direction: out, transform: [{decimal: {scale: 2}}]", "path: sum");
    let said_of = |text: &str| said(&[&files], &put(&files, "mappings/person.erp.yaml", text));
    let text = said_of(&changed);
    for part in [
        "mappings/person.erp.yaml:2:10: error: the mapping `person.erp` changed and still says `version: 3`: ",
        "- mapping.fields[balance, balance]",
        "+ mapping.fields[balance, sum]",
        "= write `version: 4`: deliveries and dead letters name the version they were rendered with",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(said_of(&with(&changed, "version: 3", "version: 4")), "");
    let scale = said_of(&with(PERSON_ERP, "{scale: 2}", "{scale: 3}"));
    assert!(scale.contains("mapping.fields[balance, balance].transform"), "{scale}");
    let ordered = |by: &str| {
        let row = format!("path: label, direction: out, transform: {by}");
        put(&files, "mappings/person.erp.yaml", with(PERSON_ERP, "path: label", &row))
    };
    let turned = said(&[&ordered("[trim, lower]")], &ordered("[lower, trim]"));
    assert!(turned.contains("mapping.fields[name, label].transform: in another order"), "{turned}");
    let table = said(&[&files], &put(&files, "lookups/levels.csv", with(LEVELS, "A,gold", "G,gold")));
    assert!(table.contains("tables.levels.rows"), "{table}");
}

#[test]
fn a_schema_that_changed_says_where_and_in_what() {
    let files = base();
    for (part, by, what) in [
        ("maxLength: 80", "maxLength: 90", "fields.name.maxLength: 80 → 90"),
        ("enum: [basic, gold]", "enum: [basic, gold, platinum]", "+ fields.level.enum[platinum]"),
        (
            "name: {owner: crm, pii: basic}",
            "name: {owner: crm, pii: sensitive}",
            "fields.name.pii: basic → sensitive",
        ),
        ("required: [name]", "required: [name, email]", "+ required[email]"),
        ("fields: [email], fold: true", "fields: [email]", "- match_keys.email.fold: true"),
        (
            "fields: [email], fold: true",
            "fields: [email], fold: true, normalise: [domain]",
            "+ match_keys.email.normalise",
        ),
        (
            "fields: [email], fold: true",
            "fields: [email], fold: true, when: [{field: level, equals: gold}]",
            "+ match_keys.email.when",
        ),
        (
            "    consent: {type: boolean}\n",
            "    consent: {type: boolean}\n    age: {type: integer}\n",
            "+ fields.age",
        ),
    ] {
        let changed = with(PERSON, part, by);
        let text = said(&[&files], &put(&files, "model/person.yaml", changed));
        let wanted =
            "model/person.yaml:2:10: error: the entity `Person` changed and still says `version: 1`: ";
        assert!(text.contains(wanted) && text.contains(what), "{what}: {text}");
        assert!(text.contains("= write `version: 2`: records and events name"), "{text}");
    }
}

#[test]
fn going_back_is_to_say_what_was_said() {
    let one = base();
    let wider = |number: u32, most: u32| {
        let text = with(PERSON, "version: 1", &format!("version: {number}"));
        put(&one, "model/person.yaml", with(&text, "maxLength: 80", &format!("maxLength: {most}")))
    };
    let (two, four) = (wider(2, 90), wider(4, 95));
    assert_eq!(said(&[&one], &two), "");
    assert_eq!(said(&[&one, &two, &four], &one), "", "what it was is known");
    assert_eq!(said(&[&one, &two, &four], &two), "");
    let other = said(&[&one, &two, &four], &wider(2, 91));
    assert!(
        other.contains("fields.name.maxLength: 90 → 91") && other.contains("write `version: 5`"),
        "{other}"
    );
    let between = said(&[&one, &two, &four], &wider(3, 95));
    assert!(
        between.contains("says `version: 3`, which was never applied, and version 4 was")
            && between.contains("write `version: 5`"),
        "{between}"
    );
}

/// A release that writes more keys, or another digest, finds its own documents again.
#[test]
fn a_meaning_that_an_earlier_release_wrote_is_read() {
    let files = base();
    let mut applied = checked(&files).configuration.versions();
    for one in &mut applied {
        one.digest = "blake3:earlier".to_owned();
    }
    assert_eq!(shown(&against(&checked(&files).configuration, &files, &applied)), "");
    for one in &mut applied {
        one.meaning = serde_json::json!({"another": "form"});
    }
    assert!(!against(&checked(&files).configuration, &files, &applied).is_empty());
}

/// Every mapping can be made again from what is kept of it.
#[test]
fn a_mapping_is_made_again_from_its_meaning() {
    for files in [base(), super::example::files()] {
        let configuration = checked(&files).configuration;
        for (name, mapping) in &configuration.mappings {
            let schema = &configuration.entities[mapping.entity()];
            let again = mapping::Mapping::again(&mapping.meaning(), mapping.version(), schema);
            let again = again.unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
            assert_eq!((again.digest(), again.version()), (mapping.digest(), mapping.version()), "{name}");
        }
    }
}

/// A version by which events were told, and that the schema has no place for any more, is named once: where the schema moves.
#[test]
fn a_version_that_cannot_be_kept_is_said() {
    let tells = super::folder::ROUTES.to_owned()
        + "  - {route: told, kind: notify, entity: Person, events: [person.updated], system: erp, object: people, \
           mapping: person.told, operation: event}\n";
    let told = |version: u32, row: &str| {
        format!(
            "mapping: person.told\nversion: {version}\nentity: Person\nsystem: erp\nobject: people\nfields:\n  \
             - {{field: name, path: label, direction: out}}\n{row}"
        )
    };
    let nick = "  - {field: nick, path: nick, direction: out}\n";
    let person = with(PERSON, "    name: {", "    nick: {type: string}\n    name: {");
    let person = with(&person, "  name: {owner", "  nick: {pii: none}\n  name: {owner");
    let mut first = base();
    first.put("routes/people.yaml", tells);
    first.put("model/person.yaml", person.clone());
    first.put("mappings/person.told.yaml", told(1, nick));
    let said = |files: &Files, applied: &[&Files]| {
        let applied: Vec<Versioned> =
            applied.iter().flat_map(|files| checked(files).configuration.versions()).collect();
        shown(&unkept(&checked(files).configuration, files, &applied))
    };
    assert_eq!(said(&first, &[&first]), "");
    // Another mapping under the same schema: the one before is kept.
    let second = put(&first, "mappings/person.told.yaml", told(2, ""));
    assert_eq!(said(&second, &[&first]), "");
    // The field has gone from the schema.
    let without = PERSON.replacen("version: 1", "version: 2", 1);
    let third = put(&second, "model/person.yaml", without);
    let warned = said(&third, &[&first]);
    let line = "mappings/person.told.yaml:2:10: warning: version 1 of `person.told`, by which events were told, does not fit the \
                schema of Person any more (";
    assert!(warned.starts_with(line), "{warned}");
    assert!(warned.contains("nick") && warned.contains("are told by version 2"), "{warned}");
    assert!(warned.contains("concord delivery list") && warned.contains("concord plan"), "{warned}");
    assert_eq!(said(&third, &[&first, &third]), "", "it was said when it was applied");
}
