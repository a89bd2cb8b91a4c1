//! `concord restore`: a backup becomes the store of a folder, in a new epoch.

use anyhow::Context as _;
use config::Configuration;
use embedded::backup::{PutBack, put_back};
use guard::seal::RootKey;
use runtime::clock::Clock;
use serde_json::json;

use crate::arguments::Restore;
use crate::commands::{backup, up};
use crate::exit::Exit;
use crate::output::Output;
use crate::wiring::secrets;

/// Puts a backup back.
pub(crate) fn run(given: &Restore, output: &Output) -> anyhow::Result<Exit> {
    let configuration = up::load(&given.into, output)?;
    let settings = &configuration.settings.store;
    let manifest = backup::verified(&given.backup, output)?;
    if manifest.tenant != configuration.tenant.as_str() {
        return Err(Exit::Conflict.because(format!(
            "the backup is of tenant {}, and {} is of {}: nothing was changed",
            manifest.tenant,
            given.into.display(),
            configuration.tenant
        )));
    }
    let secret = secrets::resolve(&given.into, &settings.root_key)
        .map_err(|why| anyhow::anyhow!("the root key cannot be read: {why}"))?;
    let root_key = RootKey::parse(&secret).context("the root key cannot be used")?;
    let now = Clock::system().now().wall;
    let time: String = now.to_string().chars().filter(|c| c.is_ascii_alphanumeric()).take(15).collect();
    let aside = format!("before-{time}");
    let folder = given.into.join(&settings.folder);
    let epoch = put_back(PutBack {
        copy: &given.backup.join(backup::COPY),
        folder: &folder,
        root_key: &root_key,
        taken_at: manifest.taken_at(),
        now,
        aside: given.replace.then_some(aside.as_str()),
    })
    .map_err(backup::coded)?;
    let pushed = only_pushed(&configuration);
    let value = json!({
        "folder": folder,
        "epoch": epoch.number,
        "taken_at": epoch.taken_at.to_string(),
        "restored_at": epoch.restored_at.to_string(),
        "only_pushed": pushed,
    });
    output.one(&value, |_| format!("restored {} in epoch {}", folder.display(), epoch.number));
    output.say(&format!(
        "it stands as of {}. At the next start every listing is read again from before that, then deliveries go on; \
         what may have been made or told since and can't be looked for will wait for you: `concord dead-letter list`",
        epoch.taken_at
    ));
    for system in pushed {
        output.warn(&format!(
            "{system} only pushes its changes: what it sent after {} is not known here until it is sent again",
            epoch.taken_at
        ));
    }
    Ok(Exit::Done)
}

/// Systems that are read from, and of which nothing can be listed again.
fn only_pushed(configuration: &Configuration) -> Vec<String> {
    let systems = configuration.systems.iter().filter(|(system, settings)| {
        let mut objects = configuration.inbound_objects(system);
        objects.any(|object| !settings.poll.contains_key(object))
    });
    systems.map(|(system, _)| system.to_string()).collect()
}
