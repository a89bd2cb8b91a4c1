//! Fixtures: requests and answers per operation and error class, run against a manifest without a network.
//!
//! A file says for each case which call makes which request, and what each answer means; for each message of a
//! webhook, what is read from it. The answers are recorded or written as the vendor documents them, with nobody's
//! values in them. A [`Report`] tells what does not hold, and which operations and classes no case shows.

mod case;
mod differ;
mod job;
mod kept;
mod lacking;
mod run;
mod shown;
mod source;
#[cfg(test)]
mod tests;

use canonical::Wall;

use crate::connector::Connector;
use crate::error::ManifestError;
use crate::manifest::{self, Manifest};
use source::Source;

pub use case::{NoCase, case};
pub use shown::Shown;
pub(crate) use source::{intent, key};

/// When the calls of fixtures are made and answered: 2026-11-22T12:00:00Z.
pub(crate) const NOW: Wall = Wall(1_795_348_800_000_000);

/// The classes that fixtures of what writes must show at least once, besides those that rules name.
const CLASSES: &[&str] = &["applied", "rate_limited", "validation", "uncertain"];

/// The fixtures of one connector.
#[derive(Debug)]
pub struct Fixtures {
    source: Source,
}

/// What kind of case it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CaseKind {
    /// A call with its answers.
    Call,
    /// Several records in one call.
    Batch,
    /// Several records in a job.
    Job,
    /// A message that a webhook takes.
    Message,
    /// A `CloudEvent`.
    Event,
    /// What the vendor makes of a value.
    Kept,
}

impl CaseKind {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Batch => "batch",
            Self::Job => "job",
            Self::Message => "message",
            Self::Event => "event",
            Self::Kept => "kept",
        }
    }
}

/// What became of one case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CaseReport {
    /// What it is called.
    pub name: String,
    /// Its line in the file, from 1.
    pub line: u64,
    /// Its column, from 1.
    pub column: u64,
    /// Its kind.
    pub kind: CaseKind,
    /// The operation it shows, such as `contacts/upsert`; `None` for messages.
    pub operation: Option<String>,
    /// How many answers it holds.
    pub answers: usize,
    /// What does not hold; nothing if it does. Tells values of the fixture.
    pub problems: Vec<String>,
}

/// What became of all of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Each case, in the order of the file: calls, batches, jobs, messages, events, what is kept.
    pub cases: Vec<CaseReport>,
    /// Operations that no case shows, such as `contacts/upsert`; of objects that share one, the first.
    pub unshown_operations: Vec<String>,
    /// Classes of outcome that every connector meets, or that a rule names, and that no case shows.
    pub unshown_classes: Vec<String>,
    /// Operations that repeat by a key of the vendor's, and of which no case states a request with it.
    pub unshown_keys: Vec<String>,
    /// Rules about messages that no message of a case matches, by place and kind; those that ignore need none.
    pub unshown_messages: Vec<String>,
    /// Paths of `normalises`, such as `contacts.email`, of which no case says what is kept.
    pub unshown_rewrites: Vec<String>,
}

impl Report {
    /// Whether each case holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.cases.iter().all(|case| case.problems.is_empty())
    }

    /// Whether every operation, class, key, rule about messages and rewritten path is shown.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.lacking().is_empty()
    }

    /// What no case shows, in sentences.
    #[must_use]
    pub fn lacking(&self) -> Vec<String> {
        let operations = self.unshown_operations.iter();
        let operations = operations.map(|name| format!("no case shows the operation `{name}`"));
        let keys = self.unshown_keys.iter();
        let keys = keys.map(|name| format!("no case of `{name}` states a request with its key"));
        let classes = self.unshown_classes.iter().map(|name| format!("no answer of a case is `{name}`"));
        let messages = self.unshown_messages.iter();
        let messages = messages.map(|rule| format!("no message of a case matches the webhook's {rule}"));
        let rewrites = self.unshown_rewrites.iter();
        let rewrites = rewrites.map(|path| format!("no case of `kept` shows what becomes of `{path}`"));
        operations.chain(keys).chain(classes).chain(messages).chain(rewrites).collect()
    }
}

impl Fixtures {
    /// Reads a file; `file` is its name, for messages.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(file: &str, yaml: &str) -> Result<Self, ManifestError> {
        let source =
            serde_saphyr::from_str(yaml).map_err(|error| manifest::unreadable(file, yaml, &error))?;
        Ok(Self { source })
    }

    /// The text of the fixtures of a manifest that comes with Concord.
    #[must_use]
    pub fn builtin(name: &str) -> Option<&'static str> {
        manifest::builtin_fixtures(name)
    }

    /// Runs them against a manifest.
    ///
    /// # Errors
    /// When the manifest can't be bound to their parameters.
    pub fn run(&self, manifest: &Manifest) -> Result<Report, Vec<ManifestError>> {
        let connector = self.connector(manifest)?;
        Ok(run::run(&self.source, &connector))
    }

    /// The connector that they are run against: the manifest bound to their parameters.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn connector(&self, manifest: &Manifest) -> Result<Connector, Vec<ManifestError>> {
        manifest.bind(&self.source.parameters, &self.source.paths)
    }

    /// The requests that they make.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn requests(&self, manifest: &Manifest) -> Result<Vec<Shown>, Vec<ManifestError>> {
        Ok(shown::all(&self.source, &self.connector(manifest)?))
    }

    /// The requests of their jobs: those that begin them, fill them, and ask about them.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn jobs(&self, manifest: &Manifest) -> Result<Vec<Shown>, Vec<ManifestError>> {
        Ok(shown::jobs(&self.source, &self.connector(manifest)?))
    }
}
