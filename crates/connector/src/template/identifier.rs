//! Names in statements: schemas, tables and columns, quoted so that each is one name whatever it holds.

use std::borrow::Cow;

use serde_json::Value;

use crate::path;

/// The longest name in PostgreSQL, in bytes (`NAMEDATALEN` less one). It cuts longer ones without an error, so that they
/// would mean another thing.
const BYTES_MAX: usize = 63;

/// A name as a quoted identifier (PostgreSQL's documentation, section 4.1.1): only the quote needs doubling.
pub(super) fn quoted(name: &str) -> Result<String, Cow<'static, str>> {
    if name.contains('\0') {
        return Err("a name cannot hold a null character".into());
    }
    if name.len() > BYTES_MAX {
        return Err("a name has at most 63 bytes".into());
    }
    Ok(format!("\"{}\"", name.replace('"', "\"\"")))
}

/// `text` for each name, `@` replaced by the name, with commas between them. The names are one text, the keys of an
/// object, or what a list of paths begins with.
pub(super) fn each(text: &str, names: &Value) -> Result<String, Cow<'static, str>> {
    let mut out = String::new();
    let mut put = |name: &str| -> Result<(), Cow<'static, str>> {
        if !out.is_empty() {
            out.push_str(", ");
        }
        out.push_str(&text.replace('@', &quoted(name)?));
        Ok(())
    };
    match names {
        Value::Null => {}
        Value::String(name) if name.is_empty() => {}
        Value::String(name) => put(name)?,
        Value::Object(fields) => {
            for (name, value) in fields {
                // What is not mapped of it would be lost: a part of a column cannot be written by itself.
                if value.is_object() {
                    let why = format!("`{name}` is written in parts, and a column is written as a whole");
                    return Err(why.into());
                }
                put(name)?;
            }
        }
        Value::Array(paths) => {
            let mut columns: Vec<String> = Vec::new();
            for path in paths {
                let column = path.as_str().and_then(path::first).ok_or("it is not a list of paths")?;
                if !columns.contains(&column) {
                    put(&column)?;
                    columns.push(column);
                }
            }
        }
        Value::Bool(_) | Value::Number(_) => return Err("it is not a name".into()),
    }
    Ok(out)
}
