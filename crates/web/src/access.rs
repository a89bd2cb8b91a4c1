//! Who may call: bearer tokens, kept as hashes, compared in constant time.

use std::collections::BTreeSet;
use std::convert::Infallible;

use axum::extract::FromRequestParts;
use canonical::System;
use guard::Secret;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use subtle::{Choice, ConstantTimeEq as _};

use crate::problem::{Problem, kinds};

/// What a token lets do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// Post events in the name of its system.
    Ingest,
    /// Look: lists, records, figures. Personal values are masked.
    Read,
    /// Order: pause, resume, retry, discard.
    Operate,
    /// See personal values.
    Pii,
}

impl Scope {
    /// Its name, as in configuration and errors.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Pii => "pii",
        }
    }
}

/// A token that is known. The token itself is not kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    name: String,
    scopes: BTreeSet<Scope>,
    system: Option<System>,
    hash: blake3::Hash,
}

impl Token {
    /// A token by the name people know it by.
    #[must_use]
    pub fn new(name: impl Into<String>, token: &Secret, scopes: impl IntoIterator<Item = Scope>) -> Self {
        let hash = blake3::hash(token.expose());
        Self { name: name.into(), scopes: scopes.into_iter().collect(), system: None, hash }
    }

    /// Speaks in the name of one system.
    #[must_use]
    pub fn of_system(mut self, system: System) -> Self {
        self.system = Some(system);
        self
    }
}

/// All tokens that a listener knows.
#[derive(Clone, Default, Debug)]
pub struct Tokens(Vec<Token>);

impl Tokens {
    /// These.
    #[must_use]
    pub fn new(tokens: Vec<Token>) -> Self {
        Self(tokens)
    }

    /// Whether the header's token is one of these.
    #[must_use]
    pub fn know(&self, headers: &HeaderMap) -> bool {
        self.caller(headers).is_ok()
    }

    /// Whether a token is in both.
    #[must_use]
    pub fn share(&self, others: &Self) -> bool {
        self.0.iter().any(|token| others.0.iter().any(|other| other.hash == token.hash))
    }

    /// Who calls, if the header's token is known. The time taken does not tell which, or how nearly.
    ///
    /// # Errors
    /// The problem to answer with.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let presented = bearer(headers)?;
        let hash = blake3::hash(presented.as_bytes());
        let mut found = None;
        for token in &self.0 {
            let same: Choice = token.hash.as_bytes().ct_eq(hash.as_bytes());
            if bool::from(same) {
                found = Some(token);
            }
        }
        let token = found.ok_or_else(|| Problem::new(kinds::UNAUTHORISED, "the token is not known here"))?;
        Ok(Caller { name: token.name.clone(), scopes: token.scopes.clone(), system: token.system.clone() })
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let unauthorised = |detail: &str| Problem::new(kinds::UNAUTHORISED, detail);
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or_else(|| unauthorised("the header `Authorization` is missing"))?;
    if values.next().is_some() {
        return Err(unauthorised("the header `Authorization` is given more than once"));
    }
    let value = value.to_str().map_err(|_| unauthorised("the header `Authorization` is not text"))?;
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
            Ok(token.trim())
        }
        _ => Err(unauthorised("the header `Authorization` is not of the form `Bearer TOKEN`")),
    }
}

/// Who calls, as the token says. Only routes behind a token have one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// The token's name, for the record.
    pub name: String,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// In whose name it speaks.
    pub system: Option<System>,
}

impl Caller {
    /// Insists on a scope.
    ///
    /// # Errors
    /// The problem to answer with.
    pub fn must(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.contains(&scope) {
            return Ok(());
        }
        let detail = format!("token `{}` has not the scope `{}`", self.name, scope.name());
        Err(Problem::new(kinds::FORBIDDEN, detail))
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // A handler that asks for a caller on a route without a token gets none.
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Problem::new(kinds::UNAUTHORISED, "this address is not behind a token"))
    }
}

/// The id of a request, in its answer, its problem document and its log lines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestId(pub String);

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self("none".to_owned())))
    }
}
