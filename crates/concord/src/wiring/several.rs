//! A hub of several tenants: one store with a booth for each, two listeners with a door for each.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use config::tenants::{Member, Own, path_of, tokens_apart};
use config::{Problem, Secrets};
use console::Nobody;
use guard::Secret;
use guard::cover::Cover;
use guard::seal::RootKey;
use runtime::clock::Clock;
use store::fair::{self, Bounds};
use telemetry::Registry;
use web::{Bounds as Places, Door, Tokens, fixed};

use super::owners::Owners;
use super::tenant::{Common, Running, operators};
use super::{Hub, Ports, Unusable, open, secrets, serve};
use crate::crash::CrashAt;
use crate::exit::Exit;
use crate::folders::{Loaded, rooted, under};

/// What a hub of several tenants is started with.
pub(crate) struct Several {
    /// Its tenants, and the token of each one's operator.
    pub(crate) tenants: Vec<(Loaded, Secret)>,
    /// Those that are left out already. What they have for themselves is kept for them.
    pub(crate) idle: Vec<Loaded>,
    /// The token that opens what is no tenant's.
    pub(crate) token: Secret,
    /// Where a test wants the process to end.
    pub(crate) crash: Option<CrashAt>,
}

/// A tenant that can be started.
struct Ready {
    loaded: Loaded,
    secrets: Secrets,
    token: Secret,
}

/// Positions of a tenant's rows, covered with its own key.
struct Covered(Cover);

impl fair::Cover for Covered {
    fn hide(&self, position: i64) -> i64 {
        self.0.hide(position)
    }
    fn find(&self, shown: i64) -> i64 {
        self.0.find(shown)
    }
}

/// Starts a hub of several tenants. What keeps one of them from starting is told to `left_out`, and the others start;
/// what would let one in where another is keeps all from starting.
///
/// # Errors
/// When none can start, when two share a token, or when the listeners or the store cannot be had.
pub(crate) async fn start_several(
    given: Several,
    mut left_out: impl FnMut(&str, anyhow::Error),
) -> anyhow::Result<Hub> {
    let Several { tenants, mut idle, token, crash } = given;
    let mut ready = Vec::new();
    for (loaded, token) in tenants {
        match resolve(&loaded) {
            Ok(secrets) => ready.push(Ready { loaded, secrets, token }),
            Err(why) => {
                left_out(&loaded.name, why.into());
                idle.push(loaded);
            }
        }
    }
    let first =
        ready.first().ok_or_else(|| Exit::Failed.because("none of the hub's tenants can be started"))?;
    let hubs = operators(&token);
    apart(&ready, &hubs)?;
    let root = RootKey::parse(&first.secrets.root_key).context("the store's root key cannot be used")?;
    let settings = first.loaded.configuration.settings.clone();
    let folder = first.loaded.dir.join(&settings.store.folder);
    // Ports before the store: a hub that cannot listen must not touch anything.
    let ports = Ports::bind(settings.listeners).await?;
    let store = open(&folder, root.clone(), crash.as_ref())?;
    let booths = fair::booths(Arc::clone(&store), covers(&ready), Bounds::among(ready.len()));
    let clock = Clock::system();
    let owners = Some(owners(&ready, &idle));
    let common = Common { root, clock, crash: crash.as_ref(), tenants: ready.len(), owners };
    let mut running = Vec::new();
    for (Ready { loaded, secrets, token }, booth) in ready.into_iter().zip(booths) {
        let Loaded { name, dir, configuration, .. } = loaded;
        let path = path_of(&configuration.settings.public_url);
        match Running::start(&dir, configuration, secrets, &token, Arc::new(booth), &common).await {
            Ok(one) => running.push((path, one)),
            Err(why) => left_out(&name, of_tenant(why, &name)),
        }
    }
    if running.is_empty() {
        return Err(Exit::Failed.because("none of the hub's tenants can be started"));
    }
    let telemetry = Arc::new(Registry::of_nobody());
    let nobody = Nobody { store: store.clone(), telemetry: Arc::clone(&telemetry), tokens: hubs };
    let routers = (
        fixed(ingress::front(doors_of_sources(&running), clock, telemetry, places())),
        fixed(console::front(doors_of_operators(&running), nobody, clock, places())),
    );
    serve(ports, routers, running.into_iter().map(|(_, one)| one).collect(), store)
}

