//! `concord backup`: a verified copy of a folder's store, with a manifest.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context as _;
use canonical::Wall;
use embedded::backup::{self, BackupError, Copied};
use runtime::clock::Clock;
use serde::{Deserialize, Serialize};

use crate::arguments::Backup;
use crate::commands::check;
use crate::exit::Exit;
use crate::folders::Whole;
use crate::output::Output;
use crate::settings::Settings;

/// The layout of a backup.
const FORMAT: u32 = 1;
/// The copy, in a backup.
pub(crate) const COPY: &str = "store.sqlite";
/// What is said of it.
const MANIFEST: &str = "manifest.json";
/// What was written last so long ago is not under way any more.
const CUT_OFF_AFTER: Duration = Duration::from_secs(24 * 3600);
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// What a backup says of itself. Holds no secret.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Manifest {
    /// The layout of the backup.
    format: u32,
    /// Whose rows are in it.
    pub(crate) tenants: Vec<String>,
    /// Everything that was durable then is in it. For people.
    taken_at: String,
    /// The same, in microseconds since 1970.
    taken_at_us: i64,
    /// The program that took it.
    program: String,
    /// The store's schema version.
    schema: usize,
    /// The id of the root key that is needed. The key itself is not in a backup.
    pub(crate) root_key: String,
    /// How often the store had been restored.
    epoch: i64,
    /// The copy's size.
    bytes: u64,
    /// The copy's BLAKE3 hash.
    blake3: String,
    /// Rows, by table.
    rows: BTreeMap<String, u64>,
}

impl Manifest {
    /// When it was taken.
    pub(crate) const fn taken_at(&self) -> Wall {
        Wall(self.taken_at_us)
    }
}

/// Takes a backup.
pub(crate) fn run(given: &Backup, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    let whole = Whole::of(&settings.dir, |problems| check::tell(problems, output))?;
    let taken_at = Clock::system().now().wall;
    let to = place(&given.to, &whole.name, taken_at)?;
    let part = beside(&to)?;
    // What an earlier try left.
    if part.exists() {
        fs::remove_dir_all(&part).with_context(|| format!("{} cannot be removed", part.display()))?;
    }
    if given.to.is_dir() {
        forget_old(&given.to, &whole.name, taken_at, output);
    }
    // What is personal is sealed; names and ids of objects are not.
    let mut folder = fs::DirBuilder::new();
    folder.mode(0o700);
    folder.create(&part).with_context(|| format!("the folder {} cannot be made", part.display()))?;
    let made = fill(&part, &whole, taken_at, output);
    let manifest = match made.and_then(|manifest| finish(&part, &to).map(|()| manifest)) {
        Ok(manifest) => manifest,
        Err(error) => {
            // Half a backup must not be taken for one.
            drop(fs::remove_dir_all(&part));
            return Err(error);
        }
    };
    tell(&to, &manifest, output);
    Ok(Exit::Done)
}

/// Where it goes: the path itself, or a new name in the folder that it names.
fn place(given: &Path, name: &str, at: Wall) -> anyhow::Result<PathBuf> {
    let to = if given.is_dir() {
        let time: String = at.to_string().chars().filter(|c| c.is_ascii_alphanumeric()).take(15).collect();
        given.join(format!("{name}-{time}"))
    } else {
        given.to_owned()
    };
    if to.exists() {
        return Err(Exit::Conflict.because(format!("{} exists already: name another backup", to.display())));
    }
    Ok(to)
}

/// Removes backups of the same name that were cut off: as large as the store, and worth nothing. One that is under way
/// writes.
fn forget_old(folder: &Path, called: &str, now: Wall, output: &Output) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with(&format!(".{called}-")) || !name.ends_with(".part") {
            continue;
        }
        let written = [entry.path(), entry.path().join(COPY)].iter().filter_map(|path| modified(path)).max();
        if written.is_none_or(|at| now.since(at) < CUT_OFF_AFTER) {
            continue;
        }
        match fs::remove_dir_all(entry.path()) {
            Ok(()) => output.say(&format!("removed {name}, a backup that was cut off")),
            Err(error) => {
                output.warn(&format!("{name}, a backup that was cut off, cannot be removed: {error}"))
            }
        }
    }
}

fn modified(path: &Path) -> Option<Wall> {
    let since = fs::metadata(path).ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Wall(i64::try_from(since.as_micros()).ok()?))
}

/// The same under another name, until it is complete.
fn beside(to: &Path) -> anyhow::Result<PathBuf> {
    let name = to.file_name().with_context(|| format!("{} does not name a new folder", to.display()))?;
    Ok(to.with_file_name(format!(".{}.part", name.to_string_lossy())))
}

