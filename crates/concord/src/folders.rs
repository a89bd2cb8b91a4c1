//! Folders: one tenant's configuration folder, or a hub's folder that holds one for each of its tenants.

use std::path::{Path, PathBuf};

use config::tenants::{Member, together};
use config::{Checked, Configuration, Files, Problem};

use crate::exit::Exit;

/// The part of a hub's folder in which its tenants' folders are.
const TENANTS: &str = "tenants";
/// The file that makes a folder a tenant's.
const CONCORD: &str = "concord.yaml";

/// What a folder is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Folder {
    /// One tenant's configuration, or one to be.
    Tenant,
    /// A hub's, with the names of its tenants' folders.
    Hub(Vec<String>),
}

/// A tenant's folder that can be used.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// What the folder is called, which is its tenant's name.
    pub(crate) name: String,
    pub(crate) dir: PathBuf,
    pub(crate) configuration: Configuration,
    files: Files,
}

/// All tenants' folders of a hub.
#[derive(Debug, Default)]
pub(crate) struct Tenants {
    /// Those that can be used by themselves.
    pub(crate) loaded: Vec<Loaded>,
    /// Names of those that cannot.
    pub(crate) unusable: Vec<String>,
    /// What is wrong with them, or doubtful about the others: files are named from the hub's folder.
    pub(crate) problems: Vec<Problem>,
    /// What keeps those that can be used from running in one hub.
    pub(crate) clashes: Vec<Problem>,
}

/// Looks what a folder is.
///
/// # Errors
/// When it is both, when it cannot be read, or when a hub's folder has no tenants.
pub(crate) fn look(dir: &Path) -> anyhow::Result<Folder> {
    let tenants = dir.join(TENANTS);
    if !tenants.is_dir() {
        return Ok(Folder::Tenant);
    }
    if dir.join(CONCORD).exists() {
        return Err(Exit::Failed.because(format!(
            "{} holds a {CONCORD} and a folder {TENANTS}/: it is either one tenant's or a hub's; move the {CONCORD} and what \
             belongs to it to {TENANTS}/NAME/",
            dir.display()
        )));
    }
    let unreadable = |error: std::io::Error| {
        Exit::Failed.because(format!("{} cannot be read: {error}", tenants.display()))
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&tenants).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && entry.path().is_dir() {
            names.push(name);
        }
    }
    if names.is_empty() {
        return Err(Exit::Failed.because(format!(
            "{} has no folders: make one for each tenant, called as the tenant",
            tenants.display()
        )));
    }
    names.sort();
    Ok(Folder::Hub(names))
}

/// A tenant's folder in a hub's.
pub(crate) fn of_tenant(dir: &Path, name: &str) -> PathBuf {
    dir.join(TENANTS).join(name)
}

/// A folder that is one tenant's must not be one of several: what is done to the store is done to all of theirs.
///
/// # Errors
/// When it lies in a hub's folder.
pub(crate) fn alone(dir: &Path) -> anyhow::Result<()> {
    match hub_of(dir) {
        None => Ok(()),
        Some(hub) => Err(Exit::Conflict.because(format!(
            "the tenants of {0} share one store: name the hub's folder, {0}",
            hub.display()
        ))),
    }
}

/// The hub's folder that a tenant's folder lies in, if it does.
fn hub_of(dir: &Path) -> Option<PathBuf> {
    // As it is named, as it is, and as its parent is: each of these parts may be a link, or a way around.
    let named = std::path::absolute(dir).ok();
    let beside =
        named.as_deref().and_then(|dir| Some(dir.parent()?.canonicalize().ok()?.join(dir.file_name()?)));
    [named, dir.canonicalize().ok(), beside].into_iter().flatten().find_map(|dir| {
        let tenants = dir.parent().filter(|parent| parent.file_name().is_some_and(|name| name == TENANTS))?;
        let hub = tenants.parent()?;
        matches!(look(hub), Ok(Folder::Hub(_))).then(|| hub.to_owned())
    })
}

/// A folder's store, and the tenants whose it is.
pub(crate) struct Whole {
    /// What its copies are called.
    pub(crate) name: String,
    /// Of one tenant, or of several that share it.
    pub(crate) configurations: Vec<Configuration>,
    /// The store.
    pub(crate) store: PathBuf,
    /// The folder from which the reference to the root key is followed.
    pub(crate) dir: PathBuf,
}

impl Whole {
    /// Of a tenant's folder that stands alone, or of a hub's. `problems` are told what is wrong.
    ///
    /// # Errors
    /// When the folder cannot be used, or is one of several that share the store.
    pub(crate) fn of(dir: &Path, problems: impl Fn(&[Problem])) -> anyhow::Result<Self> {
        alone(dir)?;
        let unusable = || Exit::Failed.because(format!("{} cannot be used: see above", dir.display()));
        let (name, configurations, first) = match look(dir)? {
            Folder::Tenant => {
                let checked = config::load_folder(dir).map_err(|wrong| {
                    problems(&wrong);
                    unusable()
                })?;
                problems(&checked.warnings);
                (checked.configuration.tenant.to_string(), vec![checked.configuration], dir.to_owned())
            }
            Folder::Hub(names) => {
                let all = load(dir, &names);
                problems(&all.problems);
                problems(&all.clashes);
                if !all.clashes.is_empty() {
                    return Err(unusable());
                }
                let first = all.loaded.first().map(|one| one.dir.clone()).ok_or_else(unusable)?;
                let configurations = all.loaded.into_iter().map(|one| one.configuration).collect();
                ("hub".to_owned(), configurations, first)
            }
        };
        let folder =
            configurations.first().map(|one| one.settings.store.folder.clone()).ok_or_else(unusable)?;
        Ok(Self { name, configurations, store: first.join(folder), dir: first })
    }

