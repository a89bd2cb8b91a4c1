//! What a manifest says of its vendor's habits: read, folded into its objects, and refused where it makes no sense.

use std::collections::BTreeMap;

use canonical::rewrite::{Precision, Rewrite};
use canonical::{Object, Rewrites};

use crate::{Connector, Manifest};

const HEAD: &str = "\
connector: toy
version: '1'
about: a toy
auth:
  default: {bearer: {secret: token}}
";

const BODY: &str = "\
kinds:
  row:
    shape: {id: id}
    normalises:
      '*': trim
      phone: [e164]
      note: as_is
    keys: [[email]]
objects:
  people:
    kind: row
    normalises:
      email: [trim, lower]
      phone: as_is
      amount: {decimals: 2}
      name: [collapse, {length: 80}]
      when: {to: seconds}
      tags: {set: ;}
  places:
    kind: row
    keys: [[name, country], [code]]
";

fn bound(body: &str) -> Connector {
    let manifest = Manifest::parse("toy.yaml", &format!("{HEAD}{body}")).unwrap();
    manifest.bind(&BTreeMap::new(), &BTreeMap::new()).unwrap()
}

fn rewrites<'a>(connector: &'a Connector, object: &str) -> &'a Rewrites {
    connector.rewrites(&Object::new(object).unwrap()).unwrap()
}

#[test]
fn an_object_has_what_its_kind_says_and_its_own() {
    let connector = bound(BODY);
    let people = rewrites(&connector, "people");
    assert_eq!(people.at("email"), [Rewrite::Trim, Rewrite::Lower]);
    assert_eq!(people.at("phone"), [], "its own word stands for the kind's");
    assert_eq!(people.at("note"), []);
    assert_eq!(people.at("amount"), [Rewrite::Trim, Rewrite::Decimals(2)]);
    assert_eq!(people.at("name"), [Rewrite::Collapse, Rewrite::Length(80)]);
    assert_eq!(people.at("when"), [Rewrite::Trim, Rewrite::To(Precision::Seconds)]);
    assert_eq!(people.at("tags"), [Rewrite::Trim, Rewrite::Set(";".into())]);
    assert_eq!(rewrites(&connector, "places").at("phone"), [Rewrite::Trim, Rewrite::E164]);
    assert!(connector.rewrites(&Object::new("nobody").unwrap()).is_none());
    assert_eq!(connector.natural_keys(&Object::new("people").unwrap()), [["email"]]);
    let places = connector.natural_keys(&Object::new("places").unwrap());
    assert_eq!(places, [vec!["name".to_owned(), "country".to_owned()], vec!["code".to_owned()]]);
    assert!(connector.natural_keys(&Object::new("nobody").unwrap()).is_empty());
}

#[track_caller]
fn told(from: &str, to: &str, expected: &str) {
    assert!(BODY.contains(from), "{from}");
    let text = format!("{HEAD}{}", BODY.replacen(from, to, 1));
    let errors = Manifest::parse("toy.yaml", &text).map(|_| ()).unwrap_err();
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors, [expected], "{to}");
}

#[test]
fn what_makes_no_sense_is_told_at_its_place() {
    told("phone: [e164]", "phone: [e614]", "toy.yaml:11:15: unknown word `e614`; did you mean `e164`?");
    told("'*': trim", "'*': trin", "toy.yaml:10:7: unknown word `trin`; did you mean `trim`?");
    told("{decimals: 2}", "{decimal: 2}", "toy.yaml:20:16: unknown word `decimal`; did you mean `decimals`?");
    told("{decimals: 2}", "{decimals: two}", "toy.yaml:20:26: expected a whole number from 0 to 4294967295");
    told("{to: seconds}", "{to: second}", "toy.yaml:22:18: unknown word `second`; did you mean `seconds`?");
    told("{to: seconds}", "5", "toy.yaml:22:7: expected a word, or a list of words, found a whole number");
    told(
        "[trim, lower]",
        "[lower, upper]",
        "toy.yaml:18:14: normalises.email: one of `lower`, `upper`, `case` is enough; keep one of them",
    );
    told(
        "[trim, lower]",
        "[]",
        "toy.yaml:18:14: normalises.email: it names nothing; write `as_is`, or leave the path out",
    );
    told(
        "[trim, lower]",
        "[as_is, trim]",
        "toy.yaml:18:14: normalises.email: `as_is` stands beside others; let it stand alone",
    );
    told(
        "{length: 80}",
        "{length: 0}",
        "toy.yaml:21:13: normalises.name: nothing would be left; say how much of a text is kept",
    );
    told(
        "'*': trim",
        "'a*': trim",
        "toy.yaml:10:13: normalises: `a*` is not a path; write `*` for all paths, or `a.*` for those under `a`",
    );
    told(
        "'*': trim",
        "'a..b': trim",
        "toy.yaml:10:15: normalises: `a..b` is not a path: a path must not hold an empty key: two dots meet, or one stands at its start or end",
    );
    told(
        "[[email]]",
        "[[]]",
        "toy.yaml:13:12: keys: a key names nothing; name the paths whose values the vendor holds to be unique together",
    );
    told(
        "[[email]]",
        "[[email, email]]",
        "toy.yaml:13:20: keys: `email` names nothing more; name each path once",
    );
    told("[[email]]", "[[email], [email]]", "toy.yaml:13:21: keys: the same key stands here twice; keep one");
    told(
        "[[email]]",
        "[['a..b']]",
        "toy.yaml:13:13: keys: `a..b` is not a path: a path must not hold an empty key: two dots meet, or one stands at its start or end",
    );
}
