//! The `concord` command: arguments become settings, settings become one command, its end becomes an exit code.

mod arguments;
mod commands;
mod cost;
mod crash;
mod demo;
mod environment;
mod exit;
mod folders;
mod help;
mod operator;
mod output;
mod place;
mod settings;
mod wiring;

use std::process::ExitCode;

/// Several threads pass small, short-lived values to each other: that is where the system's allocator is slow.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Code for connectors whose manifests can't say all (see connectors/README.md). Whoever needs some adds it here; its
/// connector's page says why.
const CODES: &[&dyn connector::Code] = &[];

fn main() -> ExitCode {
    // Nobody said it before.
    let _first = connector::provide(CODES);
    let given = match arguments::parse(environment::arguments()) {
        Ok(given) => given,
        Err(refused) => return output::refused(&refused),
    };
    let (settings, command) = settings::from(given);
    let voice = output::Output::new(&settings);
    match commands::run(command, &settings, &voice) {
        Ok(code) => code.into(),
        Err(error) => voice.failed(&error).into(),
    }
}
