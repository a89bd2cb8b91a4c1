//! Several tenants in one hub: what their folders must agree about, and what each must have for itself.
//!
//! Each folder is complete and checked by itself; this looks at what only shows when they stand beside each other.

mod own;

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::compare::Places;
use crate::configuration::Configuration;
use crate::files::Files;
use crate::problem::Problem;
use crate::secrets::Secrets;
use crate::words::SecretRef;

pub use own::Own;

/// One tenant's folder among those of a hub.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// What the folder is called.
    pub name: &'a str,
    /// Where it is: paths in it that are not absolute start there.
    pub dir: &'a Path,
    /// What it says.
    pub configuration: &'a Configuration,
    /// Its files.
    pub files: &'a Files,
}

/// What keeps folders from running in one hub: each problem with the place in `members` of the folder that it is in,
/// by file, line and column of that folder. Folders are compared with the first.
#[must_use]
pub fn together(members: &[Member<'_>]) -> Vec<(usize, Problem)> {
    let mut found = Found { members, problems: Vec::new() };
    for number in 0..members.len() {
        found.named(number);
        found.shared(number);
        found.reached(number);
    }
    found.apart();
    found.problems
}

/// The path under which a tenant of a hub with several is reached: that of its `public_url`, without a slash at the
/// end.
#[must_use]
pub fn path_of(public_url: &str) -> String {
    let url = url::Url::parse(public_url);
    url.map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default()
}

/// The same for what references lead to: a token that two tenants give to their clients would let a client of one
/// post to the other. Secrets come in the order of the members.
#[must_use]
pub fn tokens_apart(members: &[Member<'_>], secrets: &[&Secrets]) -> Vec<(usize, Problem)> {
    let mut problems = Vec::new();
    for (number, (member, own)) in members.iter().zip(secrets).enumerate() {
        for client in &member.configuration.settings.intake.clients {
            let Some(token) = own.clients.get(&client.name) else { continue };
            let others = members.iter().zip(secrets).take(number);
            let other = others.clone().find(|(_, secrets)| secrets.clients.values().any(|one| one == token));
            if let Some((other, _)) = other {
                let what = format!(
                    "the token of the client `{}` is that of a client of the tenant `{}`",
                    client.name, other.name
                );
                let hint = "a token belongs to one tenant: give this client its own".to_owned();
                problems.push((number, member.configuration.about_secret(&client.token, what, hint)));
            }
        }
    }
    problems
}

/// What a running hub of several tenants cannot take of one tenant's changed folder: another path. Nobody is told whether
/// that path is another tenant's.
#[must_use]
pub fn moved(runs: &Configuration, next: &Configuration, files: &Files) -> Option<Problem> {
    let (was, is) = (path_of(&runs.settings.public_url), path_of(&next.settings.public_url));
    (was != is).then(|| {
        let shown = if was.is_empty() { "/" } else { &was };
        let what = "a running hub keeps the paths under which its tenants are reached".to_owned();
        let hint = format!("keep the path `{shown}`, or stop the hub and start it with the new folder");
        Places::of(files).concord("public_url", what, hint)
    })
}

struct Found<'a> {
    members: &'a [Member<'a>],
    problems: Vec<(usize, Problem)>,
}

