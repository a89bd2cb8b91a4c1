//! Settings: what holds for every command, out of the command line and the environment.

use std::path::PathBuf;

use crate::arguments::{Arguments, ColorWhen, Command, Form};
use crate::environment;

/// What holds for every command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Settings {
    /// The configuration folder.
    pub(crate) dir: PathBuf,
    /// The operator API, when it was named; else the folder's running hub says it.
    pub(crate) url: Option<String>,
    /// The operator's token, when the environment has one.
    pub(crate) token: Option<String>,
    /// The form of the data on stdout.
    pub(crate) form: Form,
    /// Whether data is coloured.
    pub(crate) color: bool,
    /// Whether talk is coloured.
    pub(crate) talk_color: bool,
    /// Whether only errors are said on stderr.
    pub(crate) quiet: bool,
    /// How much more is said.
    pub(crate) verbose: u8,
}

/// Settles the settings; the command line wins over the environment.
pub(crate) fn from(given: Arguments) -> (Settings, Command) {
    let global = given.global;
    let plain = environment::variable(environment::NO_COLOR).is_some();
    let color = |terminal: bool| match global.color {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => terminal && !plain,
    };
    let settings = Settings {
        url: global.url.or_else(|| environment::variable(environment::URL)),
        token: environment::variable(environment::TOKEN),
        form: global.output,
        color: color(environment::stdout_is_terminal()),
        talk_color: color(environment::stderr_is_terminal()),
        quiet: global.quiet,
        verbose: global.verbose,
        dir: global.dir,
    };
    (settings, given.command)
}

impl Settings {
    /// The filter of log lines: the environment's, else by `--quiet` and `--verbose`.
    pub(crate) fn log_filter(&self) -> String {
        environment::variable(environment::LOG).unwrap_or_else(|| {
            let level = match (self.quiet, self.verbose) {
                (true, _) => "error",
                (false, 0) => "info",
                (false, 1) => "debug",
                (false, _) => "trace",
            };
            level.to_owned()
        })
    }

    /// The form of log lines: the environment's, else by what stderr is.
    pub(crate) fn log_format(&self) -> telemetry::logs::LogFormat {
        use telemetry::logs::LogFormat;
        match environment::variable(environment::LOG_FORMAT).as_deref() {
            Some("json") => LogFormat::Json,
            Some(_) => LogFormat::Pretty,
            None if environment::stderr_is_terminal() => LogFormat::Pretty,
            None => LogFormat::Json,
        }
    }
}
