//! `concord connector try`.

use clap::{Args, Subcommand};

/// One call to one system.
#[derive(Args, Debug)]
#[command(
    after_help = "SYSTEM is one of the folder of --dir; its address, credential and limits of addresses are those of the hub. \
    No hub is asked, and nothing is kept; what `connector authorise` kept is used, unless a hub runs on the \
    store.\n\nWhat the system answers is shown with everybody's values disguised: texts and \
    numbers keep their form and nothing else, in JSON and in XML, and so do the words of a refusal (--values shows them as \
    they are). What repeats a credential is never shown \
    (a success may show one of less than 12 bytes, or all of digits, with --values). What the manifest makes of it is told with \
    the rule that said so.\n\nA read is sent at once. A write is shown, and sent with --send. The command ends with 0 when the \
    answer is a success, with 1 when it is not, and with 7 when there is none."
)]
pub(crate) struct ConnectorTry {
    /// A system of the folder
    #[arg(value_name = "SYSTEM")]
    pub(crate) system: String,
    #[command(subcommand)]
    pub(crate) call: TryCall,
    /// Show values as they are
    #[arg(long, global = true)]
    pub(crate) values: bool,
    /// Write what was seen to stdout as a case of fixtures, disguised, to be put under `cases:`; refused where it would
    /// mean something else without the values
    #[arg(long, global = true, conflicts_with = "values")]
    pub(crate) fixture: bool,
}

/// What is called.
#[derive(Subcommand, Debug)]
pub(crate) enum TryCall {
    /// Ask which account it is
    Identity,
    /// List changes: one page
    List {
        /// The kind of object, as the manifest calls it
        #[arg(value_name = "OBJECT")]
        object: String,
        /// Only what changed since; as the cursor of a page before says it
        #[arg(long, value_name = "MARK")]
        since: Option<String>,
        /// The next page of the same listing
        #[arg(long, value_name = "PAGE")]
        page: Option<String>,
    },
    /// List all that is there, whenever it changed: one page
    Snapshot {
        /// The kind of object, as the manifest calls it
        #[arg(value_name = "OBJECT")]
        object: String,
        /// The next page
        #[arg(long, value_name = "PAGE")]
        page: Option<String>,
    },
    /// Read one object, or several in one call
    Fetch {
        /// The kind of object, as the manifest calls it
        #[arg(value_name = "OBJECT")]
        object: String,
        /// Its id there; of several each
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
    },
    /// Ask which fields an object has
    Describe {
        /// The kind of object, as the manifest calls it
        #[arg(value_name = "OBJECT")]
        object: String,
    },
    /// Write the fields on stdin, a JSON object: shown, and sent with --send
    Write(TryWrite),
    /// Look for the effect of a write, as the hub does when its answer was lost
    Probe(TryWrite),
}

/// A write.
#[derive(Args, Debug)]
pub(crate) struct TryWrite {
    /// The kind of object, as the manifest calls it
    #[arg(value_name = "OBJECT")]
    pub(crate) object: String,
    /// The operation; without, the one that is chosen for a record with or without a link
    #[arg(long, value_name = "NAME")]
    pub(crate) operation: Option<String>,
    /// The object's id there, for one that is linked
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    /// The association that the operation makes or takes back, by its path
    #[arg(long, value_name = "PATH", requires = "other")]
    pub(crate) association: Option<String>,
    /// The other object's id there
    #[arg(long, value_name = "ID", requires = "association")]
    pub(crate) other: Option<String>,
    /// Concord's own id; without, a new one
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
    /// For a write that compares: the order that the object must still have there, as `token` of the answer before said it
    #[arg(long, value_name = "TOKEN")]
    pub(crate) expected: Option<String>,
    /// For a write that compares: the opaque version that the object must still have there (an ETag), as `version` of a read said it with --values
    #[arg(long, value_name = "VERSION")]
    pub(crate) opaque: Option<String>,
    /// Send it
    #[arg(long)]
    pub(crate) send: bool,
}
