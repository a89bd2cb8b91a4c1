//! What a sample leaves over, lacks, and is not said of.

use serde_json::json;

use super::support::{compile, fields, lookups, normalise, project, schema, source};
use crate::Mapping;

const ROWS: &str = concat!(
    "- {field: text, path: a.name}\n",
    "- {field: email, path: a.mail, direction: in}\n",
    "- {field: other, direction: in, transform: [{concat: {parts: [street, town], separator: ' '}}]}\n",
    "- {field: account, path: company.id, ref: {entity: Account, object: companies}}\n",
    "- {path: kind, direction: out, constant: x}\n",
    "- {direction: out, path: full, transform: [{concat: {parts: [text, other], separator: ' '}}]}",
);

#[test]
fn reading_says_what_it_leaves_what_it_lacks_and_what_says_nothing() {
    let mut written = source(ROWS);
    written.extensions = vec!["score".to_owned(), "rank".to_owned()];
    let mapping = Mapping::compile(&written, &schema(), &lookups()).unwrap();
    let sample = json!({
        "a": {"name": null, "b.c": 1, "d": []}, "town": "Bergen", "company": null, "score": 7, "list": [{"x": 1}]
    });
    let coverage = mapping.coverage_in(&fields(sample.clone()), &normalise(&mapping, sample).unwrap());
    assert_eq!(coverage.unused, [r"a.b\.c", "a.d", "list.0.x"]);
    assert_eq!(coverage.missing, ["a.mail", "rank", "street"]);
    assert_eq!(coverage.silent, ["text", "account"], "null keeps what is there");
    assert_eq!(coverage.rows, 6);
}

#[test]
fn writing_says_what_it_leaves_what_it_lacks_and_what_says_nothing() {
    let mapping = compile(ROWS);
    let account = canonical::RecordId::from_parts(canonical::Wall(0), 1).to_string();
    let record = json!({"text": " ", "email": "a@b.co", "account": account});
    let coverage = mapping.coverage_out(&fields(record.clone()), &project(&mapping, record).unwrap());
    assert_eq!(coverage.unused, ["email"]);
    assert_eq!(coverage.missing, ["other"]);
    assert_eq!(coverage.silent, ["a.name", "full"], "the account is not silent: it has no link");
    assert_eq!(coverage.rows, 4);
}
