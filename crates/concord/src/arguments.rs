//! The command line as types. Texts here are what `--help` shows.

mod bulk;
mod connector;
mod connector_try;
mod link;
mod mapping;
mod operating;
mod running;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use bulk::{Job, JobApply, JobOrder, Replay, ReplayPlan};
pub(crate) use connector::{
    Connector, ConnectorAuthorise, ConnectorCheck, ConnectorDescribe, ConnectorNew, ConnectorOf,
    ConnectorTest,
};
pub(crate) use connector_try::{ConnectorTry, TryCall, TryWrite};
pub(crate) use link::Link;
pub(crate) use mapping::{Lineage, Mapping, MappingTest, MappingTry, Schema};
pub(crate) use operating::{
    ByHand, DeadLetter, Decision, Delivery, Edit, Event, Mask, Page, Part, Record, System,
};
pub(crate) use running::{Apply, ConfigOf, Folder, PlanOf, Up};

/// Keeps a company's CRM, ERP and marketing systems in agreement.
#[derive(Parser, Debug)]
#[command(
    name = "concord",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    subcommand_value_name = "COMMAND",
    subcommand_help_heading = "Commands",
    long_about = "Keeps a company's CRM, ERP and marketing systems in agreement.\n\n\
        When a record changes in one system, every other system that should know gets it once, in order, within \
        minutes, through vendor outages, and you can prove it.\n\n\
        Start with `concord demo`. Then write a configuration folder (examples/subscription-business/ is a complete \
        one), check it with `concord check DIR`, and run it with `concord up DIR`.",
    after_help = "Run `concord help COMMAND` for details, `concord help exit-codes` and `concord help environment` \
        for scripts."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Debug)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The configuration folder; commands find its running hub by themselves
    #[arg(long, global = true, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// The hub's operator API, in place of the folder's own [also: CONCORD_URL, with CONCORD_TOKEN]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The form of what is written to stdout: for people, one JSON document, or one per line
    #[arg(long, short, global = true, value_enum, value_name = "FORM", default_value_t = Form::Table)]
    pub(crate) output: Form,
    /// Say only errors on stderr
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more on stderr; twice for everything
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// When to colour; auto: on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = ColorWhen::Auto)]
    pub(crate) color: ColorWhen,
}

/// The form of data on stdout.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    // Values without help of their own keep every command's help short.
    Table,
    Json,
    Jsonl,
}

/// When to colour.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ColorWhen {
    Auto,
    Always,
    Never,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Show the hub at work between three sandbox systems, through outages, with a proof at the end
    Demo(Demo),
    /// Check a configuration folder: every file, reference and example, two-way rows, versions against what was applied
    Check(Folder),
    /// Mappings of a folder: test them, try them on a sample, see what feeds what
    #[command(subcommand)]
    Mapping(Mapping),
    /// Connectors: what they can do, check and test their manifests
    #[command(subcommand)]
    Connector(Connector),
    /// Write the JSON Schema of a configuration file to stdout, for editors
    Schema(Schema),
    /// Run a configuration folder
    Up(Up),
    /// Show what a changed folder would do to the running hub, its records and its traffic
    Plan(PlanOf),
    /// Go on with the changed folder, without stopping
    Apply(Apply),
    /// Before the first start beside populated systems: match what they hold, read the plan, apply it
    #[command(subcommand)]
    Link(Link),
    /// The configuration that runs, and those before it
    #[command(subcommand)]
    Config(ConfigOf),
    /// Run sandbox systems (CRMs, ERP, marketing) on their own
    Sandbox(SandboxPorts),
    /// Run the hub on a virtual clock through hours of faults, and judge it by its invariants
    Sim(Sim),
    /// Connected systems
    #[command(subcommand)]
    System(System),
    /// Events: what happened, and domain events derived from it
    #[command(subcommand)]
    Event(Event),
    /// Canonical records
    #[command(subcommand)]
    Record(Record),
    /// Deliveries: what each system must still reach, and what it has
    #[command(subcommand)]
    Delivery(Delivery),
    /// Deliveries and messages that need a person
    #[command(subcommand)]
    DeadLetter(DeadLetter),
    /// Say again what was said: plan it, look at the plan, apply it
    #[command(subcommand)]
    Replay(Replay),
    /// Bulk work: plans, and the jobs they become
    #[command(subcommand)]
    Job(Job),
    /// Write records, with where their values came from and what they are linked to, as compressed JSONL
    Export(Export),
    /// Say the records of an export again: as state, by the rules of intake, without events
    Import(Import),
    /// How long what is kept, and what is past its time
    #[command(subcommand)]
    Retention(Retention),
    /// Copy a folder's store, whether its hub runs or not, and verify the copy
    Backup(Backup),
    /// Make a backup the store of a folder
    Restore(Restore),
    /// Keys that seal what is personal at rest
    #[command(subcommand)]
    Key(Key),
    /// Write a shell's completion script to stdout
    Completions(Completions),
    /// Show help for a command or topic (exit-codes, environment)
    Help(Help),
}

