//! Which network addresses may be dialled: the public internet, and what a connection lists, one by one.
//!
//! The list of special ranges is that of the IANA registries for IPv4 and IPv6. Addresses that carry another
//! address inside (IPv4-mapped, 6to4, NAT64, Teredo) are refused as such: a gateway could lead them inwards.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

mod ranges;

use ranges::{RANGES_V4, RANGES_V6};

/// An address that may not be dialled, and the range that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is in a {range} range; list the address under `allow` of this connection if that is meant")]
pub struct Blocked {
    /// The class of the range, such as `private` or `loopback`.
    pub range: &'static str,
}

/// Says whether an address belongs to the public internet.
///
/// # Errors
/// [`Blocked`] names the class of the special range it is in.
pub fn is_public(address: IpAddr) -> Result<(), Blocked> {
    let found = match address.to_canonical() {
        IpAddr::V4(v4) => RANGES_V4.iter().find(|r| covers_v4(r.0, r.1, v4)).map(|r| r.2),
        IpAddr::V6(v6) => RANGES_V6.iter().find(|r| covers_v6(r.0, r.1, v6)).map(|r| r.2).or_else(|| {
            // Everything outside 2000::/3 is unassigned or special, whatever the table names.
            (!covers_v6(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3, v6)).then_some("reserved")
        }),
    };
    found.map_or(Ok(()), |range| Err(Blocked { range }))
}

fn covers_v4(net: Ipv4Addr, prefix: u8, address: Ipv4Addr) -> bool {
    let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
    (net.to_bits() ^ address.to_bits()) & mask == 0
}

fn covers_v6(net: Ipv6Addr, prefix: u8, address: Ipv6Addr) -> bool {
    let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
    (net.to_bits() ^ address.to_bits()) & mask == 0
}

/// One entry of an allow-list: an address or a network, and optionally the one port it holds for.
///
/// Written `127.0.0.1`, `127.0.0.1:8080`, `10.1.0.0/16`, `10.1.0.0/16:8443`, `::1`, `[::1]:8080`,
/// `[fd00::/48]:443`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Allowed {
    net: IpAddr,
    prefix: u8,
    port: Option<u16>,
}

/// Why a text is not an entry of an allow-list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllowedError {
    /// Not an address or network.
    #[error("{text:?} is not an address or network; write 127.0.0.1, 10.1.0.0/16, [::1]:8080 or similar")]
    Unreadable {
        /// What was written.
        text: String,
    },
    /// So wide that it would switch the guard off.
    #[error(
        "{text:?} allows too much: the widest network is /{narrowest} (list the addresses that are meant)"
    )]
    TooWide {
        /// What was written.
        text: String,
        /// The smallest prefix length that is accepted.
        narrowest: u8,
    },
    /// Bits are set outside the prefix, so the entry does not mean what it seems to.
    #[error("{text:?} has bits set behind its prefix; write the network's first address")]
    HostBits {
        /// What was written.
        text: String,
    },
}

/// The addresses a connection may dial besides the public internet. Empty by default.
///
/// An entry holds for its addresses only; it never switches the guard off for others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AllowList(Vec<Allowed>);

impl AllowList {
    /// A list of entries.
    #[must_use]
    pub const fn new(entries: Vec<Allowed>) -> Self {
        Self(entries)
    }

    /// Whether nothing is listed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Says whether `address` may be dialled at `port`: it is public, or listed.
    ///
    /// # Errors
    /// [`Blocked`] names the class of the range.
    pub fn check(&self, address: IpAddr, port: u16) -> Result<(), Blocked> {
        is_public(address).or_else(|blocked| if self.lists(address, port) { Ok(()) } else { Err(blocked) })
    }

    /// Whether `address` at `port` is listed itself, public or not.
    #[must_use]
    pub fn lists(&self, address: IpAddr, port: u16) -> bool {
        self.0.iter().any(|entry| entry.holds(address.to_canonical(), port))
    }
}

/// The cloud's metadata service: it hands out credentials, so only its exact address opens it.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
];

impl Allowed {
    fn holds(&self, address: IpAddr, port: u16) -> bool {
        if self.port.is_some_and(|own| own != port) {
            return false;
        }
        if METADATA.contains(&address) {
            return self.net == address;
        }
        match (self.net, address) {
            (IpAddr::V4(net), IpAddr::V4(address)) => covers_v4(net, self.prefix, address),
            (IpAddr::V6(net), IpAddr::V6(address)) => covers_v6(net, self.prefix, address),
            _ => false,
        }
    }

    const fn bits(address: IpAddr) -> u8 {
        if address.is_ipv4() { 32 } else { 128 }
    }
}

impl FromStr for Allowed {
    type Err = AllowedError;

