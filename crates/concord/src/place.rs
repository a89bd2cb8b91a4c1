//! A folder's `.concord/`: where a running hub says its addresses, and keeps the token that lets its owner in.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use guard::Secret;
use serde::{Deserialize, Serialize};

/// The folder beside `concord.yaml`.
const FOLDER: &str = ".concord";
/// The file with the addresses.
const RUN: &str = "run.json";
/// The file with the token.
const TOKEN: &str = "operator.token";

/// What a running hub says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Of the process.
    pub(crate) pid: u32,
    /// The program's version.
    pub(crate) version: String,
    /// Where webhooks and events come in.
    pub(crate) ingress: SocketAddr,
    /// Where operators ask.
    pub(crate) operator: SocketAddr,
}

/// A folder's place for these.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    folder: PathBuf,
}

impl Place {
    /// Of the configuration folder `dir`.
    pub(crate) fn of(dir: &Path) -> Self {
        Self { folder: dir.join(FOLDER) }
    }

    /// The file with the addresses.
    pub(crate) fn run_file(&self) -> PathBuf {
        self.folder.join(RUN)
    }

    /// Makes the folder, and a token of `entropy` when there is none.
    pub(crate) fn prepare(&self, entropy: [u8; 32]) -> anyhow::Result<Secret> {
        let mut folder = fs::DirBuilder::new();
        folder.recursive(true).mode(0o700);
        folder
            .create(&self.folder)
            .with_context(|| format!("the folder {} cannot be made", self.folder.display()))?;
        if let Some(token) = self.token()? {
            return Ok(token);
        }
        let token: String = entropy.iter().map(|byte| format!("{byte:02x}")).collect();
        write_secret(&self.folder.join(TOKEN), &token)?;
        Ok(Secret::from(token))
    }

    /// Says where the hub is.
    pub(crate) fn announce(&self, run: &Run) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(run)?;
        let path = self.run_file();
        // Replaced in one step: a reader sees the old file or the new one.
        let fresh = path.with_extension("new");
        fs::write(&fresh, text + "\n")
            .and_then(|()| fs::rename(&fresh, &path))
            .with_context(|| format!("the file {} cannot be written", path.display()))
    }

    /// Takes the addresses back, if they are still this process's.
    pub(crate) fn withdraw(&self, pid: u32) {
        if self.run().ok().flatten().is_some_and(|run| run.pid == pid) {
            // A file that stays is noticed by whoever finds nobody at its address.
            drop(fs::remove_file(self.run_file()));
        }
    }

    /// The addresses of a hub that runs here; `None` when none has said so.
    pub(crate) fn run(&self) -> anyhow::Result<Option<Run>> {
        let path = self.run_file();
        let Some(text) = read(&path)? else { return Ok(None) };
        let run = serde_json::from_str(&text);
        run.map(Some).with_context(|| format!("{} cannot be read: start the hub again", path.display()))
    }

    /// The token of this folder's hub.
    pub(crate) fn token(&self) -> anyhow::Result<Option<Secret>> {
        let text = read(&self.folder.join(TOKEN))?;
        Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).map(Secret::from))
    }
}

/// Writes a secret to a new file that only its owner can read.
pub(crate) fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    let written =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()
        });
    written.with_context(|| format!("the file {} cannot be written", path.display()))
}

/// Makes the folder that a secret is to be in, for its owner only, where there is none.
pub(crate) fn folder_of_secret(path: &Path) -> anyhow::Result<()> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("the folder {} cannot be made", folder.display()))
}

fn read(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("the file {} cannot be read", path.display())),
    }
}

#[cfg(test)]
mod tests {
    //! What is written is found again, and secrets are for their owner only.
    use std::os::unix::fs::PermissionsExt as _;

    use super::{Place, Run};

    #[test]
    fn a_hub_is_found_by_its_folder_until_it_withdraws() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::of(folder.path());
        assert_eq!(place.run().unwrap(), None);
        let token = place.prepare([7; 32]).unwrap();
        assert_eq!(place.prepare([8; 32]).unwrap(), token, "a restart keeps the token");
        let run = Run {
            pid: 12,
            version: "1".to_owned(),
            ingress: "127.0.0.1:1".parse().unwrap(),
            operator: "127.0.0.1:2".parse().unwrap(),
        };
        place.announce(&run).unwrap();
        assert_eq!(place.run().unwrap(), Some(run));
        place.withdraw(13);
        assert!(place.run().unwrap().is_some(), "another process's addresses stay");
        place.withdraw(12);
        assert_eq!(place.run().unwrap(), None);
    }

    #[test]
    fn the_folder_of_a_secret_is_made_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secrets/of/root.key");
        super::folder_of_secret(&file).unwrap();
        super::write_secret(&file, "ab").unwrap();
        for made in [file.parent().unwrap(), &folder.path().join("secrets")] {
            assert_eq!(std::fs::metadata(made).unwrap().permissions().mode() & 0o777, 0o700);
        }
        super::folder_of_secret(std::path::Path::new("root.key")).unwrap();
    }

    #[test]
    fn the_token_is_readable_by_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        Place::of(folder.path()).prepare([7; 32]).unwrap();
        let mode =
            std::fs::metadata(folder.path().join(".concord/operator.token")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
