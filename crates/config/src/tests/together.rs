//! What only shows between files: things declared twice, never read, or used by nothing.

use super::folder::{LEVELS, PERSON, PERSON_CRM, ROUTES, base, shown};
use crate::{Files, load};

fn said(files: &Files) -> String {
    match load(files) {
        Ok(checked) => shown(&checked.warnings),
        Err(problems) => shown(&problems),
    }
}

/// The folder that is right, and one more file.
fn with(path: &str, text: &str) -> Files {
    let mut files = base();
    files.put(path, text);
    files
}

#[test]
fn an_empty_folder_says_where_to_start() {
    assert_eq!(
        said(&Files::new()),
        "error: the folder has no concord.yaml\n  = create it; examples/subscription-business/ of the repository is a \
         complete folder"
    );
}

#[test]
fn everything_wrong_is_said_at_once_by_file_and_line() {
    let mut files = base();
    files.put(
        "concord.yaml",
        files.get("concord.yaml").unwrap().replace("ingress: 127.0.0.1:4000", "ingress: here"),
    );
    files.put(
        "model/person.yaml",
        PERSON.replace("pii: basic", "pii: secret").replace("format: email", "format: mail"),
    );
    files.put("routes/people.yaml", ROUTES.replace("lane: bulk", "lane: slow"));
    let said = said(&files);
    let lines: Vec<&str> = said.lines().filter(|line| line.contains(": error: ")).collect();
    assert_eq!(
        lines,
        [
            "concord.yaml:7:12: error: this is not an address and a port: write it like `127.0.0.1:4000` or \
             `[::1]:4000`",
            "model/person.yaml:14:27: error: unknown word `secret`",
            "routes/people.yaml:23:11: error: unknown word `slow`",
        ]
    );
}

#[test]
fn names_are_given_once() {
    let other = with("model/other.yaml", PERSON);
    assert!(said(&other).starts_with(
        "model/person.yaml:1:9: error: the entity `Person` is declared twice\n  |\n1 | entity: Person\n  |         \
         ^^^^^^\n  = it stands in model/other.yaml too: keep one"
    ));
    let other = with("model/other.yaml", &PERSON.replace("entity: Person", "entity: Other"));
    let said = said(&other);
    assert!(said.contains("error: the event `BecameGold` is declared by two entities"), "{said}");
}

#[test]
fn one_object_becomes_one_record() {
    let other = PERSON_CRM.replace("mapping: person.crm", "mapping: person.crm.again");
    assert_eq!(
        said(&with("mappings/again.yaml", &other)),
        "mappings/again.yaml:5:9: error: `people` of `crm` is read by two mappings\n  |\n5 | object: people\n  \
         |         \
         ^^^^^^\n  = `person.crm` reads it too: give the rows of one of them `direction: out`"
    );
}

#[test]
fn one_object_follows_one_route() {
    let again = "routes:\n  - {route: again, kind: sync, entity: Person, system: crm, mapping: person.crm}\n";
    assert_eq!(
        said(&with("routes/again.yaml", again)),
        "routes/people.yaml:2:12: error: two routes bring Person to `people` of `crm`\n  |\n\
         2 |   - route: person.crm\n  |            ^^^^^^^^^^\n  = `again` does it too: one object follows one route"
    );
}

#[test]
fn two_systems_have_two_webhook_addresses() {
    let mut files = base();
    let erp = files.get("systems/erp.yaml").unwrap().to_owned();
    files.put("systems/erp.yaml", format!("{erp}webhook: {{path: crm, secrets: [{{env: ERP_HOOK}}]}}\n"));
    assert_eq!(
        said(&files),
        "systems/erp.yaml:16:17: error: the webhook address `crm` is used twice\n   |\n\
         16 | webhook: {path: crm, secrets: [{env: ERP_HOOK}]}\n   |                 ^^^\n  \
         = `crm` uses it too: give each its own `path`"
    );
}

#[test]
fn what_nothing_uses_is_a_doubt() {
    let mut files = base();
    files.put("lookups/unused.csv", LEVELS);
    files.put(
        "model/thing.yaml",
        "entity: Thing\nversion: 1\nschema: {type: object, properties: {a: {type: string}}}\n",
    );
    files.put(
        "mappings/out.yaml",
        "mapping: out\nversion: 1\nentity: Person\nsystem: erp\nobject: people\n\
         fields: [{field: name, path: a, direction: out}]\n",
    );
    assert_eq!(
        said(&files),
        "lookups/unused.csv: warning: no mapping and no rule uses this table\n  = remove it, or use it\n\
         mappings/out.yaml:1:10: warning: nothing uses the mapping `out`: it reads nothing, and no route writes with \
         it\n  |\n1 | mapping: out\n  |          ^^^\n  = add a route, or remove it\n\
         model/thing.yaml:1:9: warning: no mapping is about Thing\n  |\n1 | entity: Thing\n  |         ^^^^^\n  \
         = add one, or remove it"
    );
}

