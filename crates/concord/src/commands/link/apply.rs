//! `concord link apply`: what a plan read becomes the hub's store, in one step. Nothing is sent.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use canonical::{System, Tenant, Wall};
use config::Configuration;
use embedded::backup::{BackupError, hash};
use embedded::{Embedded, adopt};
use guard::seal::RootKey;
use hub::cutover::waits_for_plan;
use runtime::Storage;
use runtime::clock::Clock;
use serde_json::json;
use store::browse::{Look, Page};
use store::{Change, Op, Query, Rows, SystemState, Unit};

use super::kept::{Applied, Kept, Place, READY, STORE};
use crate::commands::{backup, check, up};
use crate::exit::Exit;
use crate::output::Output;
use crate::wiring::ask::{self, commit, find, look};
use crate::wiring::{keys, open, secrets};

/// A plan that is older is not applied: the systems have moved on.
pub(super) const AGE_MAX: Duration = Duration::from_secs(24 * 3600);

/// Applies.
pub(super) fn run(dir: &Path, id: &str, reason: &str, output: &Output) -> anyhow::Result<Exit> {
    let configuration = up::load(dir, output)?;
    check::refuse_other(dir, &configuration, output)?;
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
            let made = runtime.block_on(make_ready(
                &store,
                &ready,
                &folder,
                &root,
                &configuration,
                (kept.made_at(), now, &why),
            ));
            let adopted =
                made.and_then(|()| adopt::adopt(&ready.join(STORE), &folder, &root).map_err(refused));
            adopted.inspect_err(|_| {
                // It can be made again.
                drop(std::fs::remove_dir_all(&ready));
            })?;
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
    (planned, now, why): (Wall, Wall, &str),
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
    let done = fill(&*next, &*own, configuration, (planned, now), why).await;
    own.close();
    next.close();
    done
}

async fn fill(
    next: &dyn Storage,
    own: &dyn Storage,
    configuration: &Configuration,
    (planned, now): (Wall, Wall),
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
        ops.extend(since_then(next, own, tenant, system).await?);
    }
    ops.extend(journal(own, tenant, planned).await?.into_iter().map(Op::PutChange));
    commit(next, vec![Unit { require: Vec::new(), ops }]).await
}

/// What the hub's own store knows of a system since the plan was made: what rotated, for the system does not take the
/// former one any more, how long it asked to be left alone, and what operators ordered.
async fn since_then(
    next: &dyn Storage,
    own: &dyn Storage,
    tenant: &Tenant,
    system: &System,
) -> anyhow::Result<Vec<Op>> {
    let state = async |store: &dyn Storage| {
        let query = Query::System { tenant: tenant.clone(), system: system.clone() };
        match find(store, query).await? {
            Rows::System(state, ..) => anyhow::Ok(state),
            _ => Err(ask::another()),
        }
    };
    let Some(known) = state(own).await? else { return Ok(Vec::new()) };
    let planned = state(next).await?.unwrap_or_else(|| SystemState::blank(tenant.clone(), system.clone()));
    let mut ops = Vec::new();
    // Another pause than the one that the plan ends.
    let paused = known.paused.clone().filter(|_| !waits_for_plan(&known));
    let closed = [planned.closed.clone(), known.closed].concat();
    ops.push(Op::PutSystem(SystemState { paused, closed, standing: known.standing, ..planned }));
    if let Some(credential) = known.credential {
        let (tenant, system, generation) = (tenant.clone(), system.clone(), known.credential_generation);
        ops.push(Op::PutCredential { tenant, system, credential: Some(credential), generation });
    }
    Ok(ops)
}

/// What operators ordered since then, oldest first.
async fn journal(own: &dyn Storage, tenant: &Tenant, since: Wall) -> anyhow::Result<Vec<Change>> {
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let Page::Changes(page) =
            look(own, tenant, Look::Changes { system: None, before, limit: 1_000 }).await?
        else {
            return Err(ask::another());
        };
        before = page.last().filter(|(_, change)| change.at >= since).map(|(place, _)| *place);
        all.extend(page.into_iter().map(|(_, change)| change).filter(|change| change.at >= since));
        if before.is_none() {
            all.reverse();
            return Ok(all);
        }
    }
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

#[cfg(test)]
mod tests {
    //! What the hub's own store knows since a plan was made is in the store that the plan becomes.
    use store::{ForcedBreaker, Memory, StandingOrders};

    use super::*;

    fn configuration() -> Configuration {
        let dir = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        config::load_folder(&dir.join("../../examples/subscription-business")).unwrap().configuration
    }

    async fn system(store: &Memory, tenant: &Tenant, name: &str) -> SystemState {
        let query = Query::System { tenant: tenant.clone(), system: System::new(name).unwrap() };
        let Rows::System(Some(state), ..) = find(store, query).await.unwrap() else { panic!("no {name}") };
        state
    }

    #[tokio::test]
    async fn what_was_ordered_since_the_plan_stays_ordered() {
        let (configuration, own, next) = (configuration(), Memory::new(), Memory::new());
        let tenant = &configuration.tenant;
        let state = |name: &str| SystemState::blank(tenant.clone(), System::new(name).unwrap());
        let why = |at: i64, why: &str| Change {
            tenant: tenant.clone(),
            system: System::new("erp").unwrap(),
            at: Wall(at),
            what: "paused".to_owned(),
            about: String::new(),
            why: why.to_owned(),
        };
        let forced = ForcedBreaker { operation: None, open: true, why: "x".to_owned(), since: Wall(7) };
        let standing = Box::new(StandingOrders { forced: vec![forced], ..StandingOrders::default() });
        let mut ops = vec![
            Op::PutSystem(SystemState {
                paused: Some("ann: freeze".to_owned()),
                closed: vec![(None, Wall(9))],
                standing,
                ..state("erp")
            }),
            Op::PutSystem(SystemState {
                paused: Some("it holds already contacts, and no plan says what they are".to_owned()),
                credential: Some(vec![9]),
                credential_generation: 4,
                ..state("crm")
            }),
            Op::PutChange(why(1, "before the plan")),
        ];
        ops.extend((5..1_205).map(|at| Op::PutChange(why(at, "since"))));
        commit(&own, vec![Unit { require: Vec::new(), ops }]).await.unwrap();
        let planned = SystemState { instance: Some("account 1".to_owned()), ..state("erp") };
        let ops = vec![Op::PutSystem(planned), Op::PutChange(why(1, "before the plan"))];
        commit(&next, vec![Unit { require: Vec::new(), ops }]).await.unwrap();

        fill(&next, &own, &configuration, (Wall(5), Wall(2_000)), "link-1 applied: a test").await.unwrap();
        let erp = system(&next, tenant, "erp").await;
        assert_eq!(
            (erp.instance.as_deref(), erp.paused.as_deref()),
            (Some("account 1"), Some("ann: freeze"))
        );
        assert_eq!((erp.standing.forced.len(), erp.closed), (1, vec![(None, Wall(9))]));
        let crm = system(&next, tenant, "crm").await;
        assert_eq!((crm.paused, crm.credential, crm.credential_generation), (None, Some(vec![9]), 4));
        let all = journal(&next, tenant, Wall(0)).await.unwrap();
        let times: Vec<i64> = all.iter().map(|change| change.at.micros()).collect();
        assert_eq!(times, std::iter::once(1).chain(5..1_205).collect::<Vec<_>>());
    }
}
