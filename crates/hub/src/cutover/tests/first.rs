//! What a system holds when it is listed for the first time, and what is for it meanwhile.

use std::time::Duration;

use canonical::Object;
use connector::{Failure, Response};
use store::{FirstListing, SystemState};

use super::*;

/// The first start was then, in milliseconds; `turn` is later or then.
fn began() -> i64 {
    make::at(1_000).micros() / 1_000
}

const MINUTE: i64 = 60_000;

/// A page of objects that changed then, in milliseconds.
fn page(changed: &[i64]) -> Response {
    let items: Vec<_> = changed.iter().map(|changed| json!({"id": "1", "changed": changed})).collect();
    let body = json!({"items": items});
    Response { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() }
}

/// The CRM's spoke with that history, at a start that finds this; and everything it did.
fn started(history: &str, state: Option<SystemState>, cursors: &[(&str, &str)]) -> (Spoke, Vec<Effect>) {
    let mut files = files();
    let crm = files.get("systems/crm.yaml").unwrap().to_owned();
    files.put("systems/crm.yaml", format!("{crm}history: {history}\n"));
    let mut spoke = Spoke::new(loaded(&files), make::system("crm")).unwrap();
    let ticket = asked(&turn(&mut spoke, Input::Start))[0].0;
    let cursors = cursors.iter().map(|(kind, cursor)| (make::object(kind), (*cursor).to_owned())).collect();
    let mut effects = turn(&mut spoke, Input::Found(ticket, Ok(Rows::System(state, cursors, None))));
    let ticket = asked(&effects)[0].0;
    effects.extend(turn(&mut spoke, Input::Found(ticket, Ok(Rows::Intents(Vec::new())))));
    (spoke, effects)
}

/// Of these kinds the first listing is not over since the first start.
fn unlisted(kinds: &[&str], since: i64) -> SystemState {
    let first = FirstListing { since: canonical::Wall(since * 1_000), approved: false };
    let first_listings = kinds.iter().map(|kind| (make::object(kind), first)).collect();
    SystemState { first_listings, ..SystemState::blank(make::acme(), make::system("crm")) }
}

/// The listing of that kind that is on the wire.
fn listing(effects: &[Effect], kind: &str) -> Ticket {
    let sent: Vec<Ticket> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send(ticket, _) => Some(*ticket),
            _ => None,
        })
        .collect();
    // Kinds go by name.
    sent[["accounts", "people"].iter().position(|known| *known == kind).unwrap()]
}

fn answer(spoke: &mut Spoke, ticket: Ticket, answer: Result<Response, Failure>) -> Vec<Effect> {
    turn(spoke, Input::Answered { ticket, answer, took: Duration::from_millis(5) })
}

/// What was offered is durable.
fn take(spoke: &mut Spoke, effects: &[Effect]) -> Vec<Effect> {
    let offered = effects.iter().find_map(|effect| match effect {
        Effect::Offer(offer) => Some(offer.ticket),
        _ => None,
    });
    turn(spoke, Input::Told(Notice::Taken(offered.expect("an offer"), Ok(()))))
}

fn claims(effects: &[Effect]) -> bool {
    asked(effects).iter().any(|(_, query)| matches!(query, Query::Claim { .. }))
}

fn raise(spoke: &mut Spoke) -> Vec<Effect> {
    let head = store::rules::head(&store::rules::first(&make::raise("person.crm", 1, 1)));
    turn(spoke, Input::Told(Notice::Raised(vec![head])))
}

/// The system's state as it was last written.
fn written(effects: &[Effect]) -> Option<SystemState> {
    let units = effects.iter().filter_map(|effect| match effect {
        Effect::Commit(_, units) => Some(units),
        _ => None,
    });
    let ops = units.flatten().flat_map(|unit| &unit.ops);
    let mut states = ops.filter_map(|op| match op {
        Op::PutSystem(state) => Some(state.clone()),
        _ => None,
    });
    states.next_back()
}

