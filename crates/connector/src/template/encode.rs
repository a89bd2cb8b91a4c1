//! Encoders, and the escaping that each place in a request needs.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use canonical::{Fields, jiff};
use md5::{Digest as _, Md5};
use serde_json::Value;

use super::{Place, Scope};
use crate::moment::Form;
use crate::path::text_of;

/// How a value is changed before it is put in its place.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Encoder {
    /// Lower case.
    Lower,
    /// MD5 of the text, in hex.
    Md5Hex,
    /// MD5 of the trimmed text in lower case, in hex: Mailchimp's id of an address.
    Md5LowerHex,
    /// Standard base64.
    Base64,
    /// As text, where the target wants a text and the value is a number.
    Text,
    /// A quoted SQL text literal.
    Sql,
    /// A quoted SOQL text literal: Salesforce escapes by a backslash.
    Soql,
    /// A whole number and nothing else.
    Integer,
    /// Letters, digits, `_` and `-`: `NetSuite`'s external ids, SQL names.
    Word,
    /// The items of a list with commas between them.
    Comma,
    /// Every scalar of an object as text, null as the empty text, lists joined by `;`: `HubSpot`'s properties.
    Texts,
    /// The declared fields of an object in Tryton's typed JSON.
    Typed,
    /// Counts as missing when it is one of these.
    Not(Vec<String>),
    /// Only if it is one of these, else it counts as missing.
    Only(Vec<String>),
    /// A moment in one of the vendors' forms.
    Moment(Form),
    /// A moment as `2026-11-22 10:00:00`, UTC, without quotes.
    DateTime,
    /// A moment, or an order token in microseconds, as `2026-11-22 10:00:00.000500`, UTC; whole seconds have no
    /// fraction: how Python writes one, and Frappe compares it.
    DateTimeUs,
    /// A moment, or an order token in microseconds, as RFC 3339 in UTC: for vendors that compare the time of the last change.
    Rfc3339Us,
    /// A moment, or an order token in microseconds, as seconds since 1970 in the text that a database makes of them.
    Epoch(Digits),
    /// Each `_` as a space, for names that an object's name here cannot have: Frappe's `Sales Order`.
    Spaced,
    /// A whole number plus one, for targets that count from 1.
    FromOne,
    /// A path of several segments; for parameters only.
    Segments,
    /// A typed number of a text such as `"1250.5"`, for targets that want JSON numbers.
    JsonNumber,
    /// An OData literal of the value's own type: a quoted text, a number, `true`, `false` or `null`.
    Odata,
    /// A GUID and nothing else.
    Guid,
    /// Names with commas between them, each of letters, digits, `_` and single dots: fields that a statement asks for.
    Names,
    /// A name in a statement: quoted, so that it is one name whatever it holds.
    Identifier,
    /// This text for each of some names, with commas between them; `@` stands for the name, quoted.
    Each(Box<str>),
}

/// How a database writes seconds with a fraction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Digits {
    /// Six digits after the point: PostgreSQL 14 and later.
    Numeric,
    /// Fifteen digits in all, without zeros at their end: SQLite.
    Float,
}

/// The language of a statement, in which a value must not become more than a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Language {
    /// SQL and what has its literals, such as SuiteQL.
    Sql,
    /// SOQL, in whose texts a backslash escapes.
    Soql,
    /// OData: the keys of an address, the options of a query.
    Odata,
    /// A database's own statement, in which only names stand: values are bound.
    Statement,
}

impl Language {
    /// The language that the text itself names, and the text without that name.
    pub(super) fn of(text: &str, place: Place) -> (Option<Self>, &str) {
        match place {
            Place::Sql => (Some(Self::Sql), text),
            Place::Statement => (Some(Self::Statement), text.trim()),
            Place::Soql => (Some(Self::Soql), text),
            Place::Path | Place::Query => {
                let named = [("sql:", Self::Sql), ("soql:", Self::Soql), ("odata:", Self::Odata)];
                let found = named.into_iter().find_map(|(name, language)| {
                    text.strip_prefix(name).map(|statement| (Some(language), statement.trim_start()))
                });
                found.unwrap_or((None, text))
            }
            Place::Header | Place::Json => (None, text),
        }
    }

