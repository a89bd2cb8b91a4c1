//! What was decided because of one restore says nothing after the next.

use store::conformance::make;

use super::*;

/// The so-manieth restore.
fn restore(number: i64) -> Restore {
    let at = make::at(number);
    Restore {
        epoch: Epoch { number, taken_at: at, restored_at: at },
        reread: Reread::default(),
        renamed: Vec::new(),
        until: Mono::default(),
        passed: None,
        told: false,
        fetchable: Vec::new(),
    }
}

fn delivery(class: &str, code: Option<&str>) -> Obligation {
    let why = Reason { code: code.map(str::to_owned), ..reason(class, "so") };
    Obligation { reason: Some(why), ..store::rules::first(&make::raise("r", 1, 1)) }
}

/// A backup may have been taken after a person let a delivery go, and before it went: it may have gone since (I3).
#[test]
fn i3_who_looked_because_of_an_earlier_restore_has_not_looked() {
    let looked = delivery(LOOKED, Some("7"));
    assert!(restore(7).was_looked_at(&looked));
    assert!(!restore(8).was_looked_at(&looked));
    assert!(!restore(7).was_looked_at(&delivery(LOOKED, None)));
    assert!(!restore(7).was_looked_at(&delivery("retried", Some("7"))));
}

/// Else a delivery that had been asked for in vain before would go without having been read (I5).
#[test]
fn i5_readings_asked_for_because_of_an_earlier_restore_do_not_count() {
    let asked = delivery(READING, Some("7/6"));
    assert_eq!(restore(7).rounds_of(&asked), 6);
    assert_eq!(restore(8).rounds_of(&asked), 0);
    assert_eq!(restore(7).rounds_of(&delivery(LOOKED, Some("7/6"))), 0);
}