impl Found<'_> {
    fn problem(&mut self, number: usize, key: &str, what: String, hint: impl Into<String>) {
        let places = Places::of(self.members[number].files);
        self.problems.push((number, places.concord(key, what, hint.into())));
    }

    /// A folder is called as its tenant: so a tenant is found by its folder, and none is there twice.
    fn named(&mut self, number: usize) {
        let Member { name, configuration, .. } = self.members[number];
        let tenant = &configuration.tenant;
        if tenant.as_str() != name {
            let what = format!("the tenant is `{tenant}`, and its folder is called `{name}`");
            self.problem(
                number,
                "tenant",
                what,
                format!("call the folder `{tenant}`, or the tenant `{name}`"),
            );
        }
    }

    /// One process has one store and two listeners.
    fn shared(&mut self, number: usize) {
        let (first, own) = (self.members[0], self.members[number]);
        let (one, other) = (&first.configuration.settings, &own.configuration.settings);
        let hint = format!(
            "write what tenants/{}/concord.yaml says, or run this tenant in a hub of its own",
            first.name
        );
        let (store, there) = (plain(own.dir, &other.store.folder), plain(first.dir, &one.store.folder));
        if store != there {
            let what = format!(
                "all tenants of a hub share one store: this is {}, that of `{}` is {}",
                store.display(),
                first.name,
                there.display()
            );
            self.problem(number, "store.folder", what, hint.clone());
        }
        if reference(own.dir, &other.store.root_key) != reference(first.dir, &one.store.root_key) {
            let what =
                format!("all tenants of a hub share one root key, and `{}` refers to another", first.name);
            self.problem(number, "store.root_key", what, hint.clone());
        }
        for (key, here, there) in [
            ("listeners.ingress", other.listeners.ingress, one.listeners.ingress),
            ("listeners.operator", other.listeners.operator, one.listeners.operator),
        ] {
            if here != there {
                let what =
                    format!("all tenants of a hub are reached at one address: `{}` says {there}", first.name);
                self.problem(number, key, what, hint.clone());
            }
        }
    }

    /// The path of its address names the tenant, so it must be its own, and told apart from what follows it.
    fn reached(&mut self, number: usize) {
        let own = self.members[number];
        let path = path_of(&own.configuration.settings.public_url);
        let example =
            format!("give each tenant a path of its own, like `https://hub.example.com/{}`", own.name);
        let odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '~'));
        if path.contains(odd) || path.contains("//") {
            let what = format!("`{path}` is no plain path, and the hub finds the tenant by it");
            self.problem(number, "public_url", what, format!("use letters, digits, `-` and `_`; {example}"));
        } else if path.split('/').any(|part| part == "v1") {
            let what = "the path has a part `v1`, with which the hub's own addresses begin".to_owned();
            self.problem(number, "public_url", what, example.clone());
        }
        let others = &self.members[..number];
        let other = others.iter().find(|other| path_of(&other.configuration.settings.public_url) == path);
        if let Some(other) = other {
            let shown = if path.is_empty() { "/" } else { &path };
            let what = format!("the tenant `{}` is reached at the path `{shown}`, too", other.name);
            self.problem(number, "public_url", what, example);
        }
    }

    /// What must be one tenant's alone: who may post in its name, and the files of its archive.
    fn apart(&mut self) {
        let mut tokens: BTreeMap<SecretRef, usize> = BTreeMap::new();
        let mut archives: BTreeMap<PathBuf, usize> = BTreeMap::new();
        for (number, member) in self.members.iter().copied().enumerate() {
            let settings = &member.configuration.settings;
            for (at, client) in settings.intake.clients.iter().enumerate() {
                let token = reference(member.dir, &client.token);
                let owner = *tokens.entry(token).or_insert(number);
                if owner != number {
                    let other = self.members[owner].name;
                    let what = format!(
                        "the token of the client `{}` is also one of the tenant `{other}`",
                        client.name
                    );
                    let hint = "a token belongs to one tenant: give this client its own";
                    self.problem(number, &format!("intake.clients.{at}.token"), what, hint);
                }
            }
            if let Some(archive) = &settings.retention.archive {
                let owner = *archives.entry(plain(member.dir, archive)).or_insert(number);
                if owner != number {
                    let what =
                        format!("the tenant `{}` archives into the same folder", self.members[owner].name);
                    self.problem(number, "retention.archive", what, "give each tenant a folder of its own");
                }
            }
        }
    }
}

/// A reference with its path from the folder that it is in.
fn reference(dir: &Path, reference: &SecretRef) -> SecretRef {
    match reference {
        SecretRef::Env(name) => SecretRef::Env(name.clone()),
        SecretRef::File(path) => SecretRef::File(plain(dir, path)),
    }
}

/// A path without `.` and `..`, as it is written: nothing is asked of the disk.
fn plain(dir: &Path, path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in dir.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}
