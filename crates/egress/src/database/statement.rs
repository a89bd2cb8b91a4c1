//! Statements as connectors render them: `{"statement": TEXT, "binds": [{"type": …, "value": …}, …]}`.
//!
//! Every value goes as text with the type that it was declared to have, and the server reads it by that type's own rules:
//! numbers keep all their digits.

use std::error::Error;
use std::fmt;

use bytes::BytesMut;
use serde::Deserialize;
use serde_json::Value;
use tokio_postgres::types::{Format, IsNull, ToSql, Type};

/// A statement with its values.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Statement {
    #[serde(rename = "statement")]
    text: String,
    binds: Vec<Bind>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bind {
    #[serde(rename = "type")]
    kind: Kind,
    value: Value,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Any,
    Text,
    Bigint,
    Timestamptz,
    Json,
}

/// A value as the server reads it; `None` is NULL. It does not print.
pub(super) struct Bound(Option<String>);

impl Statement {
    /// Reads a request's body.
    ///
    /// # Errors
    /// A text for people, without values.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        let statement: Self = serde_json::from_slice(body).map_err(|error| {
            format!("it is no statement (line {}, column {})", error.line(), error.column())
        })?;
        let mixed = |bind: &Bind| {
            !matches!(bind.kind, Kind::Json) && (bind.value.is_object() || bind.value.is_array())
        };
        match statement.binds.iter().position(mixed) {
            Some(at) => Err(format!("`${}` is a list or an object, and a single value is needed", at + 1)),
            None => Ok(statement),
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The values in their order, with their types.
    pub(super) fn values(&self) -> Vec<(Bound, Type)> {
        self.binds.iter().map(|bind| (bind.bound(), bind.kind.declared())).collect()
    }
}

impl Bind {
    fn bound(&self) -> Bound {
        Bound(match (&self.value, self.kind) {
            (Value::Null, _) => None,
            (value, Kind::Json) => Some(value.to_string()),
            (Value::String(text), _) => Some(text.clone()),
            (other, _) => Some(other.to_string()),
        })
    }
}

impl Kind {
    /// What the server is told. `UNKNOWN` lets it take what the place needs (protocol, `Parse`).
    const fn declared(self) -> Type {
        match self {
            Self::Any => Type::UNKNOWN,
            Self::Text => Type::TEXT,
            Self::Bigint => Type::INT8,
            Self::Timestamptz => Type::TIMESTAMPTZ,
            Self::Json => Type::JSON,
        }
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Bound(…)" } else { "Bound(NULL)" })
    }
}

impl ToSql for Bound {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Some(text) = &self.0 else { return Ok(IsNull::Yes) };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.to_sql(of, out)
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }
}
