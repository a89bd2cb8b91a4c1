//! What is wrong with a mapping as it was written. These texts speak of configuration, never of records.

use std::fmt;
use std::ops::Range;

use crate::source::Direction;

/// One thing that is wrong with a mapping file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct MappingError {
    /// Index into `fields`, from zero. `None`: it is about the file.
    pub row: Option<usize>,
    /// The key that is wrong, from the row (`transform[1].format`) or from the file (`examples[0].canonical`).
    pub key: String,
    /// The characters of the key's text that are meant, from 0, when it is about a part of it.
    pub within: Option<Range<u32>>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: Option<String>,
}

impl fmt::Display for MappingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row {
            Some(row) => write!(f, "`fields[{row}].{}`: {}", self.key, self.message)?,
            None => write!(f, "`{}`: {}", self.key, self.message)?,
        }
        if let Some(within) = &self.within {
            write!(f, ", at character {}", within.start + 1)?;
        }
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// Why a lookup table cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct LookupError {
    /// The table.
    pub table: String,
    /// The row, from 1, not counting the header. `None`: it is about the header.
    pub row: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: String,
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lookup table `{}`", self.table)?;
        match self.row {
            Some(row) => write!(f, ", row {row}")?,
            None => f.write_str(", header")?,
        }
        write!(f, ": {}; {}", self.message, self.hint)
    }
}

/// An example that does not come out as it says. Shows the example's own values: they are configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ExampleFailure {
    /// Index into `examples`, from zero.
    pub example: usize,
    /// Its name, when it has one.
    pub name: Option<String>,
    /// `In` while reading, `Out` while writing.
    pub direction: Direction,
    /// The field or path where it differs.
    pub at: String,
    /// How it differs.
    pub message: String,
}

impl fmt::Display for ExampleFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`examples[{}]`", self.example)?;
        if let Some(name) = &self.name {
            write!(f, " ({name})")?;
        }
        let way = if self.direction == Direction::In { "reading" } else { "writing" };
        write!(f, ", {way}, `{}`: {}", self.at, self.message)
    }
}