    fn from_str(text: &str) -> Result<Self, AllowedError> {
        let unreadable = || AllowedError::Unreadable { text: text.to_owned() };
        let (place, port) = split_port(text).ok_or_else(unreadable)?;
        let (net, prefix) = place.split_once('/').map_or((place, None), |(net, prefix)| (net, Some(prefix)));
        let net = IpAddr::from_str(net).map_err(|_| unreadable())?;
        // A mapped address would never match: addresses are compared in their canonical form.
        if net != net.to_canonical() {
            return Err(unreadable());
        }
        let prefix = match prefix {
            None => Self::bits(net),
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|prefix| *prefix <= Self::bits(net) && digits.bytes().all(|b| b.is_ascii_digit()))
                .ok_or_else(unreadable)?,
        };
        let narrowest = if net.is_ipv4() { 8 } else { 32 };
        if prefix < narrowest {
            return Err(AllowedError::TooWide { text: text.to_owned(), narrowest });
        }
        let whole = match net {
            IpAddr::V4(v4) => v4.to_bits().checked_shl(u32::from(prefix)).unwrap_or(0) == 0,
            IpAddr::V6(v6) => v6.to_bits().checked_shl(u32::from(prefix)).unwrap_or(0) == 0,
        };
        if whole {
            Ok(Self { net, prefix, port })
        } else {
            Err(AllowedError::HostBits { text: text.to_owned() })
        }
    }
}

/// Splits `place:port`, `[place]:port`, `[place]` and `place`.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let number = |digits: &str| digits.parse::<u16>().ok().filter(|port| *port > 0);
    if let Some(rest) = text.strip_prefix('[') {
        let (place, tail) = rest.split_once(']')?;
        return match tail.strip_prefix(':') {
            Some(digits) => Some((place, Some(number(digits)?))),
            None => tail.is_empty().then_some((place, None)),
        };
    }
    match text.split_once(':') {
        Some((place, digits)) if !digits.contains(':') => Some((place, Some(number(digits)?))),
        _ => Some((text, None)),
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.prefix == Self::bits(self.net) {
            self.net.to_string()
        } else {
            format!("{}/{}", self.net, self.prefix)
        };
        match self.port {
            Some(port) if self.net.is_ipv6() => write!(f, "[{place}]:{port}"),
            Some(port) => write!(f, "{place}:{port}"),
            None => f.write_str(&place),
        }
    }
}
impl fmt::Debug for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl TryFrom<String> for Allowed {
    type Error = AllowedError;
    fn try_from(text: String) -> Result<Self, AllowedError> {
        text.parse()
    }
}
impl From<Allowed> for String {
    fn from(entry: Allowed) -> Self {
        entry.to_string()
    }
}

/// The host part of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// An address: no resolver is asked, so it must be checked before the request.
    Address(IpAddr),
    /// A name, in lower case: the resolver checks each address it finds.
    Name(String),
}

/// Why a host is refused before anything is resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// Nothing there.
    #[error("the host is empty")]
    Empty,
    /// `[fe80::1%eth0]`: means something on this machine only.
    #[error("{host:?} carries a zone id; use the address without it")]
    Zone {
        /// What was written.
        host: String,
    },
    /// `0x7f.1`, `2130706433`, `0177.0.0.1`: read as an address by some programs and as a name by others.
    #[error("{host:?} is an address in an odd form; write it as four decimal numbers")]
    OddAddress {
        /// What was written.
        host: String,
    },
    /// Characters no host has.
    #[error("{host:?} is not a host name")]
    NotAHost {
        /// What was written.
        host: String,
    },
}

/// Reads a host as written in a URL, with or without brackets.
///
/// # Errors
/// [`HostError`] for zone ids, odd spellings of addresses, and what is no host at all: the guard refuses
/// what it cannot read the way every other program reads it.
pub fn host(text: &str) -> Result<Host, HostError> {
    let own = || text.to_owned();
    if text.is_empty() {
        return Err(HostError::Empty);
    }
    if text.contains('%') {
        return Err(HostError::Zone { host: own() });
    }
    if let Some(inner) = text.strip_prefix('[') {
        return inner
            .strip_suffix(']')
            .and_then(|inner| Ipv6Addr::from_str(inner).ok())
            .map(|v6| Host::Address(IpAddr::V6(v6).to_canonical()))
            .ok_or_else(|| HostError::NotAHost { host: own() });
    }
    if let Ok(address) = IpAddr::from_str(text) {
        return Ok(Host::Address(address.to_canonical()));
    }
    // The WHATWG rule: a host whose last label is a number is an address, in whatever base it is written.
    let bare = text.strip_suffix('.').unwrap_or(text);
    let last = bare.rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let numeric = !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit());
    if numeric || hex.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit())) {
        return Err(HostError::OddAddress { host: own() });
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let labels = bare.split('.').all(|label| !label.is_empty() && label.len() <= 63);
    if bare.bytes().all(plain) && labels && bare.len() <= 253 {
        Ok(Host::Name(bare.to_ascii_lowercase()))
    } else {
        Err(HostError::NotAHost { host: own() })
    }
}

#[cfg(test)]
mod tests;
