//! Older versions of an entity are kept beside the newest, which says how what was written under them is read.

use canonical::{Entity, Fields};
use serde_json::json;

use super::folder::{PERSON, base, shown};
use crate::{Files, Versioned, against, load};

fn with(text: &str, part: &str, by: &str) -> String {
    assert!(text.contains(part), "{part} is not in {text}");
    text.replacen(part, by, 1)
}

/// The older version, with a field that the newer one calls otherwise.
fn one() -> String {
    with(
        PERSON,
        "    consent: {type: boolean}\n",
        "    consent: {type: boolean}\n    nick: {type: string, maxLength: 20}\n",
    )
}

/// The newer version, without a word of how the older one is read.
fn two() -> String {
    let text = with(PERSON, "version: 1", "version: 2");
    let text = with(&text, "required: [name]", "required: [name, level]");
    let text = with(
        &text,
        "    consent: {type: boolean}\n",
        "    consent: {type: boolean}\n    alias: {type: string, maxLength: 20}\n",
    );
    text + "retired: [nick]\n"
}

const UPCAST: &str = "upcast:
  - from: 1
    rows:
      - {field: alias, was: nick}
      - {field: level, default: basic}
    examples:
      - {record: {name: Ada, nick: al}, gives: {name: Ada, alias: al, level: basic}}
";

fn folder(one: Option<&str>, two: &str) -> Files {
    let mut files = base();
    if let Some(one) = one {
        files.put("model/person@1.yaml", one);
    }
    files.put("model/person.yaml", two);
    files
}

fn applied(files: &Files) -> Vec<Versioned> {
    load(files).unwrap_or_else(|problems| panic!("{}", shown(&problems))).configuration.versions()
}

/// What loading says, and what is said against what was applied.
fn said(files: &Files, before: &Files) -> String {
    match load(files) {
        Ok(checked) => shown(&against(&checked.configuration, files, &applied(before))),
        Err(problems) => shown(&problems),
    }
}

#[test]
fn an_older_version_is_kept_beside_and_read_by_the_newer() {
    let before = folder(None, &one());
    let files = folder(Some(&one()), &(two() + UPCAST));
    assert_eq!(said(&files, &before), "");
    let configuration = load(&files).unwrap().configuration;
    let person = Entity::new("Person").unwrap();
    assert_eq!((configuration.entities.len(), configuration.entities[&person].version), (1, 2));
    let mut read: Fields = json!({"name": "Ada", "nick": "al"}).as_object().unwrap().clone();
    configuration.upcaster(&person).unwrap().fields(1, &mut read);
    assert_eq!(json!(read), json!({"name": "Ada", "alias": "al", "level": "basic"}));
    // The files' names say nothing: the newest version counts.
    let mut swapped = base();
    swapped.put("model/person.yaml", one());
    swapped.put("model/person-now.yaml", two() + UPCAST);
    assert_eq!(said(&swapped, &before), "");
    // The steps are a part of what is applied.
    let other = folder(
        Some(&one()),
        &(two() + &with(UPCAST, "default: basic", "default: gold").replace("level: basic", "level: gold")),
    );
    let text = said(&other, &files);
    assert!(
        text.contains("upcast[1].rows[level].default: basic → gold") || text.contains("upcast"),
        "{text}"
    );
    assert!(text.contains("still says `version: 2`"), "{text}");
    // And the way back is open.
    assert_eq!(
        shown(&against(
            &load(&before).unwrap().configuration,
            &before,
            &[applied(&before), applied(&files)].concat()
        )),
        ""
    );
}

#[test]
fn without_a_step_the_newer_version_does_not_follow() {
    let before = folder(None, &one());
    for files in [folder(None, &two()), folder(Some(&one()), &two())] {
        let text = said(&files, &before);
        assert!(
            text.contains("model/person.yaml:5:3: error: `level` is required, and was not: what version 1 wrote is not read by \
                           version 2 (backward)"),
            "{text}"
        );
    }
    let narrower = with(
        &(two() + UPCAST),
        "alias: {type: string, maxLength: 20}",
        "alias: {type: string, maxLength: 9}",
    );
    let text = said(&folder(Some(&one()), &narrower), &before);
    assert!(text.contains("`alias` holds up to 20 characters, and 9 are read"), "{text}");
    let forgotten = with(&(two() + UPCAST), "retired: [nick]\n", "");
    let text = said(&folder(Some(&one()), &forgotten), &before);
    assert!(text.contains("the field `nick` of version 1 is gone, and its name is not retired"), "{text}");
}

#[test]
fn what_is_wrong_with_a_step_is_said_at_its_place() {
    for (part, by, place) in [
        ("was: nick", "was: nik", "model/person.yaml:30:29: error: version 1 has no field `nik`\n"),
        ("field: alias,", "field: alia,", "model/person.yaml:30:17: error: version 2 has no field `alia`\n"),
        ("was: nick", "expr: record.nick + 1", "error: "),
        (
            "default: basic",
            "default: silver",
            "model/person.yaml:31:33: error: it does not fit: expected one of the field's choices",
        ),
        (
            "alias: al, level",
            "alias: la, level",
            "error: the example does not come out: `alias` is \"al\", not \"la\"",
        ),
        ("from: 1", "from: 2", "error: a step reads an older version, and this file is version 2"),
    ] {
        let text = said(&folder(Some(&one()), &(two() + &with(UPCAST, part, by))), &base());
        assert!(text.contains(place), "{place}: {text}");
    }
    let text = said(&folder(None, &(two() + UPCAST)), &base());
    assert!(
        text.contains("error: the folder has no version 1 of Person") && text.contains("model/person@1.yaml"),
        "{text}"
    );
}

#[test]
fn an_older_version_that_is_kept_stays_as_it_was() {
    let before = folder(None, &one());
    let altered = folder(Some(&with(&one(), "maxLength: 80", "maxLength: 70")), &(two() + UPCAST));
    let text = said(&altered, &before);
    assert!(
        text.contains(
            "model/person@1.yaml:2:10: error: version 1 of `Person` is kept otherwise than it was applied: \
                       fields.name.maxLength: 80 → 70"
        ),
        "{text}"
    );
    let twice = folder(Some(&one()), &with(&(two() + UPCAST), "version: 2", "version: 1"));
    let text = said(&twice, &before);
    assert!(
        text.contains("the entity `Person` is declared twice")
            && text.contains("give the newer one another `version`"),
        "{text}"
    );
    // Whose word counted then does not matter any more.
    let gone = folder(
        Some(&with(&one(), "creators: [crm]", "creators: [gone]").replace("owner: erp", "owner: gone")),
        &(two() + UPCAST),
    );
    assert_eq!(said(&gone, &before), "");
}

#[test]
fn steps_are_kept_for_what_was_written_long_ago() {
    let (first, second) = (folder(None, &one()), folder(Some(&one()), &(two() + UPCAST)));
    let mut third = second.clone();
    third.put("model/person@2.yaml", two() + UPCAST);
    let three = with(&(two() + UPCAST), "version: 2", "version: 3");
    third.put("model/person.yaml", three.clone());
    let said = |files: &Files| {
        let checked = load(files).unwrap_or_else(|problems| panic!("{}", shown(&problems)));
        shown(&against(&checked.configuration, files, &[applied(&first), applied(&second)].concat()))
    };
    assert_eq!(said(&third), "");
    let steps = three.find("upcast:").unwrap();
    third.put("model/person.yaml", three[..steps].to_owned());
    let text = said(&third);
    assert!(text.contains("the step from version 1 is gone") && text.contains("add `from: 2`"), "{text}");
}
