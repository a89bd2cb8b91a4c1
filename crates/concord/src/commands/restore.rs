//! `concord restore`: a backup becomes the store of a folder, in a new epoch.

use anyhow::Context as _;
use config::Configuration;
use embedded::backup::{PutBack, put_back};
use guard::seal::RootKey;
use runtime::clock::Clock;
use serde_json::json;

use crate::arguments::Restore;
use crate::commands::{backup, check};
use crate::exit::Exit;
use crate::folders::Whole;
use crate::output::Output;
use crate::wiring::secrets;

/// Puts a backup back.
pub(crate) fn run(given: &Restore, output: &Output) -> anyhow::Result<Exit> {
    let whole = Whole::of(&given.into, |problems| check::tell(problems, output))?;
    let manifest = backup::verified(&given.backup, output)?;
    let (configured, tenants) = (whole.tenants(), &manifest.tenants);
    if !configured.iter().any(|name| tenants.contains(name)) {
        return Err(Exit::Conflict.because(format!(
            "the backup is of {}, and {} is of {}: nothing was changed",
            tenants.join(", "),
            given.into.display(),
            configured.join(", ")
        )));
    }
    let first = whole.configurations.first().context("the folder has no tenant")?;
    let secret = secrets::resolve(&whole.dir, &first.settings.store.root_key)
        .map_err(|why| anyhow::anyhow!("the root key cannot be read: {why}"))?;
    let root_key = RootKey::parse(&secret).context("the root key cannot be used")?;
    let now = Clock::system().now().wall;
    let time: String = now.to_string().chars().filter(|c| c.is_ascii_alphanumeric()).take(15).collect();
    let aside = format!("before-{time}");
    let folder = &whole.store;
    let epoch = put_back(PutBack {
        copy: &given.backup.join(backup::COPY),
        folder,
        root_key: &root_key,
        taken_at: manifest.taken_at(),
        now,
        aside: given.replace.then_some(aside.as_str()),
    })
    .map_err(backup::coded)?;
    let several = whole.configurations.len() > 1;
    let of = |one: &Configuration| {
        only_pushed(one)
            .into_iter()
            .map(|system| if several { format!("{system} of {}", one.tenant) } else { system })
            .collect::<Vec<_>>()
    };
    let pushed: Vec<String> = whole.configurations.iter().flat_map(of).collect();
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
    for name in configured.iter().filter(|name| !tenants.contains(name)) {
        output.warn(&format!("the tenant {name} is not in the backup: it begins anew"));
    }
    for name in tenants.iter().filter(|name| !configured.contains(name)) {
        output.warn(&format!(
            "the backup also holds the tenant {name}, which is not in {}",
            given.into.display()
        ));
    }
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
