//! Cutover of populated systems on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What lives in the systems already.
#[derive(Subcommand, Debug)]
#[command(
    after_help = "A hub that starts beside systems which hold records already would take what it reads first for new. So \
    plan first, read the plan, mend what it shows, plan again, and apply it to the hub's empty store; then start the hub. \
    docs/cutover.md goes through it step by step."
)]
pub(crate) enum Link {
    /// Read what lives in the systems, match it, and say what the first sync would write; nothing is written anywhere
    Plan(LinkPlan),
    /// Show a plan again
    Show {
        /// The plan [default: the newest]
        #[arg(value_name = "PLAN")]
        plan: Option<String>,
    },
    /// Make a plan's records and links the hub's own; nothing is sent before `concord up`
    Apply {
        /// The plan
        #[arg(value_name = "PLAN")]
        plan: String,
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// What is read.
#[derive(Args, Debug)]
#[command(
    after_help = "Needs a folder whose hub does not run and whose store is empty. Every object that a mapping reads is \
    listed by its connector, within the limits of its system, one listing after the other: a type before those that \
    refer to it, and first from the systems that may create it. What is read is matched, merged and owned by the rules of \
    every day, in a store of the plan's own in DIR/.concord/link, sealed like the hub's.\n\nShown are counts, names of \
    fields and keys, and ids as the systems give them (which may be addresses): no values of fields. \
    `--output json` is the whole plan; `--output jsonl` has a line for each object or \
    record that is not simply matched, and the plan last.\n\nA plan can be applied for 24 hours, once, with the \
    configuration it was made with. A new one takes the place of the last."
)]
pub(crate) struct LinkPlan {
    /// The configuration folder [default: that of --dir]
    #[arg(value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// End with 2 when something needs a person, values differ, or the first sync would fail or make objects unseen
    #[arg(long)]
    pub(crate) detailed_exit_code: bool,
}
