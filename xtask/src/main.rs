//! The repository's own checks and benchmarks: `cargo xtask tidy`, `cargo xtask bench`.

mod arrows;
mod bench;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The repository's own checks and benchmarks.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Check the tree: room descriptions, sizes, stray words, allowed dependencies.
    Tidy,
    /// Measure; ratios within one run.
    #[command(subcommand)]
    Bench(bench::Bench),
}

fn main() -> ExitCode {
    let problems = match Arguments::parse().what {
        What::Tidy => {
            let mut problems = tidy::check(&root());
            problems.extend(arrows::check(&root()));
            problems
        }
        What::Bench(what) => match bench::run(what, &root()) {
            Ok(code) => return code,
            Err(error) => vec![format!("bench: {error:#}")],
        },
    };
    for problem in &problems {
        say(problem);
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The top of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

#[expect(clippy::print_stdout, reason = "a repository tool whose output is its purpose")]
fn say(line: &str) {
    println!("{line}");
}
