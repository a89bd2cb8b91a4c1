//! `concord link`: the cutover of systems that hold records already. A plan is read, then applied; nothing is written at
//! any system before the hub starts.

mod apply;
mod bar;
mod count;
mod kept;
mod plan;
mod shown;
#[cfg(test)]
mod tests;

use std::path::Path;

use crate::arguments::Link;
use crate::exit::Exit;
use crate::folders::{self, Folder};
use crate::output::Output;
use crate::settings::Settings;

/// Plans, shows or applies.
pub(crate) fn run(given: Link, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    match given {
        Link::Plan(wanted) => {
            let dir = wanted.folder.as_ref().unwrap_or(&settings.dir);
            alone(dir)?;
            plan::run(dir, wanted.detailed_exit_code, output)
        }
        Link::Show { plan } => {
            let place = kept::Place::of(&settings.dir);
            let kept = place.read(plan.as_deref())?;
            shown::tell(&place, &kept, output)?;
            Ok(Exit::Done)
        }
        Link::Apply { plan, reason } => {
            alone(&settings.dir)?;
            apply::run(&settings.dir, &plan, &reason, output)
        }
    }
}

/// Tenants that share a store would have all of it replaced.
fn alone(dir: &Path) -> anyhow::Result<()> {
    folders::alone(dir)?;
    match folders::look(dir)? {
        Folder::Tenant => Ok(()),
        Folder::Hub(_) => Err(Exit::Conflict.because(format!(
            "{} is a hub's folder: its tenants share one store, and a plan is for a store of one tenant; plan and apply \
             with the tenant's folder moved out and a `store` of its own",
            dir.display()
        ))),
    }
}
