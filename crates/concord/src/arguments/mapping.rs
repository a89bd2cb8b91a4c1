//! Mappings and schemas on the command line: all of it without a running hub.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Mappings.
#[derive(Subcommand, Debug)]
#[command(after_help = "These commands read the folder of --dir. No hub is asked, and nothing is sent.")]
pub(crate) enum Mapping {
    /// Run the examples of all mappings, and prove that what goes both ways comes back
    Test(MappingTest),
    /// Run one mapping on a sample from stdin: the result, what to look at, what it costs
    Try(MappingTry),
    /// Show which source fields feed which target fields, by whose word, and how personal they are
    Lineage(Lineage),
}

/// Which mappings are tested.
#[derive(Args, Debug)]
#[command(
    after_help = "An example says what reading and writing must give. A row that goes both ways (and an `in` and an `out` row \
    of one field at one path) is tried with values of the field's type, with all cells of its lookup table and with what \
    the examples hold: what is written must read as what it was, up to the row's `equal`, or be refused. The values are \
    the same on every machine.\n\nWhat else is wrong with the folder does not matter here. The command ends with 1 when \
    anything fails; each failure is named with its place."
)]
pub(crate) struct MappingTest {
    /// Only this mapping, such as contact.crm
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
}

/// A mapping and a sample.
#[derive(Args, Debug)]
#[command(
    after_help = "The sample is one JSON object on stdin: the system's object, or with --out the fields of a record. The \
    entity and the lookup tables are those of the folder in which FILE lies, else of --dir.\n\nWarnings name what of the \
    sample nobody takes, what it lacks, rows that found something and said nothing, and with --out references that \
    have no link (links are only in a store). The cost is the median of CPU time over many runs in this process.\n\nThe \
    result holds what the sample holds. The command ends with 1 when the mapping can't be used or refuses the sample."
)]
pub(crate) struct MappingTry {
    /// The mapping's file, such as mappings/contact.crm.yaml
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Write the sample, a record's fields, in the system's form, instead of reading it
    #[arg(long)]
    pub(crate) out: bool,
}

/// Where a value comes from, and where it goes.
#[derive(Args, Debug)]
#[command(
    after_help = "Given a field, each row is one arrow between it and a system. Given a path in a system, the first rows are its \
    arrows there (also of what lies inside it), and `onward` is where the fields that it feeds go from there.\n\nThe owner \
    is the system whose value of the field wins; a target without a route is not written."
)]
pub(crate) struct Lineage {
    /// A field (also as ENTITY.FIELD), or a path in a system's object, such as crm:properties.email
    #[arg(value_name = "FIELD|SYSTEM:PATH")]
    pub(crate) of: String,
    /// Only of this type of record
    #[arg(long, value_name = "ENTITY")]
    pub(crate) entity: Option<String>,
}

/// Whose schema.
#[derive(Args, Debug)]
#[command(
    after_help = "Editors complete and check files by it: save it and name it in a file's first line, as in\n  \
    # yaml-language-server: $schema=mapping.schema.json\n\nFILE need not exist; its folder says what it is."
)]
pub(crate) struct Schema {
    /// A configuration file, or a kind of file: concord, entity, mapping, routes, system, connector, fixtures
    #[arg(value_name = "FILE|KIND")]
    pub(crate) of: String,
}
