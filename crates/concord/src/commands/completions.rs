//! `concord completions`: what a shell needs to complete the command line.

use clap::CommandFactory as _;

use crate::arguments::{Arguments, Completions};
use crate::exit::Exit;
use crate::output::Output;

/// Writes the script.
pub(crate) fn run(given: &Completions, output: &Output) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(given.shell, &mut Arguments::command(), "concord", &mut script);
    output.data(String::from_utf8_lossy(&script).trim_end());
    Ok(Exit::Done)
}