    /// Its name, and which encoders there are for it.
    pub(super) const fn told(self) -> (&'static str, &'static str) {
        match self {
            Self::Sql => (
                "SQL",
                "end it with `|sql`, `|integer`, `|from_one`, `|word`, `|names`, `|guid`, `|rfc3339`, `|ms`, `|s`, `|date_time`, \
                 `|date_time_us`, `|md5_hex` or `|md5_lower_hex`",
            ),
            Self::Odata => (
                "OData",
                "end it with `|odata`, `|integer`, `|from_one`, `|word`, `|names`, `|guid`, `|rfc3339`, `|ms`, `|s`, `|md5_hex` \
                     or `|md5_lower_hex`",
            ),
            Self::Soql => {
                ("SOQL", "end it with `|soql`, `|integer`, `|from_one`, `|word`, `|names` or `|rfc3339`")
            }
            Self::Statement => (
                "a statement",
                "a name ends in `|identifier` or `|each:TEXT`; a value goes under `binds`, and `$1` stands for it",
            ),
        }
    }
}

impl Encoder {
    /// The encoder of that name; the error lists what there is.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (name, argument) = text.split_once(':').unwrap_or((text, ""));
        let list = || argument.split(',').map(|item| item.trim().to_owned()).collect::<Vec<_>>();
        Some(match (name.trim(), argument) {
            ("lower", "") => Self::Lower,
            ("md5_hex", "") => Self::Md5Hex,
            ("md5_lower_hex", "") => Self::Md5LowerHex,
            ("base64", "") => Self::Base64,
            ("text", "") => Self::Text,
            ("sql", "") => Self::Sql,
            ("soql", "") => Self::Soql,
            ("integer", "") => Self::Integer,
            ("word", "") => Self::Word,
            ("comma", "") => Self::Comma,
            ("texts", "") => Self::Texts,
            ("typed", "") => Self::Typed,
            ("rfc3339", "") => Self::Moment(Form::Rfc3339),
            ("ms", "") => Self::Moment(Form::Ms),
            ("s", "") => Self::Moment(Form::S),
            ("tryton", "") => Self::Moment(Form::Tryton),
            ("date_time", "") => Self::DateTime,
            ("date_time_us", "") => Self::DateTimeUs,
            ("rfc3339_us", "") => Self::Rfc3339Us,
            ("epoch", "numeric") => Self::Epoch(Digits::Numeric),
            ("epoch", "float") => Self::Epoch(Digits::Float),
            ("spaced", "") => Self::Spaced,
            ("from_one", "") => Self::FromOne,
            ("segments", "") => Self::Segments,
            ("json_number", "") => Self::JsonNumber,
            ("odata", "") => Self::Odata,
            ("guid", "") => Self::Guid,
            ("names", "") => Self::Names,
            ("identifier", "") => Self::Identifier,
            ("each", text) if text.contains('@') => Self::Each(text.into()),
            ("not", argument) if !argument.is_empty() => Self::Not(list()),
            ("only", argument) if !argument.is_empty() => Self::Only(list()),
            _ => return None,
        })
    }

    /// The names there are, for hints.
    pub(crate) const NAMES: [&'static str; 31] = [
        "text",
        "lower",
        "md5_hex",
        "md5_lower_hex",
        "base64",
        "sql",
        "soql",
        "integer",
        "word",
        "comma",
        "texts",
        "typed",
        "rfc3339",
        "ms",
        "s",
        "tryton",
        "date_time",
        "date_time_us",
        "rfc3339_us",
        "epoch:DIGITS",
        "spaced",
        "from_one",
        "segments",
        "json_number",
        "odata",
        "guid",
        "names",
        "identifier",
        "each:TEXT",
        "not:VALUE,…",
        "only:VALUE,…",
    ];

    /// Whether what it gives cannot end a literal of that language or become another word.
    pub(crate) const fn is_safe_in(&self, language: Language) -> bool {
        match self {
            Self::Identifier | Self::Each(_) => matches!(language, Language::Statement),
            _ if matches!(language, Language::Statement) => false,
            Self::Integer
            | Self::FromOne
            | Self::Word
            | Self::Guid
            | Self::Names
            | Self::Md5Hex
            | Self::Md5LowerHex => true,
            Self::Moment(form) => matches!(form, Form::Ms | Form::S | Form::Rfc3339),
            Self::Sql | Self::DateTime | Self::DateTimeUs => matches!(language, Language::Sql),
            Self::Soql => matches!(language, Language::Soql),
            Self::Odata => matches!(language, Language::Odata),
            _ => false,
        }
    }

    /// The encoded value; `None` when it then counts as missing.
    pub(crate) fn apply<'a>(
        &self,
        value: Cow<'a, Value>,
        scope: &Scope<'_>,
    ) -> Result<Option<Cow<'a, Value>>, Cow<'static, str>> {
        let owned = |value: Value| Ok(Some(Cow::Owned(value)));
        match self {
            Self::Texts => return owned(texts(&value)),
            Self::Typed => return typed(&value, scope).map(|value| Some(Cow::Owned(value))),
            Self::Comma => return owned(Value::String(comma(&value)?)),
            Self::Moment(form) => return owned(form.write(micros(&value)?)),
            Self::DateTime => return owned(Value::String(date_time(micros(&value)?))),
            Self::DateTimeUs => return owned(Value::String(date_time_us(token(&value)?))),
            Self::Rfc3339Us => return owned(Form::Rfc3339.write(token(&value)?)),
            Self::Epoch(digits) => return owned(Value::String(epoch(token(&value)?, *digits))),
            Self::JsonNumber => return json_number(value),
            Self::Odata => return owned(Value::String(odata(&value)?)),
            Self::Names => return owned(Value::String(names(&value)?)),
            Self::Each(text) => {
                let each = super::identifier::each(text, &value)?;
                return Ok(Some(each)
                    .filter(|each| !each.is_empty())
                    .map(|each| Cow::Owned(Value::String(each))));
            }
            Self::Not(list) | Self::Only(list) => {
                let listed = text_of(&value).is_some_and(|text| list.contains(&text));
                return Ok((listed == matches!(self, Self::Only(_))).then_some(value));
            }
            _ => {}
        }
        if value.is_null() {
            return Ok(None);
        }
        let Some(text) = text_of(&value) else {
            return Err("it is a list or an object, and a text is needed".into());
        };
        if text.is_empty() {
            return Ok(None);
        }
        owned(Value::String(match self {
            Self::Lower => text.to_lowercase(),
            Self::Md5Hex => md5_hex(&text),
            Self::Md5LowerHex => md5_hex(&text.trim().to_lowercase()),
            Self::Base64 => STANDARD.encode(text),
            Self::Sql => sql(&text)?,
            Self::Soql => super::soql::literal(&text)?,
            Self::Integer => text.parse::<i64>().map_err(|_| "it is not a whole number")?.to_string(),
            Self::Word => word(text)?,
            Self::FromOne => {
                from_one(&text).ok_or("it is not a whole number that has a next one")?.to_string()
            }
            Self::Spaced => text.replace('_', " "),
            Self::Guid => guid(text)?,
            Self::Identifier => super::identifier::quoted(&text)?,
            _ => text,
        }))
    }
}