/// Which sandboxes, where.
#[derive(Args, Debug)]
#[command(
    after_help = "Without ports CRM, ERP and marketing are started on their usual ones (4011, 4012, 4013). They take \
    the credentials pat-sandbox (CRM), sandbox-client (ERP) and sandbox-us1 (marketing); sales takes the consumer key \
    sandbox-key with the secret sandbox-secret.\n\nWebhooks of the CRM are signed \
    with HUBSPOT_CLIENT_SECRET (default: hook-secret); marketing's go to an address that ends in \
    MAILCHIMP_WEBHOOK_SECRET (default: hook-address).\n\nEach has an admin API under /_admin/: faults, people's edits, \
    and its own books (what it holds, who called)."
)]
pub(crate) struct SandboxPorts {
    /// A HubSpot-shaped CRM on this port; 0 takes a free one
    #[arg(long, value_name = "PORT")]
    pub(crate) crm: Option<u16>,
    /// A Salesforce-shaped CRM on this port
    #[arg(long, value_name = "PORT")]
    pub(crate) sales: Option<u16>,
    /// A NetSuite-shaped ERP on this port
    #[arg(long, value_name = "PORT")]
    pub(crate) erp: Option<u16>,
    /// A Mailchimp-shaped marketing system on this port
    #[arg(long, value_name = "PORT")]
    pub(crate) marketing: Option<u16>,
    /// A plain JSON target on this port
    #[arg(long, value_name = "PORT")]
    pub(crate) sink: Option<u16>,
    /// Send webhooks to the hub at this public address, as the systems `crm` and `marketing`
    #[arg(long, value_name = "URL")]
    pub(crate) webhooks: Option<String>,
    /// Seed of ids, tokens and drawn faults
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
}

/// The demonstration.
#[derive(Args, Debug)]
#[command(
    after_help = "Everything is real: HTTP on loopback, the embedded store in a folder, signed webhooks, polls. \
    The proof compares what the sandboxes hold and received with what the business did; it never asks the hub. \
    The command ends with 1 when any line of it is broken."
)]
pub(crate) struct Demo {
    /// How long the business runs; all acts scale with it, and under 10s not all of it may happen
    #[arg(long = "for", value_name = "TIME", default_value = "30s", value_parser = time)]
    pub(crate) length: Duration,
    /// Seed of the business and of the faults
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Changes per second that people make
    #[arg(long, value_name = "N", default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rate: u32,
    /// Leave everything running at the end, to explore with the other commands; Ctrl-C ends it
    #[arg(long)]
    pub(crate) keep: bool,
    /// Put configuration, keys, store and the systems' books here [default: a temporary folder, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub(crate) into: Option<PathBuf>,
}

/// The simulation.
#[derive(Args, Debug)]
#[command(
    after_help = "Everything random comes from the seed: the same seed gives the same trace. In each run a source and \
    five targets, one per idempotency class, live through edits, bursts, lost and late webhooks, outages, throttling, \
    lost answers, crashes, full and failing disks, clock jumps and operators at work. What breaks an invariant of the \
    design ends the run; its seed is printed with a timeline, and the command ends with 1.\n\nA build with \
    `--features planted-bugs` also plants known bugs, one at a time, and fails unless each is caught as a breach of \
    the invariant it states."
)]
pub(crate) struct Sim {
    /// How many seeds [default: 20, or with --minutes as many as fit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seeds: Option<u64>,
    /// Begin no further seed after so many minutes
    #[arg(long, value_name = "M", value_parser = minutes)]
    pub(crate) minutes: Option<f64>,
    /// The first seed
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub(crate) from: u64,
    /// Virtual hours of faults per seed
    #[arg(long, value_name = "H", default_value_t = 1.0, value_parser = hours)]
    pub(crate) hours: f64,
    /// safety: faults to the very end; liveness: they stop, and everything must agree afterwards; restore: the same, and
    /// old backups of the store are restored in between; merging: the same, and people merge records and split them again
    #[arg(long, value_enum, value_name = "MODE", default_value_t = SimMode::Liveness)]
    pub(crate) mode: SimMode,
    /// Plant this bug only, and tell how it is caught
    #[arg(long, value_name = "NAME", conflicts_with = "no_bugs")]
    pub(crate) bug: Option<planted::Bug>,
    /// Lines of a failing seed's timeline that are shown
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub(crate) lines: usize,
    /// Plant no bugs, although this build has them
    #[arg(long)]
    pub(crate) no_bugs: bool,
}

/// What a simulation asks for in the end.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SimMode {
    Safety,
    Liveness,
    Restore,
    Merging,
}

/// A backup to be taken.
#[derive(Args, Debug)]
#[command(
    after_help = "The folder is that of --dir. The backup is a folder with the store's copy and manifest.json (when, \
    what, and the copy's hash). It appears under its name when it is complete and verified, and never in place of \
    another. Nothing waits for it; while it is copied, the hub's log of changes grows.\n\nThe root key is not in it, \
    and without the key nothing personal of it can be read: keep a copy of the key elsewhere. The manifest names the \
    key that is needed by its id, which is not secret."
)]
pub(crate) struct Backup {
    /// The backup to be made; of a folder that exists, a new one in it, named by tenant and time
    #[arg(value_name = "BACKUP")]
    pub(crate) to: PathBuf,
}

