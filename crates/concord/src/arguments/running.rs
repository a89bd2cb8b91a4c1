//! Folders: checked, run, compared with what runs, and applied.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{Page, time};

/// One folder.
#[derive(Args, Debug)]
#[command(
    after_help = "A hub's folder, which holds a configuration folder for each of its tenants in tenants/NAME/, is checked as \
    a whole: each tenant's folder by itself, then what they must agree about (store, listeners) and what each must have \
    for itself (the path of its public_url, its tokens)."
)]
pub(crate) struct Folder {
    /// The configuration folder, or a hub's [default: that of --dir]
    #[arg(value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// End with 2 when there are warnings
    #[arg(long)]
    pub(crate) detailed_exit_code: bool,
}

/// Runs a folder.
#[derive(Args, Debug)]
#[command(
    after_help = "Writes DIR/.concord/run.json (addresses) and DIR/.concord/operator.token (readable by you \
    only), so that `concord --dir DIR system list` and the like need no set-up.\n\nSIGTERM or Ctrl-C drains: nothing \
    new is taken, what is under way is finished, then the process ends with 0. Whatever was open is taken up at the \
    next start. A second signal ends at once; that loses nothing either.\n\nDIR may be a hub's folder, with a complete \
    configuration folder for each tenant in DIR/tenants/NAME/. One process then serves all of them from one store, apart \
    from each other; each is operated by its own folder, as in `concord --dir DIR/tenants/NAME system list`. A tenant \
    whose folder cannot be used is left out, and said."
)]
pub(crate) struct Up {
    /// The configuration folder, or a hub's [default: that of --dir]
    #[arg(value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// Longest wait for work under way when asked to end
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = time)]
    pub(crate) drain: Duration,
    /// End the process abruptly at a named point, the Nth time it is passed (for tests)
    #[arg(long, hide = true, value_name = "POINT[:N]")]
    pub(crate) crash_at: Option<String>,
}

/// A folder to be compared.
#[derive(Args, Debug)]
#[command(
    after_help = "Nothing is changed. The folder is checked, then compared with what runs: what is added, changed and \
    removed, which systems finish their calls and start again, how many records and open deliveries that concerns, and \
    what cannot be done to a running hub. The plan's id, given to `concord apply --plan`, makes sure that what is \
    applied is what was planned.\n\nThe hub is the one that runs in DIR, else the one of --dir or --url: so a folder \
    can be planned before it is put in place."
)]
pub(crate) struct PlanOf {
    /// The folder [default: that of --dir]
    #[arg(value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// End with 2 when there are changes
    #[arg(long)]
    pub(crate) detailed_exit_code: bool,
}

/// A folder to go on with.
#[derive(Args, Debug)]
#[command(
    after_help = "The hub reads the folder it was started with, and takes it only when its files are those of DIR (by \
    their digest) and the plan still holds. Listeners stay open. A system whose connector, limits, connection or \
    secrets changed finishes its calls and starts again; all others work on. What is rendered already goes as it is. \
    A folder with errors, or a change that cannot be made to a running hub, changes nothing.\n\nTo roll back, put \
    the previous files in place and apply them. Secrets are read again: after one was replaced, apply the same folder."
)]
pub(crate) struct Apply {
    /// The folder [default: that of --dir]
    #[arg(value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// Only if this plan still holds
    #[arg(long, value_name = "ID")]
    pub(crate) plan: Option<String>,
    /// Also plan to say again what changed routes say; each plan is started with `concord job apply`
    #[arg(long)]
    pub(crate) resync: bool,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
}

/// The configuration of the hub.
#[derive(Subcommand, Debug)]
pub(crate) enum ConfigOf {
    /// Show what runs: its digest, and how much there is of everything
    Get,
    /// List the configurations that counted, newest first: when, who, why, what changed
    History(Page),
}