/// What [`Encoder::Texts`] makes of a value.
pub(crate) fn texts(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.clone(), texts(value))).collect::<Fields>())
        }
        Value::Array(items) => Value::String(items.iter().filter_map(text_of).collect::<Vec<_>>().join(";")),
        scalar => Value::String(text_of(scalar).unwrap_or_default()),
    }
}

/// Fields named in the object's `types` become typed JSON; nested objects keep their form.
fn typed(value: &Value, scope: &Scope<'_>) -> Result<Value, Cow<'static, str>> {
    let Value::Object(map) = value else { return Ok(value.clone()) };
    let mut out = Fields::new();
    for (key, value) in map {
        let value = match scope.types.get(key) {
            Some(kind) => kind.write(value).ok_or_else(|| {
                Cow::Owned(format!("field `{key}` is declared {kind:?} and holds another kind of value"))
            })?,
            None => value.clone(),
        };
        out.insert(key.clone(), value);
    }
    Ok(Value::Object(out))
}

fn comma(value: &Value) -> Result<String, Cow<'static, str>> {
    let Value::Array(items) = value else {
        return text_of(value).ok_or(Cow::Borrowed("it is an object, and a list is needed"));
    };
    Ok(items.iter().filter_map(text_of).collect::<Vec<_>>().join(","))
}

fn micros(value: &Value) -> Result<i64, Cow<'static, str>> {
    value
        .as_i64()
        .or_else(|| crate::moment::read_text(value.as_str()?))
        .ok_or(Cow::Borrowed("it is not a moment"))
}

