//! What must be one tenant's alone while several run: who may post in its name, and where its archive is.

use std::path::{Path, PathBuf};

use super::{plain, reference};
use crate::compare::Places;
use crate::configuration::Configuration;
use crate::files::Files;
use crate::problem::Problem;
use crate::secrets::Secrets;
use crate::words::SecretRef;

/// What a tenant has for itself. Tokens are kept as hashes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Own {
    clients: Vec<Client>,
    archive: Option<PathBuf>,
}

/// A client's token: how it is referred to, from the root, and what it is.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Client {
    reference: SecretRef,
    hash: Option<blake3::Hash>,
}

impl Own {
    /// As the folder `dir` says it, which is a path from the root. Without secrets tokens are known by their references
    /// only.
    #[must_use]
    pub fn of(dir: &Path, configuration: &Configuration, secrets: Option<&Secrets>) -> Self {
        let settings = &configuration.settings;
        let clients = settings.intake.clients.iter().map(|client| Client {
            reference: reference(dir, &client.token),
            hash: secrets
                .and_then(|secrets| secrets.clients.get(&client.name))
                .map(|token| blake3::hash(token.expose())),
        });
        let archive = settings.retention.archive.as_ref().map(|archive| plain(dir, archive));
        Self { clients: clients.collect(), archive }
    }

    /// What of it, said by `configuration` in `files`, some of `others` have, too. Nobody is told whose it is.
    #[must_use]
    pub fn taken(&self, configuration: &Configuration, files: &Files, others: &[&Self]) -> Vec<Problem> {
        let places = Places::of(files);
        let mut problems = Vec::new();
        for (at, (client, own)) in configuration.settings.intake.clients.iter().zip(&self.clients).enumerate()
        {
            if others.iter().any(|other| other.clients.iter().any(|client| client.same(own))) {
                let what = format!("the client `{}` cannot have this token: it is in use", client.name);
                let hint = "a token belongs to one tenant: give this client its own".to_owned();
                problems.push(places.concord(&format!("intake.clients.{at}.token"), what, hint));
            }
        }
        if self.archive.is_some() && others.iter().any(|other| other.archive == self.archive) {
            let what = "the archive cannot be in this folder: it is in use".to_owned();
            let hint = "give each tenant a folder of its own".to_owned();
            problems.push(places.concord("retention.archive", what, hint));
        }
        problems
    }
}

impl Client {
    /// Two references to one place are one token, whatever is read there later.
    fn same(&self, other: &Self) -> bool {
        self.reference == other.reference || (self.hash.is_some() && self.hash == other.hash)
    }
}
