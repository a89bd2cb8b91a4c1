//! What a spoke does with what it finds at a start.

use super::*;

pub(super) const TARGET_OF_JOBS: &str = "connector: target
version: \"1\"
about: A target that takes jobs.
objects:
  customer:
    shape: {id: id}
    writes:
      put:
        for: [create, update, notify]
        idempotency: {class: upsert}
        request: {method: PUT, path: \"/customer/{key}\", json: \"{fields}\"}
        answer: {id: {path: id}}
        bulk:
          records_max: 100
          request: {method: POST, path: /jobs, json: {all: \"{records}\"}}
          record: {key: \"{key}\"}
          results: all
          correlate: position
          answer: {id: {path: id}}
          job:
            id: id
            lasts_max: 1h
            status: {request: {method: GET, path: \"/jobs/{job}\"}, state: state, done: [done]}
      post:
        for: [notify]
        idempotency: {class: none}
        request: {method: POST, path: /notes, json: \"{fields}\"}
";

/// What is written of a customer.
pub(super) fn write() -> connector::Write {
    connector::Write {
        version: None,
        association: None,
        object: Object::new("customer").unwrap(),
        operation: "put".to_owned(),
        key: "k".to_owned(),
        external_id: None,
        fields: Arc::default(),
        whole: Arc::default(),
        known: Arc::default(),
        expected: None,
        intent: "i".to_owned(),
    }
}

/// One that may have reached its target, which would take it again.
fn intent_in_doubt(intent: ledger::Intent) -> ledger::Intent {
    let mut write = write();
    ledger::Intent {
        operation: "put".to_owned(),
        class: ledger::IdempotencyClass::Upsert,
        external_id: None,
        call: crate::written::keep(&mut write).into(),
        ..intent
    }
}

pub(super) fn row_of(delivery: ledger::Obligation, intent: ledger::Intent) -> store::SpokeRow {
    store::SpokeRow {
        obligation: Some(delivery),
        record: Some(Arc::new(store::conformance::make::record(1, 1))),
        fact: None,
        shadow: None,
        link: None,
        links: BTreeMap::new(),
        bringers: Default::default(),
        next: None,
        intent: Some(intent),
    }
}

/// An intent that is found open goes on with the attempts that its delivery has spent (I10), and what was raised since is not
/// forgotten when it ends (I1). One whose delivery wants nothing any more has none; what a person was asked about stays with
/// him, and its record is free.
#[test]
fn i10_attempts_are_counted_on_after_a_start() {
    use store::conformance::make;
    let config = configuration(Some(("connectors/target.yaml", TARGET_OF_JOBS)));
    let mut spoke = Spoke::new(config, System::new("erp").unwrap()).unwrap();
    let state = asks(&turn(&mut spoke, Input::Start));
    let intents = asks(&turn(&mut spoke, Input::Found(state, Ok(Rows::System(None, BTreeMap::new(), None)))));
    let found: Vec<_> = (1..=300).map(|number| intent_in_doubt(make::intent(number, "r", number))).collect();
    let mut ask = asks(&turn(&mut spoke, Input::Found(intents, Ok(Rows::Intents(found.clone())))));
    let row = |number: usize| {
        let mut delivery = store::rules::first(&make::raise("r", number as u64 + 1, 1));
        delivery.attempts = 4;
        delivery.wanted = found[number].level;
        match number {
            1 => delivery.wanted.version += 1,
            2 => delivery.state = ledger::State::Delivered,
            3 => delivery.state = ledger::State::Uncertain,
            _ => {}
        }
        row_of(delivery, found[number].clone())
    };
    // Asked about in pages, from behind.
    for page in [44..300, 0..44] {
        let said = turn(&mut spoke, Input::Found(ask, Ok(Rows::Spoke(page.clone().map(row).collect()))));
        if page.start > 0 {
            ask = asks(&said);
        }
    }
    let attempts =
        |number: usize| Some(spoke.doubts.get(&found[number].id)?.head.as_ref().map(|head| head.attempts));
    assert_eq!(
        [0, 1, 2, 3, 299].map(attempts),
        [Some(Some(4)), Some(Some(4)), Some(None), None, Some(Some(4))]
    );
    let of = |number: usize| &found[number].obligation;
    let busy = [0, 1, 2, 3].map(|number| spoke.active.contains(of(number)));
    assert_eq!(busy, [true, true, false, false]);
    let again = [0, 1, 2, 3].map(|number| spoke.raised_again.contains(of(number)));
    assert_eq!(again, [false, true, false, false]);
    let free = |number: usize| {
        let token = Token::Intent(found[number].id);
        !spoke.dispatcher.as_ref().unwrap().holds(&token)
    };
    assert!(!free(0) && free(3), "a person has it: nothing of it goes by itself");
}

/// What is in doubt and waits for its next try can be passed over; the record is free then.
#[test]
fn what_waits_in_doubt_can_be_skipped() {
    use store::conformance::make;
    let mut spoke = Spoke::new(configuration(None), System::new("erp").unwrap()).unwrap();
    let state = asks(&turn(&mut spoke, Input::Start));
    let intents = asks(&turn(&mut spoke, Input::Found(state, Ok(Rows::System(None, BTreeMap::new(), None)))));
    let intent = intent_in_doubt(make::intent(1, "r", 1));
    let ask = asks(&turn(&mut spoke, Input::Found(intents, Ok(Rows::Intents(vec![intent.clone()])))));
    let row = row_of(store::rules::first(&make::raise("r", 1, 1)), intent.clone());
    turn(&mut spoke, Input::Found(ask, Ok(Rows::Spoke(vec![row.clone()]))));
    assert!(spoke.doubts.contains_key(&intent.id));
    let delivery = crate::turn::Delivery {
        key: intent.obligation.clone(),
        record: intent.record,
        object: intent.object.clone(),
    };
    for (ticket, order) in [
        (900, Order::Retry { delivery: delivery.clone(), reason: "ann".to_owned() }),
        (901, Order::Skip { delivery, reason: "ann".to_owned() }),
    ] {
        let ask = asks(&turn(&mut spoke, Input::Told(Notice::Do(Ticket(ticket), order))));
        let said = turn(&mut spoke, Input::Found(ask, Ok(Rows::Spoke(vec![row.clone()]))));
        let refused = said.iter().any(|effect| matches!(effect, Effect::Ack(_, Ack::Refused(_))));
        assert_eq!(refused, ticket == 900, "{said:?}");
    }
    assert!(spoke.doubts.is_empty());
    assert!(!spoke.dispatcher.as_ref().unwrap().holds(&Token::Intent(intent.id)));
}

/// A job that ran before the last end is looked at and shown; nothing of it is sent again (I3), and who would decide about
/// what it holds is told to wait. One that holds nothing is forgotten.
#[test]
fn i3_a_job_found_at_a_start_is_looked_at_and_shown() {
    use store::conformance::make;
    let config = configuration(Some(("connectors/target.yaml", TARGET_OF_JOBS)));
    let erp = System::new("erp").unwrap();
    let object = Object::new("customer").unwrap();
    let job = |batch, job: &str| store::BulkJob {
        batch: make::int(batch),
        object: object.clone(),
        operation: "put".to_owned(),
        ..make::bulk_job(job, Vec::new())
    };
    let intent = ledger::Intent {
        batch: Some(ledger::Membership { id: make::int(1), place: 1, of: 2 }),
        ..intent_in_doubt(make::intent(5, "r", 1))
    };
    let mut spoke = Spoke::new(Arc::clone(&config), erp.clone()).unwrap();
    let state = asks(&turn(&mut spoke, Input::Start));
    let known = SystemState {
        jobs: vec![job(1, "77"), job(9, "78")],
        ..SystemState::blank(config.tenant.clone(), erp)
    };
    let read = Input::Found(state, Ok(Rows::System(Some(known), BTreeMap::new(), None)));
    let intents = asks(&turn(&mut spoke, read));
    let ask = asks(&turn(&mut spoke, Input::Found(intents, Ok(Rows::Intents(vec![intent.clone()])))));
    let mut delivery = store::rules::first(&make::raise("r", 1, 1));
    delivery.attempts = 3;
    let row = row_of(delivery, intent.clone());
    let said = turn(&mut spoke, Input::Found(ask, Ok(Rows::Spoke(vec![row.clone()]))));
    let members = spoke.bulks.values().flat_map(|bulk| bulk.members.values());
    let attempts: Vec<_> = members.filter_map(|doubt| Some(doubt.head.as_ref()?.attempts)).collect();
    assert_eq!(attempts, [3], "they are counted on");
    let sent: Vec<_> = said
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send(ticket, request) => Some((*ticket, request.method.as_str(), request.path.as_str())),
            _ => None,
        })
        .collect();
    let [(look, "GET", "/jobs/77")] = sent.as_slice() else { panic!("{said:?}") };
    assert_eq!(spoke.state.jobs, [job(1, "77")]);
    assert!(spoke.doubts.is_empty());

    let answer =
        connector::Response { status: 200, headers: Vec::new(), body: br#"{"state": "busy"}"#.to_vec() };
    let took = std::time::Duration::ZERO;
    let said = turn(&mut spoke, Input::Answered { ticket: *look, answer: Ok(answer), took });
    assert!(!said.iter().any(|effect| matches!(effect, Effect::Send(..))), "{said:?}");
    let describe = Order::Describe { forecast: None };
    let said = turn(&mut spoke, Input::Told(Notice::Do(Ticket(900), describe)));
    let shown = said.iter().find_map(|effect| match effect {
        Effect::Ack(_, Ack::Described(description)) => Some(description.jobs.clone()),
        _ => None,
    });
    let [shown] = shown.as_deref().unwrap_or_default() else { panic!("{said:?}") };
    assert_eq!((shown.job.as_str(), shown.records, shown.state.as_str()), ("77", 1, "busy"));

    let delivery = crate::turn::Delivery { key: intent.obligation.clone(), record: intent.record, object };
    let skip = Order::Skip { delivery, reason: "ann".to_owned() };
    let ask = asks(&turn(&mut spoke, Input::Told(Notice::Do(Ticket(901), skip))));
    let said = turn(&mut spoke, Input::Found(ask, Ok(Rows::Spoke(vec![row]))));
    let refused = |effect: &Effect| matches!(effect, Effect::Ack(Ticket(901), Ack::Refused(why)) if why.contains("right now"));
    assert!(said.iter().any(refused), "{said:?}");
}

/// When a session ends, all that is on the wire is refused; and one that ends an hour later is not the same again.
#[test]
fn a_session_that_ends_now_and_then_is_no_credential_that_is_refused() {
    let at = |second: u64| Mono(second * 1_000_000);
    let mut spoke = Spoke::new(configuration(None), System::new("erp").unwrap()).unwrap();
    assert_eq!(spoke.refusals_lately(at(1)), 0);
    (spoke.refusals, spoke.refused_at) = (2, Some(at(100)));
    assert_eq!((spoke.refusals_lately(at(159)), spoke.refusals_lately(at(160))), (2, 0));

    let took = Duration::from_secs;
    assert!(!spoke.has_fresher_token(took(100), at(200)), "no token came since the start");
    spoke.authorised_at = Some(at(198));
    assert!(spoke.has_fresher_token(took(3), at(200)), "it went out before");
    assert!(!spoke.has_fresher_token(took(2), at(200)) && !spoke.has_fresher_token(took(1), at(200)));
}
