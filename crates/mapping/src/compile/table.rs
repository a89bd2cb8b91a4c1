//! A row's use of a lookup table, in the directions it goes.

use std::collections::{BTreeMap, BTreeSet};

use canonical::FieldType;
use canonical::jiff;
use serde_json::Value;

use super::Fault;
use crate::check::Check;
use crate::error::LookupError;
use crate::lookup::{Lookup, Table, Unmapped, key};
use crate::source::{Direction, LookupUse, OnUnmapped};
use crate::suggest;

/// The tables of a row.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) read: Option<Table>,
    pub(super) write: Option<Table>,
    /// Reads what is written, for comparing.
    pub(super) back: Option<Table>,
}

/// Resolves a row's table against the field it is for.
pub(super) fn compile(
    used: &LookupUse,
    direction: Direction,
    check: &Check,
    lookups: &BTreeMap<String, Lookup>,
) -> Result<Tables, Fault> {
    let Some(lookup) = lookups.get(&used.table) else {
        let message = format!("there is no lookup table `{}`", used.table);
        return Err(Fault::new(
            "lookup.table",
            message,
            suggest::hint(&used.table, lookups.keys().map(String::as_str)),
        ));
    };
    let column = |key: &str, name: &str| {
        lookup.column(name).map_err(|(message, hint)| Fault::new(key.to_owned(), message, hint))
    };
    let (from, to) = (column("lookup.from", &used.from)?, column("lookup.to", &used.to)?);
    if from == to {
        let hint = "`from` is the system's column, `to` the record's";
        return Err(Fault::new("lookup.to", "it is the same column as `from`", hint));
    }
    if direction == Direction::Both && matches!(used.on_unmapped, OnUnmapped::Default(_)) {
        let message = "a default would be written over the values it stands for";
        let hint = "use an `in` row with this default and an `out` row without it";
        return Err(Fault::new("lookup.on_unmapped", message, hint));
    }
    let pairs = |from, to| lookup.pairs(from, to).map_err(|error| wrong_table(&error));
    let there = lookup.pairs(from, to).ok();
    let mut tables = Tables::default();
    if direction.reads() {
        let pairs = typed(&pairs(from, to)?, check, &used.to)?;
        let other = lookup.pairs(to, from).unwrap_or_default();
        let unmapped = unmapped(used, direction, &other, Some(check))?;
        tables.read = Some(Table { pairs, unmapped, name: used.table.clone() });
    }
    if direction.writes() {
        let back = pairs(to, from)?;
        let forth = there.clone().unwrap_or_default();
        let unmapped = unmapped(used, direction, &forth, None)?;
        let pairs = keyed(&back, check, &used.to)?;
        tables.write = Some(Table { pairs, unmapped, name: used.table.clone() });
        tables.back = tables.read.clone();
        if tables.back.is_none()
            && let Some(there) = &there
        {
            let pairs = typed(there, check, &used.to)?;
            tables.back = Some(Table { pairs, unmapped: Unmapped::Fail, name: used.table.clone() });
        }
    }
    Ok(tables)
}

fn wrong_table(error: &LookupError) -> Fault {
    let row = error.row.map_or(String::new(), |row| format!(", row {row}"));
    Fault::new("lookup.table", format!("in `{}`{row}: {}", error.table, error.message), error.hint.clone())
}

fn unmapped(
    used: &LookupUse,
    direction: Direction,
    other: &BTreeMap<&str, &str>,
    check: Option<&Check>,
) -> Result<Unmapped, Fault> {
    Ok(match &used.on_unmapped {
        OnUnmapped::Fail => Unmapped::Fail,
        OnUnmapped::Null => Unmapped::Null,
        OnUnmapped::Pass if direction == Direction::Both => {
            Unmapped::Pass(other.keys().map(|key| (*key).to_owned()).collect())
        }
        OnUnmapped::Pass => Unmapped::Pass(BTreeSet::new()),
        OnUnmapped::Default(value) => Unmapped::Default(match check {
            None => value.clone(),
            Some(check) => check.apply(value.clone()).map_err(|flaw| {
                let message =
                    format!("the default does not fit: expected {}, found {}", flaw.expected, flaw.found);
                Fault::new("lookup.on_unmapped", message, "give a value that the field can hold")
            })?,
        }),
    })
}

/// The record's cells as values of the field.
fn typed(
    pairs: &BTreeMap<&str, &str>,
    check: &Check,
    column: &str,
) -> Result<BTreeMap<String, Value>, Fault> {
    let mut typed = BTreeMap::new();
    for (from, to) in pairs {
        typed.insert((*from).to_owned(), cell(to, check, column)?);
    }
    Ok(typed)
}

/// The record's cells as keys, in the form that the field's values have as keys.
fn keyed(
    pairs: &BTreeMap<&str, &str>,
    check: &Check,
    column: &str,
) -> Result<BTreeMap<String, Value>, Fault> {
    let mut keyed = BTreeMap::new();
    for (to, from) in pairs {
        let value = cell(to, check, column)?;
        let name = key(&value).map_or_else(|| (*to).to_owned(), std::borrow::Cow::into_owned);
        if keyed.insert(name, Value::from(*from)).is_some() {
            let message = format!("`{to}` stands there in two forms that the field holds as one");
            return Err(Fault::new(
                "lookup.table",
                message,
                "write equal values alike in the record's column",
            ));
        }
    }
    Ok(keyed)
}

/// One cell as a value of the field.
fn cell(text: &str, check: &Check, column: &str) -> Result<Value, Fault> {
    let value = match check.kind {
        FieldType::Integer => text.parse::<i64>().ok().map(Value::from),
        FieldType::Boolean => text.parse::<bool>().ok().map(Value::from),
        FieldType::Date => text.parse::<jiff::civil::Date>().ok().map(|_| Value::from(text)),
        _ => Some(Value::from(text)),
    };
    let fitting = value.and_then(|value| check.apply(value).ok());
    fitting.ok_or_else(|| {
        let hint = match check.choices() {
            Some(choices) => suggest::hint(text, choices.iter().filter_map(Value::as_str)),
            None => format!("the field wants {}: correct the cell", check.kind),
        };
        Fault::new("lookup.to", format!("its column `{column}` holds `{text}`, which the field cannot"), hint)
    })
}
