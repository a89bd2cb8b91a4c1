//! The one place that prints: data to stdout in the form asked for, talk to stderr.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use serde_json::Value;

use crate::arguments::Form;
use crate::exit::Exit;
use crate::settings::Settings;

/// Where data and talk go, and how they look.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    form: Form,
    color: bool,
    talk_color: bool,
    quiet: bool,
    verbose: bool,
}

/// A column of a table: its title, and where its value stands in a row (a JSON pointer).
pub(crate) type Column = (&'static str, &'static str);

/// Colours, for the few words that deserve one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Paint {
    Good,
    Bad,
    Doubt,
    Strong,
    Faint,
}

impl Paint {
    /// `text` in this colour.
    pub(crate) fn on(self, text: &str) -> String {
        let code = match self {
            Self::Good => "32",
            Self::Bad => "31",
            Self::Doubt => "33",
            Self::Strong => "1",
            Self::Faint => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

impl Output {
    /// As the settings say.
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            form: settings.form,
            color: settings.color,
            talk_color: settings.talk_color,
            quiet: settings.quiet,
            verbose: settings.verbose > 0,
        }
    }

    /// The form of data.
    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// Whether talk is wanted.
    pub(crate) fn talks(&self) -> bool {
        !self.quiet
    }

    /// Rows of a list: a table, one JSON array, or one JSON object per line.
    pub(crate) fn rows(&self, columns: &[Column], rows: &[Value]) {
        match self.form {
            Form::Table => self.data(&self.table(columns, rows)),
            Form::Json => self.data(&pretty(&Value::Array(rows.to_vec()))),
            Form::Jsonl => rows.iter().for_each(|row| self.data(&row.to_string())),
        }
    }

    /// One thing: JSON, or what `show` makes of it for people.
    pub(crate) fn one(&self, value: &Value, show: impl FnOnce(&Self) -> String) {
        match self.form {
            Form::Table => self.data(&show(self)),
            Form::Json => self.data(&pretty(value)),
            Form::Jsonl => self.data(&value.to_string()),
        }
    }

    /// Data as it is.
    pub(crate) fn data(&self, text: &str) {
        write(&mut io::stdout().lock(), text);
    }

    /// A line of data that goes on; whether somebody reads it still.
    pub(crate) fn line(&self, text: &str) -> bool {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{text}").and_then(|()| stdout.flush()).is_ok()
    }

    /// Talk.
    pub(crate) fn say(&self, text: &str) {
        if !self.quiet {
            write(&mut io::stderr().lock(), text);
        }
    }

    /// Talk that is the command's result: said also when quiet.
    pub(crate) fn always(&self, text: &str) {
        write(&mut io::stderr().lock(), text);
    }

    /// Talk that only some want.
    pub(crate) fn detail(&self, text: &str) {
        if self.verbose {
            write(&mut io::stderr().lock(), text);
        }
    }

    /// Something that a person should look at.
    pub(crate) fn warn(&self, text: &str) {
        let word = self.paint_talk(Paint::Doubt, "warning");
        write(&mut io::stderr().lock(), &format!("{word}: {text}"));
    }

    /// Why the command failed. Gives the exit code.
    pub(crate) fn failed(&self, error: &anyhow::Error) -> Exit {
        let mut text = self.paint_talk(Paint::Bad, "error").into_owned();
        let mut said = String::new();
        for cause in error.chain() {
            let cause = cause.to_string();
            // Some errors repeat their source in their own text.
            if !said.contains(&cause) {
                let _fits = write!(text, ": {cause}");
                said = cause;
            }
        }
        write(&mut io::stderr().lock(), &text);
        Exit::of(error)
    }

    /// `text` coloured for stdout, where colours are wanted.
    pub(crate) fn paint<'t>(&self, paint: Paint, text: &'t str) -> Cow<'t, str> {
        if self.color { Cow::Owned(paint.on(text)) } else { Cow::Borrowed(text) }
    }

    /// `text` coloured for stderr, where colours are wanted.
    pub(crate) fn paint_talk<'t>(&self, paint: Paint, text: &'t str) -> Cow<'t, str> {
        if self.talk_color { Cow::Owned(paint.on(text)) } else { Cow::Borrowed(text) }
    }

    /// A table without lines, for eyes and for `awk`.
    pub(crate) fn table(&self, columns: &[Column], rows: &[Value]) -> String {
        let cell = |row: &Value, pointer: &str| shown(row.pointer(pointer).unwrap_or(&Value::Null));
        let cells: Vec<Vec<String>> =
            rows.iter().map(|row| columns.iter().map(|(_, pointer)| cell(row, pointer)).collect()).collect();
        let width = |index: usize, title: &str| {
            let widest = cells.iter().map(|row| row[index].chars().count()).max().unwrap_or(0);
            widest.max(title.chars().count())
        };
        let widths: Vec<usize> =
            columns.iter().enumerate().map(|(index, (title, _))| width(index, title)).collect();
        let line = |texts: &mut dyn Iterator<Item = &str>| {
            let padded = texts.zip(&widths).map(|(text, width)| format!("{text:<width$}"));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let head = line(&mut columns.iter().map(|(title, _)| *title));
        let mut lines = vec![self.paint(Paint::Strong, &head).into_owned()];
        lines.extend(cells.iter().map(|row| line(&mut row.iter().map(String::as_str))));
        lines.join("\n")
    }
}

/// What clap has to say: help and versions are data, the rest is a usage error.
pub(crate) fn refused(said: &clap::Error) -> ExitCode {
    // Nothing is left to say when the stream is closed.
    drop(said.print());
    if said.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() }
}

/// Bytes that are no text go to stdout as they are.
pub(crate) fn raw_data() -> impl io::Write {
    io::stdout().lock()
}

/// A live line or block on stderr is rewritten in place by this.
pub(crate) fn raw_talk(text: &str) {
    let mut stderr = io::stderr().lock();
    drop(stderr.write_all(text.as_bytes()));
    drop(stderr.flush());
}

/// A value in a cell.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => text.replace(['\n', '\r', '\t'], " "),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            items.iter().map(shown).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

/// A reader that went away (`concord … | head`) is no failure.
fn write(to: &mut impl io::Write, text: &str) {
    drop(writeln!(to, "{text}"));
}

#[cfg(test)]
mod tests {
    //! Cells and tables read well.
    use serde_json::json;

    use super::{Output, shown};
    use crate::arguments::Form;

    #[test]
    fn cells_are_one_line() {
        assert_eq!(shown(&json!(null)), "-");
        assert_eq!(shown(&json!("a\nb")), "a b");
        assert_eq!(shown(&json!(["a", 1])), "a, 1");
        assert_eq!(shown(&json!({"a": 1})), r#"{"a":1}"#);
    }

    #[test]
    fn tables_align_and_end_without_blanks() {
        let output =
            Output { form: Form::Table, color: false, talk_color: false, quiet: false, verbose: false };
        let rows = [json!({"name": "crm", "queue": {"n": 3}}), json!({"name": "marketing"})];
        let table = output.table(&[("SYSTEM", "/name"), ("QUEUE", "/queue/n")], &rows);
        assert_eq!(table, "SYSTEM     QUEUE\ncrm        3\nmarketing  -");
    }
}
