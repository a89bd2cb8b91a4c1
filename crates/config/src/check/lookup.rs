//! `lookups/*.csv`: tables that translate values.

use std::collections::BTreeMap;

use mapping::Lookup;

use crate::check::Checks;
use crate::files::Files;
use crate::problem::Problem;
use crate::tree::Span;

/// Most rows of a table.
const ROWS_MAX: usize = 20_000;

impl Checks {
    /// Reads all tables, by the names of their files.
    pub(super) fn lookups(&mut self, files: &Files) -> BTreeMap<String, Lookup> {
        let mut lookups = BTreeMap::new();
        for (path, text) in files.of("lookups") {
            let name = path.trim_start_matches("lookups/").trim_end_matches(".csv");
            match table(path, name, text) {
                Ok(lookup) => {
                    lookups.insert(name.to_owned(), lookup);
                }
                Err(problem) => {
                    self.problems.push(*problem);
                    self.lookups_broken.insert(name.to_owned());
                }
            }
        }
        lookups
    }
}

/// Reads one.
pub(crate) fn table(path: &str, name: &str, text: &str) -> Result<Lookup, Box<Problem>> {
    // A byte order mark would become part of the first column's name.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let at_line = |line: u64, what: String| {
        let line = u32::try_from(line.max(1)).unwrap_or(u32::MAX);
        Problem::at(path, text, Span { line, column: 1, width: 1 }, None, what)
    };
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let unreadable = |error: &csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        Box::new(
            at_line(line, format!("it is not CSV: {error}")).hint("quote cells that hold commas or quotes"),
        )
    };
    let cells = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect::<Vec<_>>();
    let header = cells(reader.headers().map_err(|error| unreadable(&error))?);
    let mut rows = Vec::new();
    let mut lines = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| unreadable(&error))?;
        lines.push(record.position().map_or(1, csv::Position::line));
        rows.push(cells(&record));
        if rows.len() > ROWS_MAX {
            let what = format!("the table has more than {ROWS_MAX} rows");
            return Err(Box::new(at_line(lines.last().copied().unwrap_or(1), what).hint("split the table")));
        }
    }
    Lookup::from_rows(name, header, rows).map_err(|error| {
        let line = error.row.and_then(|row| lines.get(row.saturating_sub(1)).copied()).unwrap_or(1);
        Box::new(at_line(line, error.message).hint(error.hint))
    })
}
