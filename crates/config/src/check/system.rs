//! `systems/*.yaml`: connected systems, their connectors, and what their files change of the connectors' limits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use canonical::{Object, System};
use connector::{Connector, Manifest, ManifestError};
use guard::address::{AllowList, Host, host};
use guard::database::is_database;
use guard::signature::Scheme;
use mapping::{MappingSource, suggest};

use crate::check::concord::address;
use crate::check::mapping::read_paths;
use crate::check::{Checks, Written, database, limits};
use crate::configuration::{ConnectionConfig, HeardWithin, SystemConfig, WebhookConfig};
use crate::document::Document;
use crate::files::Files;
use crate::problem::Problem;
use crate::settings::{LaneWeights, Settings};
use crate::source::{ConnectionSource, SystemSource, WebhookSource};
use crate::words::Period;

/// A system and where it is declared.
pub(crate) struct DeclaredSystem {
    pub(crate) document: Document,
    pub(crate) config: SystemConfig,
}

/// Shortest time between two listings of an object.
const POLL_MIN: Duration = Duration::from_millis(100);

impl Checks {
    /// Checks all systems; those with problems are left out.
    pub(super) fn systems(
        &mut self,
        files: &Files,
        written: Vec<Written<SystemSource>>,
        mappings: &[Written<MappingSource>],
        settings: Option<&Settings>,
    ) -> BTreeMap<System, DeclaredSystem> {
        let mut paths = read_paths(mappings);
        let lanes = settings.map(|settings| settings.lanes).unwrap_or_default();
        let mut systems: BTreeMap<System, DeclaredSystem> = BTreeMap::new();
        for Written { document, value } in written {
            if let Some(other) = systems.get(&value.system) {
                let what = format!("the system `{}` is declared twice", value.system);
                let hint = format!("it stands in {} too: keep one", other.document.file());
                self.problems.push(document.problem(&["system"], what).hint(hint));
                continue;
            }
            let paths = paths.remove(&value.system).unwrap_or_default();
            let before = self.problems.len();
            let Some(config) = self.system(files, &document, value, &paths, lanes) else { continue };
            if self.problems[before..].iter().all(|problem| !problem.is_error()) {
                systems.insert(config.system.clone(), DeclaredSystem { document, config });
            }
        }
        self.webhook_paths_once(&systems);
        systems
    }

    fn system(
        &mut self,
        files: &Files,
        document: &Document,
        source: SystemSource,
        paths: &BTreeMap<Object, Vec<String>>,
        lanes: LaneWeights,
    ) -> Option<SystemConfig> {
        let connection = self.connection(document, &source.connection);
        for (key, value) in &source.poll {
            if value.0 < POLL_MIN {
                let hint = format!("at least {}", Period(POLL_MIN));
                let problem = document.problem(&["poll", key.as_str()], "this is too often");
                self.problems.push(problem.hint(hint));
            }
        }
        let (manifest, text) = self.manifest(files, document, &source.connector)?;
        // The form for debugging is the same within one process, which is where two are compared.
        let connector_digest = blake3::hash(format!("{:?}", (text, &source.parameters, paths)).as_bytes());
        let connector = match manifest.bind(&source.parameters, paths) {
            Ok(connector) => Arc::new(connector),
            Err(errors) => {
                self.problems.extend(errors.into_iter().map(|error| of_parameters(files, document, error)));
                return None;
            }
        };
        self.credentials(document, &source.connection, &connector);
        let reached = connection.as_ref();
        if let Some((what, hint)) = reached.and_then(|at| database::unlike(&at.base_url, &connector)) {
            self.problems.push(document.problem(&["connection", "base_url"], what).hint(hint));
        }
        let webhook = self.webhook(document, &source, &connector);
        let poll = self.poll(document, &source, &connector, paths);
        let heard_within = self.heard_within(document, &source, webhook.is_some(), &poll);
        let limits = limits::limits(&source, connector.limits(), connector.job_max(), lanes);
        for (path, what, hint) in limits::flaws(&source, connector.limits(), &limits) {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            self.problems.push(document.problem(&path, what).hint(hint));
        }
        let bulk_window = source.bulk_window.as_ref().map(limits::bulk_window).transpose();
        let bulk_window = bulk_window.unwrap_or_else(|(path, what, hint)| {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            self.problems.push(document.problem(&path, what).hint(hint));
            None
        });
        Some(SystemConfig {
            bulk_window,
            retry: limits::retry(&source.retry),
            system: source.system,
            connector,
            connector_digest,
            limits,
            connection: connection?,
            scopes: source.connection.scopes,
            webhook,
            poll,
            history: source.history,
            heard_within,
        })
    }

