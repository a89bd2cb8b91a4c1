//! A credential that goes in the query: where it must not meet a parameter of a request's own.

use serde_saphyr::Location;

use super::Compiler;
use crate::source::RequestSource;
use crate::spec::AuthKind;

impl Compiler<'_> {
    /// The parameter that the credential goes in, where it goes in the query.
    pub(super) fn query_credential(&mut self) -> Option<String> {
        match self.auth() {
            AuthKind::Query { name, .. } => Some(name),
            _ => None,
        }
    }

    pub(super) fn check_query_credential(&mut self, name: &str, at: Location) {
        if name.is_empty() {
            self.error(at, "query: the parameter of the credential has no name", "such as `api_key`");
        }
    }

    /// No request may write that parameter itself: the vendor would see it twice.
    pub(super) fn check_query(&mut self, source: &RequestSource) {
        let Some(credential) = self.query_credential().filter(|_| !source.query.is_empty()) else { return };
        for (name, value) in &source.query {
            if name.trim_end_matches('?') == credential {
                self.error(
                    value.referenced,
                    format!("the query names `{credential}`, in which the credential goes"),
                    "remove it: each request gets it with the secret",
                );
            }
        }
    }
}
