//! How a command ended: exit codes, and the errors that carry one.

use std::fmt;
use std::process::ExitCode;

/// What a command's end means to a script.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// Done; nothing to report.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Done, and differences or open items exist; only where a command is asked for them.
    Differences = 2,
    /// Done in part: some items failed.
    Partial = 3,
    /// Not authenticated, or not permitted.
    NotPermitted = 4,
    /// Not found.
    NotFound = 5,
    /// In conflict with what is there, such as a folder that another process uses.
    Conflict = 6,
    /// The hub does not answer, or not in time: safe to try again.
    Unreachable = 7,
    /// The command line can't be read.
    Usage = 64,
}

/// The table that the help shows: code, meaning.
pub(crate) const TABLE: [(Exit, &str); 9] = [
    (Exit::Done, "done"),
    (Exit::Failed, "failed; the last line on stderr says why"),
    (Exit::Differences, "done, and differences or open items exist (only with --detailed-exit-code)"),
    (Exit::Partial, "done in part: some items failed, each is named on stderr"),
    (Exit::NotPermitted, "not authenticated or not permitted"),
    (Exit::NotFound, "not found"),
    (Exit::Conflict, "in conflict with what is there, such as a store that another process has open"),
    (Exit::Unreachable, "the hub does not answer, or not in time: safe to try again"),
    (Exit::Usage, "the command line can't be read"),
];

/// An error that ends the command with a code of its own. Without one in its chain an error ends with
/// [`Exit::Failed`].
#[derive(Debug)]
pub(crate) struct Coded {
    pub(crate) exit: Exit,
    message: String,
}

impl Exit {
    /// This end, with a message for people: what, where, why, and what to do.
    pub(crate) fn because(self, message: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Coded { exit: self, message: message.into() })
    }

    /// The code that an error asks for.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        error.chain().find_map(|cause| cause.downcast_ref::<Coded>()).map_or(Self::Failed, |coded| coded.exit)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl fmt::Display for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
impl std::error::Error for Coded {}