/// A backup to be put back.
#[derive(Args, Debug)]
#[command(
    after_help = "Checks the copy's hash and that the root key which DIR's concord.yaml names is the one that the \
    backup was sealed under, before anything is changed.\n\nThe systems have moved on since the backup was taken, and \
    the store does not know. At the next `concord up` every listing is read again from before the backup, and nothing \
    is delivered before that; then each object is read before it is first written. What may have been made or told \
    since, where the target can't tell, waits for a person: see `concord dead-letter list`. Of systems that only push, \
    what they sent since the backup must be sent again; each is named."
)]
pub(crate) struct Restore {
    /// The backup, as `concord backup` made it
    #[arg(value_name = "BACKUP")]
    pub(crate) backup: PathBuf,
    /// The configuration folder whose store it becomes
    #[arg(long, value_name = "DIR")]
    pub(crate) into: PathBuf,
    /// Put a store that is there aside, into a folder beside it, instead of refusing
    #[arg(long)]
    pub(crate) replace: bool,
}

/// Which records, where to.
#[derive(Args, Debug)]
#[command(
    after_help = "A record per line, packed with gzip: `zcat FILE | jq` reads it. Without --unmask personal values are hidden, and \
    the file can't be imported. Records are read a page at a time while the hub works on: each as it stands when its page \
    is read."
)]
pub(crate) struct Export {
    /// The file; it must not exist [default: stdout]
    #[arg(value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    /// Only records of this type
    #[arg(long, value_name = "ENTITY")]
    pub(crate) entity: Option<String>,
    /// Only records that changed last at or after this moment (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Only records that changed last before this moment
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    #[command(flatten)]
    pub(crate) mask: Mask,
}

/// What is said again.
#[derive(Args, Debug)]
#[command(
    after_help = "Each line is taken as said by the systems that had said it: what is older than what is known changes nothing, an \
    owner's value stands, and the same line counts once. Events are not made: they were, in their time. Targets are brought \
    to the resulting state as ever.\n\nWhere none of a record's objects is linked here, a system that may create it says it \
    first; objects of the others are left to those systems. References are left to them, too. A line that can't be taken \
    is named with its number and why, and keeps no other from being taken: then the command ends with the code for a \
    part that failed."
)]
pub(crate) struct Import {
    /// The file, packed or plain; - for stdin
    #[arg(value_name = "FILE")]
    pub(crate) from: PathBuf,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
}

/// What is kept.
#[derive(Subcommand, Debug)]
#[command(
    after_help = "How long is written in concord.yaml under `retention`. Only what is closed goes: never what is open, in \
    doubt, dead or quarantined, never a record, link or shadow. A round goes by itself, in small steps; with \
    `retention.archive` a row goes only after a compressed file holds it."
)]
pub(crate) enum Retention {
    /// Show per kind how long it is kept, how much there is, and how much is past its time
    Get,
    /// Begin a round now instead of in its time
    Run {
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// Keys.
#[derive(Subcommand, Debug)]
pub(crate) enum Key {
    /// Make a root key in a new file that only you can read
    New {
        /// The file; it must not exist
        file: PathBuf,
    },
}

/// Which shell.
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// What to explain.
#[derive(Args, Debug)]
pub(crate) struct Help {
    /// A command, or exit-codes, or environment
    #[arg(value_name = "TOPIC")]
    pub(crate) topic: Vec<String>,
}

/// Reads the command line.
pub(crate) fn parse(arguments: Vec<OsString>) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from(arguments)
}

/// Hours, at most a month of them.
fn hours(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(hours) if hours > 0.0 && hours <= 744.0 => Ok(hours),
        _ => Err("write hours as a number above 0 and up to 744, such as 0.5".to_owned()),
    }
}

/// Minutes, at most a week of them.
fn minutes(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(minutes) if minutes > 0.0 && minutes <= 10_080.0 => Ok(minutes),
        _ => Err("write minutes as a number above 0 and up to 10080, such as 60".to_owned()),
    }
}

/// `500ms`, `30s`, `5m`, `2h`.
fn time(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let millis = match unit {
        "ms" => 1,
        "s" | "" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => 0,
    };
    let number: u64 = number.parse().unwrap_or(0);
    match number.checked_mul(millis).filter(|total| *total > 0) {
        Some(total) => Ok(Duration::from_millis(total)),
        None => Err("write a whole number and a unit: 500ms, 30s, 5m or 2h".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    //! The definition of the command line is sound.
    use std::time::Duration;

    use clap::CommandFactory as _;

    use super::{Arguments, time};

    #[test]
    fn the_command_line_is_well_defined() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn times_are_read() {
        assert_eq!(time("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(time("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(time("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "s", "-1s", "1.5s", "0s", "5d", "99999999999999999999s"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
