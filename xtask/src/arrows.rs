//! Which crate may use which, checked against `xtask/dependencies.toml` and the manifests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use toml::{Table, Value};

/// Everything that breaks the table. Empty when all is well.
pub(crate) fn check(root: &Path) -> Vec<String> {
    let table: Table = match read(&root.join("xtask/dependencies.toml")) {
        Ok(table) => table,
        Err(problem) => return vec![problem],
    };
    let band_of = bands(&table);
    let allowed = lists(&table, "allowed");
    let forbidden: BTreeSet<String> = table
        .get("forbidden_below_the_line")
        .and_then(|part| part.get("crates"))
        .map(texts)
        .unwrap_or_default()
        .into_iter()
        .collect();
    let mut problems = Vec::new();
    for (name, arrows) in &allowed {
        for to in arrows {
            if band_of.get(to) > band_of.get(name) {
                problems.push(format!("dependencies.toml: {name} → {to} points upwards"));
            }
        }
    }
    problems.extend(cycles(&allowed));
    let Ok(folders) = fs::read_dir(root.join("crates")) else { return vec!["no crates folder".to_owned()] };
    for folder in folders.flatten() {
        let name = folder.file_name().to_string_lossy().into_owned();
        let manifest: Table = match read(&folder.path().join("Cargo.toml")) {
            Ok(manifest) => manifest,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let Some(may) = allowed.get(&name) else {
            problems.push(format!("dependencies.toml: crate {name} is not in the table"));
            continue;
        };
        let uses = manifest.get("dependencies").and_then(Value::as_table).cloned().unwrap_or_default();
        for used in uses.keys() {
            if allowed.contains_key(used) && !may.contains(used) {
                problems.push(format!("crates/{name}: uses {used}, which dependencies.toml does not allow"));
            }
            let low = band_of.get(&name).is_some_and(|band| band.as_str() <= "C");
            if low && forbidden.contains(used) {
                problems.push(format!("crates/{name}: {used} has no place below the line (bands A to C)"));
            }
        }
    }
    problems
}

fn read(path: &Path) -> Result<Table, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    text.parse().map_err(|error| format!("{}: {error}", path.display()))
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn lists(table: &Table, part: &str) -> BTreeMap<String, Vec<String>> {
    let part = table.get(part).and_then(Value::as_table).cloned().unwrap_or_default();
    part.iter().map(|(name, list)| (name.clone(), texts(list))).collect()
}

/// Crate → band.
fn bands(table: &Table) -> BTreeMap<String, String> {
    let bands = lists(table, "bands");
    bands
        .into_iter()
        .flat_map(|(band, names)| names.into_iter().map(move |name| (name, band.clone())))
        .collect()
}

/// Crates that can reach themselves.
fn cycles(allowed: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut problems = Vec::new();
    for start in allowed.keys() {
        let mut seen = BTreeSet::new();
        let mut todo: Vec<&String> = allowed.get(start).into_iter().flatten().collect();
        while let Some(name) = todo.pop() {
            if seen.insert(name) {
                todo.extend(allowed.get(name).into_iter().flatten());
            }
        }
        if seen.contains(start) {
            problems.push(format!("dependencies.toml: {start} can reach itself"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    //! The table holds for this tree.
    #[test]
    fn every_arrow_is_allowed() {
        assert_eq!(super::check(&crate::root()), Vec::<String>::new());
    }

    #[test]
    fn an_upward_arrow_and_a_cycle_are_found() {
        let allowed = [("a", "b"), ("b", "a")].map(|(from, to)| (from.to_owned(), vec![to.to_owned()]));
        assert_eq!(super::cycles(&allowed.into_iter().collect()).len(), 2);
    }
}
