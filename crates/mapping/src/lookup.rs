//! Lookup tables: columns of texts, where any column can be translated into any other.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use canonical::value::kind_of;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::LookupError;
use crate::flaw::{Flaw, Why};
use crate::suggest;

/// The column that names the way back where several values mean the same.
const PREFERRED: &str = "preferred";

/// A table as plain data. Clones share it: every mapping that uses a table keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cells {
    columns: Arc<[String]>,
    rows: Arc<[Vec<String>]>,
}

/// A table as it is read from `lookups/NAME.csv`: a header and rows of texts.
///
/// An empty cell takes no part in translations. A column called `preferred` is no data: a row with `yes`, `true`,
/// `x` or `1` there is the one to take where a value stands in several rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    name: String,
    columns: Arc<[String]>,
    rows: Arc<[Vec<String>]>,
    preferred: Vec<bool>,
}

impl Lookup {
    /// The cells of a column, from the top. `None`: there is no such column.
    #[must_use]
    pub fn values(&self, column: &str) -> Option<impl Iterator<Item = &str>> {
        let at = self.columns.iter().position(|name| name == column)?;
        Some(self.rows.iter().filter_map(move |row| row.get(at).map(String::as_str)))
    }

    /// Checks and keeps a table.
    ///
    /// # Errors
    /// When a column has no name or the name of another, when a row has another number of cells than the header,
    /// or when a cell under `preferred` is no clear yes or no.
    pub fn from_rows(name: &str, header: Vec<String>, rows: Vec<Vec<String>>) -> Result<Self, LookupError> {
        let fail = |row, message: String, hint: &str| {
            Err(LookupError { table: name.to_owned(), row, message, hint: hint.to_owned() })
        };
        for (i, column) in header.iter().enumerate() {
            if column.is_empty() {
                return fail(None, format!("column {} has no name", i + 1), "name every column");
            }
            if header[..i].contains(column) {
                return fail(None, format!("two columns are called `{column}`"), "give each its own name");
            }
        }
        let marks = header.iter().position(|column| column == PREFERRED);
        let mut preferred = Vec::with_capacity(rows.len());
        for (i, row) in rows.iter().enumerate() {
            if row.len() != header.len() {
                let message = format!("it has {} cells, the header has {}", row.len(), header.len());
                return fail(
                    Some(i + 1),
                    message,
                    "give it one cell per column, and quote cells that hold commas",
                );
            }
            let mark = marks.map_or("", |column| row[column].trim());
            preferred.push(match mark.to_ascii_lowercase().as_str() {
                "yes" | "true" | "x" | "1" => true,
                "" | "no" | "false" | "0" => false,
                _ => {
                    let message = format!("`{PREFERRED}` is neither yes nor no");
                    return fail(Some(i + 1), message, "write `yes`, or leave it empty");
                }
            });
        }
        Ok(Self { name: name.to_owned(), columns: header.into(), rows: rows.into(), preferred })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The columns that can be translated.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(String::as_str).filter(|column| *column != PREFERRED)
    }

    /// Its columns and rows, in the order of the file.
    pub(crate) fn cells(&self) -> Cells {
        Cells { columns: Arc::clone(&self.columns), rows: Arc::clone(&self.rows) }
    }

    /// The same from plain data.
    pub(crate) fn of(name: &str, cells: Cells) -> Result<Self, LookupError> {
        Self::from_rows(name, cells.columns.to_vec(), cells.rows.to_vec())
    }

    /// Where a column stands; else a message and a hint.
    pub(crate) fn column(&self, name: &str) -> Result<usize, (String, String)> {
        let at = self.columns.iter().position(|column| column == name && column != PREFERRED);
        at.ok_or_else(|| {
            let message = format!("lookup table `{}` has no column `{name}`", self.name);
            (message, suggest::hint(name, self.columns()))
        })
    }

    /// What each value of one column becomes in another; the rows that disagree, else. Preferred rows are asked
    /// first, and the others only about values that no preferred row has.
    pub(crate) fn pairs(&self, from: usize, to: usize) -> Result<BTreeMap<&str, &str>, LookupError> {
        let mut pairs: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
        for pass in [true, false] {
            for (i, row) in self.rows.iter().enumerate().filter(|(i, _)| self.preferred[*i] == pass) {
                let (key, value) = (row[from].as_str(), row[to].as_str());
                if key.is_empty() || value.is_empty() {
                    continue;
                }
                let (first, chosen) = *pairs.entry(key).or_insert((i, value));
                if chosen != value && self.preferred[first] == pass {
                    return Err(self.disagree(i, first, (from, to)));
                }
            }
        }
        Ok(pairs.into_iter().map(|(key, (_, value))| (key, value)).collect())
    }

    fn disagree(&self, row: usize, other: usize, (from, to): (usize, usize)) -> LookupError {
        let (from, to) = (&self.columns[from], &self.columns[to]);
        LookupError {
            table: self.name.clone(),
            row: Some(row + 1),
            message: format!("its `{from}` stands in row {} too, with another `{to}`", other + 1),
            hint: format!(
                "say which one to take from `{from}` to `{to}`: a column `{PREFERRED}` with `yes` in that row"
            ),
        }
    }
}

/// A translation in one direction, ready to run.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) pairs: BTreeMap<String, Value>,
    pub(crate) unmapped: Unmapped,
    pub(crate) name: String,
}

/// What becomes of values that a table does not have.
#[derive(Debug, Clone)]
pub(crate) enum Unmapped {
    Fail,
    /// With the values of the other column, which would be taken for translated ones.
    Pass(BTreeSet<String>),
    Null,
    Default(Value),
}

impl Table {
    /// Whether values come out that the table does not have. All others were checked when compiling.
    pub(crate) fn passes(&self) -> bool {
        matches!(self.unmapped, Unmapped::Pass(_))
    }

    pub(crate) fn translate(&self, value: Value) -> Result<Value, Flaw> {
        let Some(key) = key(&value) else {
            return Err(Flaw::new("a text, a number or a boolean to look up", kind_of(&value), Why::Kind));
        };
        if let Some(found) = self.pairs.get(key.as_ref()) {
            return Ok(found.clone());
        }
        match &self.unmapped {
            Unmapped::Null => Ok(Value::Null),
            Unmapped::Default(default) => Ok(default.clone()),
            Unmapped::Pass(other) if !other.contains(key.as_ref()) => Ok(value),
            Unmapped::Fail | Unmapped::Pass(_) => Err(Flaw::new(
                format!("a value of the lookup table `{}`", self.name),
                kind_of(&value),
                Why::Unmapped,
            )),
        }
    }
}

/// A value as a table has it.
pub(crate) fn key(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(truth) => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
