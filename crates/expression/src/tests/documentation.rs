//! `docs/expressions.md` says what the tables here say.

use crate::FUNCTIONS;
use crate::limits::{
    BYTES_MAX, CHARACTERS_MAX, DEPTH_MAX, INPUTS_MAX, NODES_MAX, READ_BYTES_PER_STEP, STEPS_MAX,
};

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/expressions.md");
    std::fs::read_to_string(path).expect("docs/expressions.md")
}

/// In a table `|` ends a cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[test]
fn every_function_is_on_the_page() {
    let mut table = "| | what it gives | for example | |\n|---|---|---|---|\n".to_owned();
    for function in FUNCTIONS {
        let dot = if function.method && !function.each() { "`.` " } else { "" };
        let forms: Vec<String> =
            function.signatures().iter().map(|form| format!("`{}`", cell(form))).collect();
        let (about, example, gives) = (cell(function.about), cell(function.example), cell(function.gives));
        table.push_str(&format!("| {dot}{} | {about} | `{example}` | `{gives}` |\n", forms.join("<br>")));
    }
    let page = page();
    let written =
        page.split_once("<!-- functions -->\n").and_then(|(_, rest)| rest.split_once("<!-- end -->"));
    assert_eq!(written.map(|(table, _)| table), Some(table.as_str()), "put this between the marks:\n{table}");
}

#[test]
fn every_bound_is_on_the_page() {
    let page = page();
    let sizes = [CHARACTERS_MAX, INPUTS_MAX];
    let counts = [DEPTH_MAX, NODES_MAX, STEPS_MAX, BYTES_MAX].map(|count| count as usize);
    for bound in sizes.into_iter().chain(counts) {
        assert!(page.contains(&format!(" | {bound} |\n")), "{bound}");
    }
    assert!(page.contains(&format!("{READ_BYTES_PER_STEP} bytes of text that are read")));
}
