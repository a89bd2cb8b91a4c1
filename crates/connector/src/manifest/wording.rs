//! What the YAML reader refuses, in the words of this project, and at the place that is meant.

use serde_saphyr::Error;

use crate::error::ManifestError;

/// What the YAML reader refused in `yaml`, with its place; unknown keys and words get the nearest name.
pub(crate) fn unreadable(file: &str, yaml: &str, error: &Error) -> ManifestError {
    let error = inner(error);
    let place = error.location().map_or((0, 0), |at| (at.line(), at.column()));
    let (what, hint) = told(error);
    let (line, column) = match error {
        Error::SerdeMissingField { .. } => opening(yaml, place).unwrap_or(place),
        Error::Unexpected { .. } => before(yaml, place).unwrap_or(place),
        _ => place,
    };
    ManifestError { file: file.to_owned(), line, column, what, hint }
}

/// The error itself: its excerpt is made elsewhere, and an alias' error is about what stands behind its anchor.
fn inner(error: &Error) -> &Error {
    match error.without_snippet() {
        Error::AliasError { error, .. } => inner(error),
        error => error,
    }
}

fn told(error: &Error) -> (String, Option<String>) {
    let near = |word: &str, known: &[&'static str]| {
        Some(canonical::suggest::hint(word, known.iter().copied())).filter(|hint| !hint.is_empty())
    };
    let alone = |what: &str| (what.to_owned(), None);
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            (format!("unknown key `{field}`"), near(field, expected))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            (format!("unknown word `{variant}`"), near(variant, expected))
        }
        Error::SerdeMissingField { field, .. } => (format!("the key `{field}` is missing"), None),
        Error::DuplicateMappingKey { key, .. } => match key {
            Some(key) => (format!("the key `{key}` stands here twice"), None),
            None => alone("a key stands here twice"),
        },
        Error::ExpectedMappingEndAfterEnumVariantValue { .. } => {
            let hint = "choose one of them, and remove the other".to_owned();
            ("expected exactly one key, found another".to_owned(), Some(hint))
        }
        Error::SerdeInvalidType { unexpected, expected, .. }
        | Error::SerdeInvalidValue { unexpected, expected, .. } => {
            (format!("expected {}, found {}", kind(expected), kind(unexpected)), None)
        }
        Error::InvalidScalar { ty, .. } => (format!("expected {}", kind(ty)), None),
        Error::Unexpected { expected, .. } => (format!("expected {}", kind(expected)), None),
        Error::InvalidBooleanStrict { .. } => alone("expected true or false"),
        Error::NullIntoString { .. } => alone("expected a text, found nothing"),
        Error::UnexpectedValueForUnit { .. } | Error::UnexpectedValueForUnitEnumVariant { .. } => {
            alone("this word stands alone, without anything behind it")
        }
        Error::ExternallyTaggedEnumExpectedScalarOrMapping { .. }
        | Error::ExpectedStringKeyForExternallyTaggedEnum { .. } => {
            alone("expected a word, or a table with one key")
        }
        Error::Eof { .. } => alone("the file ends before it says anything, or in the middle of something"),
        Error::MultipleDocuments { .. } => alone("a second document begins here, and one file holds one"),
        Error::UnknownAnchor { .. } => alone("nothing is named so: an `&NAME` must stand before its `*NAME`"),
        Error::ExternalMessage { msg, .. } => (format!("it is not YAML: {msg}"), None),
        other => {
            let text = other.render();
            alone(text.split(" at line ").next().unwrap_or_default().trim())
        }
    }
}

/// A type in the words of people; whatever value stands with it is left out.
fn kind(named: &str) -> &str {
    let first = named.split([' ', '`', '"']).find(|word| !matches!(*word, "a" | "an")).unwrap_or_default();
    match first {
        "struct" | "map" | "mapping" => "a table",
        "seq" | "sequence" | "tuple" => "a list",
        "string" | "str" | "character" | "identifier" => "a text",
        "boolean" | "bool" => "true or false",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" | "integer" => "a whole number",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "u128" | "usize" => "a whole number, not less than 0",
        "float" | "floating" | "f32" | "f64" => "a number",
        "unit" | "null" | "Option" | "option" => "nothing",
        "enum" | "variant" => "a word, or a table with one key",
        "scalar" => "a single value",
        "newtype" | "span-aware" => "a value",
        _ => named,
    }
}

/// The byte at which a place begins.
fn offset(yaml: &str, (line, column): (u64, u64)) -> Option<usize> {
    let line = usize::try_from(line.checked_sub(1)?).ok()?;
    let column = usize::try_from(column.checked_sub(1)?).ok()?;
    let start: usize = yaml.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = yaml.get(start..)?;
    let within = rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at);
    Some(start + within)
}

/// The place of a byte.
fn place(yaml: &str, offset: usize) -> Option<(u64, u64)> {
    let before = yaml.get(..offset)?;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.matches('\n').count() + 1;
    let column = before.get(start..)?.chars().count() + 1;
    Some((u64::try_from(line).ok()?, u64::try_from(column).ok()?))
}

/// Where the table begins whose last key stands at a place: its brace, or the key that it belongs to.
fn opening(yaml: &str, last: (u64, u64)) -> Option<(u64, u64)> {
    let at = offset(yaml, last)?;
    let before = yaml.get(..at)?;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let lead = before.get(start..)?;
    if !lead.trim_start_matches([' ', '-']).is_empty() {
        return place(yaml, brace(before)?);
    }
    let indent = lead.len();
    let mut end = start;
    while end > 0 {
        let line_start = yaml.get(..end - 1)?.rfind('\n').map_or(0, |at| at + 1);
        let line = yaml.get(line_start..end)?.trim_end();
        let own = line.trim_start_matches([' ', '-']);
        let spaces = line.len() - line.trim_start_matches(' ').len();
        if !own.is_empty() && !own.starts_with('#') && spaces < indent {
            return place(yaml, line_start + line.len() - own.len());
        }
        end = line_start;
    }
    // The document itself: it has no better place than its beginning.
    Some((1, 1))
}

/// The brace that is open at the end of a text; braces in quotes come in pairs, or the place is a little off.
fn brace(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (at, c) in text.char_indices().rev() {
        match c {
            '}' => open += 1,
            '{' if open == 0 => return Some(at),
            '{' => open -= 1,
            _ => {}
        }
    }
    None
}

/// The word before a place, where the reader only noticed at the next one that something was missing behind it.
fn before(yaml: &str, noticed: (u64, u64)) -> Option<(u64, u64)> {
    let text = yaml.get(..offset(yaml, noticed)?)?;
    let lead = text.trim_end();
    // What is wrong stands behind its own key or dash.
    if lead.is_empty() || lead.ends_with([':', '-', '[']) {
        return None;
    }
    let word = lead.trim_end_matches([',', '}']).trim_end();
    let start = word.rfind([' ', '\n', '{', '[', ',']).map_or(0, |at| at + 1);
    place(yaml, start)
}

#[cfg(test)]
mod tests;
