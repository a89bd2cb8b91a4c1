//! An association made, moved and taken back; what a doubt, an old read and a replay leave to be said.

use super::*;
use canonical::{RecordId, System, Tenant};
use serde_json::json;

fn shadow() -> Shadow {
    let object = Object::new("contacts").unwrap();
    Shadow::blank(
        Tenant::new("acme").unwrap(),
        RecordId::from_parts(canonical::Wall(1), 1),
        System::new("crm").unwrap(),
        object,
    )
}

fn call(step: Step, other: &str, moving: Moving) -> Association {
    let to = Object::new("companies").unwrap();
    Association { path: "company".to_owned(), to, other: other.to_owned(), step, moving }
}

/// What is still to be said, as `+a -b`.
fn left(shadow: &Shadow, wanted: Value, moving: Moving) -> String {
    let words = shadow.steps("company", &wanted, moving, false).into_iter();
    let words =
        words.map(|(step, other)| format!("{}{other}", if step == Step::Associate { '+' } else { '-' }));
    words.collect::<Vec<_>>().join(" ")
}

/// Says everything that is left, one after the other; what was said.
fn say(shadow: &mut Shadow, wanted: Value, moving: Moving) -> String {
    let said = left(shadow, wanted.clone(), moving);
    while let Some((step, other)) = shadow.steps("company", &wanted, moving, false).into_iter().next() {
        shadow.confirm_step(&call(step, &other, moving));
    }
    said
}

#[test]
fn it_is_made_moved_and_taken_back() {
    for (moving, moved) in
        [(Moving::AssociateFirst, "+b -a"), (Moving::DissociateFirst, "-a +b"), (Moving::Replaced, "+b")]
    {
        let mut shadow = shadow();
        assert_eq!(say(&mut shadow, Value::Null, moving), "", "{moving:?}: nothing is known to be there");
        assert_eq!(say(&mut shadow, json!("a"), moving), "+a");
        assert_eq!(say(&mut shadow, json!("a"), moving), "");
        assert_eq!(say(&mut shadow, json!("b"), moving), moved, "{moving:?}");
        assert_eq!(shadow.fields["company"], "b");
        assert_eq!(say(&mut shadow, Value::Null, moving), "-b", "{moving:?}");
        assert_eq!((&shadow.fields["company"], shadow.associated.len()), (&Value::Null, 0));
    }
}

/// I3: whoever may have been associated is taken back when somebody else is wanted, also after a doubt that nobody resolved.
#[test]
fn a_doubt_leaves_nobody_behind() {
    let moving = Moving::AssociateFirst;
    let mut shadow = shadow();
    say(&mut shadow, json!("a"), moving);
    shadow.doubt_step(&call(Step::Associate, "b", moving));
    assert_eq!(left(&shadow, json!("b"), moving), "+b -a");
    assert_eq!(left(&shadow, json!("c"), moving), "+c -a -b");
    assert_eq!(left(&shadow, Value::Null, moving), "-a -b");
    assert_eq!(left(&shadow, json!("a"), moving), "+a -b", "a may be there, and is said again");
    assert_eq!(say(&mut shadow, json!("c"), moving), "+c -a -b");

    shadow.doubt_step(&call(Step::Dissociate, "c", moving));
    assert_eq!(left(&shadow, json!("c"), moving), "+c", "it may be gone");
    assert_eq!(left(&shadow, Value::Null, moving), "-c");
    assert_eq!(left(&shadow, json!("d"), moving), "+d -c");
}

/// I4, I6: a read of a state that was over says the old one; the new one is not forgotten for it.
#[test]
fn what_an_old_read_shows_hides_nobody() {
    let moving = Moving::AssociateFirst;
    let mut shadow = shadow();
    say(&mut shadow, json!("a"), moving);
    say(&mut shadow, json!("b"), moving);
    shadow.fields.insert("company".to_owned(), json!("a"));
    assert_eq!(left(&shadow, Value::Null, moving), "-a -b");
    assert_eq!(say(&mut shadow, json!("b"), moving), "+b -a");
}

/// The id of a company that was merged into another may stay a name of that one: what is to stay is said after whatever goes.
#[test]
fn who_is_to_stay_is_said_last() {
    let moving = Moving::DissociateFirst;
    let mut shadow = shadow();
    say(&mut shadow, json!("a"), moving);
    shadow.doubt_step(&call(Step::Associate, "b", moving));
    assert_eq!(say(&mut shadow, json!("a"), moving), "-b +a");
    shadow.doubt_step(&call(Step::Dissociate, "b", moving));
    assert_eq!(left(&shadow, json!("a"), moving), "-b +a", "a is certain, and said again");
    shadow.confirm_step(&call(Step::Dissociate, "b", moving));
    assert_eq!(left(&shadow, json!("a"), moving), "+a");
}

#[test]
fn what_somebody_else_associated_is_moved_too() {
    let mut shadow = shadow();
    shadow.fields.insert("company".to_owned(), json!("x"));
    assert_eq!(say(&mut shadow, json!("a"), Moving::AssociateFirst), "+a -x");
    // A number is the same id.
    shadow.fields.insert("company".to_owned(), json!(7));
    assert_eq!(left(&shadow, json!("7"), Moving::AssociateFirst), "-a");
}

#[test]
fn a_replay_says_it_again() {
    let mut shadow = shadow();
    say(&mut shadow, json!("a"), Moving::AssociateFirst);
    let again = shadow.steps("company", &json!("a"), Moving::AssociateFirst, true);
    assert_eq!(again, [(Step::Associate, "a".to_owned())]);
    assert_eq!(shadow.steps("other", &Value::Null, Moving::AssociateFirst, true), []);
}
