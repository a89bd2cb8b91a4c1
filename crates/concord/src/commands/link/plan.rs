//! `concord link plan`: everything is read into a store of the plan's own, then counted, then named.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use config::{Configuration, Secrets};
use embedded::backup::{copy_store, hash};
use embedded::{Embedded, adopt};
use guard::seal::RootKey;
use hub::Spoke;
use hub::cutover::{Listing, Order, Report, Tally, order, waits_for_plan};
use runtime::clock::Clock;
use store::{Op, Query, Rows, SystemState, Unit};

use super::bar::Bar;
use super::count::Count;
use super::kept::{FORMAT, Kept, LoadRow, Place, STORE};
use super::shown;
use crate::commands::{backup, check, up};
use crate::environment;
use crate::exit::Exit;
use crate::output::Output;
use crate::wiring::ask::{commit, find};
use crate::wiring::reading::Reading;
use crate::wiring::{Unusable, open, secrets};

/// Where the scratch store is, in a plan that is being made.
const SCRATCH: &str = "scratch";

/// Plans.
pub(super) fn run(dir: &Path, detailed: bool, output: &Output) -> anyhow::Result<Exit> {
    let configuration = Arc::new(up::load(dir, output)?);
    check::refuse_other(dir, &configuration, output)?;
    let secrets = configuration.resolve_secrets(&|reference| secrets::resolve(dir, reference));
    let secrets =
        secrets.map_err(Unusable::secrets).inspect_err(|found| check::tell(&found.problems, output))?;
    let order = order(&configuration);
    if order.read.is_empty() {
        return Err(Exit::Failed.because(
            "nothing can be listed: no mapping reads an object that its connector lists; what systems only push needs no plan",
        ));
    }
    let place = Place::of(dir);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let kept = runtime.block_on(make(dir, &configuration, &secrets, &order, &place, output))?;
    shown::tell(&place, &kept, output)?;
    let open = kept.report.has_open_items() || !kept.blind.is_empty();
    Ok(if detailed && open { Exit::Differences } else { Exit::Done })
}

async fn make(
    dir: &Path,
    configuration: &Arc<Configuration>,
    secrets: &Secrets,
    order: &Order,
    place: &Place,
    output: &Output,
) -> anyhow::Result<Kept> {
    let root = RootKey::parse(&secrets.root_key).context("the store's root key cannot be used")?;
    let folder = dir.join(&configuration.settings.store.folder);
    // Held until the end: no hub starts on it meanwhile, and no other plan is made.
    let own = open(&folder, root.clone(), None)?;
    let rows = adopt::rows_in(&folder).map_err(backup::coded)?;
    if rows > 0 {
        own.close();
        return Err(Exit::Conflict.because(format!(
            "the store in {} holds {rows} rows already: a plan is for a hub that has taken nothing in; name an empty \
             `store.folder` in concord.yaml to plan anew",
            folder.display()
        )));
    }
    let part = place.part()?;
    let at = part.join(SCRATCH);
    let scratch = begin(&folder, &at, root.clone())?;
    go_on(configuration, &scratch).await?;
    let clock = Clock::system();
    let made_at = clock.now().wall;
    for listing in &order.unlisted {
        output.warn(&format!(
            "{}/{} is not listed by its connector: it is not read",
            listing.system, listing.object
        ));
    }
    let mut bar = Bar::new(output, environment::stderr_is_terminal());
    let reading = Reading {
        dir,
        configuration,
        secrets,
        root,
        clock,
        scratch: Arc::clone(&scratch),
        own: Arc::clone(&own),
    };
    let read = reading.run(order, |progress| bar.show(progress, clock.now().mono)).await;
    bar.clear();
    read?;
    output.say("all is read; counting what came of it");
    let now = clock.now().wall;
    let (tally, findings) = Count::new(configuration, &scratch, now, Place::list(&part)?).run().await?;
    drop(reading);
    let copied = {
        let (at, to) = (at.clone(), part.join(STORE));
        tokio::task::spawn_blocking(move || {
            scratch.close();
            copy_store(&at, &to)?;
            own.close();
            hash(&to)
        })
    };
    let (_, blake3) = copied.await?.map_err(backup::coded)?;
    std::fs::remove_dir_all(&at).with_context(|| format!("{} cannot be removed", at.display()))?;
    let load = load(configuration, &tally, now);
    let report = tally.report();
    let blind = blind(order, &report);
    let digest = blake3::hash(&serde_json::to_vec(&(&report, &configuration.digest, &blake3))?).to_hex();
    let time: String = made_at.to_string().chars().filter(|c| c.is_ascii_alphanumeric()).take(15).collect();
    let kept = Kept {
        format: FORMAT,
        id: format!("link-{time}-{}", &digest[..8]),
        tenant: configuration.tenant.to_string(),
        made_at: made_at.to_string(),
        made_at_us: made_at.micros(),
        configuration: configuration.digest.clone(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        blake3,
        report,
        unlisted: names(&order.unlisted),
        blind,
        load,
        findings,
        applied: None,
    };
    place.name(&part, &kept)?;
    Ok(kept)
}

/// Where new objects are made although nothing was read there.
fn blind(order: &Order, report: &Report) -> Vec<String> {
    let creates = report.first_sync.iter().filter(|sync| sync.creates > 0);
    let unread = creates
        .filter(|sync| !order.read.iter().any(|of| of.system == sync.system && of.object == sync.object));
    unread.map(|sync| format!("{}/{}", sync.system, sync.object)).collect()
}

fn names(listings: &[Listing]) -> Vec<String> {
    listings.iter().map(|listing| format!("{}/{}", listing.system, listing.object)).collect()
}

/// The scratch store begins as a copy of the hub's own, which is empty: it knows the same accounts, credentials, pauses
/// and history.
fn begin(own: &Path, at: &Path, root: RootKey) -> anyhow::Result<Arc<Embedded>> {
    std::fs::create_dir(at).with_context(|| format!("the folder {} cannot be made", at.display()))?;
    copy_store(own, &at.join(STORE)).map_err(backup::coded)?;
    // It can be made anew: it keeps no room free for outcomes.
    let options = embedded::Options { reserve_bytes: 0, ..embedded::Options::default() };
    Ok(Embedded::open(at, root, options)?)
}

/// What waits for a plan goes on with it.
async fn go_on(configuration: &Configuration, scratch: &Embedded) -> anyhow::Result<()> {
    for system in configuration.systems.keys() {
        let query = Query::System { tenant: configuration.tenant.clone(), system: system.clone() };
        if let Rows::System(Some(state), ..) = find(scratch, query).await?
            && waits_for_plan(&state)
        {
            let state = SystemState { paused: None, ..state };
            commit(scratch, vec![Unit { require: Vec::new(), ops: vec![Op::PutSystem(state)] }]).await?;
        }
    }
    Ok(())
}

/// What the first sync comes to, by each system's limits.
fn load(configuration: &Arc<Configuration>, tally: &Tally, now: canonical::Wall) -> Vec<LoadRow> {
    let mut rows = Vec::new();
    for (system, loads) in tally.loads() {
        let Some(seer) = Spoke::seer(Arc::clone(configuration), system.clone()) else { continue };
        let expected = seer.expect(&loads, now);
        rows.push(LoadRow {
            system: system.to_string(),
            calls: expected.calls,
            seconds: expected.takes.as_secs_f64().ceil() as u64,
            by: expected.by,
            at_once: expected.at_once,
            through: expected.through.map(|at| at.to_string()),
        });
    }
    rows
}