#[test]
fn a_source_that_never_speaks_is_a_doubt() {
    let mut files = base();
    let own = files.get("connectors/own.yaml").unwrap().to_owned();
    let (start, rest) = own.split_once("    poll:\n").unwrap();
    let (_, end) = rest.split_once("    writes:\n").unwrap();
    files.put("connectors/own.yaml", format!("{start}    writes:\n{end}"));
    files.put(
        "systems/crm.yaml",
        files.get("systems/crm.yaml").unwrap().replace("poll:\n  people: 30s\n", ""),
    );
    assert_eq!(
        said(&files),
        "mappings/person.erp.yaml:5:9: warning: changes of `people` in `erp` come in only when somebody posts them\n  \
         |\n5 | object: people\n  |         ^^^^^^\n  = add `webhook` or `poll` to the system, if its connector can"
    );
}

#[test]
fn a_field_written_only_to_its_owner_is_a_doubt() {
    let mut files = base();
    let (rows, _) = PERSON_CRM.split_once("examples:").unwrap();
    files
        .put("mappings/person.crm.yaml", format!("{rows}  - {{field: email, path: mail, direction: out}}\n"));
    assert_eq!(
        said(&files),
        "mappings/person.crm.yaml:11:13: warning: this row writes a field to the system that owns it: that happens \
         when the object is created, and never again\n   |\n11 |   - {field: email, path: mail, direction: out}\n   \
         |             ^^^^^\n  = remove the row, or let it read (`direction: both`)"
    );
}

/// Whatever line is missing: something is said, or the rest still makes sense, and nothing breaks down.
#[test]
fn no_missing_line_breaks_the_loader() {
    let right = base();
    let mut refused = 0;
    for (path, text) in right.iter().filter(|(path, _)| !path.starts_with("connectors/")) {
        let lines: Vec<&str> = text.lines().collect();
        for missing in 0..lines.len() {
            let rest: Vec<&str> =
                lines.iter().enumerate().filter(|(i, _)| *i != missing).map(|(_, l)| *l).collect();
            let mut files = right.clone();
            files.put(path, rest.join("\n"));
            if let Err(problems) = load(&files) {
                refused += 1;
                assert!(problems.iter().all(|problem| problem.is_error() && !problem.what.is_empty()));
            }
        }
    }
    assert!(refused > 50, "{refused}");
}

#[test]
fn what_expressions_use_counts_as_used() {
    let mut files = base();
    let erp = files.get("mappings/person.erp.yaml").unwrap().to_owned();
    let table = "{field: level, path: class, lookup: {table: levels, from: erp, to: level}}";
    assert!(erp.contains(table));
    let cell = "{field: level, direction: in, expr: \"lookup('levels', 'erp', 'level', object.class)\"}";
    files.put("mappings/person.erp.yaml", format!("{}reads: {{class: text}}\n", erp.replace(table, cell)));
    // Nothing else is read: these paths are what the connector asks for.
    let crm = "mapping: person.crm\nversion: 2\nentity: Person\nsystem: crm\nobject: people\n\
               reads: {email: text, name: text, consent: bool}\nfields:\n  \
               - {field: email, direction: in, expr: lower(object.email)}\n  \
               - {field: name, direction: in, expr: trim(object.name), equal: trimmed}\n  \
               - {field: consent, direction: in, expr: object.consent}\n  \
               - {path: name, direction: out, expr: \"coalesce(record.name, '')\"}\n";
    files.put("mappings/person.crm.yaml", crm.to_owned());
    assert_eq!(said(&files), "");
}

