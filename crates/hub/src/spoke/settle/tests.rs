//! What an ending leaves in the shadow.

use ledger::Class;
use serde_json::json;
use store::conformance::make;
use store::{Epoch, Reread, Restored};

use super::*;

/// A create under a key that was made at 5, sent twice, and is answered with what it made; the object was read at `seen` and had
/// another value then. What the shadow says of it afterwards, where the store was restored at that time, if it was: the value,
/// and whether it is certain.
fn answered_again(restored: Option<i64>, seen: i64) -> (serde_json::Value, bool) {
    let mut spoke = Spoke::new(crate::sample::configuration(None), make::system("erp")).unwrap();
    let restored = restored.map(|number| Restored {
        epoch: Epoch { number, taken_at: make::at(5), restored_at: make::at(number) },
        reread: Reread::default(),
        renamed: Vec::new(),
    });
    let mut effects = Vec::new();
    spoke.learn_of_restore(restored, &mut Turn::new(canonical::Now::default(), 1, &mut effects));
    let value = |value: i64| [("value".to_owned(), json!(value))].into_iter().collect::<canonical::Fields>();
    let intent = Intent {
        class: IdempotencyClass::NativeKey { ttl_s: 60 },
        external_id: None,
        created_at: make::at(5),
        sends: 2,
        fields: value(90).into(),
        ..make::intent(1, "r", 1)
    };
    let seen = Shadow {
        fields: value(167),
        unknown: Default::default(),
        seen_at: Some(make::at(seen)),
        external_id: Some("33".to_owned()),
        ..make::shadow(1, "erp", "customer")
    };
    let settlement = Settlement {
        intent: intent.clone(),
        head: None,
        obligation: None,
        shadow: Some(seen),
        exit: None,
        outcome: Outcome { external_id: Some("33".to_owned()), ..Outcome::of(Class::Applied) },
        ending: Ending::Delivered,
        attempt: None,
        conflicts: 0,
        linked: Some("33".to_owned()),
    };
    let mut unit = Unit::default();
    spoke.effects_there(&settlement, &intent, &mut unit, make::at(20));
    let shadow = unit.ops.iter().find_map(|op| match op {
        Op::PutShadow(shadow) => Some(shadow.clone()),
        _ => None,
    });
    let shadow = shadow.unwrap();
    (shadow.fields["value"].clone(), !shadow.unknown.contains("value"))
}

/// I6: an answer that may have been stored long ago leaves what it wrote uncertain. After a restore it leaves what was read since as
/// it is: that is newer, and what stands there when it is read again is then nobody's edit.
#[test]
fn i6_a_stored_answer_does_not_take_the_place_of_what_was_read_since_the_restore() {
    assert_eq!(answered_again(None, 8), (json!(90), false));
    assert_eq!(answered_again(Some(7), 8), (json!(167), false));
    assert_eq!(answered_again(Some(7), 6), (json!(90), false), "that was read before");
}
