//! Jobs that begin empty: what a start makes of them, and what becomes of each step's answer.

use connector::{Call, Failure, FailureKind, JobStep, Reached, Response, Together};
use ledger::IntentState;
use store::conformance::make;

use super::start::{row_of, write};
use super::*;

const TARGET: &str = "connector: target
version: \"1\"
about: A target whose jobs begin empty.
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
          request: {method: POST, path: /jobs, json: {kind: customer}}
          record: {key: \"{key}\"}
          results: \"\"
          errors: \"\"
          correlate: {echo: {sent: \"{key}\", result: key, error: key}}
          answer: {id: {path: id}}
          job:
            id: id
            lasts_max: 1d
            upload: {method: PUT, path: \"/jobs/{job}/rows\", csv: {null_as: NIL}}
            close: {method: POST, path: \"/jobs/{job}/close\", json: {}}
            abort: {method: POST, path: \"/jobs/{job}/abort\", json: {}}
            status: {request: {method: GET, path: \"/jobs/{job}\"}, state: state, open: [new], done: [done], failed: [dead]}
            results: {method: GET, path: \"/jobs/{job}/good\"}
            errors: {method: GET, path: \"/jobs/{job}/bad\"}
            unprocessed: {method: GET, path: \"/jobs/{job}/left\"}
            csv: {}
      post:
        for: [notify]
        idempotency: {class: none}
        request: {method: POST, path: /notes, json: \"{fields}\"}
";

/// A spoke that found this job and an open intent of its batch at a start, and what it did then.
fn found(job: Option<(&str, bool)>, sends: u32) -> (Spoke, Vec<Effect>, store::SpokeRow) {
    let config = configuration(Some(("connectors/target.yaml", TARGET)));
    let erp = System::new("erp").unwrap();
    let mut spoke = Spoke::new(Arc::clone(&config), erp.clone()).unwrap();
    let mut call = write();
    let part = spoke.connector.render_part(&Call::Write(call.clone()), "int_b", Together::Bulk).unwrap();
    let known = job.map(|(job, at_work)| store::BulkJob {
        object: call.object.clone(),
        operation: "put".to_owned(),
        at_work,
        ..make::bulk_job(job, Vec::new())
    });
    let intent = ledger::Intent {
        operation: "put".to_owned(),
        class: ledger::IdempotencyClass::Upsert,
        external_id: None,
        call: crate::written::keep(&mut call).into(),
        request: part.to_bytes().into(),
        batch: Some(ledger::Membership { id: make::int(1), place: 1, of: 2 }),
        state: IntentState::Open,
        sends,
        processing_max: std::time::Duration::from_secs(86_400),
        ..make::intent(5, "r", 1)
    };
    let state = asks(&turn(&mut spoke, Input::Start));
    let before =
        SystemState { jobs: known.into_iter().collect(), ..SystemState::blank(config.tenant.clone(), erp) };
    let read = Input::Found(state, Ok(Rows::System(Some(before), BTreeMap::new(), None)));
    let intents = asks(&turn(&mut spoke, read));
    let ask = asks(&turn(&mut spoke, Input::Found(intents, Ok(Rows::Intents(vec![intent.clone()])))));
    let row = row_of(store::rules::first(&make::raise("r", 1, 1)), intent);
    let said = turn(&mut spoke, Input::Found(ask, Ok(Rows::Spoke(vec![row.clone()]))));
    (spoke, said, row)
}

fn sent(effects: &[Effect]) -> Vec<(Ticket, String)> {
    let of = |effect: &Effect| match effect {
        Effect::Send(ticket, request) => Some((*ticket, format!("{} {}", request.method, request.path))),
        _ => None,
    };
    effects.iter().filter_map(of).collect()
}

/// The question how deliveries stand.
fn asks_how(effects: &[Effect]) -> Ticket {
    let of = |effect: &Effect| match effect {
        Effect::Find(ticket, store::Query::Spoke { .. }) => Some(*ticket),
        _ => None,
    };
    effects.iter().find_map(of).unwrap()
}

fn commits(effects: &[Effect]) -> Option<Ticket> {
    effects.iter().find_map(|effect| match effect {
        Effect::Commit(ticket, _) => Some(*ticket),
        _ => None,
    })
}

fn answered(spoke: &mut Spoke, ticket: Ticket, status: u16, body: &str) -> Vec<Effect> {
    let answer = Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() };
    turn(spoke, Input::Answered { ticket, answer: Ok(answer), took: std::time::Duration::ZERO })
}

/// Tells that all that is written is durable.
fn durable(spoke: &mut Spoke, effects: &[Effect]) -> Vec<Effect> {
    let units = |effect: &Effect| match effect {
        Effect::Commit(ticket, units) => Some((*ticket, units.len())),
        _ => None,
    };
    let (ticket, units) = effects.iter().find_map(units).unwrap();
    let receipts = vec![store::Receipt::Done(Vec::new()); units];
    turn(spoke, Input::Committed(ticket, Ok(receipts)))
}

fn state_after(effects: &[Effect]) -> Option<(u64, ledger::State)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Commit(_, units) => units.iter().flat_map(|unit| &unit.ops).find_map(|op| match op {
            store::Op::Settle { state, attempts, .. } => Some((u64::from(*attempts), *state)),
            _ => None,
        }),
        _ => None,
    })
}

#[test]
fn i3_a_job_that_was_not_closed_is_given_up_at_a_start_and_its_records_go_again_at_once() {
    for heard in [200, 503] {
        let (mut spoke, said, row) = found(Some(("77", false)), 1);
        let [(abort, path)] = sent(&said).try_into().unwrap();
        assert_eq!(path, "POST /jobs/77/abort");
        assert!(spoke.doubts.is_empty(), "nothing is in doubt");
        let said = answered(&mut spoke, abort, heard, "{}");
        let said = turn(&mut spoke, Input::Found(asks_how(&said), Ok(Rows::Spoke(vec![row]))));
        let (_, state) = state_after(&said).unwrap();
        assert_eq!(state, ledger::State::Retrying, "{said:?}");
        assert!(spoke.state.jobs.is_empty() && spoke.bulks.is_empty() && spoke.doubts.is_empty());
    }
}

#[test]
fn i3_a_begin_that_nobody_knows_of_left_nothing_at_work() {
    // Nobody waits for the day that a job may last; and no request is made about it.
    let (mut spoke, said, row) = found(None, 1);
    assert_eq!(sent(&said), []);
    let said = turn(&mut spoke, Input::Found(asks_how(&said), Ok(Rows::Spoke(vec![row]))));
    assert_eq!(state_after(&said).unwrap().1, ledger::State::Retrying, "{said:?}");
    assert!(spoke.doubts.is_empty() && spoke.bulks.is_empty());
    // One that had gone before, in a job that may have been closed, is in doubt.
    let (spoke, said, _) = found(None, 2);
    assert_eq!((sent(&said), spoke.doubts.len()), (Vec::new(), 1));
}

#[test]
fn i3_a_job_that_may_have_been_closed_is_asked_and_closed_again_where_it_waits() {
    let (mut spoke, said, row) = found(Some(("77", true)), 1);
    let [(look, path)] = sent(&said).try_into().unwrap();
    assert_eq!(path, "GET /jobs/77");
    answered(&mut spoke, look, 200, r#"{"state": "new"}"#);
    let bulk = spoke.bulks.values().next().unwrap();
    assert_eq!((bulk.step, bulk.open), (JobStep::Close, 1), "it is closed again, a little later");
    // However often that does no good, it ends: then it is given up, and its records go another way.
    for open in 2..=9 {
        let number = *spoke.bulks.keys().next().unwrap();
        let bulk = spoke.bulks.get_mut(&number).unwrap();
        assert_eq!(bulk.step, JobStep::Close);
        bulk.step = JobStep::Status;
        let look = look_now(&mut spoke, number);
        answered(&mut spoke, look, 200, r#"{"state": "new"}"#);
        assert_eq!(spoke.bulks[&number].open, open);
    }
    let number = *spoke.bulks.keys().next().unwrap();
    assert_eq!(spoke.bulks[&number].step, JobStep::Abort);
    // Where it could not be given up, it may be at work.
    let abort = look_now(&mut spoke, number);
    answered(&mut spoke, abort, 503, "");
    assert_eq!(spoke.bulks[&number].step, JobStep::Status);
    drop(row);
}

/// Makes the next request about a job now.
fn look_now(spoke: &mut Spoke, number: u64) -> Ticket {
    if let Some(dispatcher) = &mut spoke.dispatcher {
        dispatcher.withdraw(&crate::spoke::Token::Bulk(number));
    }
    spoke.offer_look(number, canonical::Mono::default());
    let said = turn(spoke, Input::Tick);
    let [(ticket, _)] = sent(&said).try_into().unwrap();
    ticket
}

#[test]
fn i3_it_is_durable_that_a_job_may_be_closed_before_it_is() {
    let (mut spoke, said, _) = found(Some(("77", true)), 1);
    let number = *spoke.bulks.keys().next().unwrap();
    let [(look, _)] = sent(&said).try_into().unwrap();
    answered(&mut spoke, look, 200, r#"{"state": "busy"}"#);
    // As after its begin.
    let bulk = spoke.bulks.get_mut(&number).unwrap();
    (bulk.step, bulk.known.at_work) = (JobStep::Upload, false);
    let upload = look_now(&mut spoke, number);
    let said = answered(&mut spoke, upload, 201, "");
    assert_eq!(sent(&said), [], "nothing is said to the target before");
    assert!(commits(&said).is_some() && spoke.state.jobs[0].at_work);
    let said = durable(&mut spoke, &said);
    let [(close, path)] = sent(&said).try_into().unwrap();
    assert_eq!(path, "POST /jobs/77/close");
    // Whether it was heard or not: its state tells.
    let lost = Failure {
        reached: Reached::MaybeSent,
        kind: FailureKind::Timeout,
        detail: String::new(),
        wait: None,
    };
    turn(&mut spoke, Input::Answered { ticket: close, answer: Err(lost), took: std::time::Duration::ZERO });
    assert_eq!(spoke.bulks[&number].step, JobStep::Status);
    assert!(spoke.doubts.is_empty());
}

#[test]
fn i3_an_upload_that_may_have_arrived_is_given_up_and_one_that_did_not_goes_again() {
    let lost = |reached| Failure { reached, kind: FailureKind::Reset, detail: String::new(), wait: None };
    for (answer, then) in [
        (Err(lost(Reached::MaybeSent)), JobStep::Abort),
        (Err(lost(Reached::NotSent)), JobStep::Upload),
        (Ok((429, "")), JobStep::Upload),
        (Ok((413, "")), JobStep::Abort),
        (Ok((503, "")), JobStep::Abort),
    ] {
        let (mut spoke, said, _) = found(Some(("77", true)), 1);
        let number = *spoke.bulks.keys().next().unwrap();
        let [(look, _)] = sent(&said).try_into().unwrap();
        answered(&mut spoke, look, 200, r#"{"state": "busy"}"#);
        let bulk = spoke.bulks.get_mut(&number).unwrap();
        (bulk.step, bulk.known.at_work) = (JobStep::Upload, false);
        let ticket = look_now(&mut spoke, number);
        let answer = answer.map(|(status, body): (u16, &str)| Response {
            status,
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
        });
        turn(&mut spoke, Input::Answered { ticket, answer, took: std::time::Duration::ZERO });
        assert_eq!(spoke.bulks[&number].step, then);
        assert!(!spoke.bulks[&number].known.at_work);
    }
}
