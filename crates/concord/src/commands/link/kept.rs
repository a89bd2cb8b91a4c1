//! Where a plan is kept: `DIR/.concord/link/PLAN/`, for its owner only.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use canonical::Wall;
use hub::cutover::Report;
use serde::{Deserialize, Serialize};

use crate::exit::Exit;

/// The layout of a plan.
pub(crate) const FORMAT: u32 = 1;
/// The plan itself.
const PLAN: &str = "plan.json";
/// Its list: an object or record that is not simply matched per line.
const FINDINGS: &str = "findings.jsonl";
/// What was read, as a store.
pub(crate) const STORE: &str = "store.sqlite";
/// Where a plan's store is made ready.
pub(crate) const READY: &str = ".ready";
/// A plan that is being made.
const PART: &str = ".part";

/// A plan. Holds names, ids and counts: no values, and no secret.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) format: u32,
    /// Its name; the last part is a digest of what was found.
    pub(crate) id: String,
    pub(crate) tenant: String,
    /// When reading began. For people.
    pub(crate) made_at: String,
    /// The same, in microseconds since 1970.
    pub(crate) made_at_us: i64,
    /// The configuration's digest.
    pub(crate) configuration: String,
    /// The program that made it.
    pub(crate) program: String,
    /// Of the store's file.
    pub(crate) blake3: String,
    pub(crate) report: Report,
    /// Read by a mapping, and not listed by the connector: what is there is not known.
    pub(crate) unlisted: Vec<String>,
    /// The first sync makes new objects there, and nobody has looked what is there already.
    pub(crate) blind: Vec<String>,
    /// What the first sync comes to, by system.
    pub(crate) load: Vec<LoadRow>,
    /// Lines of its list.
    pub(crate) findings: u64,
    /// When and why it was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) applied: Option<Applied>,
}

/// What the first sync comes to at one system.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct LoadRow {
    pub(crate) system: String,
    /// At least so many.
    pub(crate) calls: u64,
    /// At least so long, in seconds.
    pub(crate) seconds: u64,
    /// What binds; `None`: the system has no rate limit, so it takes as long as its answers do.
    pub(crate) by: Option<String>,
    /// Calls at once, at most.
    pub(crate) at_once: usize,
    /// Within the hours of the bulk lane.
    pub(crate) through: Option<String>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Applied {
    pub(crate) at: String,
    pub(crate) reason: String,
}

impl Kept {
    pub(crate) const fn made_at(&self) -> Wall {
        Wall(self.made_at_us)
    }
}

/// Where a folder's plans are.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    dir: PathBuf,
    folder: PathBuf,
}

impl Place {
    pub(crate) fn of(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), folder: dir.join(".concord").join("link") }
    }

    /// The configuration folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A folder for a plan that is being made; what an earlier try left goes.
    pub(crate) fn part(&self) -> anyhow::Result<PathBuf> {
        let part = self.folder.join(PART);
        if part.exists() {
            fs::remove_dir_all(&part).with_context(|| format!("{} cannot be removed", part.display()))?;
        }
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&part)
            .with_context(|| format!("the folder {} cannot be made", part.display()))?;
        Ok(part)
    }

    /// A plan's list, to be written.
    pub(crate) fn list(part: &Path) -> anyhow::Result<File> {
        let path = part.join(FINDINGS);
        File::create(&path).with_context(|| format!("the file {} cannot be made", path.display()))
    }

    /// A plan's list, to be read.
    pub(crate) fn findings(&self, id: &str) -> anyhow::Result<File> {
        let path = self.folder.join(id).join(FINDINGS);
        File::open(&path).with_context(|| format!("the file {} cannot be read", path.display()))
    }

    /// A plan's store.
    pub(crate) fn store(&self, id: &str) -> PathBuf {
        self.folder.join(id).join(STORE)
    }

    /// A plan that is complete gets its name, and takes the place of all before it.
    pub(crate) fn name(&self, part: &Path, kept: &Kept) -> anyhow::Result<()> {
        put(part, kept)?;
        let sync = |folder: &Path| File::open(folder).and_then(|folder| folder.sync_all());
        let to = self.folder.join(&kept.id);
        sync(part)
            .and_then(|()| fs::rename(part, &to))
            .and_then(|()| sync(&self.folder))
            .with_context(|| format!("the plan cannot be named {}", to.display()))?;
        for id in self.ids()?.into_iter().filter(|id| *id != kept.id) {
            let old = self.folder.join(id);
            fs::remove_dir_all(&old).with_context(|| format!("{} cannot be removed", old.display()))?;
        }
        Ok(())
    }

    fn ids(&self) -> anyhow::Result<Vec<String>> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Ok(Vec::new()) };
        let mut ids = Vec::new();
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') {
                ids.push(name);
            }
        }
        ids.sort();
        Ok(ids)
    }

    /// A plan; without an id the newest.
    pub(crate) fn read(&self, id: Option<&str>) -> anyhow::Result<Kept> {
        let ids = self.ids()?;
        let newest = ids.last().cloned();
        let found = match id {
            Some(id) => ids.into_iter().find(|known| known == id),
            None => newest.clone(),
        };
        let Some(found) = found else {
            let other = newest.map_or_else(
                || "there is none: make one with `concord link plan`".to_owned(),
                |id| format!("the newest is {id}"),
            );
            let which = id.map_or_else(|| "no plan".to_owned(), |id| format!("no plan {id:?}"));
            return Err(Exit::NotFound.because(format!("{which} in {}; {other}", self.folder.display())));
        };
        let path = self.folder.join(&found).join(PLAN);
        let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let kept: Kept =
            serde_json::from_str(&text).with_context(|| format!("{} is no plan", path.display()))?;
        if kept.format != FORMAT {
            anyhow::bail!(
                "{} is of layout {}, this program knows {FORMAT}: plan again",
                path.display(),
                kept.format
            );
        }
        Ok(kept)
    }

    /// It is applied: what was read is the hub's own now, and is not kept twice.
    pub(crate) fn applied(&self, kept: &Kept) -> anyhow::Result<()> {
        put(&self.folder.join(&kept.id), kept)?;
        let store = self.store(&kept.id);
        let ready = store.with_file_name(READY);
        for (path, removed) in [(&store, fs::remove_file(&store)), (&ready, fs::remove_dir_all(&ready))] {
            if let Err(error) = removed
                && error.kind() != std::io::ErrorKind::NotFound
            {
                return Err(error).with_context(|| format!("{} cannot be removed", path.display()));
            }
        }
        Ok(())
    }
}

/// Writes a plan, in one step.
fn put(folder: &Path, kept: &Kept) -> anyhow::Result<()> {
    let (path, fresh) = (folder.join(PLAN), folder.join("plan.new"));
    let text = serde_json::to_string_pretty(kept)? + "\n";
    let written = File::create(&fresh).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written
        .and_then(|()| fs::rename(&fresh, &path))
        .with_context(|| format!("the file {} cannot be written", path.display()))
}
