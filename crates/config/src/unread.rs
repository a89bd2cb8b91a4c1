//! A manifest, or fixtures, whose reader stopped at the first key that it does not know: the published schema names the others.

use connector::ManifestError;

use crate::shape::Shape;
use crate::tree::Node;

/// How an error about a key begins, here and in the room of connectors.
const UNKNOWN: &str = "unknown key `";

/// What is wrong with a manifest, with every key in it that nobody knows.
#[must_use]
pub fn of_manifest(text: &str, errors: Vec<ManifestError>) -> Vec<ManifestError> {
    with_all_keys(Shape::Connector, text, errors)
}

/// The same of fixtures.
#[must_use]
pub fn of_fixtures(text: &str, error: ManifestError) -> Vec<ManifestError> {
    with_all_keys(Shape::Fixtures, text, vec![error])
}

fn with_all_keys(shape: Shape, text: &str, mut errors: Vec<ManifestError>) -> Vec<ManifestError> {
    let [only] = errors.as_slice() else { return errors };
    // Only there did the reader stop at a key; whatever else it refused, nothing behind it is known.
    if !only.what.starts_with(UNKNOWN) {
        return errors;
    }
    let Ok(root) = Node::parse(text) else { return errors };
    let (file, first) = (only.file.clone(), (only.line, only.what.clone()));
    let unknown = shape.faults(&root).into_iter().filter(|found| found.clear).map(|found| found.fault);
    let others = unknown.filter(|fault| fault.what.starts_with(UNKNOWN)).filter_map(|fault| {
        let span = fault.span?;
        let (line, column) = (u64::from(span.line), u64::from(span.column));
        let is_first = (line, &fault.what) == (first.0, &first.1);
        let error = ManifestError { file: file.clone(), line, column, what: fault.what, hint: fault.hint };
        (!is_first).then_some(error)
    });
    errors.extend(others);
    errors.sort_by_key(|error| (error.line, error.column));
    // What stands behind an anchor is there once, however often it is meant.
    errors.dedup();
    errors
}

#[cfg(test)]
mod tests {
    use connector::{Fixtures, Manifest};

    use super::*;

    fn told(errors: Vec<ManifestError>) -> Vec<String> {
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_unknown_key_of_a_manifest_is_told_at_once() {
        let whole = Manifest::builtin("stripe").unwrap();
        let text = whole
            .replacen("about: Stripe", "abuot: Stripe", 1)
            .replacen("  concurrency: 20", "  concurency: 20", 1)
            .replacen("{preset: stripe}", "{preset: stripe, more: 1}", 1)
            .replacen("      lookback: 1m", "      lookbak: 1m", 1);
        let errors = of_manifest(&text, Manifest::parse("own.yaml", &text).unwrap_err());
        let told = told(errors);
        let line = |of: &str| text.lines().position(|line| line.contains(of)).unwrap() + 1;
        for (key, hint) in [("abuot", "about"), ("concurency", "concurrency"), ("lookbak", "lookback")] {
            let found = told.iter().filter(|one| one.contains(&format!("unknown key `{key}`")));
            let found: Vec<&String> = found.collect();
            assert_eq!(found.len(), 1, "{told:?}");
            assert!(found[0].starts_with(&format!("own.yaml:{}:", line(key))), "{found:?}");
            assert!(found[0].ends_with(&format!("did you mean `{hint}`?")), "{found:?}");
        }
    }

    #[test]
    fn what_is_wrong_otherwise_stays_as_it_was_told() {
        let whole = Manifest::builtin("stripe").unwrap();
        for (from, to) in [
            ("kind: object\n", "kind: [object]\n"),
            ("ack: 200", "ack: 200\n  ack: 200"),
            ("kind: object", "kind: objekt"),
        ] {
            let text = whole.replacen(from, to, 1);
            let errors = Manifest::parse("own.yaml", &text).unwrap_err();
            assert_eq!(of_manifest(&text, errors.clone()), errors);
        }
        // Every manifest and its fixtures have no key that the schema does not know: else one would be told that is none.
        for name in Manifest::builtin_names() {
            for (shape, text) in [
                (Shape::Connector, Manifest::builtin(name).unwrap()),
                (Shape::Fixtures, Fixtures::builtin(name).unwrap_or("cases: []")),
            ] {
                let found = shape.faults(&Node::parse(text).unwrap());
                let unknown = found.iter().filter(|one| one.clear && one.fault.what.starts_with(UNKNOWN));
                assert_eq!(unknown.count(), 0, "{name}");
            }
        }
    }

    #[test]
    fn fixtures_likewise() {
        let text = "cases:\n  - name: a\n    cal: {identity: {}}\n    answer: []\n";
        let Err(error) = Fixtures::parse("own.yaml", text) else { panic!("it takes {text}") };
        let told = told(of_fixtures(text, error)).join("; ");
        assert!(
            told.contains("3:5: unknown key `cal`") && told.contains("4:5: unknown key `answer`"),
            "{told}"
        );
    }
}
