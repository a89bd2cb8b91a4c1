//! Connectors on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::connector_try::ConnectorTry;

/// Connectors.
#[derive(Subcommand, Debug)]
#[command(
    after_help = "A connector is a manifest: a file that says how to talk to one kind of system, both ways. NAME is one that \
    comes with Concord, or a file, such as connectors/shop.yaml; fixtures lie beside it, in connectors/fixtures/shop.yaml. \
    `concord schema connector` writes the format as a JSON Schema, for editors."
)]
pub(crate) enum Connector {
    /// List the connectors that come with Concord, and those of the folder
    List,
    /// Show what a connector reads and writes, how its writes can be repeated, and what it cannot see
    Show(ConnectorOf),
    /// Check manifests: each key, path, slot and rule
    Check(ConnectorCheck),
    /// Make a first manifest of an OpenAPI document, with fixtures, and with what a person must still answer
    New(ConnectorNew),
    /// Run a connector's fixtures: the requests that it makes, and what it takes answers for
    Test(ConnectorTest),
    /// Send one call to a real system of the folder, and see what the manifest makes of the answer
    Try(ConnectorTry),
    /// Read which fields an object of a real system has, and tell which mappings do not fit them
    Describe(ConnectorDescribe),
    /// Get a person's consent for a system (OAuth 2 with an authorization code), and keep what it gives
    Authorise(ConnectorAuthorise),
}

/// One connector.
#[derive(Args, Debug)]
pub(crate) struct ConnectorOf {
    /// A connector that comes with Concord, or a manifest's file
    #[arg(value_name = "NAME|FILE")]
    pub(crate) name: String,
}

/// Which manifests are checked.
#[derive(Args, Debug)]
#[command(
    after_help = "With --strict, fixtures must be there, hold, and show every operation, the outcomes `applied`, `rate_limited`, \
    `validation` and `uncertain` and those that a rule names, the key of each `native_key` write, and a message of each \
    rule; and no question of the manifest may be open: what nobody has shown, nobody knows.\n\nThe command ends with 1 when \
    anything is wrong; each problem is named with its place."
)]
pub(crate) struct ConnectorCheck {
    /// Connectors that come with Concord, or files of manifests; without, all of the folder's
    #[arg(value_name = "NAME|FILE")]
    pub(crate) names: Vec<String>,
    /// Refuse what no fixture shows
    #[arg(long)]
    pub(crate) strict: bool,
}

/// Which fixtures are run.
#[derive(Args, Debug)]
#[command(
    after_help = "A case says which call makes which request, and what each answer means; or what is read from a message. \
    Nothing is sent. The command ends with 1 when a case does not hold; what differs is named with the case's place.\n\nWhat no \
    case shows is told and is no failure: see `concord connector check --strict`."
)]
pub(crate) struct ConnectorTest {
    /// A connector that comes with Concord, or a manifest's file
    #[arg(value_name = "NAME|FILE")]
    pub(crate) name: String,
    /// The file with the fixtures, if it does not lie beside the manifest
    #[arg(long, value_name = "FILE")]
    pub(crate) fixtures: Option<PathBuf>,
}

/// Whose fields are read.
#[derive(Args, Debug)]
#[command(
    after_help = "Nothing is changed there. Of each field it is shown what its vendor says: type, whether a new object needs it, \
    whether it can be written, how long a text may be, which values a choice has, and which mappings name it.\n\nWhat the folder's \
    mappings read or write and that is not there, cannot be written, holds another type or does not take their values is an \
    error, with file, line and column; a text that may be too long, a value that the record does not know, and a field that a \
    new object needs and nobody writes is a warning. The command ends with 1 when there is an error, and with \
    --detailed-exit-code with 2 when there are only warnings."
)]
pub(crate) struct ConnectorDescribe {
    /// A system of the folder
    #[arg(value_name = "SYSTEM")]
    pub(crate) system: String,
    /// The kind of object, as the manifest calls it
    #[arg(value_name = "OBJECT")]
    pub(crate) object: String,
    /// The configuration folder, in place of --dir
    #[arg(value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// End with 2 when there are warnings
    #[arg(long)]
    pub(crate) detailed_exit_code: bool,
}

/// Who is asked for consent.
#[derive(Args, Debug)]
#[command(
    after_help = "The address to open is written to stdout. Give consent there, and paste the address that the browser is then led to, \
    or the code in it. It is checked that it is the answer to this asking; the code is changed for a refresh token at once, which \
    is sealed and kept in the store, as those are that rotate. No hub may run on the store meanwhile (exit code 6).\n\nThe system's \
    file must have the secret that its connector calls the refresh token: any word in it stands for the consent. Whoever changes that \
    word takes the consent back here."
)]
pub(crate) struct ConnectorAuthorise {
    /// A system of the folder
    #[arg(value_name = "SYSTEM")]
    pub(crate) system: String,
    /// The configuration folder, in place of --dir
    #[arg(value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// The address that is registered at the vendor for the browser to be led back to; nobody needs to answer there
    #[arg(long, value_name = "URL", default_value = "http://localhost:8765/")]
    pub(crate) redirect: String,
}

/// What a manifest is made of.
#[derive(Args, Debug)]
#[command(
    after_help = "Writes connectors/NAME.yaml and connectors/fixtures/NAME.yaml in the folder of --dir, and replaces nothing. Paths \
    such as /contacts and /contacts/{id} become an object with what can be read and written of it.\n\nA document does not say \
    what happens when a request is sent twice, how late a change shows, or what a listing hides: each such question is \
    marked OPEN, and until it is answered the manifest does what is safe. A create whose answer is lost is left to a person, \
    and never sent again."
)]
pub(crate) struct ConnectorNew {
    /// An OpenAPI 3 document, JSON or YAML; - for stdin
    #[arg(value_name = "OPENAPI")]
    pub(crate) document: PathBuf,
    /// The connector's name; without, made of the document's title
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Only this object; may be given several times
    #[arg(long = "object", value_name = "OBJECT")]
    pub(crate) objects: Vec<String>,
}
