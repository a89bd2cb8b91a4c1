//! Databases as systems: their addresses, and whether a connector speaks their language.

use connector::Connector;
use guard::address::{AllowList, Host};
use guard::database::{Address, is_database};

/// What is wrong, and what would be right.
type Flaw = (String, String);

/// Checks a database's address.
pub(super) fn address(text: &str) -> Result<String, Flaw> {
    Address::read(text).map_err(|error| (error.what, error.hint))?;
    Ok(text.to_owned())
}

/// An address that the guard would refuse to dial, as far as that can be told without asking a resolver.
pub(super) fn unreachable(base_url: &str, allow: &AllowList) -> Option<Flaw> {
    let Address { host, port, plain, .. } = Address::read(base_url).ok()?;
    let Host::Address(address) = host else { return None };
    let entry = if address.is_ipv6() { format!("[{address}]:{port}") } else { format!("{address}:{port}") };
    let hint = format!("if that is meant, add `allow: [\"{entry}\"]` beside it");
    if let Err(blocked) = allow.check(address, port) {
        return Some((format!("{address} may not be dialled: it is in a {} range", blocked.range), hint));
    }
    let unlisted = plain && !allow.lists(address, port);
    unlisted.then(|| (format!("{address} may not be dialled without TLS, since it is not listed"), hint))
}

/// A database that is spoken to without TLS over more than this machine.
pub(super) fn in_the_clear(base_url: &str) -> Option<Flaw> {
    let Address { host, plain, .. } = Address::read(base_url).ok()?;
    let local = match host {
        Host::Address(address) => address.is_loopback(),
        Host::Name(name) => name == "localhost",
    };
    (plain && !local).then(|| {
        let what = "credentials and records would travel unencrypted".to_owned();
        (what, "take `?sslmode=disable` away".to_owned())
    })
}

/// A database's address with a connector that speaks HTTP, or the other way round.
pub(super) fn unlike(base_url: &str, connector: &Connector) -> Option<Flaw> {
    let name = connector.name();
    match (is_database(base_url), connector.asks_database()) {
        (true, false) => Some((
            format!("this is a database's address, and the connector `{name}` speaks HTTP"),
            "write an `https` address, or take the connector `postgresql`".to_owned(),
        )),
        (false, true) => Some((
            format!("the connector `{name}` speaks to a database, and this is no database's address"),
            "write it like `postgres://db.example.com:5432/sales`".to_owned(),
        )),
        _ => None,
    }
}
