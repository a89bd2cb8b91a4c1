//! The commands, a file each.

mod apply;
mod backup;
pub(crate) mod check;
mod completions;
mod configuration;
mod connector;
mod dead_letter;
mod delivery;
mod demo;
mod event;
mod export;
mod job;
pub(crate) mod key;
mod lineage;
mod link;
mod mapping;
mod plan;
mod record;
mod restore;
mod retention;
pub(crate) mod sandbox;
mod schema;
mod sim;
mod system;
mod up;

use crate::arguments::Command;
use crate::exit::Exit;
use crate::help;
use crate::output::Output;
use crate::settings::Settings;

/// Runs one command.
pub(crate) fn run(command: Command, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    match command {
        Command::Demo(given) => demo::run(&given, settings, output),
        Command::Check(given) => check::run(&given, settings, output),
        Command::Mapping(given) => mapping::run(given, settings, output),
        Command::Connector(given) => connector::run(given, settings, output),
        Command::Schema(given) => schema::run(&given, output),
        Command::Up(given) => up::run(&given, settings, output),
        Command::Plan(given) => plan::run(&given, settings, output),
        Command::Apply(given) => apply::run(&given, settings, output),
        Command::Config(given) => configuration::run(given, settings, output),
        Command::Link(given) => link::run(given, settings, output),
        Command::Sandbox(given) => sandbox::run(&given, output),
        Command::Sim(given) => sim::run(&given, output),
        Command::System(given) => system::run(given, settings, output),
        Command::Event(given) => event::run(given, settings, output),
        Command::Record(given) => record::run(given, settings, output),
        Command::Delivery(given) => delivery::run(given, settings, output),
        Command::DeadLetter(given) => dead_letter::run(given, settings, output),
        Command::Replay(given) => job::replay(given, settings, output),
        Command::Job(given) => job::run(given, settings, output),
        Command::Export(given) => export::export(&given, settings, output),
        Command::Import(given) => export::import(&given, settings, output),
        Command::Retention(given) => retention::run(given, settings, output),
        Command::Backup(given) => backup::run(&given, settings, output),
        Command::Restore(given) => restore::run(&given, output),
        Command::Key(given) => key::run(&given, output),
        Command::Completions(given) => completions::run(&given, output),
        Command::Help(given) => help::run(&given.topic, output),
    }
}
