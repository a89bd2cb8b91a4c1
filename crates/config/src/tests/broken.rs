//! The table of mistakes, `broken.txt`: each breaks the folder that is right in one place, and is said in these words
//! at this place.
//!
//! A case is the file, the text there (`- `), what is written instead (`+ `), and everything that loading says.

use super::folder::{base, shown};
use crate::{Files, load};

const TABLE: &str = include_str!("broken.txt");

/// One mistake.
struct Mistake {
    file: String,
    from: String,
    to: String,
    said: String,
}

impl Mistake {
    fn parse(case: &str) -> Self {
        let (file, rest) = case.split_once('\n').unwrap();
        let lines = |mark: &str| {
            let marked = rest.lines().filter_map(|line| line.strip_prefix(mark));
            marked.collect::<Vec<_>>().join("\n")
        };
        let said = rest.lines().filter(|line| !line.starts_with("- ") && !line.starts_with("+ "));
        let said = said.collect::<Vec<_>>().join("\n").trim_end().to_owned();
        Self { file: file.to_owned(), from: lines("- "), to: lines("+ "), said }
    }

    fn broken(&self) -> Files {
        let mut files = base();
        let text = files.get(&self.file).unwrap_or_else(|| panic!("there is no {}", self.file)).to_owned();
        assert!(text.contains(&self.from), "{} does not hold {:?}", self.file, self.from);
        files.put(&self.file, text.replacen(&self.from, &self.to, 1));
        files
    }
}

#[test]
fn every_mistake_is_said_with_its_place_and_a_way_out() {
    let mut wrong = String::new();
    let mut count = 0;
    for case in TABLE.split("=== ").skip(1) {
        let case = case.split("\n# ").next().unwrap_or(case);
        let mistake = Mistake::parse(case);
        let said = match load(&mistake.broken()) {
            Ok(checked) => shown(&checked.warnings),
            Err(problems) => shown(&problems),
        };
        count += 1;
        if said != mistake.said {
            let marked = |mark: &str, text: &str| -> String {
                text.split('\n').map(|line| format!("{mark} {line}\n")).collect()
            };
            let (from, to) = (marked("-", &mistake.from), marked("+", &mistake.to));
            wrong.push_str(&format!("=== {}\n{from}{to}{said}\n\n", mistake.file));
        }
    }
    assert!(wrong.is_empty(), "these say something else now:\n{wrong}");
    assert!(count >= 100, "{count} mistakes");
}

#[test]
fn a_text_that_is_too_long_is_told_how_long_it_may_be() {
    let row = "{field: balance, path: balance, direction: out, transform: [{decimal: {scale: 2}}]}";
    let long = format!("{{path: balance, direction: out, expr: \"{}\"}}", "1".repeat(1001));
    let file = "mappings/person.erp.yaml".to_owned();
    let mistake = Mistake { file, from: row.to_owned(), to: long, said: String::new() };
    let said = load(&mistake.broken()).map(drop).unwrap_err();
    assert_eq!(said[0].what, "the text has more than 1000 characters");
}
