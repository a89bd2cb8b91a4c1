//! Examples in the file: they pass when they say what happens, and say what differs when they do not.

use serde_json::json;

use super::support::{lookups, schema, source};
use crate::{Mapping, MappingError};

const ROWS: &str = concat!(
    "- {field: email, path: properties.email, transform: [trim, lower], equal: folded}\n",
    "- {field: decimal, path: properties.amount, transform: [{decimal: {scale: 2}}]}\n",
    "- {field: account, path: company, ref: {entity: Account, object: companies}}\n",
    "- {path: properties.source, direction: out, constant: concord}\n",
);

fn compiled(examples: &str) -> Result<Mapping, Vec<MappingError>> {
    Mapping::compile(&source(&format!("{ROWS}examples:\n{examples}")), &schema(), &lookups())
}

fn failures(examples: &str) -> Vec<String> {
    compiled(examples).unwrap().run_examples().iter().map(ToString::to_string).collect()
}

#[test]
fn examples_that_tell_the_truth_pass() {
    let examples = r#"
- name: both ways, written nested
  from: {properties: {email: " Ada@Example.com ", amount: "12.50", other: 1}, company: c-1}
  canonical: {email: ada@example.com, decimal: 12.5}
  links: {account: c-1}
  to: {properties: {email: ada@example.com, amount: "12.50", source: concord}, company: c-1}
- name: out, written flat
  canonical: {decimal: "1"}
  to: {properties.amount: "1.00", properties.source: concord}
- name: in
  from: {}
  canonical: {}
- name: a reference without a link
  canonical: {account: rec_00000000000070008000000000000001}
  missing: [account]
  to: {properties.source: concord}
- name: refused when read
  from: {properties: {amount: much}}
  fails: decimal
- name: refused when written
  canonical: {decimal: "0.001"}
  to: {}
  fails: decimal
- name: extensions not looked at, then looked at
  from: {}
  extensions: {}
"#;
    assert_eq!(failures(examples), Vec::<String>::new());
}

#[test]
fn examples_that_are_wrong_say_how() {
    for (example, says) in [
        (
            "- {name: n, from: {properties: {amount: 1}}, canonical: {decimal: 2}}",
            "`examples[0]` (n), reading, `decimal`: expected \"2\", got \"1\"",
        ),
        (
            "- {from: {properties: {amount: 1}}}",
            "`examples[0]`, reading, `decimal`: expected nothing, got \"1\"",
        ),
        (
            "- {from: {}, canonical: {decimal: 1}}",
            "`examples[0]`, reading, `decimal`: expected \"1\", got nothing",
        ),
        ("- {from: {company: c}}", "`examples[0]`, reading, `account`: expected nothing, got \"c\""),
        (
            "- {from: {company: c}, links: {account: d}}",
            "`examples[0]`, reading, `account`: expected \"d\", got \"c\"",
        ),
        (
            "- {from: {}, extensions: {x: 1}}",
            "`examples[0]`, reading, `extensions`: expected {\"x\":1}, got {}",
        ),
        ("- {from: {properties: {email: x}}}", "`examples[0]`, reading, `properties.email`: cannot read"),
        ("- {from: {}, fails: email}", "`examples[0]`, reading, `email`: it must be refused, but was read"),
        ("- {to: {}}", "`examples[0]`, writing, `properties.source`: expected nothing, got \"concord\""),
        (
            "- {canonical: {decimal: 1}, to: {properties: {amount: '1', source: concord}}}",
            "`examples[0]`, writing, `properties.amount`: expected \"1\", got \"1.00\"",
        ),
        (
            "- {to: {properties: {source: concord, sauce: 1}, x: {y: [2]}}}",
            "`examples[0]`, writing, `properties.sauce`: this mapping never writes it",
        ),
        (
            "- {to: {properties.source: concord}, canonical: {account: rec_00000000000070008000000000000001}}",
            "`examples[0]`, writing, `account`: it has no link",
        ),
        (
            "- {canonical: {decimal: '0.001'}, to: {properties.source: concord}}",
            "`examples[0]`, writing, `properties.amount`: cannot write `decimal`",
        ),
    ] {
        let failures = failures(example);
        assert!(failures.first().is_some_and(|text| text.starts_with(says)), "{example}: {failures:?}");
    }
}

#[test]
fn examples_are_checked_when_compiling() {
    for (example, key, says) in [
        ("- {canonical: {email: a@b.co}}", "examples[0]", "it shows nothing"),
        ("- {from: {}, canonical: {emial: x}}", "examples[0].canonical", "did you mean `email`?"),
        ("- {from: {}, links: {acount: x}}", "examples[0].links", "did you mean `account`?"),
        ("- {from: {}, fails: mail}", "examples[0].fails", "did you mean `email`?"),
    ] {
        let errors = compiled(example).unwrap_err();
        assert_eq!((errors[0].row, errors[0].key.as_str()), (None, key), "{example}");
        assert!(errors[0].to_string().contains(says), "{}", errors[0]);
    }
    assert_eq!(json!(compiled("- {from: {}}").unwrap().run_examples().len()), json!(0));
}
