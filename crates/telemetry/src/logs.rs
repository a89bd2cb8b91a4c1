//! Logs: structured lines on stderr, one form for machines and one for people, redacted on the way out (I15).
//!
//! A field whose name is that of a credential loses its value. Every other text passes the same filter as vendors'
//! error texts, except for the fields listed in [`PLAIN`], whose values are names and ids that Concord makes.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal as _};

use guard::redact;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

/// Fields that are shown as they are: names from the configuration, ids that Concord makes, closed words.
const PLAIN: [&str; 25] = [
    "about",
    "address",
    "body_blake3",
    "caller",
    "class",
    "delivery",
    "entity",
    "event",
    "idempotency",
    "ingress",
    "intent",
    "lane",
    "letter",
    "machine",
    "object",
    "operation",
    "operator",
    "record",
    "request",
    "route",
    "source",
    "state",
    "system",
    "tenant",
    "trace",
];

/// The longest text of one field, in characters.
const FIELD_CHARS_MAX: usize = 500;

/// How lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// One JSON object per line: `time`, `level`, `target`, `message`, then the fields.
    Json,
    /// For eyes: time, level, message, `field=value`.
    #[default]
    Pretty,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter can't be read.
    #[error(
        "the log filter {filter:?} can't be read ({why}): write a level such as `info`, or `info,egress=debug`"
    )]
    Filter {
        /// As given.
        filter: String,
        /// What is wrong with it.
        why: String,
    },
    /// It was set up before.
    #[error("logging is set up already: call this once per process")]
    Twice(#[source] TryInitError),
}

/// Sends log lines to stderr. Call once per process.
///
/// # Errors
/// When `filter` is not of the form of `tracing-subscriber`'s filters, or logging is set up already.
pub fn init(format: LogFormat, filter: &str) -> Result<(), LogError> {
    let colour = format == LogFormat::Pretty && io::stderr().is_terminal();
    tracing_subscriber::registry()
        .with(layer_filter(filter)?)
        .with(layer(format, colour, io::stderr))
        .try_init()
        .map_err(LogError::Twice)
}

fn layer_filter(filter: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::builder()
        .parse(filter)
        .map_err(|why| LogError::Filter { filter: filter.to_owned(), why: why.to_string() })
}

fn layer<S, W>(format: LogFormat, colour: bool, writer: W) -> impl tracing_subscriber::Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + 'static,
{
    tracing_subscriber::fmt::layer().with_ansi(colour).event_format(Lines { format }).with_writer(writer)
}

/// Writes one event as one line.
struct Lines {
    format: LogFormat,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        match self.format {
            LogFormat::Json => json_line(to, event, fields),
            LogFormat::Pretty => pretty_line(to, event, &fields),
        }
    }
}

fn json_line(mut to: Writer<'_>, event: &Event<'_>, fields: Fields) -> fmt::Result {
    let mut time = String::new();
    SystemTime.format_time(&mut Writer::new(&mut time))?;
    let mut line = serde_json::Map::new();
    line.insert("time".to_owned(), Value::String(time));
    line.insert("level".to_owned(), Value::String(event.metadata().level().to_string()));
    line.insert("target".to_owned(), Value::String(event.metadata().target().to_owned()));
    line.insert("message".to_owned(), Value::String(fields.message));
    for (name, value) in fields.rest {
        line.insert(name.to_owned(), value);
    }
    writeln!(to, "{}", Value::Object(line))
}

fn pretty_line(mut to: Writer<'_>, event: &Event<'_>, fields: &Fields) -> fmt::Result {
    let level = event.metadata().level();
    SystemTime.format_time(&mut to)?;
    let colour = match *level {
        _ if !to.has_ansi_escapes() => "",
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        _ => "\x1b[2m",
    };
    let reset = if colour.is_empty() { "" } else { "\x1b[0m" };
    write!(to, " {colour}{level:>5}{reset} {}", one_line(&fields.message))?;
    for (name, value) in &fields.rest {
        match value {
            Value::String(text) if text.contains([' ', '"', '=']) || text.is_empty() => {
                write!(to, " {name}={:?}", one_line(text))?;
            }
            Value::String(text) => write!(to, " {name}={}", one_line(text))?,
            other => write!(to, " {name}={other}")?,
        }
    }
    writeln!(to)
}

/// What an event holds, redacted.
#[derive(Default)]
struct Fields {
    message: String,
    rest: Vec<(&'static str, Value)>,
}

impl Fields {
    fn text(&mut self, field: &Field, text: String) {
        let name = field.name();
        if name == "message" {
            self.message = redact::text(&text, FIELD_CHARS_MAX);
        } else if redact::is_secret_key(name) {
            self.rest.push((name, Value::String(guard::secret::REDACTED.to_owned())));
        } else if PLAIN.binary_search(&name).is_ok() {
            self.rest.push((name, Value::String(text)));
        } else {
            self.rest.push((name, Value::String(redact::text(&text, FIELD_CHARS_MAX))));
        }
    }

    fn number(&mut self, field: &Field, value: impl Into<Value>) {
        let value =
            if redact::is_secret_key(field.name()) { guard::secret::REDACTED.into() } else { value.into() };
        self.rest.push((field.name(), value));
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // Writing to a String fails only when the value's own Debug does; then the field is left as far as it came.
        let _ok = write!(text, "{value:?}").is_ok();
        self.text(field, text);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value.to_owned());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.number(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.number(field, value);
    }
}

/// Line breaks and control characters would let a text forge lines.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
pub(crate) mod tests;
