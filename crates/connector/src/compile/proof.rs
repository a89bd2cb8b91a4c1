//! What of the ways to authenticate, and of headers, can be seen to fail before any request is made.

use serde_saphyr::{Location, Spanned};

use super::Compiler;
use crate::source::RequestSource;
use crate::spec::AuthKind;
use crate::template::Template;

/// Headers that belong to the connection, or that are written of other parts of the manifest.
const TAKEN: [(&str, &str); 9] = [
    ("authorization", "say under `auth` how requests prove who sends them"),
    ("connection", "leave it out: it is the connection's own"),
    ("content-length", "leave it out: it is counted when the request is sent"),
    ("host", "leave it out: it is the system's `base_url`"),
    ("proxy-authorization", "leave it out: it is the connection's own"),
    ("te", "leave it out: it is the connection's own"),
    ("trailer", "leave it out: it is the connection's own"),
    ("transfer-encoding", "leave it out: it is the connection's own"),
    ("upgrade", "leave it out: it is the connection's own"),
];

/// Whether a text can be a header's name (RFC 9110, section 5.6.2).
fn is_header_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(plain)
}

/// Whether a text can stand in a header: printable ASCII, as for values.
fn is_header_text(text: &str) -> bool {
    text.bytes().all(|b| (0x20..0x7f).contains(&b))
}

impl Compiler<'_> {
    /// Looks at all ways to authenticate, as they are written: a system may choose any.
    pub(super) fn check_ways(&mut self) {
        let source = self.source;
        let chosen = self.way().to_owned();
        for (name, way) in &source.auth {
            let at = way.referenced;
            match &way.value {
                AuthKind::None
                | AuthKind::Bearer { .. }
                | AuthKind::Query { .. }
                | AuthKind::Oauth1 { .. } => {}
                AuthKind::Basic { user, user_secret, .. } if user.is_none() && user_secret.is_none() => {
                    self.error(
                        at,
                        "`basic` has no user",
                        "add `user`, or `user_secret` where it is a secret",
                    );
                }
                AuthKind::Header { name, prefix, .. } => {
                    self.check_carrier("header.name", name, at);
                    self.check_header_text("header.prefix", prefix, at);
                }
                AuthKind::Oauth2ClientCredentials { token, .. } | AuthKind::Oauth2JwtBearer { token, .. } => {
                    self.check_address("token", token, at);
                }
                AuthKind::Oauth2Refresh { token, consent, .. } => {
                    self.check_address("token", token, at);
                    if let Some(consent) = consent {
                        self.check_address("consent.address", &consent.address, at);
                    }
                }
                AuthKind::Session(login) => {
                    self.check_address("session.path", &login.path, at);
                    self.check_carrier("session.header", &login.header, at);
                    self.check_header_text("session.prefix", &login.prefix, at);
                    for name in login.headers.keys() {
                        self.check_carrier(&format!("session.headers.{name}"), name, at);
                    }
                    if let Some((what, hint)) = login.flaw().filter(|_| *name != chosen) {
                        self.error(at, format!("session.{what}"), hint);
                    }
                }
                AuthKind::SessionJsonrpc { path, .. } => self.check_address("path", path, at),
                AuthKind::Hmac(signing) => {
                    for name in signing.headers.keys() {
                        self.check_carrier(&format!("hmac.headers.{name}"), name, at);
                    }
                    if let Some((what, hint)) = signing.flaw().filter(|_| *name != chosen) {
                        self.error(at, format!("hmac.{what}"), hint);
                    }
                }
                AuthKind::Basic { .. } => {}
            }
        }
    }

    /// An address that credentials are sent to. What begins with a parameter is known when a system is bound.
    fn check_address(&mut self, key: &str, address: &str, at: Location) {
        let fits = address.starts_with('{')
            || (address.starts_with('/') && !address.starts_with("//"))
            || address
                .strip_prefix("https://")
                .is_some_and(|host| !host.starts_with(['/', '?', '#']) && !host.is_empty());
        let plain = address.bytes().all(|b| (0x21..0x7f).contains(&b) && b != b'#');
        if !fits || !plain {
            self.error(
                at,
                format!("`{key}` is `{}`, which is neither a path nor an `https` address", address.escape_debug()),
                "write a path from the connection's base address on, `/oauth/token`, or a whole `https` address: credentials go \
                 there",
            );
        }
    }

    /// A header that carries a credential.
    fn check_carrier(&mut self, key: &str, name: &str, at: Location) {
        if name.contains('{') {
            return;
        }
        let taken =
            TAKEN.iter().find(|(taken, _)| taken.eq_ignore_ascii_case(name) && *taken != "authorization");
        if !is_header_name(name) {
            let what = format!("`{key}`: `{}` is not a header's name", name.escape_debug());
            self.error(at, what, "letters, digits and `-`");
        } else if let Some((name, hint)) = taken {
            self.error(at, format!("`{key}`: the header `{name}` can't carry it"), *hint);
        }
    }

    fn check_header_text(&mut self, key: &str, text: &str, at: Location) {
        if !is_header_text(text) {
            self.error(at, format!("`{key}`: only printable ASCII can stand in a header"), "");
        }
    }

    /// A header of a request: its name, and what of its value is known.
    pub(super) fn check_header(&mut self, name: &str, value: &Spanned<String>, template: &Template) {
        let at = value.referenced;
        if !is_header_name(name) {
            let what = format!("`{}` is not a header's name", name.escape_debug());
            self.error(at, what, "letters, digits and `-`");
        } else if let Some((name, hint)) = TAKEN.iter().find(|(taken, _)| taken.eq_ignore_ascii_case(name)) {
            self.error(at, format!("the header `{name}` can't be set here"), *hint);
        }
        if !template.fixed_texts().all(is_header_text) {
            let what = format!("the header `{name}`: only printable ASCII can stand in a header");
            self.error(at, what, "a line break in it would begin another header");
        }
    }

    /// A path as it is written: it must reach what it says, below the base address.
    pub(super) fn check_path(&mut self, source: &RequestSource, written: &str, template: &Template) {
        let at = source.path.referenced;
        if !written.starts_with('/') {
            self.error(
                at,
                format!("the path `{written}` does not start with `/`"),
                "write it from the connection's base address on",
            );
            return;
        }
        let fixed: String = template.fixed_texts().collect();
        let (what, hint) = if fixed.contains('?') {
            (
                "holds a `?`",
                "put what follows it into `query: {NAME: VALUE}`; as a character of the path it is `%3F`",
            )
        } else if fixed.contains('#') {
            ("holds a `#`, and what follows one is never sent", "as a character of the path it is `%23`")
        } else if written.starts_with("//") {
            ("starts with `//`, which begins another host's address", "start with one `/`")
        } else if written.split('/').any(|part| matches!(part, "." | "..")) {
            ("climbs by `.` or `..`", "write the path that it leads to")
        } else if let Some(odd) = fixed.chars().find(|c| !('!'..='~').contains(c) || *c == '\\') {
            let what = format!("the path holds `{}`, which no path can carry as it is", odd.escape_debug());
            self.error(at, what, "write it as it goes on the wire, such as `%20` for a space");
            return;
        } else {
            return;
        };
        self.error(at, format!("the path {what}"), hint);
    }
}
