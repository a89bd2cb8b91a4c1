//! Whether the backlog costs: claims and settlements with a thousand and with many open deliveries; opening with many.
//! CPU time, as JSON. With a folder, the store is left there with the last size, for a hub to open. Without rounds
//! nothing is claimed, only filled.
//!
//! `cargo run --release -p embedded --example backlog -- [SIZE,SIZE…] [FOLDER] [ROUNDS]`

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, run by hand")]
#![expect(clippy::disallowed_methods, reason = "it measures wall-clock time")]

use std::time::Instant;

use canonical::Wall;
use ledger::{Lane, State};
use serde_json::json;
use store::conformance::Backend;
use store::conformance::make::*;
use store::{Op, Query, Rows};

use crate::common::cpu_us;

#[path = "../ingest/common.rs"]
mod common;

const PAGE: usize = 64;
const ROUNDS: u32 = 600;

/// Claims pages and settles them, and raises as many anew, so that as many wait all the time; gives CPU per delivery
/// of the claims and of the settlements.
fn turn_over(backend: &Backend, raised: &mut u64, rounds: u32) -> (f64, f64) {
    let (mut claiming, mut settling) = (0.0, 0.0);
    for _ in 0..rounds {
        let start = cpu_us();
        let query = Query::Claim {
            tenant: acme(),
            system: system("erp"),
            lane: Lane::Standard,
            after: None,
            due_by: at(1_000_000_000),
            limit: PAGE,
        };
        let Rows::Claim(claimed) = backend.find(query) else { return (0.0, 0.0) };
        let claimed_at = cpu_us();
        let ops = claimed.heads.into_iter().map(|head| settle(head.key, 1, State::Delivered)).collect();
        drop(backend.apply(ops));
        claiming += claimed_at - start;
        settling += cpu_us() - claimed_at;
        let count = *raised + PAGE as u64;
        raise_until(backend, raised, count);
    }
    let deliveries = f64::from(rounds.max(1)) * PAGE as f64;
    (claiming / deliveries, settling / deliveries)
}

/// Raises deliveries, each of a record of its own, until so many were raised.
fn raise_until(backend: &Backend, raised: &mut u64, count: u64) {
    while *raised < count {
        let until = (*raised + 500).min(count);
        // A millisecond apart, and long due.
        let due = |number: u64| Wall(at(0).micros() + i64::try_from(number).unwrap() * 1000);
        let ops = (*raised..until).flat_map(|number| {
            let raise = intake::Raise { due: due(number), at: due(number), ..raise("r", number, 1) };
            [Op::PutRecord(record(number, 1)), Op::Raise(raise)]
        });
        drop(backend.apply(ops.collect()));
        *raised = until;
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let sizes = arguments.next().unwrap_or_else(|| "1000,300000".to_owned());
    let kept = arguments.next();
    let rounds = arguments.next().map_or(ROUNDS, |text| text.parse().unwrap());
    let own = tempfile::tempdir_in(".").unwrap();
    let folder = kept.map_or_else(|| own.path().to_owned(), std::path::PathBuf::from);
    let (store, backend) = common::backend(&folder);
    let (mut raised, mut settled, mut figures) = (0, 0, Vec::new());
    for size in sizes.split(',').map(|text| text.parse::<u64>().unwrap()) {
        raise_until(&backend, &mut raised, settled + size);
        // Once without looking: caches are as full as they get.
        let _warm = turn_over(&backend, &mut raised, rounds / 10);
        let (claim, settle) = turn_over(&backend, &mut raised, rounds);
        settled = raised - size;
        figures.push(json!({"pending": size, "claim_us": claim, "settle_us": settle}));
    }
    drop((store, backend));
    let start = Instant::now();
    drop(common::open_in(&folder));
    let open_and_close_ms = start.elapsed().as_secs_f64() * 1000.0;
    println!("{}", json!({"sizes": figures, "open_and_close_ms": open_and_close_ms}));
}
