//! `concord.yaml`.

use crate::check::{Checks, Written};
use crate::document::Document;
use crate::settings::Settings;
use crate::words::Period;

/// For so long sources send a message again that was not acknowledged, as far as is known.
const SOURCES_REPEAT: Period = Period::days(3);

impl Checks {
    /// Checks what the types could not.
    pub(super) fn settings(&mut self, written: Written<Settings>) -> Option<Settings> {
        let Written { document, value: mut settings } = written;
        let before = self.problems.len();
        match address(&settings.public_url) {
            Ok(plain) => settings.public_url = plain,
            Err((what, hint)) => self.problems.push(document.problem(&["public_url"], what).hint(hint)),
        }
        self.secret(&document, &["store", "root_key"], &settings.store.root_key.clone());
        let listeners = settings.listeners;
        if listeners.ingress == listeners.operator && listeners.ingress.port() != 0 {
            let what = "ingress and operator listen at the same address";
            let hint = "give the operator's its own port, closed to the public";
            self.problems.push(document.problem(&["listeners", "operator"], what).hint(hint));
        }
        if !listeners.operator.ip().is_loopback() {
            let what = "the operator's address can be reached from other machines";
            let hint = "listen at 127.0.0.1, or see to it that a firewall closes the port";
            self.problems.push(document.problem(&["listeners", "operator"], what).hint(hint).warning());
        }
        self.retention(&document, &settings);
        self.clients(&document, &settings);
        (self.problems[before..].iter().all(|problem| !problem.is_error())).then_some(settings)
    }

    /// Hashes outlive whatever can be taken in again; events outlive whatever can be delivered again.
    fn retention(&mut self, document: &Document, settings: &Settings) {
        let keeps = &settings.retention;
        if keeps.seen < keeps.messages {
            let what = "repeated messages would be forgotten while they can still be replayed";
            let hint = format!("keep `seen` at least as long as `messages` ({})", keeps.messages);
            self.problems.push(document.problem(&["retention", "seen"], what).hint(hint));
        } else if keeps.seen < SOURCES_REPEAT {
            let what = format!(
                "sources send a message again for up to {SOURCES_REPEAT}: it would be taken for news"
            );
            let hint = "keep `seen` longer than your sources repeat";
            self.problems.push(document.problem(&["retention", "seen"], what).hint(hint).warning());
        }
        if keeps.events < keeps.deliveries {
            let what = "events would be gone while their deliveries can still be replayed";
            let hint = format!("keep `events` at least as long as `deliveries` ({})", keeps.deliveries);
            self.problems.push(document.problem(&["retention", "events"], what).hint(hint));
        }
    }

    fn clients(&mut self, document: &Document, settings: &Settings) {
        let clients = &settings.intake.clients;
        for (i, client) in clients.iter().enumerate() {
            let at = i.to_string();
            let path = |key: &'static str| ["intake", "clients", at.as_str(), key];
            if clients[..i].iter().any(|other| other.name == client.name) {
                let what = format!("two clients are called `{}`", client.name);
                self.problems.push(document.problem(&path("name"), what).hint("give each its own name"));
            }
            if let Some((what, hint)) = self.systems.lacks("system", client.system.as_str()) {
                self.problems.push(document.problem(&path("system"), what).hint(hint));
            }
            self.secret(document, &path("token"), &client.token);
        }
    }
}

/// Checks a base address and takes the slash off its end; else what is wrong, and a hint.
pub(super) fn address(text: &str) -> Result<String, (String, String)> {
    let hint = || "write it like `https://api.example.com`".to_owned();
    let url =
        url::Url::parse(text).map_err(|error| (format!("`{text}` is not an address: {error}"), hint()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err((format!("`{}` addresses are not taken", url.scheme()), hint()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let hint = "name the credential under `secrets`".to_owned();
        return Err(("the address holds a credential".to_owned(), hint));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(("the address has a query or a fragment".to_owned(), "end it with its path".to_owned()));
    }
    Ok(text.trim_end_matches('/').to_owned())
}
