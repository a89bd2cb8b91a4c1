//! Scopes: the vendor's words, with constants filled in.

use serde_saphyr::Spanned;

use super::Compiler;
use crate::plan::Pattern;
use crate::scope::ScopesPlan;
use crate::source::ScopesSource;
use crate::template::{Allowed, Place, Template};

impl Compiler<'_> {
    /// What a request needs.
    pub(super) fn needed(&mut self, scopes: &[Spanned<String>]) -> Vec<Template> {
        let manifest = self.source;
        if let (None, Some(first)) = (&manifest.scopes, scopes.first()) {
            self.error(
                first.referenced,
                "a request needs scopes, and the manifest does not say where they are given",
                "add `scopes: {given: …}` beside `auth`: the vendor's menu, for whoever has to grant them",
            );
        }
        // As a statement: values stand as they are, and an empty constant is nothing.
        scopes.iter().map(|scope| self.template(scope, Place::Sql, Allowed::Object)).collect()
    }

    pub(super) fn scopes(&mut self, source: &Spanned<ScopesSource>) -> ScopesPlan {
        let mut covers = Vec::new();
        for (wide, narrower) in &source.value.covers {
            let several = narrower.iter().find(|name| name.matches('*').count() > 1);
            let pattern = Pattern::parse(wide).filter(|_| several.is_none());
            match pattern {
                Some(pattern) => covers.push((pattern, narrower.clone())),
                None => {
                    let name = several.unwrap_or(wide);
                    self.error(
                        source.referenced,
                        format!("scopes.covers: `{name}` has more than one `*`"),
                        "",
                    );
                }
            }
        }
        ScopesPlan {
            given: source.value.given.as_str().into(),
            always: self.needed(&source.value.always),
            covers,
            beside: self.patterns(&source.value.beside),
            told: self.patterns(&source.value.told),
        }
    }

    fn patterns(&mut self, names: &[Spanned<String>]) -> Vec<Pattern> {
        let mut patterns = Vec::new();
        for name in names {
            match Pattern::parse(&name.value) {
                Some(pattern) => patterns.push(pattern),
                None => self.error(
                    name.referenced,
                    format!("`{}` has more than one `*`", name.value),
                    "write one name for each",
                ),
            }
        }
        patterns
    }
}
