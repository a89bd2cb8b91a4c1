//! The one place that reads the environment: variables, arguments, and what the streams are connected to.

use std::ffi::OsString;
use std::io::IsTerminal as _;

/// Where the hub's operator API is, when no folder says it.
pub(crate) const URL: &str = "CONCORD_URL";
/// The operator's token.
pub(crate) const TOKEN: &str = "CONCORD_TOKEN";
/// Which log lines are written, such as `info` or `warn,egress=debug`.
pub(crate) const LOG: &str = "CONCORD_LOG";
/// `json` or `pretty`.
pub(crate) const LOG_FORMAT: &str = "CONCORD_LOG_FORMAT";
/// Any value switches colours off (<https://no-color.org>).
pub(crate) const NO_COLOR: &str = "NO_COLOR";
/// Ends the process at a named point, for tests: as `--crash-at`.
pub(crate) const CRASH_AT: &str = "CONCORD_CRASH_AT";

/// The table that the help shows.
pub(crate) const TABLE: [(&str, &str); 5] = [
    (URL, "where the hub's operator API is, such as http://127.0.0.1:8081"),
    (TOKEN, "the operator's token, when the folder's own is not at hand"),
    (LOG, "which log lines are written: a level, or levels per target (default: info)"),
    (LOG_FORMAT, "json or pretty (default: pretty on a terminal, else json)"),
    (NO_COLOR, "any value switches colours off"),
];

/// A variable's value; `None` when it is not set, empty, or not UTF-8.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The command line.
pub(crate) fn arguments() -> Vec<OsString> {
    std::env::args_os().collect()
}

/// Whether stdout is shown to a person.
pub(crate) fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Whether stderr is shown to a person.
pub(crate) fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}
