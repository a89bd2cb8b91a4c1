//! Whether the backlog costs: claims and settlements with few and with many open deliveries; opening with many.
//!
//! `cargo run --release -p embedded --example backlog -- [OPEN]`

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, run by hand")]
#![expect(clippy::disallowed_methods, reason = "it measures wall-clock time")]

use std::time::Instant;

use ledger::{Lane, State};
use store::conformance::Backend;
use store::conformance::make::*;
use store::{Op, Query, Rows};

use crate::common::cpu_us;

#[path = "../ingest/common.rs"]
mod common;

const PAGE: usize = 64;

/// Claims and settles `rounds` pages; gives CPU per delivery of the claims and of the settlements.
fn drain(backend: &Backend, rounds: u32) -> (f64, f64) {
    let (mut after, mut claiming, mut settling) = (None, 0.0, 0.0);
    for _ in 0..rounds {
        let start = cpu_us();
        let query = Query::Claim {
            tenant: acme(),
            system: system("erp"),
            lane: Lane::Standard,
            after,
            due_by: at(1_000_000_000),
            limit: PAGE,
        };
        let Rows::Claim(claimed) = backend.find(query) else { return (0.0, 0.0) };
        let claimed_at = cpu_us();
        after = claimed.heads.last().map(|head| (head.due, head.seq));
        let ops = claimed.heads.into_iter().map(|head| settle(head.key, 1, State::Delivered)).collect();
        drop(backend.apply(ops));
        claiming += claimed_at - start;
        settling += cpu_us() - claimed_at;
    }
    let deliveries = f64::from(rounds) * PAGE as f64;
    (claiming / deliveries, settling / deliveries)
}

fn main() {
    let open: u64 = std::env::args().nth(1).map_or(300_000, |text| text.parse().unwrap());
    let (store, backend, _folder) = common::open();
    let mut raised = 0;
    let mut raise_until = |count: u64| {
        while raised < count {
            let until = (raised + 1000).min(count);
            let due = |number: u64| at(i64::try_from(number).unwrap());
            let ops = (raised..until)
                .map(|number| {
                    Op::Raise(intake::Raise { due: due(number), at: due(number), ..raise("r", number, 1) })
                })
                .collect();
            drop(backend.apply(ops));
            raised = until;
        }
    };
    raise_until(30_000);
    let few = drain(&backend, 300);
    println!("{:>9} open: claim {:.2} us, settle {:.2} us CPU per delivery", 30_000 - 19_200, few.0, few.1);
    raise_until(open);
    let many = drain(&backend, 300);
    println!("{:>9} open: claim {:.2} us, settle {:.2} us CPU per delivery", open - 38_400, many.0, many.1);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!("{}", status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default());
    let folder = store.folder().to_owned();
    drop((store, backend));
    let start = Instant::now();
    drop(common::open_in(&folder));
    println!("opened and closed again in {:.0} ms", start.elapsed().as_secs_f64() * 1000.0);
}
