//! Problems: what is wrong in the folder, where, and what would be right. Shown like a compiler's messages.

use std::fmt;

use guard::redact::is_secret_key;
use guard::secret::REDACTED;

use crate::tree::Span;

/// Whether a configuration can be used in spite of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can be used, but does something that is probably not meant.
    Warning,
}

/// One thing that is wrong in the folder.
///
/// Shown as `file:line:column: error: what`, the line with a caret under the place, and a hint. The line is cut
/// off behind keys that name a credential, so that a secret pasted into the wrong place is not shown (I15).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Problem {
    /// The file, from the folder; empty when it is about the folder itself.
    pub file: String,
    /// The line, from 1; 0 when it is about the file as a whole.
    pub line: u32,
    /// The column in characters, from 1; 0 when it is about the file as a whole.
    pub column: u32,
    /// Whether the configuration can be used in spite of it.
    pub severity: Severity,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub hint: Option<String>,
    /// The line, and how many characters of it are meant.
    pub excerpt: Option<Excerpt>,
}

/// A line of a file with the part that is meant.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Excerpt {
    /// The line, without what may be secret.
    pub line: String,
    /// How many characters the caret underlines, at least 1.
    pub width: u32,
}

/// What is shown of a line at most, in characters.
const LINE_CHARS_MAX: usize = 160;

impl Problem {
    /// About a file as a whole, or about the folder when `file` is empty.
    #[must_use]
    pub fn of_file(file: &str, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            column: 0,
            severity: Severity::Error,
            what: what.into(),
            hint: Some(hint.into()),
            excerpt: None,
        }
    }

    /// About a place in a file. `cut` is the column from which that line holds a secret.
    pub(crate) fn at(file: &str, text: &str, span: Span, cut: Option<u32>, what: impl Into<String>) -> Self {
        // What is about the file as a whole has no line.
        let line = span.line.checked_sub(1).and_then(|line| text.lines().nth(line as usize));
        let excerpt = line.map(|line| Excerpt::of(line, span, cut));
        Self {
            file: file.to_owned(),
            line: span.line,
            column: span.column,
            severity: Severity::Error,
            what: what.into(),
            hint: None,
            excerpt,
        }
    }

    /// About a place that another reader found.
    pub(crate) fn in_file(file: &str, text: &str, line: u64, column: u64, what: impl Into<String>) -> Self {
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Self::at(file, text, Span { line: small(line), column: small(column), width: 1 }, None, what)
    }

    /// What a reader of manifests or fixtures found wrong in `text`, which is that file's.
    #[must_use]
    pub fn of_manifest(text: &str, error: connector::ManifestError) -> Self {
        let mut problem = Self::in_file(&error.file, text, error.line, error.column, error.what);
        if let Some(excerpt) = &mut problem.excerpt {
            let left = excerpt.line.chars().count().saturating_sub(problem.column.saturating_sub(1) as usize);
            let word = excerpt.line.chars().skip(problem.column.saturating_sub(1) as usize);
            excerpt.width = word_width(word).min(u32::try_from(left).unwrap_or(u32::MAX)).max(1);
        }
        problem.hint = error.hint;
        problem
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same of a folder that lies in another: `folder` comes before the file's path.
    #[must_use]
    pub fn under(mut self, folder: &str) -> Self {
        self.file = if self.file.is_empty() { folder.to_owned() } else { format!("{folder}/{}", self.file) };
        self
    }

    /// The same as a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// Whether it keeps the configuration from being used.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl Excerpt {
    /// `cut` is the column from which the line holds a secret.
    fn of(line: &str, span: Span, cut: Option<u32>) -> Self {
        let column = span.column.saturating_sub(1) as usize;
        let mut shown: String = line.chars().take(LINE_CHARS_MAX.max(column + 1)).collect();
        let mut width = (span.width as usize).max(1);
        if let Some(cut) = cut.map(|cut| cut.saturating_sub(1) as usize).or_else(|| credential_from(line)) {
            shown = line.chars().take(cut).chain(REDACTED.chars()).collect();
            if column >= cut {
                width = REDACTED.len();
            }
        }
        let width = width.min(shown.chars().count().saturating_sub(column).max(1));
        Self { line: shown, width: u32::try_from(width).unwrap_or(1) }
    }
}

/// Where the value of a key that names a credential starts, in characters, in a line that could not be read.
/// References to credentials (`{env: NAME}`) name a place and are shown.
fn credential_from(line: &str) -> Option<usize> {
    let (key, value) = line.split_once(':')?;
    let name = key.trim().trim_start_matches("- ").trim_matches(['"', '\'']);
    let value = value.trim();
    let reference = value.is_empty() || value.starts_with(['{', '[', '#', '&', '*', '|', '>']);
    (is_credential(name) && !reference).then(|| key.chars().count() + 2)
}

/// How many characters the key or value has that a line begins with: to its closing quote, or to what ends it.
fn word_width(line: impl Iterator<Item = char>) -> u32 {
    let line: Vec<char> = line.collect();
    let wide = match line.first() {
        Some(quote @ ('"' | '\'')) => {
            let inside = line.iter().skip(1).position(|c| c == quote);
            inside.map_or(line.len(), |at| at + 2)
        }
        // A table or list: its beginning.
        Some('{' | '[') | None => 1,
        Some(_) => {
            let next = |at: usize| line.get(at + 1).copied().unwrap_or(' ');
            let ends = |(at, c): (usize, &char)| match c {
                ',' | ':' => next(at).is_whitespace(),
                '#' => at > 0 && line.get(at - 1).is_some_and(|c| c.is_whitespace()),
                '}' | ']' => true,
                _ => false,
            };
            let ended = line.iter().enumerate().position(ends).unwrap_or(line.len());
            let word = line.get(..ended).unwrap_or_default();
            word.iter().rposition(|c| !c.is_whitespace()).map_or(1, |last| last + 1)
        }
    };
    u32::try_from(wide).unwrap_or(u32::MAX)
}

/// Whether a key of a file names a credential.
pub(crate) fn is_credential(key: &str) -> bool {
    is_secret_key(key) || key == "root_key"
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.as_str(), self.line) {
            ("", _) => {}
            (file, 0) => write!(f, "{file}: ")?,
            (file, line) => write!(f, "{file}:{line}:{}: ", self.column)?,
        }
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}", self.what)?;
        if let Some(excerpt) = &self.excerpt {
            let number = self.line.to_string();
            let gutter = " ".repeat(number.len());
            let indent = " ".repeat(self.column.saturating_sub(1) as usize);
            let carets = "^".repeat(excerpt.width as usize);
            write!(f, "\n{gutter} |\n{number} | {}\n{gutter} | {indent}{carets}", excerpt.line)?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\n  = {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}
