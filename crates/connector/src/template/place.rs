//! The places in a request that a text can stand in, and what keeps it one value there.

/// Where a text stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// In the path of the address.
    Path,
    /// In a value of the query.
    Query,
    /// In a header's value.
    Header,
    /// In a text of a JSON body (escaped by the JSON writer).
    Json,
    /// In a SQL statement.
    Sql,
    /// In a SOQL statement.
    Soql,
    /// In a database's own statement, where values are bound.
    Statement,
}

impl Place {
    /// Its name, for messages.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Path => "the path",
            Self::Query => "the query",
            Self::Header => "a header",
            Self::Json => "the body",
            Self::Sql | Self::Statement => "the SQL statement",
            Self::Soql => "the SOQL statement",
        }
    }

    /// Puts the manifest's own text there. A path is written as it goes on the wire; a query is not.
    pub(super) fn push_fixed(self, text: &str, out: &mut String) {
        match self {
            Self::Query => percent(text, out),
            _ => out.push_str(text),
        }
    }

    /// Puts a value there, so that it stays one value.
    pub(super) fn push(self, text: &str, out: &mut String) -> Result<(), &'static str> {
        match self {
            Self::Path if matches!(text, "." | "..") => Err("it would change the path"),
            Self::Path | Self::Query => {
                percent(text, out);
                Ok(())
            }
            Self::Header if !text.bytes().all(|b| (0x20..0x7f).contains(&b)) => {
                Err("only printable ASCII can stand in a header")
            }
            Self::Header | Self::Json | Self::Sql | Self::Soql | Self::Statement => {
                out.push_str(text);
                Ok(())
            }
        }
    }
}

/// Percent-encodes all but the unreserved characters of RFC 3986.
pub(crate) fn percent(text: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}
