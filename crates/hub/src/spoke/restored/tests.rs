//! What was decided because of one restore says nothing after the next.

use canonical::RecordId;
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

/// A message of before the restore that is taken in after it makes a record under a new id, which was first heard of long ago.
/// What had been made for it under its former id is not found by the new one (I3).
#[test]
fn i3_an_id_is_as_old_as_it_says_whenever_its_record_was_heard_of() {
    let record = |made, heard| Record {
        id: RecordId::from_parts(make::at(made), 1),
        created_at: make::at(heard),
        ..make::record(1, 1)
    };
    let spec = |by_key| WriteSpec {
        name: "create".into(),
        idempotency: IdempotencyClass::Upsert,
        partial: false,
        probe: true,
        linked: false,
        versioned: false,
        names: true,
        processing_max: Duration::ZERO,
        timeout: Duration::ZERO,
        charge: connector::Charge::default(),
        by_key,
        safe: true,
        batch: None,
        bulk: None,
        serial_by: None,
    };
    assert!(restore(7).can_tell_of(&spec(true), &record(6, 6)));
    assert!(!restore(7).can_tell_of(&spec(true), &record(8, 6)));
    assert!(restore(7).can_tell_of(&spec(false), &record(8, 6)), "it is looked for by content");
}

/// A create under a key that was open in the backup goes again, and its target answers what it answered then. Where the object was
/// read since, that answer says nothing of what stands there: the next sight of what we wrote after the backup is no edit (I6).
#[test]
fn i6_what_was_read_since_the_restore_outlives_a_stored_answer() {
    let config = crate::sample::configuration(None);
    let mut spoke = Spoke::new(config, canonical::System::new("erp").unwrap()).unwrap();
    let intent = |created: i64| Intent { created_at: make::at(created), ..make::intent(1, "r", 1) };
    let seen = |at: Option<i64>| Shadow { seen_at: at.map(make::at), ..make::shadow(1, "erp", "customer") };
    assert!(!spoke.was_read_since(&intent(6), &seen(Some(8))), "nothing was restored");
    spoke.restore = Some(restore(7));
    assert!(spoke.was_read_since(&intent(6), &seen(Some(8))));
    assert!(!spoke.was_read_since(&intent(6), &seen(Some(6))), "before it");
    assert!(!spoke.was_read_since(&intent(6), &seen(None)), "never");
    assert!(!spoke.was_read_since(&intent(8), &seen(Some(9))), "it was made since");
}
