//! Where a connector's manifest and fixtures are: in the program, or in files beside each other.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use config::Problem;
use connector::{Fixtures, Manifest, ManifestError};
use mapping::suggest;

use crate::exit::Exit;

/// The folder of a configuration's own manifests.
const FOLDER: &str = "connectors";
/// The folder with their fixtures, inside it.
const FIXTURES: &str = "fixtures";

/// Marks what only a person can answer, in manifests that were made of a document.
pub(super) const OPEN: &str = "OPEN:";

fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

/// A connector's files.
#[derive(Debug)]
pub(super) struct Found {
    /// What it is called on the command line.
    pub(super) name: String,
    /// The manifest's file, for messages.
    pub(super) file: String,
    text: String,
    /// Its file, where it does not come with Concord.
    path: Option<PathBuf>,
}

/// By a file's path, or the name of one of the folder's, or of one that comes with Concord.
pub(super) fn find(name: &str, dir: &Path) -> anyhow::Result<Found> {
    let own = dir.join(FOLDER).join(format!("{name}.yaml"));
    for path in [PathBuf::from(name), own] {
        if path.is_file() {
            return read(path);
        }
    }
    match Manifest::builtin(name) {
        Some(text) => {
            let (name, file) = (name.to_owned(), format!("{name}.yaml (comes with Concord)"));
            Ok(Found { name, file, text: text.to_owned(), path: None })
        }
        None => {
            let folder = of_folder(dir).unwrap_or_default();
            let mut known: Vec<&str> = Manifest::builtin_names().collect();
            known.extend(folder.iter().map(|found| found.name.as_str()));
            let hint = suggest::hint(name, known);
            Err(Exit::NotFound.because(format!("there is no connector `{name}`, and no such file; {hint}")))
        }
    }
}

/// Those of a configuration's folder, by name.
pub(super) fn of_folder(dir: &Path) -> anyhow::Result<Vec<Found>> {
    let folder = dir.join(FOLDER);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.with_context(|| format!("the folder {} cannot be read", folder.display()))?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("the folder {} cannot be read", folder.display()))?.path();
        if path.is_file() && path.extension().is_some_and(|ending| ending == "yaml") {
            paths.push(path);
        }
    }
    paths.sort();
    paths.into_iter().map(read).collect()
}

fn read(path: PathBuf) -> anyhow::Result<Found> {
    let text =
        fs::read_to_string(&path).with_context(|| format!("the file {} cannot be read", path.display()))?;
    let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Found { name, file: path.display().to_string(), text, path: Some(path) })
}

impl Found {
    /// The manifest, or all that is wrong with it.
    pub(super) fn manifest(&self) -> Result<Manifest, Vec<Problem>> {
        let of = |error| Problem::of_manifest(&self.text, error);
        let all = |errors| config::unread::of_manifest(&self.text, errors).into_iter().map(of).collect();
        Manifest::parse(&self.file, &self.text).map_err(all)
    }

    /// What its author has still to answer: an error where everything must be shown.
    pub(super) fn open_questions(&self, strict: bool) -> Option<Problem> {
        let open = |(_, line): &(usize, &str)| line.contains(OPEN);
        let lines: Vec<(usize, &str)> = self.text.lines().enumerate().filter(open).collect();
        let (number, line) = lines.first()?;
        let place = |count: usize| u64::try_from(count + 1).unwrap_or(u64::MAX);
        let column =
            line.find(OPEN).map_or(1, |at| place(line.get(..at).unwrap_or_default().chars().count()));
        let error = ManifestError {
            file: self.file.clone(),
            line: place(*number),
            column,
            what: format!("{} open: this is the first", counted(lines.len(), "question is", "questions are")),
            hint: Some(
                "answer it from the vendor's documents or by trying, and take the mark away".to_owned(),
            ),
        };
        let problem = Problem::of_manifest(&self.text, error);
        Some(if strict { problem } else { problem.warning() })
    }

    /// Whether it comes with Concord.
    pub(super) const fn is_builtin(&self) -> bool {
        self.path.is_none()
    }

    /// The file with its fixtures, for messages.
    pub(super) fn fixtures_file(&self) -> String {
        match self.fixtures_path() {
            Some(path) => path.display().to_string(),
            None => format!("{FIXTURES}/{}.yaml (comes with Concord)", self.name),
        }
    }

    fn fixtures_path(&self) -> Option<PathBuf> {
        let path = self.path.as_ref()?;
        Some(path.parent().unwrap_or(Path::new("")).join(FIXTURES).join(path.file_name()?))
    }

    /// Its fixtures, from `file` if that is given; `None` when there are none.
    pub(super) fn fixtures(&self, file: Option<&Path>) -> Result<Option<Fixtures>, Vec<Problem>> {
        let Some(path) = file.map(Path::to_path_buf).or_else(|| self.fixtures_path()) else {
            return Fixtures::builtin(&self.name)
                .map(|text| self.parsed(&self.fixtures_file(), text))
                .transpose();
        };
        match fs::read_to_string(&path) {
            Ok(text) => self.parsed(&path.display().to_string(), &text).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound && file.is_none() => Ok(None),
            Err(error) => {
                let what = format!("the fixtures cannot be read: {error}");
                Err(vec![Problem::of_file(
                    &path.display().to_string(),
                    what,
                    "check the path and its rights",
                )])
            }
        }
    }

    fn parsed(&self, file: &str, text: &str) -> Result<Fixtures, Vec<Problem>> {
        let of = |error| Problem::of_manifest(text, error);
        let all = |error| config::unread::of_fixtures(text, error).into_iter().map(of).collect();
        Fixtures::parse(file, text).map_err(all)
    }

    /// A problem of a case.
    pub(super) fn in_fixtures(&self, (line, column): (u64, u64), what: &str) -> Problem {
        let file = self.fixtures_file();
        let error = ManifestError { file, line, column, what: what.to_owned(), hint: None };
        let text = match self.fixtures_path() {
            Some(path) => fs::read_to_string(path).unwrap_or_default(),
            None => Fixtures::builtin(&self.name).unwrap_or_default().to_owned(),
        };
        Problem::of_manifest(&text, error)
    }

    /// The manifest does not take what the fixtures set.
    pub(super) fn of_fixtures(&self, errors: &[ManifestError]) -> Vec<Problem> {
        errors.iter().map(|error| Problem::of_manifest(&self.text, error.clone())).collect()
    }
}