fn date_time(micros: i64) -> String {
    let at = canonical::Wall(micros).timestamp().to_zoned(jiff::tz::TimeZone::UTC);
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn from_one(text: &str) -> Option<i64> {
    text.parse::<i64>().ok()?.checked_add(1)
}

/// A moment, or the order token that stands for one.
fn token(value: &Value) -> Result<i64, Cow<'static, str>> {
    let digits = value.as_str().and_then(|text| text.parse().ok());
    digits.map_or_else(|| micros(value), Ok)
}

fn date_time_us(micros: i64) -> String {
    match micros.rem_euclid(1_000_000) {
        0 => date_time(micros),
        fraction => format!("{}.{fraction:06}", date_time(micros)),
    }
}

fn epoch(micros: i64, digits: Digits) -> String {
    let (seconds, fraction) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    let whole = format!("{seconds}.{fraction:06}");
    if digits == Digits::Numeric {
        return whole;
    }
    let places = 15_usize.saturating_sub(seconds.unsigned_abs().to_string().len());
    // The nearest float, as the database has it. The text is one of digits and a point.
    let Ok(float) = whole.parse::<f64>() else { return whole };
    let text = format!("{float:.places$}");
    let short = text.trim_end_matches('0');
    if short.ends_with('.') { format!("{short}0") } else { short.to_owned() }
}

fn json_number(value: Cow<'_, Value>) -> Result<Option<Cow<'_, Value>>, Cow<'static, str>> {
    match &*value {
        Value::Null => Ok(None),
        Value::Number(_) => Ok(Some(value)),
        Value::String(text) => match text.parse::<serde_json::Number>() {
            Ok(number) => Ok(Some(Cow::Owned(Value::Number(number)))),
            Err(_) => Err("it is not a number".into()),
        },
        _ => Err("it is not a number".into()),
    }
}

fn md5_hex(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().fold(String::with_capacity(32), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ok = write!(out, "{byte:02x}").is_ok();
        out
    })
}

/// A quoted literal of standard SQL: only the quote needs doubling; characters that a dialect might treat
/// otherwise are refused.
fn sql(text: &str) -> Result<String, Cow<'static, str>> {
    if text.chars().any(|c| c.is_control() || c == '\\') {
        return Err("control characters and backslashes cannot stand in a SQL text".into());
    }
    Ok(format!("'{}'", text.replace('\'', "''")))
}

/// A literal of OData 4 (ABNF, `primitiveLiteral`): in a text only the quote needs doubling. What the place does to other
/// characters comes on top. Control characters are refused: vendors differ in what they make of them.
fn odata(value: &Value) -> Result<String, Cow<'static, str>> {
    match value {
        Value::String(text) if text.chars().any(char::is_control) => {
            Err("control characters cannot stand in an OData text".into())
        }
        Value::String(text) => Ok(format!("'{}'", text.replace('\'', "''"))),
        Value::Null => Ok("null".to_owned()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        Value::Array(_) | Value::Object(_) => {
            Err("it is a list or an object, and a single value is needed".into())
        }
    }
}

/// A GUID in its form with hyphens, as vendors give it; in lower case or upper.
fn guid(text: String) -> Result<String, Cow<'static, str>> {
    let parts: Vec<&str> = text.split('-').collect();
    let sized = parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]);
    if sized && parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_hexdigit())) {
        Ok(text)
    } else {
        Err("it is not a GUID such as `6a9b6c1e-0000-4000-8000-000000000001`".into())
    }
}

/// Names of fields, which may lead over others: `Account.Name`.
fn names(value: &Value) -> Result<String, Cow<'static, str>> {
    let list = comma(value)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let named = |name: &str| name.split('.').all(|part| !part.is_empty() && part.bytes().all(plain));
    match list.split(',').find(|name| !named(name)) {
        None => Ok(list),
        Some(name) => {
            Err(format!("`{name}` is not a field's name: letters, digits, `_` and single dots").into())
        }
    }
}

fn word(text: String) -> Result<String, Cow<'static, str>> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    if text.bytes().all(plain) && !text.contains("--") {
        Ok(text)
    } else {
        Err("only letters, digits, `_` and single `-` can stand there".into())
    }
}
