//! `concord schema`: the JSON Schema of a configuration file, as editors read it.

use std::path::Path;

use crate::arguments::Schema;
use crate::exit::Exit;
use crate::output::Output;

/// Folders of a configuration, with the kind of their files.
const FOLDERS: [(&str, &str); 6] = [
    ("model", "entity"),
    ("mappings", "mapping"),
    ("routes", "routes"),
    ("systems", "system"),
    ("connectors", "connector"),
    ("fixtures", "fixtures"),
];

/// Writes a schema.
pub(crate) fn run(given: &Schema, output: &Output) -> anyhow::Result<Exit> {
    let kind = kind(&given.of).unwrap_or(&given.of);
    match config::schemas().iter().find(|(name, _)| *name == kind) {
        Some((_, text)) => {
            output.data(text.trim_end());
            Ok(Exit::Done)
        }
        None => {
            let kinds: Vec<&str> = config::schemas().iter().map(|(name, _)| *name).collect();
            Err(Exit::NotFound.because(format!(
                "there is no schema for {:?}: give a file of a configuration folder, or one of {}",
                given.of,
                kinds.join(", ")
            )))
        }
    }
}

/// The kind of a file, by its name or its folder.
fn kind(file: &str) -> Option<&'static str> {
    let path = Path::new(file);
    if path.file_name()? == "concord.yaml" {
        return Some("concord");
    }
    let folder = path.parent()?.file_name()?;
    FOLDERS.iter().find(|(name, _)| folder == *name).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    //! Files are known by where they lie.
    use super::{FOLDERS, kind};

    #[test]
    fn files_are_known_by_their_name_or_their_folder() {
        for (file, expected) in [
            ("concord.yaml", Some("concord")),
            ("a/b/concord.yaml", Some("concord")),
            ("mappings/contact.crm.yaml", Some("mapping")),
            ("./x/model/contact.yaml", Some("entity")),
            ("connectors/fixtures/own.yaml", Some("fixtures")),
            ("mapping", None),
            ("contact.yaml", None),
            ("..", None),
        ] {
            assert_eq!(kind(file), expected, "{file}");
        }
        for (_, kind) in FOLDERS {
            assert!(config::schemas().iter().any(|(name, _)| *name == kind), "{kind}");
        }
    }
}