fn places() -> usize {
    Places::default().connections_max
}

fn resolve(loaded: &Loaded) -> Result<Secrets, Unusable> {
    let secrets = loaded.configuration.resolve_secrets(&|reference| secrets::resolve(&loaded.dir, reference));
    secrets.map_err(|problems| {
        Unusable::secrets(problems.into_iter().map(|problem| under(problem, &loaded.name)).collect())
    })
}

/// Problems of a tenant's folder, with the files named from the hub's.
fn of_tenant(why: anyhow::Error, name: &str) -> anyhow::Error {
    match why.downcast::<Unusable>() {
        Ok(Unusable { problems, why }) => {
            let problems = problems.into_iter().map(|problem| under(problem, name)).collect();
            Unusable { problems, why }.into()
        }
        Err(other) => other,
    }
}

/// No token is in two hands.
fn apart(ready: &[Ready], hubs: &Tokens) -> anyhow::Result<()> {
    let dirs: Vec<PathBuf> = ready.iter().map(|one| one.loaded.dir.clone()).collect();
    let members: Vec<Member<'_>> = ready.iter().zip(&dirs).map(|(one, dir)| one.loaded.member(dir)).collect();
    let secrets: Vec<&Secrets> = ready.iter().map(|one| &one.secrets).collect();
    let problems: Vec<Problem> = tokens_apart(&members, &secrets)
        .into_iter()
        .map(|(number, problem)| under(problem, members[number].name))
        .collect();
    if !problems.is_empty() {
        return Err(Unusable::secrets(problems).into());
    }
    let mut known: Vec<(&str, Tokens)> = Vec::new();
    for one in ready {
        let own = operators(&one.token);
        let other = known.iter().find(|(_, tokens)| tokens.share(&own)).map(|(name, _)| *name);
        let other = other.or_else(|| hubs.share(&own).then_some("the hub itself"));
        if let Some(other) = other {
            return Err(Exit::Failed.because(format!(
                "the operator's token of {} is that of {other}: remove {}/.concord/operator.token, and a new one is made",
                one.loaded.name,
                one.loaded.dir.display()
            )));
        }
        known.push((&one.loaded.name, own));
    }
    Ok(())
}

/// What each has for itself. Also of those that do not come up: they may at the next start, which what is given to
/// others meanwhile would keep from all.
fn owners(ready: &[Ready], idle: &[Loaded]) -> Arc<Owners> {
    let ready = ready.iter().map(|one| (&one.loaded, Some(&one.secrets)));
    let owners = Owners::default();
    for (loaded, secrets) in ready.chain(idle.iter().map(|one| (one, None))) {
        let own = Own::of(&rooted(&loaded.dir), &loaded.configuration, secrets);
        owners.enter(loaded.configuration.tenant.clone(), own);
    }
    Arc::new(owners)
}

fn covers(ready: &[Ready]) -> Vec<Arc<dyn fair::Cover>> {
    let cover = |one: &Ready| -> Arc<dyn fair::Cover> {
        let tenant = one.loaded.configuration.tenant.as_str();
        Arc::new(Covered(Cover::new(one.secrets.root_key.expose(), tenant)))
    };
    ready.iter().map(cover).collect()
}

fn doors_of_sources(running: &[(String, Running)]) -> Vec<(String, Door, runtime::Handle)> {
    let door = |(path, one): &(String, Running)| {
        let door = Door { router: one.live.sources(), telemetry: Arc::clone(one.handle.telemetry()) };
        (path.clone(), door, one.handle.clone())
    };
    running.iter().map(door).collect()
}

fn doors_of_operators(running: &[(String, Running)]) -> Vec<(Tokens, Door)> {
    let door = |(_, one): &(String, Running)| {
        let door = Door { router: one.live.console(), telemetry: Arc::clone(one.handle.telemetry()) };
        (one.operators.clone(), door)
    };
    running.iter().map(door).collect()
}