fn fill(part: &Path, whole: &Whole, taken_at: Wall, output: &Output) -> anyhow::Result<Manifest> {
    let copy = part.join(COPY);
    copied(&whole.store, &copy, output).map_err(coded)?;
    output.say("verifying the copy, page by page");
    let Copied { bytes, blake3, schema, rows, tenants, root_key, epoch } =
        backup::inspect(&copy).map_err(coded)?;
    let configured = whole.tenants();
    if !tenants.is_empty() && !tenants.iter().any(|found| configured.contains(found)) {
        anyhow::bail!(
            "the store in {} is of {}, and the configuration says {}: see `store` in concord.yaml",
            whole.store.display(),
            tenants.join(", "),
            configured.join(", ")
        );
    }
    let manifest = Manifest {
        format: FORMAT,
        tenants: if tenants.is_empty() { configured } else { tenants },
        taken_at: taken_at.to_string(),
        taken_at_us: taken_at.micros(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        schema,
        root_key: root_key.to_string(),
        epoch,
        bytes,
        blake3,
        rows,
    };
    let path = part.join(MANIFEST);
    let text = serde_json::to_string_pretty(&manifest)? + "\n";
    fs::write(&path, text)
        .and_then(|()| fs::File::open(&path)?.sync_all())
        .with_context(|| format!("the file {} cannot be written", path.display()))?;
    Ok(manifest)
}

/// Copies in a thread of its own, and tells how far it is.
fn copied(store: &Path, to: &Path, output: &Output) -> Result<(), BackupError> {
    let all = backup::store_bytes(store);
    std::thread::scope(|scope| {
        let (done, doing) = channel();
        scope.spawn(move || drop(done.send(backup::copy_store(store, to))));
        loop {
            match doing.recv_timeout(TELL_EVERY) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Timeout) => {
                    let now = fs::metadata(to).map_or(0, |meta| meta.len());
                    output.say(&format!("copied {} of at most {}", mib(now), mib(all)));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(BackupError::NoStore { folder: store.to_owned() });
                }
            }
        }
    })
}

/// Everything is on the disk, then it gets its name.
fn finish(part: &Path, to: &Path) -> anyhow::Result<()> {
    let sync = |folder: &Path| fs::File::open(folder).and_then(|folder| folder.sync_all());
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sync(part)
        .and_then(|()| fs::rename(part, to))
        .and_then(|()| sync(parent))
        .with_context(|| format!("the backup cannot be named {}", to.display()))
}

fn tell(to: &Path, manifest: &Manifest, output: &Output) {
    let value = serde_json::json!({"backup": to, "manifest": manifest});
    output.one(&value, |_| to.display().to_string());
    output.say(&format!(
        "verified: of {}, {}, {} records, {} deliveries, as of {}; sealed under root key {}, which is not in it: keep the \
         key elsewhere",
        manifest.tenants.join(", "),
        mib(manifest.bytes),
        manifest.rows.get("record").copied().unwrap_or(0),
        manifest.rows.get("obligation").copied().unwrap_or(0),
        manifest.taken_at,
        manifest.root_key
    ));
}

fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// Reads a backup's manifest, and checks the copy against it.
pub(crate) fn verified(backup: &Path, output: &Output) -> anyhow::Result<Manifest> {
    let path = backup.join(MANIFEST);
    let text = fs::read_to_string(&path).map_err(|error| {
        Exit::NotFound.because(format!("{} cannot be read ({error}): is it a backup?", path.display()))
    })?;
    let manifest: Manifest =
        serde_json::from_str(&text).with_context(|| format!("{} is no manifest", path.display()))?;
    if manifest.format != FORMAT {
        anyhow::bail!("{} is of layout {}, this program knows {FORMAT}", path.display(), manifest.format);
    }
    let copy = backup.join(COPY);
    output.say(&format!("verifying {} ({})", copy.display(), mib(manifest.bytes)));
    let (bytes, hash) = backup::hash(&copy).map_err(coded)?;
    if (bytes, &hash) != (manifest.bytes, &manifest.blake3) {
        anyhow::bail!(
            "{} is not what the manifest says ({bytes} bytes with hash {hash}, not {} with {}): it was changed or \
             cut off; take another backup",
            copy.display(),
            manifest.bytes,
            manifest.blake3
        );
    }
    Ok(manifest)
}

/// The exit code that an error asks for.
pub(crate) fn coded(error: BackupError) -> anyhow::Error {
    match error {
        BackupError::NoStore { .. } => Exit::NotFound.because(error.to_string()),
        BackupError::Occupied { .. } => {
            Exit::Conflict.because(format!("{error}; with --replace it is put aside first"))
        }
        BackupError::Open(embedded::OpenError::Locked { .. }) | BackupError::Clock { .. } => {
            Exit::Conflict.because(error.to_string())
        }
        other => anyhow::Error::new(other),
    }
}
