//! CSV: records on their way into a job, and what it tells of each.
//!
//! A value is written as a text and quoted where RFC 4180 says so, so that no delimiter, quote or line end in it breaks
//! out of its cell. What a cell can't say is refused before it is sent: a list, and a text that is the vendor's own mark
//! for null. Nothing is done about texts that begin like a formula: who reads these lines is no spreadsheet, and a
//! changed value would be another one.

use std::borrow::Cow;
use std::collections::BTreeMap;

use csv::{QuoteStyle, ReaderBuilder, Terminator, WriterBuilder};
use serde_json::{Map, Value};

use crate::path::text_of;
use crate::template::Flaw;

/// Objects in objects become columns down to this depth.
const DEPTH_MAX: usize = 4;
/// More columns are none that a vendor answers.
const COLUMNS_MAX: usize = 2_000;

/// A record as it stands in its line: what each of its columns holds.
pub(crate) type Cells = BTreeMap<String, String>;

/// How records are written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct CsvBody {
    /// What stands for null, and for the empty text.
    pub(crate) null: Box<str>,
    pub(crate) crlf: bool,
}

impl CsvBody {
    /// What a record's columns hold. An object's entries are columns of their own: `Account: {Name: x}` is `Account.Name`.
    pub(crate) fn cells(&self, record: &Value) -> Result<Cells, Flaw> {
        let mut cells = Cells::new();
        match record {
            Value::Object(fields) => self.fill("", fields, DEPTH_MAX, &mut cells)?,
            _ => return Err(unfit("record", "it is no table of fields")),
        }
        Ok(cells)
    }

    fn fill(
        &self,
        before: &str,
        fields: &Map<String, Value>,
        depth: usize,
        cells: &mut Cells,
    ) -> Result<(), Flaw> {
        for (name, value) in fields {
            let column = if before.is_empty() { name.clone() } else { format!("{before}.{name}") };
            match value {
                Value::Object(inner) if depth > 0 => self.fill(&column, inner, depth - 1, cells)?,
                Value::Array(_) | Value::Object(_) => {
                    return Err(unfit(&column, "a list or table has no form in CSV"));
                }
                Value::Null => {
                    cells.insert(column, self.null.to_string());
                }
                value => {
                    let text = text_of(value).unwrap_or_default();
                    if *text == *self.null {
                        return Err(unfit(&column, "the text is what stands for null in CSV"));
                    }
                    let text = if text.is_empty() { self.null.to_string() } else { text };
                    cells.insert(column, text);
                }
            }
        }
        Ok(())
    }

    /// The whole: a line of names, and one for each record. What a record does not have is empty, and so is not sent.
    pub(crate) fn write(&self, records: &[Cells]) -> Result<Vec<u8>, csv::Error> {
        let columns: std::collections::BTreeSet<&str> =
            records.iter().flat_map(BTreeMap::keys).map(String::as_str).collect();
        let end = if self.crlf { Terminator::CRLF } else { Terminator::Any(b'\n') };
        let mut writer =
            WriterBuilder::new().terminator(end).quote_style(QuoteStyle::Necessary).from_writer(Vec::new());
        writer.write_record(&columns)?;
        for record in records {
            let cell = |column: &&str| record.get(*column).map_or("", String::as_str);
            writer.write_record(columns.iter().map(cell))?;
        }
        writer.into_inner().map_err(|error| csv::Error::from(std::io::Error::other(error.to_string())))
    }
}

fn unfit(column: &str, why: &'static str) -> Flaw {
    Flaw::Unfit { slot: column.into(), why: Cow::Borrowed(why) }
}

/// How answers are read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct CsvAnswer {
    pub(crate) splits: Vec<Split>,
}

/// A column that holds several things.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Split {
    pub(crate) column: Box<str>,
    pub(crate) at: Box<str>,
    pub(crate) into: Vec<String>,
}

impl CsvAnswer {
    /// The lines as a list of tables, texts all; nothing at all is an empty list. `None` where it is no CSV: a line is
    /// longer or shorter than the first.
    pub(crate) fn read(&self, body: &[u8]) -> Option<Value> {
        let mut reader = ReaderBuilder::new().from_reader(body);
        let columns = reader.headers().ok()?.clone();
        if columns.len() > COLUMNS_MAX {
            return None;
        }
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.ok()?;
            let cells = columns.iter().zip(&record);
            rows.push(Value::Object(
                cells.map(|(name, text)| (name.to_owned(), self.value(name, text))).collect(),
            ));
        }
        Some(Value::Array(rows))
    }

    fn value(&self, column: &str, text: &str) -> Value {
        let Some(split) = self.splits.iter().find(|split| *split.column == *column) else {
            return Value::from(text);
        };
        let parts = text.splitn(split.into.len(), &*split.at);
        Value::Object(split.into.iter().cloned().zip(parts.map(Value::from)).collect())
    }
}

#[cfg(test)]
mod tests;
