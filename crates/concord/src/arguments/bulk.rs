//! Bulk work on the command line: replays, plans and jobs.

use clap::{Args, Subcommand};

use super::Page;

/// Replays.
#[derive(Subcommand, Debug)]
pub(crate) enum Replay {
    /// Count what a replay would cover, and keep it as a plan; nothing is sent
    Plan(ReplayPlan),
    /// Start a plan as a job
    Apply(JobApply),
}

/// What would be replayed. All that is given must hold.
#[derive(Args, Debug)]
#[command(
    after_help = "A `sync` delivery says the newest state of its record again, all of it: state, not old bytes. A \
    `notify` delivery that was delivered goes again only where the target can tell that it is the same (upsert, search \
    first); others are left out, unless --new-intent asks for a second effect. Deliveries in doubt, discarded and \
    erased ones are left out. Replaying twice comes to the same as replaying once.\n\nA plan can be applied for an hour, \
    once, and only while what it covers is what was shown."
)]
pub(crate) struct ReplayPlan {
    /// About what changed at or after this moment (RFC 3339): the event, or the record when it last changed
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// About what changed before this moment
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Of this type of record
    #[arg(long, value_name = "ENTITY")]
    pub(crate) entity: Option<String>,
    /// Caused by this system
    #[arg(long, value_name = "SYSTEM")]
    pub(crate) source: Option<String>,
    /// To this system only [default: to all]
    #[arg(long, value_name = "SYSTEM")]
    pub(crate) target: Option<String>,
    /// By this route
    #[arg(long, value_name = "ROUTE")]
    pub(crate) route: Option<String>,
    /// Of events of this kind
    #[arg(long, value_name = "KIND")]
    pub(crate) event: Option<String>,
    /// In this group of failures
    #[arg(long, value_name = "GROUP")]
    pub(crate) group: Option<String>,
    /// Of this record
    #[arg(long, value_name = "ID")]
    pub(crate) record: Option<String>,
    /// Also send events again that were delivered, as new ones: each has a second effect
    #[arg(long)]
    pub(crate) new_intent: bool,
}

/// How a plan is applied.
#[derive(Args, Debug)]
pub(crate) struct JobApply {
    /// The plan
    pub(crate) plan: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Deliveries set going a second, at most
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) pace: u32,
}

/// Plans and jobs.
#[derive(Subcommand, Debug)]
pub(crate) enum Job {
    /// List plans and jobs, newest first
    List(Page),
    /// Show one: what it covers, how far it is, what failed since it began
    Get {
        /// Its id
        id: String,
    },
    /// Start a plan
    Apply(JobApply),
    /// Hold a job; what it has set going goes on
    Pause(JobOrder),
    /// Go on with a held job
    Resume(JobOrder),
    /// End a plan or job for good; what it has set going goes on
    Cancel(JobOrder),
}

/// Which job, and why.
#[derive(Args, Debug)]
pub(crate) struct JobOrder {
    /// Its id
    pub(crate) id: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
}
