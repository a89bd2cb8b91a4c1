//! What a message costs in the store: taken in, fanned out to three targets, settled. CPU time of the whole process.
//!
//! `cargo run --release -p embedded --example ingest -- [MESSAGES] [BATCH] [hot]`; with `hot`, 100 records
//! are updated
//! again and again instead of new ones coming in.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, run by hand")]
#![expect(clippy::disallowed_methods, reason = "it measures wall-clock time")]

use std::time::Instant;

use canonical::{Provenance, Record, RecordId, Wall};
use ledger::{Intent, IntentState, Level, State};
use serde_json::json;
use store::conformance::make::*;
use store::{Browse as _, Op, Query, Require, Unit};

use crate::common::cpu_us;

mod common;

const TARGETS: [&str; 3] = ["erp", "marketing", "billing"];

/// A contact of 15 fields, about a kilobyte.
fn contact(number: u64, version: i64) -> Record {
    let mut made = record(number, version);
    made.fields.clear();
    made.provenance.clear();
    made.extensions.clear();
    made.occurrences.clear();
    made.counter_writes.clear();
    for at in 0..15 {
        let name = format!("field_{at:02}");
        made.fields
            .insert(name.clone(), json!(format!("value {at} of {number}, some forty characters long.")));
        let source = Provenance {
            system: system("crm"),
            event: evt(number),
            at: Wall(version),
            mapping: 1,
            changed: None,
        };
        made.provenance.insert(field(&name), source);
    }
    made
}

fn id(number: u64) -> RecordId {
    rec(number)
}

fn intake_unit(message_number: u64, number: u64, version: i64) -> Unit {
    let contact = contact(number, version);
    let mut happened = fact(message_number, number);
    happened.data = contact.fields.clone();
    let mut raw = message(message_number);
    raw.raw = serde_json::to_vec(&contact.fields).unwrap();
    let tenant = acme();
    let event_id = format!("evt-{message_number:016x}");
    let mut ops = vec![
        Op::Seen {
            tenant: tenant.clone(),
            source: system("crm"),
            event_id: event_id.clone(),
            hash: [7; 32],
            at: at(1),
        },
        Op::PutMessage(raw),
        Op::PutRecord(contact),
        Op::PutFact(happened),
    ];
    if version == 1 {
        ops.push(Op::PutLink(link(number, "crm", &format!("c{number}"))));
    }
    for target in TARGETS {
        ops.push(Op::Raise(intake::Raise { system: system(target), ..raise(target, number, version) }));
    }
    let require = vec![
        Require::Unseen { tenant, source: system("crm"), event_id },
        Require::RecordAt { record: id(number), version: version - 1 },
    ];
    Unit { require, ops }
}

fn sent(target: &str, message_number: u64, number: u64, version: i64) -> Intent {
    let order = TARGETS.iter().position(|one| *one == target).unwrap() as u64;
    let mut made = intent(message_number * 3 + order, target, number);
    made.system = system(target);
    made.level = Level { version, generation: 0 };
    let body = serde_json::to_vec(&contact(number, version).fields).unwrap();
    made.call = body.clone().into();
    made.request = body.into();
    made
}

fn outcome_unit(target: &str, intent: Intent, number: u64, version: i64) -> Unit {
    let mut shown = shadow(number, target, "customer");
    shown.fields = contact(number, version).fields;
    shown.unknown.clear();
    let ops = vec![
        Op::PutIntent(Intent { state: IntentState::Closed, ..intent }),
        settle(sync_key(target, number), version, State::Delivered),
        Op::PutShadow(shown),
    ];
    Unit { require: vec![], ops }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let messages: u64 = arguments.next().map_or(20_000, |text| text.parse().unwrap());
    let batch: u64 = arguments.next().map_or(64, |text| text.parse().unwrap());
    let hot = arguments.next().is_some();
    let folder = tempfile::tempdir_in(".").unwrap();
    let (store, backend) = common::backend(folder.path());

    let mut spent = [
        ("build rows", 0.0),
        ("intake find", 0.0),
        ("intake", 0.0),
        ("spoke find", 0.0),
        ("intents", 0.0),
        ("outcomes", 0.0),
    ];
    let (start, mut last) = (Instant::now(), cpu_us());
    let mut note = |part: usize, last: &mut f64| {
        let now = cpu_us();
        spent[part].1 += now - *last;
        *last = now;
    };
    for from in (0..messages).step_by(usize::try_from(batch).unwrap()) {
        let range = from..(from + batch).min(messages);
        let place = |number: u64| {
            if hot { (number % 100, i64::try_from(number / 100).unwrap() + 1) } else { (number, 1) }
        };
        let intake: Vec<Unit> =
            range.clone().map(|number| intake_unit(number, place(number).0, place(number).1)).collect();
        let intents: Vec<(u64, &str, Intent)> = range
            .clone()
            .flat_map(|number| {
                TARGETS.map(|target| (number, target, sent(target, number, place(number).0, place(number).1)))
            })
            .collect();
        let outcomes: Vec<Unit> = intents
            .iter()
            .map(|(number, target, intent)| {
                outcome_unit(target, intent.clone(), place(*number).0, place(*number).1)
            })
            .collect();
        let open: Vec<Unit> = intents
            .into_iter()
            .map(|(_, _, intent)| Unit { require: vec![], ops: vec![Op::PutIntent(intent)] })
            .collect();
        note(0, &mut last);
        let asks = range.clone().map(|number| intake::Ask {
            event: Some((system("crm"), format!("evt-{number:016x}"))),
            objects: vec![external("crm", "contacts", &format!("c{}", place(number).0))],
            ..intake::Ask::default()
        });
        drop(backend.find(Query::Intake { tenant: acme(), asks: asks.collect() }));
        note(1, &mut last);
        drop(backend.commit(intake));
        note(2, &mut last);
        for target in TARGETS {
            let asks = range.clone().map(|number| store::SpokeAsk {
                key: sync_key(target, place(number).0),
                record: id(place(number).0),
                object: object("customer"),
                references: vec![],
            });
            drop(backend.find(Query::Spoke { tenant: acme(), system: system(target), asks: asks.collect() }));
        }
        note(3, &mut last);
        drop(backend.commit(open));
        note(4, &mut last);
        drop(backend.commit(outcomes));
        note(5, &mut last);
    }
    let wall = start.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    let count = messages as f64;
    for (part, us) in spent {
        println!("{part:12} {:7.1} us CPU per message", us / count);
    }
    let store_us: f64 = spent[1..].iter().map(|(_, us)| us).sum::<f64>() / count;
    println!(
        "in the store {store_us:7.1} us CPU per message; {:.0} messages/s; {:?}",
        count / wall,
        store.stats()
    );
}
