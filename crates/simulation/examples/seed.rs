//! One seed of the estate: `cargo run --release -p simulation --example seed -- SEED MINUTES [safety]`.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a tool for the person at the terminal")]
use std::time::Duration;
fn main() {
    let mut args = std::env::args().skip(1);
    let from: u64 = args.next().unwrap().parse().unwrap();
    let to: u64 = args.next().unwrap().parse().unwrap();
    let minutes: u64 = args.next().unwrap().parse().unwrap();
    let diary = args.next();
    for seed in from..to {
        let began = std::time::Instant::now();
        let span = Duration::from_secs(minutes * 60);
        let mode = simulation::Mode::Liveness;
        let mut report = simulation::run_seed(seed, mode, span);
        println!("seed {seed}: {} accepted, {} steps, {:?} simulated, {:?}, {:?}", report.accepted, report.steps, report.simulated, began.elapsed(), report.violation);
        if let Some(about) = &diary {
            println!("{:?}\n{:?}", report.faults, report.marks);
            report = simulation::explain(seed, mode, span, about);
            for line in report.timeline { println!("{line}"); }
        }
    }
}