    /// The tenants' names, in order.
    pub(crate) fn tenants(&self) -> Vec<String> {
        self.configurations.iter().map(|one| one.tenant.to_string()).collect()
    }
}

/// Reads and checks all tenants' folders of the hub's folder `dir`, each by itself and then beside each other.
pub(crate) fn load(dir: &Path, names: &[String]) -> Tenants {
    let mut all = Tenants::default();
    for name in names {
        let dir = of_tenant(dir, name);
        let problems = match Files::read(&dir).and_then(|files| Ok((config::load(&files)?, files))) {
            Ok((Checked { configuration, warnings }, files)) => {
                all.loaded.push(Loaded { name: name.clone(), dir, configuration, files });
                warnings
            }
            Err(problems) => {
                all.unusable.push(name.clone());
                problems
            }
        };
        all.problems.extend(problems.into_iter().map(|problem| under(problem, name)));
    }
    // Paths are compared as they are from the root, wherever the command was called.
    let dirs: Vec<PathBuf> = all.loaded.iter().map(|one| rooted(&one.dir)).collect();
    let members: Vec<Member<'_>> = all.loaded.iter().zip(&dirs).map(|(one, dir)| one.member(dir)).collect();
    let clashes = together(&members).into_iter();
    all.clashes = clashes.map(|(number, problem)| under(problem, members[number].name)).collect();
    all
}

/// A folder's path from the root, without links: `..` in it leads where it would lead.
pub(crate) fn rooted(dir: &Path) -> PathBuf {
    let path = dir.canonicalize().or_else(|_| std::path::absolute(dir));
    path.unwrap_or_else(|_| dir.to_owned())
}

/// A problem of a tenant's folder, with the file named from the hub's folder.
pub(crate) fn under(problem: Problem, name: &str) -> Problem {
    problem.under(&format!("{TENANTS}/{name}"))
}

impl Loaded {
    /// What it was read from.
    pub(crate) const fn files(&self) -> &Files {
        &self.files
    }

    /// As it is compared with others.
    pub(crate) fn member<'a>(&'a self, dir: &'a Path) -> Member<'a> {
        Member { name: &self.name, dir, configuration: &self.configuration, files: &self.files }
    }
}

#[cfg(test)]
mod tests {
    //! A folder is one or the other.
    use std::os::unix::fs::symlink;

    use super::{Folder, alone, load, look};

    #[test]
    fn a_folder_is_a_tenants_or_a_hubs() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(look(folder.path()).unwrap(), Folder::Tenant, "one to be");
        std::fs::create_dir_all(folder.path().join("tenants/.hidden")).unwrap();
        let none = look(folder.path()).unwrap_err().to_string();
        assert!(none.contains("has no folders"), "{none}");
        std::fs::create_dir_all(folder.path().join("tenants/globex")).unwrap();
        std::fs::create_dir_all(folder.path().join("tenants/acme")).unwrap();
        std::fs::write(folder.path().join("tenants/README"), "").unwrap();
        let names = vec!["acme".to_owned(), "globex".to_owned()];
        assert_eq!(look(folder.path()).unwrap(), Folder::Hub(names.clone()));
        let all = load(folder.path(), &names);
        assert_eq!(all.unusable, names);
        assert!(
            all.problems.iter().all(|problem| problem.file.starts_with("tenants/")),
            "{:?}",
            all.problems
        );
        std::fs::write(folder.path().join("concord.yaml"), "").unwrap();
        let both = look(folder.path()).unwrap_err().to_string();
        assert!(both.contains("either one tenant's or a hub's"), "{both}");
    }

    /// However it is named: else two processes, or one for one of them, would work on the store of all.
    #[test]
    fn a_tenants_folder_is_found_in_its_hub_by_every_way_there() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for dir in
            ["hub/tenants/acme/model", "hub/tenants/globex", "else/initech", "else/alone", "all/umbrella"]
        {
            std::fs::create_dir_all(at(dir)).unwrap();
        }
        symlink(at("hub/tenants/acme"), at("acme")).unwrap();
        symlink(at("else/initech"), at("hub/tenants/initech")).unwrap();
        symlink(at("hub"), at("else/hub")).unwrap();
        std::fs::create_dir_all(at("linked")).unwrap();
        symlink(at("all"), at("linked/tenants")).unwrap();
        for way in [
            "hub/tenants/acme",
            "hub/tenants/acme/",
            "hub/tenants/./acme/.",
            "hub/tenants/acme/model/..",
            "hub/tenants/globex/../acme",
            "acme",
            "acme/model/..",
            "else/hub/tenants/acme",
            "hub/tenants/initech",
            "hub/tenants/acme/../initech",
            "hub/tenants/new",
            "linked/tenants/umbrella",
        ] {
            let refused = alone(&at(way)).expect_err(way).to_string();
            assert!(refused.contains("share one store"), "{refused}");
        }
        for way in [
            "hub",
            "else/alone",
            "hub/tenants",
            "hub/tenants/acme/model",
            "hub/tenants/../../else/alone",
            "no",
        ] {
            alone(&at(way)).expect(way);
        }
    }
}
