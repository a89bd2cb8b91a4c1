//! The files of a configuration folder, in memory: read from disk here, or given by a test or simulator.

use std::collections::BTreeMap;
use std::path::Path;

use crate::problem::Problem;
use mapping::suggest;

/// Largest file, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Most files.
const FILES_MAX: usize = 2_000;

/// Folders of a configuration, with the endings of their files.
const FOLDERS: [(&str, &str); 6] = [
    ("connectors", "yaml"),
    ("lookups", "csv"),
    ("mappings", "yaml"),
    ("model", "yaml"),
    ("routes", "yaml"),
    ("systems", "yaml"),
];

/// The folder with fixtures of the configuration's own connectors.
const FIXTURES: &str = "connectors/fixtures";

/// The file at the top.
pub(crate) const TOP: &str = "concord.yaml";

/// Texts by their path from the folder, with `/` between the parts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Files {
    texts: BTreeMap<String, String>,
}

impl Files {
    /// No files yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a file. `path` is from the folder: `model/contact.yaml`.
    pub fn put(&mut self, path: &str, text: impl Into<String>) -> &mut Self {
        self.texts.insert(path.to_owned(), text.into());
        self
    }

    /// A file's text.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// Takes a file away.
    pub fn remove(&mut self, path: &str) -> Option<String> {
        self.texts.remove(path)
    }

    /// All files, by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The files of one folder.
    pub(crate) fn of<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.iter().filter(move |(path, _)| path.split_once('/').is_some_and(|(first, _)| first == folder))
    }

    /// Reads a folder: `concord.yaml` and the known folders in it. Other files are left alone.
    ///
    /// # Errors
    /// When the folder or a file cannot be read, is too large or not UTF-8, or when a file that looks like
    /// configuration stands where it would not be read.
    pub fn read(folder: &Path) -> Result<Self, Vec<Problem>> {
        let mut files = Self::new();
        let mut problems = Vec::new();
        match names(folder) {
            Ok(entries) => {
                for (name, is_folder) in entries {
                    files.take(folder, &name, is_folder, &mut problems);
                }
            }
            Err(error) => problems.push(Problem::of_file(
                "",
                format!("the folder {} cannot be read: {error}", folder.display()),
                "give the path of a folder that holds a concord.yaml",
            )),
        }
        if problems.is_empty() { Ok(files) } else { Err(problems) }
    }

    /// Takes one entry of the folder.
    fn take(&mut self, folder: &Path, name: &str, is_folder: bool, problems: &mut Vec<Problem>) {
        let known = FOLDERS.iter().find(|(known, _)| *known == name);
        match (is_folder, known) {
            (true, Some((_, ending))) => self.take_folder(folder, name, ending, problems),
            (true, None) => {
                let near = suggest::nearest(name, FOLDERS.iter().map(|(known, _)| *known));
                if let Some(near) = near.filter(|near| !folder.join(near).is_dir()) {
                    let what = "this folder is not read";
                    problems.push(Problem::of_file(name, what, format!("did you mean `{near}`?")));
                }
            }
            (false, _) if name == TOP => self.take_file(folder, name, problems),
            (false, _) if matches!(name, "concord.yml" | "concord.json") => {
                problems.push(Problem::of_file(name, "this file is not read", format!("call it `{TOP}`")));
            }
            (false, _) => {}
        }
    }

    fn take_folder(&mut self, folder: &Path, name: &str, ending: &str, problems: &mut Vec<Problem>) {
        let entries = match names(&folder.join(name)) {
            Ok(entries) => entries,
            Err(error) => {
                let hint = "let the user that runs concord read it";
                problems.push(Problem::of_file(name, format!("this folder cannot be read: {error}"), hint));
                return;
            }
        };
        for (file, is_folder) in entries {
            let path = format!("{name}/{file}");
            let found = file.rsplit_once('.').map_or("", |(_, ending)| ending);
            if is_folder && path == FIXTURES {
                // They test manifests; nothing that runs is made of them.
            } else if is_folder {
                problems.push(Problem::of_file(
                    &path,
                    "folders in here are not read",
                    format!("move its files to {name}/"),
                ));
            } else if found == ending {
                self.take_file(folder, &path, problems);
            } else if matches!(found, "yml" | "yaml" | "json" | "csv" | "tsv") {
                let what = format!("files in {name}/ end in .{ending}, so this one is not read");
                problems.push(Problem::of_file(&path, what, "rename or move it"));
            }
        }
    }

    fn take_file(&mut self, folder: &Path, path: &str, problems: &mut Vec<Problem>) {
        if self.texts.len() >= FILES_MAX {
            problems.push(Problem::of_file(
                path,
                format!("there are more than {FILES_MAX} files"),
                "split the folder",
            ));
            return;
        }
        match text_of(&folder.join(path)) {
            Ok(text) => {
                self.texts.insert(path.to_owned(), text);
            }
            Err((what, hint)) => problems.push(Problem::of_file(path, what, hint)),
        }
    }
}

/// What stands in a folder, by name; hidden files are left out.
fn names(folder: &Path) -> std::io::Result<BTreeMap<String, bool>> {
    let mut names = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            // Follows links, so that a mounted configuration works.
            let is_folder = std::fs::metadata(entry.path())?.is_dir();
            names.insert(name, is_folder);
        }
    }
    Ok(names)
}

fn text_of(path: &Path) -> Result<String, (String, String)> {
    let unreadable = |error: std::io::Error| {
        (format!("the file cannot be read: {error}"), "let the user that runs concord read it".to_owned())
    };
    let meta = std::fs::metadata(path).map_err(unreadable)?;
    if !meta.is_file() {
        return Err(("this is not a plain file".to_owned(), "put a file there".to_owned()));
    }
    if meta.len() > FILE_BYTES_MAX {
        let what = format!("the file has {} bytes, at most {FILE_BYTES_MAX} are read", meta.len());
        return Err((what, "split it".to_owned()));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..good].iter().filter(|byte| **byte == b'\n').count();
        (format!("line {line} is not UTF-8 (byte {good} of the file)"), "save the file as UTF-8".to_owned())
    })
}