    /// The connector's manifest: one that comes with Concord, or one of the folder.
    fn manifest<'f>(
        &mut self,
        files: &'f Files,
        document: &Document,
        name: &str,
    ) -> Option<(Manifest, &'f str)> {
        let own = files.get(name).filter(|_| name.starts_with("connectors/"));
        let Some(text) = own.or_else(|| Manifest::builtin(name)) else {
            let mut known: Vec<&str> = Manifest::builtin_names().collect();
            known.extend(files.of("connectors").map(|(path, _)| path));
            let what = format!("there is no connector `{name}`");
            let hint = suggest::hint(name, known);
            self.problems.push(document.problem(&["connector"], what).hint(hint));
            return None;
        };
        match Manifest::parse(name, text) {
            Ok(manifest) => Some((manifest, text)),
            Err(errors) => {
                self.problems.extend(errors.into_iter().map(|error| of_manifest(files, document, error)));
                None
            }
        }
    }

    fn connection(&mut self, document: &Document, source: &ConnectionSource) -> Option<ConnectionConfig> {
        let allow = AllowList::new(source.allow.clone());
        let path = ["connection", "base_url"];
        let read = if is_database(&source.base_url) {
            database::address(&source.base_url)
        } else {
            address(&source.base_url)
        };
        let base_url = match read {
            Ok(plain) => plain,
            Err((what, hint)) => {
                self.problems.push(document.problem(&path, what).hint(hint));
                return None;
            }
        };
        let unreachable = database::unreachable(&base_url, &allow).or_else(|| unreachable(&base_url, &allow));
        if let Some((what, hint)) = unreachable {
            self.problems.push(document.problem(&path, what).hint(hint));
        }
        if let Some((what, hint)) = database::in_the_clear(&base_url).or_else(|| in_the_clear(&base_url)) {
            self.problems.push(document.problem(&path, what).hint(hint).warning());
        }
        for (name, timeout) in [("connect", source.timeouts.connect), ("request", source.timeouts.request)] {
            if timeout.0.is_zero() {
                let problem =
                    document.problem(&["connection", "timeouts", name], "no call can end in no time");
                self.problems.push(problem.hint("write for example `30s`"));
            }
        }
        for (name, reference) in &source.secrets {
            self.secret(document, &["connection", "secrets", name], reference);
        }
        Some(ConnectionConfig {
            base_url,
            secrets: source.secrets.clone(),
            allow,
            connect_timeout: source.timeouts.connect.0,
            request_timeout: source.timeouts.request.0,
        })
    }

    /// Every credential that the authentication names must be given, and no other.
    fn credentials(&mut self, document: &Document, source: &ConnectionSource, connector: &Connector) {
        let wanted = connector.auth().secrets();
        for name in wanted.iter().filter(|name| !source.secrets.contains_key(**name)) {
            let what = format!("the connector `{}` needs the secret `{name}`", connector.name());
            let hint = format!("add `{name}: {{env: NAME}}` under `secrets:`");
            self.problems.push(document.problem(&["connection", "secrets"], what).hint(hint));
        }
        for name in source.secrets.keys().filter(|name| !wanted.contains(&name.as_str())) {
            let what = format!("the connector `{}` uses no secret `{name}`", connector.name());
            let hint = suggest::hint(name, wanted.iter().copied());
            self.problems.push(document.key_problem(&["connection", "secrets", name], what).hint(hint));
        }
    }

    fn webhook(
        &mut self,
        document: &Document,
        source: &SystemSource,
        connector: &Connector,
    ) -> Option<WebhookConfig> {
        let wanted = source.webhook.as_ref()?;
        for (i, reference) in wanted.secrets.iter().enumerate() {
            self.secret(document, &["webhook", "secrets", &i.to_string()], reference);
        }
        let Some(spec) = connector.webhook() else {
            let what = format!("the connector `{}` takes no webhooks", connector.name());
            self.problems.push(document.key_problem(&["webhook"], what).hint("remove it, and use `poll`"));
            return None;
        };
        let flaw = webhook_flaw(wanted, &spec.scheme, connector.name());
        if let Some((key, what, hint)) = flaw {
            self.problems.push(document.problem(&["webhook", key], what).hint(hint));
        }
        let path = wanted.path.clone().unwrap_or_else(|| source.system.as_str().replace(['.', '/'], "-"));
        Some(WebhookConfig { path, secrets: wanted.secrets.clone() })
    }

    /// What is read is listed as often as the connector says, unless the file says otherwise.
    fn poll(
        &mut self,
        document: &Document,
        source: &SystemSource,
        connector: &Connector,
        paths: &BTreeMap<Object, Vec<String>>,
    ) -> BTreeMap<Object, Duration> {
        for object in source.poll.keys() {
            let path = ["poll", object.as_str()];
            if connector.poll(object).is_none() {
                let what = format!("the connector `{}` cannot list `{object}`", connector.name());
                let hint = suggest::hint(object.as_str(), connector.polled_objects().map(Object::as_str));
                self.problems.push(document.key_problem(&path, what).hint(hint));
            } else if paths.get(object).is_none_or(Vec::is_empty) {
                let what = format!("`{object}` is listed, but no mapping reads it");
                let hint = "add a mapping with rows that read, or remove this line";
                self.problems.push(document.key_problem(&path, what).hint(hint).warning());
            }
        }
        let read = paths.iter().filter(|(_, paths)| !paths.is_empty()).map(|(object, _)| object);
        read.filter_map(|object| {
            let spec = connector.poll(object)?;
            Some((object.clone(), source.poll.get(object).map_or(spec.every, |period| period.0)))
        })
        .collect()
    }

    /// How often something is expected to be heard. What can't be heard at all is no use to wait for.
    fn heard_within(
        &mut self,
        document: &Document,
        source: &SystemSource,
        posts: bool,
        poll: &BTreeMap<Object, Duration>,
    ) -> HeardWithin {
        let wanted = source.heard_within;
        if wanted.messages.is_some() && !posts {
            let what = "messages are expected, and the system has no `webhook`".to_owned();
            let hint = "add `webhook:`, or remove this line; events by the API count as well where a webhook is configured";
            self.problems
                .push(document.key_problem(&["heard_within", "messages"], what).hint(hint).warning());
        }
        let longest = poll.values().max().copied().unwrap_or_default();
        match wanted.listings {
            Some(_) if poll.is_empty() => {
                let what = "listings are expected, and nothing is listed".to_owned();
                let hint = "remove this line, or add a mapping that reads what the connector lists";
                self.problems
                    .push(document.key_problem(&["heard_within", "listings"], what).hint(hint).warning());
            }
            Some(within) if within.0 <= longest => {
                let what = format!(
                    "a listing is expected every {within}, and one is made only every {}: it would always be missed",
                    Period(longest)
                );
                self.problems.push(
                    document
                        .problem(&["heard_within", "listings"], what)
                        .hint("write several of its periods"),
                );
            }
            _ => {}
        }
        HeardWithin {
            messages: wanted.messages.map(|period| period.0),
            listings: wanted.listings.map(|period| period.0),
        }
    }

    fn webhook_paths_once(&mut self, systems: &BTreeMap<System, DeclaredSystem>) {
        let mut seen: BTreeMap<&str, &System> = BTreeMap::new();
        for (system, declared) in systems {
            let Some(webhook) = &declared.config.webhook else { continue };
            if let Some(other) = seen.insert(&webhook.path, system) {
                let what = format!("the webhook address `{}` is used twice", webhook.path);
                let hint = format!("`{other}` uses it too: give each its own `path`");
                self.problems.push(declared.document.problem(&["webhook", "path"], what).hint(hint));
            }
        }
    }
}