#[test]
fn records_do_not_wait_for_each_other() {
    let written = |row: &str| {
        let mut files = base();
        let own = super::folder::OWN.replace(
            "objects:\n",
            &format!(
                "objects:\n{}",
                super::folder::OWN.split_once("objects:\n").unwrap().1.replace("  people:", "  firms:")
            ),
        );
        files.put("connectors/own.yaml", own);
        files.put(
            "model/person.yaml",
            PERSON
                .replace(
                    "x-entity: Person}\n",
                    "x-entity: Person}\n    firm: {type: string, format: record, x-entity: Firm}\n",
                )
                .replace("  email: {owner: crm}\n", "  email: {owner: crm}\n  firm: {owner: crm}\n"),
        );
        files.put("model/firm.yaml", FIRM);
        files.put("mappings/firm.crm.yaml", FIRM_CRM);
        files.put(
            "mappings/firm.erp.yaml",
            FIRM_CRM.replace("crm", "erp").replace("direction: in", "direction: out"),
        );
        let person =
            "  - {field: firm, path: firm, direction: in, ref: {entity: Firm, object: firms}}\nexamples:";
        files.put("mappings/person.crm.yaml", PERSON_CRM.replace("examples:", person));
        let erp = files.get("mappings/person.erp.yaml").unwrap().to_owned();
        files.put("mappings/person.erp.yaml", erp + row);
        files.put("routes/firms.yaml", "routes:\n  - {route: firm.erp, kind: sync, entity: Firm, system: erp, object: firms, mapping: firm.erp}\n");
        said(&files)
    };
    let folder = |late: &str| {
        written(&format!(
            "  - {{field: firm, path: firm, direction: out, ref: {{entity: Firm, object: firms{late}}}}}\n"
        ))
    };
    let circle = folder("");
    let line = "refer to each other in `erp`, so that two such records would wait for each other for ever";
    let errors: Vec<&str> = circle.lines().filter(|said| said.contains(": error: ")).collect();
    assert_eq!(
        errors,
        [
            format!("mappings/firm.erp.yaml:8:47: error: Firm and Person {line}"),
            format!("mappings/person.erp.yaml:11:47: error: Person and Firm {line}"),
        ],
        "{circle}"
    );
    assert!(circle.contains("add `late: true` to one reference of the circle"), "{circle}");
    assert_eq!(folder(", late: true"), "");
    let asked = written(
        "  - {path: firm, direction: out, expr: \"record.firm != null ? link(record.firm, 'firms') : ''\"}\n",
    );
    assert!(
        asked.contains(&format!("mappings/person.erp.yaml:11:40: error: Person and Firm {line}")),
        "{asked}"
    );
    assert!(asked.contains("what `link()` asks for is always waited for"), "{asked}");
}

#[test]
fn a_record_is_not_found_by_what_comes_later() {
    let mut files = base();
    files.put("model/person.yaml", PERSON.replace("fields: [email]", "fields: [email, parent]"));
    let erp = files
        .get("mappings/person.erp.yaml")
        .unwrap()
        .replace("object: people}}", "object: people, late: true}}");
    files.put("mappings/person.erp.yaml", erp);
    let said = said(&files);
    let line = "mappings/person.erp.yaml:10:77: error: `parent` is part of the match key `email`: a record could not be \
                found before it is there";
    assert!(said.starts_with(line), "{said}");
}

/// I3: what is written without a reference goes on only where it can be found again; else it would be made once more.
#[test]
fn i3_what_comes_later_needs_the_id_of_what_was_made() {
    let said_of = |late: &str, answer: &str| {
        let mut files = base();
        let erp = files.get("mappings/person.erp.yaml").unwrap().to_owned();
        files.put(
            "mappings/person.erp.yaml",
            erp.replace("object: people}}", &format!("object: people{late}}}}}")),
        );
        let own = super::folder::OWN;
        let with = "        answer: {id: {path: id}";
        assert!(own.contains(with));
        files.put("connectors/own.yaml", own.replace(with, answer));
        said(&files)
    };
    let (whole, none) = ("        answer: {id: {path: id}", "        answer: {order: {path: changed_at}");
    assert_eq!(said_of(", late: true", whole), "");
    assert_eq!(said_of("", none), "");
    let said = said_of(", late: true", none);
    let line = "mappings/person.erp.yaml:10:77: error: `people` of `erp` is made by `upsert`, whose answer names no id";
    assert!(said.starts_with(line) && said.contains("or drop `late`"), "{said}");
}

const FIRM: &str = "\
entity: Firm
version: 1
schema:
  type: object
  properties:
    name: {type: string, maxLength: 80}
    head: {type: string, format: record, x-entity: Person}
fields:
  name: {owner: crm, pii: none}
  head: {owner: crm, pii: none}
creators: [crm]
";

const FIRM_CRM: &str = "\
mapping: firm.crm
version: 1
entity: Firm
system: crm
object: firms
fields:
  - {field: name, path: name, direction: in}
  - {field: head, path: head, direction: in, ref: {entity: Person, object: people}}
";