fn resume(spoke: &mut Spoke) -> Vec<Effect> {
    let order = Order::Resume { reason: "ann: it is read".to_owned() };
    turn(spoke, Input::Told(Notice::Do(Ticket(9), order)))
}

fn awaited(spoke: &mut Spoke) -> (Vec<Object>, Option<String>) {
    let said = turn(spoke, Input::Told(Notice::Do(Ticket(9), Order::Describe { forecast: None })));
    let Some(Effect::Ack(_, Ack::Described(described))) = said.first() else { panic!("{said:?}") };
    (described.unlisted.clone(), described.trouble.clone())
}

/// A system that holds objects from before the first start pauses before any of them is taken in; one that is listed again, of
/// which all is wanted, or whose objects are as new as the start, does not. It is the first start that counts, and each kind of
/// object for itself, to the end of its first listing, whoever started again meanwhile. A person's word ends it.
#[test]
fn what_was_there_before_waits_for_a_plan() {
    let (began, old) = (began(), began() - 2 * MINUTE);
    let first = began - 60 * MINUTE;
    let known = [("accounts", "{}"), ("people", "{}")];
    let begun = [("accounts", "{}"), ("people", r#"{"page": "{}"}"#)];
    let nothing: [(&str, &str); 0] = [];
    for (what, history, state, cursors, changed, resumed, pauses) in [
        ("it held them before", "plan", None, &nothing[..], old, false, true),
        ("as new as the start, but for its clock", "plan", None, &nothing, began - MINUTE / 2, false, false),
        ("all of it is wanted", "all", None, &nothing, old, false, false),
        ("it was listed before", "plan", None, &known, old, false, false),
        ("only another kind was", "plan", None, &known[..1], old, false, true),
        ("the same after a start", "plan", Some(unlisted(&["people"], began)), &known[..1], old, false, true),
        (
            "newer than the first start",
            "plan",
            Some(unlisted(&["people"], first)),
            &known[..1],
            old,
            false,
            false,
        ),
        ("in the middle of it", "plan", Some(unlisted(&["people"], began)), &begun, old, false, true),
        ("cut off at the end of it", "plan", Some(unlisted(&["people"], began)), &known, old, false, false),
        ("a person said so", "plan", None, &nothing, old, true, false),
    ] {
        let (mut spoke, mut effects) = started(history, state, cursors);
        if resumed {
            effects.extend(resume(&mut spoke));
        }
        let said = answer(&mut spoke, listing(&effects, "people"), Ok(page(&[changed])));
        let offered = said.iter().any(|effect| matches!(effect, Effect::Offer(_)));
        let paused = spoke.state.paused.clone();
        assert_eq!((offered, paused.is_some()), (!pauses, pauses), "{what}: {paused:?}");
        if let Some(why) = paused {
            assert!(why.contains("concord link plan") && why.contains("history: all"), "{why}");
            assert!(super::super::waits_for_plan(&spoke.state));
        }
    }
}

/// What others say is not delivered to a system before each of its first listings is over: what it holds is not known, and would
/// be there twice. Whoever looks is told for which listing deliveries wait, and why it does not come.
#[test]
fn nothing_is_delivered_before_the_first_listings_are_over() {
    let (mut spoke, effects) = started("plan", None, &[]);
    let state = written(&effects).expect("from when on it was to be listed");
    assert_eq!(state.first_listings.len(), 2);
    let (accounts, people) = (listing(&effects, "accounts"), listing(&effects, "people"));
    let mut all = effects;
    all.extend(raise(&mut spoke));
    all.extend(turn(&mut spoke, Input::Tick));
    let said = answer(&mut spoke, accounts, Ok(page(&[])));
    all.extend(take(&mut spoke, &said));
    let refused = Response { status: 503, headers: Vec::new(), body: Vec::new() };
    all.extend(answer(&mut spoke, people, Ok(refused)));
    all.extend(raise(&mut spoke));
    assert!(!claims(&all), "{all:?}");
    assert_eq!(written(&all).map(|state| state.first_listings.len()), Some(1));
    let (waits, why) = awaited(&mut spoke);
    assert_eq!(waits, [make::object("people")]);
    assert!(why.is_some(), "it is said why its listing does not come");

    // A new start judges as the one before it.
    let state = written(&all).unwrap();
    let (mut spoke, effects) = started("plan", Some(state), &[("accounts", "{}")]);
    assert!(!claims(&effects) && !claims(&raise(&mut spoke)));
    let said = answer(&mut spoke, listing(&effects, "people"), Ok(page(&[began()])));
    let said = take(&mut spoke, &said);
    assert!(claims(&said), "{said:?}");
    assert_eq!(written(&said).map(|state| state.first_listings.len()), Some(0));
    assert_eq!(awaited(&mut spoke).0, []);
}

/// Where a backlog keeps what waits from being read, a first listing is read all the same: the backlog waits for it.
#[test]
fn a_first_listing_does_not_wait_for_those_that_wait_for_it() {
    let mut spoke = started("plan", None, &[("accounts", "{}")]).0;
    let both = [make::object("accounts"), make::object("people")];
    turn(&mut spoke, Input::Told(Notice::Rest(both.clone().into())));
    assert_eq!(both.map(|object| spoke.rests(&object)), [true, false]);
}

/// Held is what needs a plan, and nothing else.
#[test]
fn who_needs_no_plan_is_not_held() {
    let known = [("accounts", "{}"), ("people", "{}")];
    assert!(claims(&started("plan", None, &known).1), "it was listed before, or a plan was applied");
    assert!(claims(&started("all", None, &[]).1), "all of it is wanted");
    let begun = Some(unlisted(&["people"], began()));
    assert!(claims(&started("all", begun, &known[..1]).1), "all of it is wanted now");
    // The shop is never listed.
    let mut spoke = Spoke::new(configuration(), make::system("shop")).unwrap();
    let ticket = asked(&turn(&mut spoke, Input::Start))[0].0;
    let found = Input::Found(ticket, Ok(Rows::System(None, BTreeMap::new(), None)));
    let ticket = asked(&turn(&mut spoke, found))[0].0;
    assert!(claims(&turn(&mut spoke, Input::Found(ticket, Ok(Rows::Intents(Vec::new()))))));
}

/// A person who resumes a system that paused for want of a plan has said what becomes of what it holds, durably. One who resumes
/// a system that paused for another reason has not.
#[test]
fn a_person_says_what_becomes_of_what_it_holds() {
    let paused = |why: &str| SystemState {
        paused: Some(why.to_owned()),
        ..unlisted(&["accounts", "people"], began())
    };
    let mut spoke = started("plan", Some(paused("ann: freeze")), &[]).0;
    let said = resume(&mut spoke);
    assert!(!claims(&said), "{said:?}");
    assert_eq!(awaited(&mut spoke).0.len(), 2);
    // Who looks then, and resumes it once more, has said it.
    assert!(claims(&resume(&mut spoke)));

    let mut spoke = started("plan", Some(paused("it holds already people, …")), &[]).0;
    let said = resume(&mut spoke);
    assert!(claims(&said), "{said:?}");
    let state = written(&said).unwrap();
    let (mut spoke, effects) = started("plan", Some(state), &[]);
    let old = began() - 2 * MINUTE;
    let said = answer(&mut spoke, listing(&effects, "people"), Ok(page(&[old])));
    assert!(said.iter().any(|effect| matches!(effect, Effect::Offer(_))), "{said:?}");

    // So has one who wrote it into the system's file.
    let (spoke, effects) = started("all", Some(paused("it holds already people, …")), &[]);
    assert!(spoke.state.paused.is_none() && claims(&effects));
    assert!(written(&effects).is_some_and(|state| state.paused.is_none()));
}