fn webhook_flaw(
    wanted: &WebhookSource,
    scheme: &Scheme,
    connector: &str,
) -> Option<(&'static str, String, &'static str)> {
    let signed = !matches!(scheme, Scheme::None(_));
    match (signed, wanted.unsigned) {
        (true, true) => Some((
            "unsigned",
            format!("the webhooks of `{connector}` are signed, and signatures are always checked"),
            "remove it",
        )),
        (false, false) => Some((
            "unsigned",
            format!(
                "the webhooks of `{connector}` are not signed: anyone who knows the address can send them"
            ),
            "state it: `unsigned: true`; what arrives is then only a hint to read the object again",
        )),
        _ if wanted.secrets.is_empty() && signed => {
            Some(("secrets", "a signing secret is missing".to_owned(), "add `secrets: [{env: NAME}]`"))
        }
        _ if wanted.secrets.is_empty() => Some((
            "secrets",
            "the secret part of the address is missing".to_owned(),
            "add `secrets: [{env: NAME}]`; its value becomes the last part of the address",
        )),
        _ => None,
    }
}

/// An address that the guard would refuse to dial, as far as that can be told without asking a resolver.
fn unreachable(base_url: &str, allow: &AllowList) -> Option<(String, String)> {
    let url = url::Url::parse(base_url).ok()?;
    let name = url.host_str()?;
    let port = url.port_or_known_default()?;
    match host(name) {
        Err(error) => Some((error.to_string(), "write the host's name".to_owned())),
        Ok(Host::Address(address)) => {
            let blocked = allow.check(address, port).err()?;
            let what = format!("{name} may not be dialled: it is in a {} range", blocked.range);
            let entry =
                if address.is_ipv6() { format!("[{address}]:{port}") } else { format!("{address}:{port}") };
            Some((what, format!("if that is meant, add `allow: [\"{entry}\"]` beside it")))
        }
        Ok(Host::Name(_)) => None,
    }
}

fn in_the_clear(base_url: &str) -> Option<(String, String)> {
    let url = url::Url::parse(base_url).ok()?;
    let local = match host(url.host_str()?) {
        Ok(Host::Address(address)) => address.is_loopback(),
        Ok(Host::Name(name)) => name == "localhost",
        Err(_) => true,
    };
    let clear = url.scheme() == "http" && !local;
    clear.then(|| {
        let what = "credentials and records would travel unencrypted".to_owned();
        (what, "use `https`".to_owned())
    })
}

/// A manifest of the folder is pointed into; one that comes with Concord is named where it is used.
fn of_manifest(files: &Files, document: &Document, error: ManifestError) -> Problem {
    match files.get(&error.file) {
        Some(text) => Problem::of_manifest(text, error),
        None => {
            let mut problem = document.problem(&["connector"], format!("its manifest: {}", error.what));
            problem.hint = error.hint;
            problem
        }
    }
}

fn of_parameters(files: &Files, document: &Document, error: ManifestError) -> Problem {
    if error.line > 0 {
        return of_manifest(files, document, error);
    }
    let mut problem = document.problem(&["parameters"], error.what);
    problem.hint = error.hint;
    problem
}
