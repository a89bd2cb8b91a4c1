//! Reading YAML: places, budgets, and what is refused.

use std::fmt::Write as _;

use crate::document::Document;
use crate::tree::{Node, Yaml};

fn refused(text: &str) -> String {
    Document::parse("x.yaml", text).unwrap_err().to_string()
}

#[test]
fn places_are_lines_and_columns_of_characters() {
    let root = Node::parse("a: 1\nü: {b: \"two\"}\nlist:\n  - x\n  - y: z\n").unwrap();
    let place = |node: &Node| (node.span.line, node.span.column);
    assert_eq!(place(root.get("a").unwrap()), (1, 4));
    assert_eq!(place(root.get("ü").unwrap().get("b").unwrap()), (2, 8));
    let list = root.get("list").unwrap();
    assert_eq!(place(list.get("0").unwrap()), (4, 5));
    let entry = list.get("1").unwrap().entry("y").unwrap();
    assert_eq!((entry.span.line, entry.span.column), (5, 5));
    assert_eq!(place(&entry.node), (5, 8));
}

#[test]
fn words_stay_words() {
    let root = Node::parse("no: no\nzip: 01234\nbig: 1_000\nversion: 1.10\nnothing: ~\n").unwrap();
    assert_eq!(root.get("no").unwrap().value, Yaml::Text("no".to_owned()));
    assert_eq!(root.get("zip").unwrap().value, Yaml::Text("01234".to_owned()));
    assert_eq!(root.get("big").unwrap().value, Yaml::Text("1_000".to_owned()));
    assert_eq!(root.get("nothing").unwrap().value, Yaml::Null);
}

#[test]
fn a_bomb_is_refused_before_it_grows() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let inner = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{inner}]").unwrap();
    }
    let shown = refused(&bomb);
    assert!(
        shown.contains("error: it repeats too much by aliases (at most 100, and 5000 values)"),
        "{shown}"
    );
    assert!(shown.ends_with("= write it out"), "{shown}");
}

#[test]
fn depth_and_size_are_bounded() {
    let shown = refused(&"[".repeat(100));
    assert!(shown.contains("error: it is nested deeper than 32 levels"), "{shown}");
    let mut deep = String::new();
    for level in 0..40 {
        writeln!(deep, "{}a:", " ".repeat(level)).unwrap();
    }
    let shown = refused(&deep);
    assert!(shown.contains("error: it is nested deeper than 32 levels"), "{shown}");
    let shown = refused(&"- x\n".repeat(60_000));
    assert!(shown.contains("error: it holds more than 50000 values"), "{shown}");
}

#[test]
fn what_is_not_plain_yaml_is_refused_with_its_place() {
    let cases = [
        (
            "a: 1\na: 2\n",
            "x.yaml:2:1: error: the key `a` stands here twice\n  |\n2 | a: 2\n  | ^\n  = keep one of them",
        ),
        (
            "a: &a {x: 1}\nb:\n  <<: *a\n",
            "x.yaml:3:3: error: merge keys (`<<`) are not taken\n  |\n3 |   <<: *a\n  |   ^^\n  \
             = write the keys out: what a file says must be readable where it stands",
        ),
        (
            "a: 1\n---\nb: 2\n",
            "x.yaml:2:1: error: the file holds more than one document\n  |\n2 | ---\n  | ^^^\n  = make it two files",
        ),
        (
            "a: *nope\n",
            "x.yaml:1:4: error: this alias names no anchor\n  |\n1 | a: *nope\n  |    ^\n  \
             = define it before its use: `&name`",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(refused(text), message);
    }
    assert!(refused("a: !secret x\n").contains("the tag"), "{}", refused("a: !secret x\n"));
    assert!(refused("a: [1\n").contains("error: it is not YAML"), "{}", refused("a: [1\n"));
}

#[test]
fn a_secret_in_a_line_that_cannot_be_read_is_not_shown() {
    let shown = refused("connection:\n  token: sk_live_4eC39HqLyjWDarjtT1zdp7dc: [\n");
    assert!(!shown.contains("4eC39"), "{shown}");
    assert!(shown.contains("token: [redacted]"), "{shown}");
}
