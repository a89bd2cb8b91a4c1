//! Addresses of databases: `postgres://HOST:PORT/NAME`, without a credential.
//!
//! TLS with a certificate for that host goes without saying. `?sslmode=disable` turns it off; what lies between
//! (`require`, `verify-ca`) checks less than it seems to, and is not offered.

use crate::address::{Host, host};

/// PostgreSQL's port unless an address says another.
const PORT: u16 = 5432;

/// Where a database is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    /// Its host, to be judged before it is dialled.
    pub host: Host,
    /// The host as a certificate names it: without brackets.
    pub name: String,
    /// Its port.
    pub port: u16,
    /// The database's name.
    pub database: String,
    /// Whether it is spoken to without TLS.
    pub plain: bool,
}

/// What is wrong with an address, and what would be right.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{what}; {hint}")]
pub struct AddressError {
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub hint: String,
}

/// Whether a base address is a database's.
#[must_use]
pub fn is_database(base_url: &str) -> bool {
    path(base_url).is_some()
}

fn path(base_url: &str) -> Option<&str> {
    base_url.strip_prefix("postgres://").or_else(|| base_url.strip_prefix("postgresql://"))
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn read(base_url: &str) -> Result<Self, AddressError> {
        let wrong = |what: &str, hint: &str| AddressError { what: what.to_owned(), hint: hint.to_owned() };
        let form = "write it like `postgres://db.example.com:5432/sales`";
        let rest = path(base_url).ok_or_else(|| wrong("this is no database's address", form))?;
        if rest.contains('@') {
            return Err(wrong("the address holds a credential", "name the credential under `secrets`"));
        }
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let plain = match query {
            None | Some("sslmode=verify-full") => false,
            Some("sslmode=disable") => true,
            Some(_) => {
                let hint = "leave it away: TLS with a certificate that is checked goes without saying; \
                            `?sslmode=disable` speaks without, to addresses listed under `allow`";
                return Err(wrong("the address has another `?` than is known", hint));
            }
        };
        let (at, database) = rest.split_once('/').unwrap_or((rest, ""));
        let named = !database.is_empty() && !database.contains(['/', '#', '%']) && !database.contains('\0');
        if !named {
            return Err(wrong("the address names no database, or one whose name cannot stand there", form));
        }
        // A colon inside brackets is the address' own.
        let (written, port) = match at.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
            Some((written, port)) => {
                let port = port.parse().map_err(|_| wrong("the address' port is no number of one", form))?;
                (written, port)
            }
            None => (at, PORT),
        };
        let read = host(written).map_err(|error| wrong(&error.to_string(), "write the host's name"))?;
        let name = written.trim_matches(['[', ']']).to_owned();
        Ok(Self { host: read, name, port, database: database.to_owned(), plain })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_port_database_and_tls() {
        for (text, name, port, database, plain) in [
            ("postgres://db.example.com/sales", "db.example.com", 5432, "sales", false),
            (
                "postgresql://db.example.com:6000/sales?sslmode=verify-full",
                "db.example.com",
                6000,
                "sales",
                false,
            ),
            ("postgres://127.0.0.1:5433/a b?sslmode=disable", "127.0.0.1", 5433, "a b", true),
            ("postgres://[::1]:5433/x", "::1", 5433, "x", false),
            ("postgres://[::1]/x", "::1", 5432, "x", false),
        ] {
            let read = Address::read(text).unwrap();
            let found = (read.name.as_str(), read.port, read.database.as_str(), read.plain);
            assert_eq!(found, (name, port, database, plain), "{text}");
        }
        let read = Address::read("postgres://[::ffff:127.0.0.1]/x").unwrap();
        assert_eq!(read.host, Host::Address([127, 0, 0, 1].into()));
    }

    #[test]
    fn what_is_odd_is_refused() {
        for (text, what) in [
            ("https://db.example.com/sales", "no database"),
            ("postgres://me:pw@db.example.com/sales", "credential"),
            ("postgres://db.example.com", "names no database"),
            ("postgres://db.example.com/", "names no database"),
            ("postgres://db.example.com/a/b", "names no database"),
            ("postgres://db.example.com/a%2Fb", "names no database"),
            ("postgres://db.example.com/sales?sslmode=require", "another `?`"),
            ("postgres://db.example.com/sales?host=evil.example.com", "another `?`"),
            ("postgres://db.example.com/sales?sslmode=verify-full&host=x", "another `?`"),
            ("postgres://db.example.com:port/sales", "port"),
            ("postgres://0x7f.1/sales", ""),
            ("postgres://one,two/sales", ""),
            ("postgres:///sales", ""),
            ("postgres://%2Fvar%2Frun/sales", ""),
        ] {
            let error = Address::read(text).unwrap_err();
            assert!(error.what.contains(what), "{text}: {error}");
        }
    }
}
