//! `concord help`: commands by path, and the topics that no single command owns.

use clap::CommandFactory as _;

use crate::arguments::Arguments;
use crate::environment;
use crate::exit::{Exit, TABLE};
use crate::output::Output;

/// Shows help for a command or topic.
pub(crate) fn run(topic: &[String], output: &Output) -> anyhow::Result<Exit> {
    let text = match topic {
        [one] if one == "exit-codes" => exit_codes(),
        [one] if one == "environment" => variables(),
        path => command(path)?,
    };
    output.data(text.trim_end());
    Ok(Exit::Done)
}

fn exit_codes() -> String {
    let mut text = "Exit codes\n\n".to_owned();
    for (exit, meaning) in TABLE {
        text.push_str(&format!("  {:>2}  {meaning}\n", exit as u8));
    }
    text
}

fn variables() -> String {
    let mut text = "Environment variables; the command line wins over them\n\n".to_owned();
    for (name, meaning) in environment::TABLE {
        text.push_str(&format!("  {name:<19}  {meaning}\n"));
    }
    text.push_str(
        "\nSecrets are never given on the command line. A configuration names where each one is:\n",
    );
    text.push_str("an environment variable ({env: NAME}) or a file ({file: PATH}).\n");
    text
}

fn command(path: &[String]) -> anyhow::Result<String> {
    let mut whole = Arguments::command();
    whole.build();
    let mut command = &mut whole;
    for word in path {
        let found = command.find_subcommand_mut(word);
        command = found.ok_or_else(|| {
            Exit::Usage.because(format!("there is no help on {word:?}: `concord help` lists the commands"))
        })?;
    }
    let text = if path.is_empty() { command.render_long_help() } else { command.render_help() };
    Ok(text.to_string())
}
