//! What every file must look like: a room description first, a bounded size, no marks of unfinished work, no paths
//! or hosts of the machine it was written on.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines a file may have, and the share of files that may have more (none beyond `LINES_HARD`).
const LINES_MAX: usize = 500;
const LINES_HARD: usize = 800;
const SHARE_OVER_PERCENT: usize = 5;
/// Longest line of Rust; tables of test data may be wider.
const COLUMNS_MAX: usize = 150;

/// Everything that is untidy. Empty when all is well.
pub(crate) fn check(root: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    let mut files = Vec::new();
    for part in ["crates", "xtask", "connectors", "examples", "docs"] {
        collect(&root.join(part), &mut files);
    }
    for top in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        files.push(root.join(top));
    }
    let (mut rust, mut over) = (0, Vec::new());
    for path in &files {
        let Ok(text) = fs::read_to_string(path) else {
            if path.extension().is_some_and(|e| e == "md" || e == "rs") {
                problems.push(format!("{}: can't be read", path.display()));
            }
            continue;
        };
        let shown = path.strip_prefix(root).unwrap_or(path).display().to_string();
        problems.extend(words(&shown, &text, root));
        if path.extension().is_some_and(|extension| extension == "rs") {
            rust += 1;
            if !text.starts_with("//!") {
                problems.push(format!("{shown}:1: the first line must say, after //!, what the room is for"));
            }
            for (number, line) in text.lines().enumerate() {
                if line.chars().count() > COLUMNS_MAX && !shown.contains("tests") && !line.contains("//! |") {
                    problems.push(format!("{shown}:{}: longer than {COLUMNS_MAX} columns", number + 1));
                }
            }
            let lines = text.lines().count();
            if lines > LINES_HARD {
                problems.push(format!("{shown}: {lines} lines, more than {LINES_HARD}: split it by meaning"));
            } else if lines > LINES_MAX {
                over.push(format!("{shown}: {lines} lines"));
            }
        }
    }
    if over.len() * 100 > rust * SHARE_OVER_PERCENT {
        problems
            .push(format!("more than {SHARE_OVER_PERCENT} % of {rust} files have over {LINES_MAX} lines:"));
        problems.extend(over);
    }
    problems
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir()
            && !["target", "node_modules", "venv"].contains(&name.as_str())
            && !name.starts_with('.')
        {
            collect(&path, into);
        } else if path.is_file() {
            into.push(path);
        }
    }
}

/// Words that mark unfinished work or leak where it was made. Split, so that this file does not hold them.
fn words(shown: &str, text: &str, root: &Path) -> Vec<String> {
    // Where this tree happens to lie is nobody's business; at the top of a file system it would be in every path.
    let here = root.display().to_string();
    let unwanted = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("todo", "!("),
        concat!("unimple", "mented!("),
        concat!("not imple", "mented yet"),
        concat!("../", "shared"),
        concat!("/root", "/"),
    ];
    let mut problems = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for word in unwanted.iter().copied().chain([here.as_str()].into_iter().filter(|here| here.len() > 1))
        {
            if line.contains(word) {
                problems.push(format!("{shown}:{}: {word:?} has no place here", number + 1));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    //! The tree is tidy.
    #[test]
    fn the_tree_is_tidy() {
        assert_eq!(super::check(&crate::root()), Vec::<String>::new());
    }

    #[test]
    fn unfinished_marks_are_found() {
        let text = format!("fine\n// {} later", concat!("TO", "DO"));
        assert_eq!(super::words("x.rs", &text, std::path::Path::new("/nowhere/at/all")).len(), 1);
    }
}
