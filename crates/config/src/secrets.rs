//! Secrets: every reference of the configuration, resolved at once by whoever may read them.

use std::collections::BTreeMap;

use canonical::System;
use guard::Secret;

use crate::configuration::Configuration;
use crate::problem::Problem;
use crate::words::SecretRef;

/// Everything secret that a configuration refers to. Prints as `[redacted]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Secrets {
    /// Seals what is personal at rest.
    pub root_key: Secret,
    /// Of each system.
    pub systems: BTreeMap<System, SystemSecrets>,
    /// Bearer tokens of those who may post events, by their names.
    pub clients: BTreeMap<String, Secret>,
}

/// What is secret about one system.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SystemSecrets {
    /// By the names that the connector's authentication uses.
    pub connection: BTreeMap<String, Secret>,
    /// Signing secrets of its webhooks, or the secret parts of their address; the newest first, as written.
    pub webhook: Vec<Secret>,
}

impl Secrets {
    /// Whether something that both know by the same name is another secret now.
    #[must_use]
    pub fn replaces(&self, before: &Self) -> bool {
        let system =
            |(name, is): (&System, &SystemSecrets)| before.systems.get(name).is_some_and(|was| was != is);
        let client = |(name, is): (&String, &Secret)| before.clients.get(name).is_some_and(|was| was != is);
        self.root_key != before.root_key || self.systems.iter().any(system) || self.clients.iter().any(client)
    }
}

impl Configuration {
    /// Resolves every reference by `resolve`, which reads the environment and files, takes the line's end off what it
    /// finds, and says in words why it cannot (never what it found).
    ///
    /// # Errors
    /// All that could not be resolved, or are empty, each at its place in the folder.
    pub fn resolve_secrets(
        &self,
        resolve: &dyn Fn(&SecretRef) -> Result<Secret, String>,
    ) -> Result<Secrets, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut get = |reference: &SecretRef| match resolve(reference) {
            Ok(secret) if !secret.is_empty() => Some(secret),
            Ok(_) => {
                problems.push(self.unresolved(reference, "it is empty"));
                None
            }
            Err(reason) => {
                problems.push(self.unresolved(reference, &reason));
                None
            }
        };
        let root_key = get(&self.settings.store.root_key);
        let mut systems = BTreeMap::new();
        for (name, system) in &self.systems {
            let connection = &system.connection.secrets;
            let webhook = system.webhook.iter().flat_map(|webhook| &webhook.secrets);
            let secrets = SystemSecrets {
                connection: connection.iter().filter_map(|(name, r)| Some((name.clone(), get(r)?))).collect(),
                webhook: webhook.filter_map(&mut get).collect(),
            };
            systems.insert(name.clone(), secrets);
        }
        let clients = &self.settings.intake.clients;
        let clients = clients.iter().filter_map(|c| Some((c.name.clone(), get(&c.token)?))).collect();
        match root_key {
            Some(root_key) if problems.is_empty() => Ok(Secrets { root_key, systems, clients }),
            _ => Err(problems),
        }
    }

    fn unresolved(&self, reference: &SecretRef, reason: &str) -> Problem {
        let what = format!("the secret in {reference} cannot be used: {reason}");
        let hint = match reference {
            SecretRef::Env(name) => format!("set {name} before starting"),
            SecretRef::File(path) => {
                format!("create {} with the secret in it, readable by this user only", path.display())
            }
        };
        self.about_secret(reference, what, hint)
    }

    /// A problem with what a reference leads to, at the place where it stands.
    pub(crate) fn about_secret(&self, reference: &SecretRef, what: String, hint: String) -> Problem {
        let place = self.secret_places.iter().find(|(known, _)| known == reference);
        match place {
            Some((_, place)) => place.problem(what).hint(hint),
            None => Problem::of_file("", what, hint),
        }
    }
}
