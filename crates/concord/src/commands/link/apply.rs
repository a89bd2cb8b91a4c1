//! `concord link apply`: what a plan read becomes the hub's store, in one step. Nothing is sent.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use canonical::Wall;
use config::Configuration;
use embedded::backup::{BackupError, hash};
use embedded::{Embedded, adopt};
use guard::seal::RootKey;
use runtime::clock::Clock;
use serde_json::json;
use store::browse::{Look, Page};
use store::{Op, Query, Rows, Unit};

use super::kept::{Applied, Kept, Place, STORE};
use crate::commands::{backup, up};
use crate::exit::Exit;
use crate::output::Output;
use crate::wiring::reading::{commit, find, look};
use crate::wiring::{keys, open, secrets};

/// A plan that is older is not applied: the systems have moved on.
pub(super) const AGE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Where the plan's store is made ready.
const READY: &str = ".ready";

/// Applies.
pub(super) fn run(dir: &Path, id: &str, reason: &str, output: &Output) -> anyhow::Result<Exit> {
    let configuration = up::load(dir, output)?;
    let place = Place::of(dir);
    let mut kept = place.read(Some(id))?;
    let root = secrets::resolve(dir, &configuration.settings.store.root_key)
        .map_err(|why| anyhow::anyhow!("the root key cannot be read: {why}"))?;
    let root = RootKey::parse(&root).context("the store's root key cannot be used")?;
    let folder = dir.join(&configuration.settings.store.folder);
    let now = Clock::system().now().wall;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let why = format!("{id} applied: {reason}");
    if kept.applied.is_none() {
        if runtime.block_on(is_there(&folder, &root, &configuration, id))? {
            output.say("it was applied before, and the command was cut off: its end is noted now");
        } else {
            fits(&kept, &configuration, now)?;
            let store = place.store(id);
            let (_, found) = hash(&store).map_err(backup::coded)?;
            if found != kept.blake3 {
                return Err(Exit::Conflict.because(format!(
                    "{} is not what was planned: it was changed or cut off; plan again",
                    store.display()
                )));
            }
            let ready = store.with_file_name(READY);
            let made =
                runtime.block_on(make_ready(&store, &ready, &folder, &root, &configuration, (now, &why)));
            let adopted =
                made.and_then(|()| adopt::adopt(&ready.join(STORE), &folder, &root).map_err(refused));
            // It can be made again.
            drop(std::fs::remove_dir_all(&ready));
            adopted?;
        }
        kept.applied = Some(Applied { at: now.to_string(), reason: reason.to_owned() });
        place.applied(&kept)?;
    } else {
        return Err(
            Exit::Conflict.because(format!("{id} was applied before: `concord link show {id}` says when"))
        );
    }
    tell(&kept, dir, output);
    Ok(Exit::Done)
}

/// Whether a plan may still be applied.
pub(super) fn fits(kept: &Kept, configuration: &Configuration, now: Wall) -> anyhow::Result<()> {
    let id = &kept.id;
    if kept.configuration != configuration.digest {
        return Err(Exit::Conflict.because(format!(
            "the configuration changed since {id} was made: what it would do is not what was shown; plan again"
        )));
    }
    if now.since(kept.made_at()) > AGE_MAX || now < kept.made_at() {
        let hours = AGE_MAX.as_secs() / 3600;
        return Err(Exit::Conflict.because(format!(
            "{id} was begun at {}, and may be applied for {hours} hours: plan again",
            kept.made_at
        )));
    }
    Ok(())
}

/// Whether the hub's store is what this plan made of it.
async fn is_there(
    folder: &Path,
    root: &RootKey,
    configuration: &Configuration,
    id: &str,
) -> anyhow::Result<bool> {
    if adopt::rows_in(folder).map_err(backup::coded)? == 0 {
        return Ok(false);
    }
    let own = open(folder, root.clone(), None)?;
    let newest = Look::Applied { before: None, limit: 1 };
    let page = look(&*own, &configuration.tenant, newest).await;
    own.close();
    let begins = format!("{id} applied: ");
    Ok(matches!(page?, Page::Applied(rows) if rows.iter().any(|(_, row)| row.reason.starts_with(&begins))))
}

/// The plan's store, with the newest of what the hub's own knows, and the line of the history that says whence it is.
async fn make_ready(
    store: &Path,
    ready: &Path,
    folder: &Path,
    root: &RootKey,
    configuration: &Configuration,
    (now, why): (Wall, &str),
) -> anyhow::Result<()> {
    if ready.exists() {
        std::fs::remove_dir_all(ready).with_context(|| format!("{} cannot be removed", ready.display()))?;
    }
    std::fs::create_dir(ready)
        .and_then(|()| std::fs::copy(store, ready.join(STORE)))
        .with_context(|| format!("{} cannot be filled", ready.display()))?;
    let options = embedded::Options { reserve_bytes: 0, ..embedded::Options::default() };
    let next = Embedded::open(ready, root.clone(), options)?;
    let own = open(folder, root.clone(), None)?;
    let done = fill(&next, &own, configuration, now, why).await;
    own.close();
    next.close();
    done
}

async fn fill(
    next: &Arc<Embedded>,
    own: &Arc<Embedded>,
    configuration: &Configuration,
    now: Wall,
    why: &str,
) -> anyhow::Result<()> {
    let tenant = &configuration.tenant;
    let applied = store::Applied {
        tenant: tenant.clone(),
        digest: configuration.digest.clone(),
        at: now,
        reason: why.to_owned(),
        changes: Vec::new(),
        // All records came in by these.
        findable: keys::of(configuration),
    };
    let mut ops = hub::versions::kept(configuration, now);
    ops.push(Op::PutApplied(applied));
    for system in configuration.systems.keys() {
        // What rotated since the plan was made: the system does not take the former one any more.
        let query = Query::System { tenant: tenant.clone(), system: system.clone() };
        if let Rows::System(Some(state), ..) = find(&**own, query).await?
            && let Some(credential) = state.credential
        {
            let (tenant, system, generation) = (tenant.clone(), system.clone(), state.credential_generation);
            ops.push(Op::PutCredential { tenant, system, credential: Some(credential), generation });
        }
    }
    commit(&**next, vec![Unit { require: Vec::new(), ops }]).await
}

fn refused(error: BackupError) -> anyhow::Error {
    match error {
        BackupError::Occupied { folder } => Exit::Conflict.because(format!(
            "the store in {} has taken something in since the plan was made: nothing was changed; name an empty \
             `store.folder` in concord.yaml, and plan again",
            folder.display()
        )),
        other => backup::coded(other),
    }
}

fn tell(kept: &Kept, dir: &Path, output: &Output) {
    let records: u64 = kept.report.spread.iter().map(|spread| spread.count).sum();
    let held: u64 = kept.report.held.iter().map(|held| held.objects.count).sum();
    let (mut creates, mut updates) = (0, 0);
    for sync in &kept.report.first_sync {
        creates += sync.creates;
        updates += sync.updates;
    }
    let value = json!({
        "plan": kept.id, "applied": kept.applied, "records": records, "held": held, "creates": creates, "updates": updates,
    });
    output.one(&value, |_| format!("{} is applied: {records} records", kept.id));
    output.say(&format!(
        "nothing was sent. `concord up {}` reads on from where the plan stopped, then writes {creates} new objects and \
         {updates} changes on the bulk lane; {held} objects wait for a person: `concord dead-letter list`",
        dir.display()
    ));
}
