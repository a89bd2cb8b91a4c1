//! Jobs that batches begin: what looks ask, what answers mean, and what manifests must not say.

use super::first_write;
use std::collections::BTreeMap;
use std::time::Duration;

use canonical::{Fields, Object, Wall};
use ledger::Lane;
use serde_json::{Value, json};

use crate::{
    Call, Connector, Failure, FailureKind, JobSpec, JobStep, Manifest, Part, Reached, Response, Stands,
    Together,
};

const NOW: Wall = Wall(1_795_348_800_000_000);

const LISTS: &str = "results: all
          correlate: position
          answer: {id: {path: id}}";

const JOB: &str = "{id: data.id, every: 2s, lasts_max: 10m, at_once: 2, lanes: [bulk, standard],
            status: {request: {method: GET, path: '/jobs/{job}'}, state: data.state, done: [done], rejected: [bad], failed: [dead]},
            results: {method: GET, path: '/jobs/{job}/results'}}";

fn manifest(lists: &str, job: &str, more: &str) -> String {
    format!(
        "connector: toy
version: '1'
about: a toy
objects:
  things:
    shape: {{id: id}}
    writes:
      put:
        for: [create]
        idempotency: {{class: upsert}}{more}
        request: {{method: PUT, path: '/things/{{key}}', json: {{name: '{{fields.name}}'}}}}
        answer: {{id: {{path: id}}}}
        bulk:
          records_max: 4
          request: {{method: POST, path: /jobs, json: {{all: '{{records}}'}}}}
          record: {{mark: '{{key}}', name: '{{fields.name}}'}}
          {lists}
          job: {job}
"
    )
}

fn bound(lists: &str, job: &str) -> Connector {
    let manifest = Manifest::parse("toy.yaml", &manifest(lists, job, ""));
    manifest.unwrap_or_else(|errors| panic!("{errors:?}")).with_parameters(&BTreeMap::new()).unwrap()
}

fn refused(job: &str, more: &str) -> String {
    let errors = Manifest::parse("toy.yaml", &manifest(LISTS, job, more)).map(|_| ()).unwrap_err();
    let text =
        |error: &crate::ManifestError| format!("{}; {}", error.what, error.hint.clone().unwrap_or_default());
    errors.iter().map(text).collect::<Vec<_>>().join("\n")
}

fn write(number: u32) -> Call {
    let fields: Fields = [("name".to_owned(), json!(format!("Name {number}")))].into_iter().collect();
    Call::Write(first_write("things", "put", number, fields))
}

fn look(job: &str, step: JobStep) -> Call {
    Call::Job {
        object: Object::new("things").unwrap(),
        operation: "put".to_owned(),
        job: job.to_owned(),
        step,
    }
}

fn response(status: u16, body: &Value) -> Response {
    Response { status, headers: Vec::new(), body: body.to_string().into() }
}

#[test]
fn a_job_is_asked_about_under_its_id_which_stays_in_its_place() {
    let connector = bound(LISTS, JOB);
    let request = connector.render(&look("a/../b c", JobStep::Status)).unwrap();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/jobs/a%2F..%2Fb%20c"));
    assert_eq!(request.operation, "put.job");
    let request = connector.render(&look("7", JobStep::Results)).unwrap();
    assert_eq!((request.path.as_str(), request.operation.as_str()), ("/jobs/7/results", "put.results"));
    let spec = connector.operation("put", &Object::new("things").unwrap()).unwrap().bulk.clone().unwrap();
    let expected = JobSpec {
        records_min: 2,
        lanes: vec![Lane::Bulk, Lane::Standard],
        filled: false,
        every: Duration::from_secs(2),
        every_max: Duration::from_secs(2),
        calls_min: 3,
        lasts_max: Duration::from_secs(600),
        at_once: 2,
    };
    assert_eq!(spec.job, Some(expected));
    // No such operation.
    let other = Call::Job {
        object: Object::new("things").unwrap(),
        operation: "patch".to_owned(),
        job: "7".to_owned(),
        step: JobStep::Status,
    };
    assert!(connector.render(&other).unwrap_err().to_string().contains("patch.job"));
}

#[test]
fn a_batch_begins_a_job_only_when_the_answer_names_it() {
    let connector = bound(LISTS, JOB);
    let calls = [write(1), write(2)];
    let began = |status, body: &Value| {
        connector.classify_batch(&calls, Together::Bulk, &Ok(response(status, body)), NOW)
    };
    let verdicts = began(202, &json!({"data": {"id": 77}}));
    assert_eq!(verdicts.job.as_deref(), Some("77"));
    // Nothing is done yet.
    assert!(verdicts.each.iter().all(|one| one.class.name() == "uncertain"));
    // What looks like results is none, and an id that is too long is no id.
    for body in [
        json!({"all": [{"id": 1}, {"id": 2}]}),
        json!({"data": {"id": "x".repeat(201)}}),
        json!({"data": {}}),
    ] {
        let verdicts = began(200, &body);
        assert_eq!(verdicts.job, None, "{body}");
        assert!(verdicts.each.iter().all(|one| one.class.name() == "uncertain"), "{body}");
    }
    let verdicts = began(400, &json!({"data": {"id": 77}}));
    assert_eq!((verdicts.job, verdicts.each[0].class.name()), (None, "batch_rejected"));
    assert_eq!(began(500, &json!({"data": {"id": 77}})).job, None);
}

#[test]
fn how_a_job_stands_is_what_its_state_says() {
    let connector = bound(LISTS, JOB);
    let call = look("7", JobStep::Status);
    let stands =
        |state: Value| connector.job_stands(&call, &response(200, &json!({"data": {"state": state}})));
    assert_eq!(stands(json!("done")), Some((Stands::Done { apart: true }, "done".to_owned())));
    assert_eq!(stands(json!("bad")).unwrap().0, Stands::Rejected);
    assert_eq!(stands(json!("dead")).unwrap().0, Stands::Failed { apart: false });
    // What is not named runs on; what is shown of it is short and plain.
    assert_eq!(stands(json!("in <b>progress")), Some((Stands::Runs, "in bprogress".to_owned())));
    assert_eq!(stands(json!("y".repeat(99))).unwrap().1.len(), 40);
    assert_eq!(stands(Value::Null), None);
    let class =
        |status, body: &Value| connector.classify(&call, &Ok(response(status, body)), NOW).class.name();
    assert_eq!(class(200, &json!({"data": {"state": "new"}})), "applied");
    // A look has no effect: nothing of it is in doubt.
    assert_eq!(class(200, &json!({"data": {}})), "retryable");
    assert_eq!(class(503, &json!({})), "retryable");
    assert_eq!(class(404, &json!({})), "not_found");
    assert_eq!(class(429, &json!({})), "rate_limited");
}

#[test]
fn results_are_found_by_each_one_s_place_in_what_was_sent() {
    let connector = bound(LISTS, JOB);
    let call = look("7", JobStep::Results);
    let read = |writes: &[Call], places: &[usize], of, body: &Value| {
        let read = [(JobStep::Results, response(200, body))];
        let each = connector.classify_job(&call, writes, (places.to_vec(), of), &read, NOW)?;
        Some(each.into_iter().map(|one| (one.class.name(), one.external_id)).collect::<Vec<_>>())
    };
    let three = json!({"all": [{"id": 1}, {"id": 2}, {"id": 3}]});
    let id = |id: &str| ("applied", Some(id.to_owned()));
    let all = [write(1), write(2), write(3)];
    assert_eq!(read(&all, &[0, 1, 2], 3, &three).unwrap(), [id("1"), id("2"), id("3")]);
    // Some were settled before: the others keep their places.
    assert_eq!(read(&[write(1), write(3)], &[0, 2], 3, &three).unwrap(), [id("1"), id("3")]);
    // One result too few: nobody knows whose is missing.
    let each = read(&[write(1)], &[0], 4, &three).unwrap();
    assert_eq!(each, [("uncertain", None)]);
    // Not there yet, or something else: to be read again.
    assert_eq!(read(&all, &[0, 1, 2], 3, &json!({"state": "done"})), None);
    let class = connector.classify(&call, &Ok(response(200, &json!({"all": "soon"}))), NOW).class;
    assert_eq!(class.name(), "retryable");
}

#[test]
fn the_answer_about_the_state_may_hold_the_results() {
    let echo = "results: ok
          errors: no
          correlate: {echo: {sent: '{key}', result: mark, error: mark}}
          answer: {id: {path: id}}";
    let job = "{id: id, lasts_max: 1m, status: {request: {method: GET, path: '/jobs/{job}'}, state: state, done: [done]}}";
    let connector = bound(echo, job);
    let call = look("7", JobStep::Status);
    let body = json!({"state": "done", "ok": [{"mark": "rec_2", "id": 9}], "no": [{"mark": "rec_1"}]});
    let answer = response(200, &body);
    assert_eq!(connector.job_stands(&call, &answer).unwrap().0, Stands::Done { apart: false });
    let writes = [write(1), write(2), write(3)];
    let each = connector
        .classify_job(&call, &writes, (vec![0, 1, 2], 3), &[(JobStep::Status, answer)], NOW)
        .unwrap();
    let classes: Vec<&str> = each.iter().map(|one| one.class.name()).collect();
    assert_eq!(classes, ["validation", "applied", "uncertain"]);
    assert!(connector.render(&look("7", JobStep::Results)).is_err());
}

#[test]
fn what_a_job_must_say_is_asked_for() {
    let with = |from: &str, to: &str| {
        assert!(JOB.contains(from), "{from}");
        JOB.replace(from, to)
    };
    for (job, what) in [
        (with("id: data.id, ", ""), "id"),
        (with(", done: [done]", ""), "done"),
        (with("lasts_max: 10m, ", ""), "lasts_max"),
        (with("done: [done]", "done: []"), "`done` is empty"),
        (with("rejected: [bad]", "rejected: [done]"), "the state `done` is named twice"),
        (with("lasts_max: 10m", "lasts_max: 1s"), "looked at less often than it lasts"),
        (with("at_once: 2", "at_once: 0"), "`at_once` is 0"),
        (with("at_once: 2", "records_min: 5"), "from 2 to `records_max`, which is 4"),
        (with("at_once: 2", "records_min: 1"), "`records_min` is 1"),
        (with("[bulk, standard]", "[]"), "`lanes` is empty"),
        (with("[bulk, standard]", "[slow]"), "slow"),
        (with("/jobs/{job}'", "/jobs/7'"), "`put.job` does not say which job it is about"),
        (with("/jobs/{job}/results", "/results"), "`put.results` does not say which job it is about"),
        (with("/jobs/{job}'", "/jobs/{key}'"), "there is no `{key}` here"),
        (with("at_once: 2", "atonce: 2"), "atonce"),
    ] {
        let said = refused(&job, "");
        assert!(said.contains(what), "{job}: {said}");
    }
    let text = manifest(LISTS, JOB, "");
    let told = |text: &str| {
        let errors = Manifest::parse("toy.yaml", text).map(|_| ()).unwrap_err();
        errors.iter().map(|error| error.what.clone()).collect::<Vec<_>>().join("\n")
    };
    let said = told(&text.replace("        bulk:", "        batch:"));
    assert!(said.contains("`put.batch` begins a `job`"), "{said}");
    let said = told(&text[..text.find("          job:").unwrap()]);
    assert!(said.contains("`put.bulk` begins no `job`"), "{said}");
}

const ECHO: &str = "results: ''
          errors: ''
          correlate: {echo: {sent: '{key}', result: mark, error: mark}}
          answer: {id: {path: id}, created: {path: new}}
          rules: [{when: {body: {path: why.code, in: [HELD]}}, class: locked}]";

const FILLED: &str = "{id: id, lasts_max: 1h, every: 1s, every_max: 30s,
            upload: {method: PUT, path: '/jobs/{job}/rows', csv: {null_as: NIL, line_end: crlf}},
            close: {method: PATCH, path: '/jobs/{job}', json: {state: filled}},
            abort: {method: DELETE, path: '/jobs/{job}'},
            status: {request: {method: GET, path: '/jobs/{job}'}, state: state, open: [new], done: [done], failed: [dead]},
            results: {method: GET, path: '/jobs/{job}/good'},
            errors: {method: GET, path: '/jobs/{job}/bad'},
            unprocessed: {method: GET, path: '/jobs/{job}/left'},
            csv: {split: {why: {at: ':', into: [code, message]}}}}";

fn filled() -> String {
    manifest(ECHO, FILLED, "\n        serial_by: name")
        .replace("json: {all: '{records}'}", "json: {kind: things}")
}

fn bound_filled() -> Connector {
    let manifest = Manifest::parse("toy.yaml", &filled());
    manifest.unwrap_or_else(|errors| panic!("{errors:?}")).with_parameters(&BTreeMap::new()).unwrap()
}

#[test]
fn a_job_that_is_filled_begins_empty_and_takes_its_records_as_csv() {
    let connector = bound_filled();
    let calls = [write(1), write(2)];
    let part = |call| connector.render_part(call, "int_b", Together::Bulk).unwrap();
    let parts: Vec<Part> = calls.iter().map(part).collect();
    let kept: Vec<Part> = parts.iter().map(|part| Part::from_bytes(&part.to_bytes()).unwrap()).collect();
    assert_eq!(kept, parts);
    assert_eq!(Part::form_of(&parts[0].to_bytes()), Together::Bulk);
    assert_eq!(Part::form_of(b"{}\nx"), Together::Batch);
    let begins = Part::join(&kept).unwrap();
    assert_eq!((begins.path.as_str(), begins.body.as_slice()), ("/jobs", &br#"{"kind":"things"}"#[..]));
    assert_eq!(begins.operation, "put.bulk");
    let upload = connector.render_upload(&look("7", JobStep::Upload), &kept).unwrap();
    assert_eq!((upload.method.as_str(), upload.path.as_str()), ("PUT", "/jobs/7/rows"));
    assert!(upload.headers.contains(&("content-type".to_owned(), "text/csv".to_owned())), "{upload:?}");
    assert_eq!(upload.body, b"mark,name\r\nrec_1,Name 1\r\nrec_2,Name 2\r\n");
    for (step, path) in [
        (JobStep::Close, "/jobs/7"),
        (JobStep::Abort, "/jobs/7"),
        (JobStep::Errors, "/jobs/7/bad"),
        (JobStep::Unprocessed, "/jobs/7/left"),
    ] {
        assert_eq!(connector.render(&look("7", step)).unwrap().path, path);
    }
    let spec = connector.operation("put", &Object::new("things").unwrap()).unwrap().bulk.clone().unwrap();
    let job = spec.job.unwrap();
    assert!(job.filled && job.every_max == Duration::from_secs(30), "{job:?}");
    assert_eq!(job.calls_min, 7, "begin, fill, close, look, and three lists");
    // What CSV can't say is said before anything goes.
    let Call::Write(mut odd) = write(3) else { unreachable!() };
    odd.fields = std::sync::Arc::new([("name".to_owned(), json!("NIL"))].into_iter().collect());
    let error = connector.render_part(&Call::Write(odd), "int_b", Together::Bulk).unwrap_err().to_string();
    assert!(error.contains("name") && !error.contains("NIL"), "{error}");
    // A part of another kind fills none.
    assert!(bound(LISTS, JOB).render_upload(&look("7", JobStep::Upload), &kept).is_err());
}

#[test]
fn i3_whatever_becomes_of_the_request_that_begins_it_nothing_was_applied() {
    let connector = bound_filled();
    let calls = [write(1), write(2)];
    let class = |answer: &Result<Response, Failure>| {
        let verdicts = connector.classify_batch(&calls, Together::Bulk, answer, NOW);
        assert_eq!(verdicts.job, None);
        verdicts.each[1].class.name()
    };
    let lost = |kind, reached| Err(Failure { reached, kind, detail: "no answer".to_owned(), wait: None });
    assert_eq!(class(&lost(FailureKind::Timeout, Reached::MaybeSent)), "retryable");
    assert_eq!(class(&lost(FailureKind::Connect, Reached::NotSent)), "retryable");
    assert_eq!(class(&Ok(response(500, &json!({"id": 7})))), "retryable");
    assert_eq!(class(&Ok(response(200, &json!({})))), "retryable");
    // Another way, whatever the status: 418 is not among `rejects`.
    assert_eq!(class(&Ok(response(418, &json!({})))), "batch_rejected");
    assert_eq!(class(&Ok(response(429, &json!({})))), "rate_limited");
    let verdicts =
        connector.classify_batch(&calls, Together::Bulk, &Ok(response(200, &json!({"id": 7}))), NOW);
    assert_eq!(verdicts.job.as_deref(), Some("7"));
}

#[test]
fn what_came_of_each_stands_in_three_lists_in_any_order() {
    let connector = bound_filled();
    let text = |text: &str| Response { status: 200, headers: Vec::new(), body: text.as_bytes().to_vec() };
    let status = look("7", JobStep::Status);
    let stands =
        |state: &str| connector.job_stands(&status, &response(200, &json!({"state": state}))).unwrap().0;
    assert_eq!(stands("new"), Stands::Open);
    assert_eq!(stands("busy"), Stands::Runs);
    assert_eq!(stands("dead"), Stands::Failed { apart: true });
    let mut steps = vec![JobStep::Status];
    while let Some(next) = connector.next_of_job(&look("7", *steps.last().unwrap())) {
        steps.push(next);
    }
    assert_eq!(steps[1..], [JobStep::Results, JobStep::Errors, JobStep::Unprocessed]);

    let writes = [write(1), write(2), write(3), write(4), write(5)];
    let each = |lists: [&str; 3]| {
        let read: Vec<(JobStep, Response)> = steps[1..].iter().copied().zip(lists.map(text)).collect();
        let each = connector.classify_job(&status, &writes, (vec![0, 1, 2, 3, 4], 5), &read, NOW)?;
        Some(each.into_iter().map(|one| (one.class.name(), one.external_id, one.created)).collect::<Vec<_>>())
    };
    let found = each([
        "id,new,mark,name\n9,true,rec_4,x\n8,false,rec_1,x\n",
        "why,mark,name\nHELD:by another,rec_2,x\nBAD:no: never,rec_5,x\n",
        "mark,name\nrec_3,x\n",
    ]);
    let id = |id: &str, created| ("applied", Some(id.to_owned()), Some(created));
    let plain = |class| (class, None, None);
    assert_eq!(
        found.unwrap(),
        [id("8", false), plain("locked"), plain("batch_rejected"), id("9", true), plain("validation")]
    );
    // Who is in two of them, or in none, is in doubt; so is one that was taken without an id.
    let found = each(["id,new,mark\n9,true,rec_1\n,true,rec_2\n", "why,mark\nBAD:no,rec_1\n", ""]);
    assert!(found.unwrap().iter().all(|one| *one == plain("uncertain")));
    // A list that is cut is read again.
    assert_eq!(each(["id,new,mark\n9,true\n", "", ""]), None);
    let class = |step, body: &str| connector.classify(&look("7", step), &Ok(text(body)), NOW).class.name();
    assert_eq!(class(JobStep::Results, "id,new,mark\n9,true\n"), "retryable");
    assert_eq!(class(JobStep::Errors, "why,mark\n"), "applied");
    assert_eq!(class(JobStep::Upload, ""), "applied");
    assert_eq!(connector.classify_job(&status, &writes, (vec![0], 1), &[], NOW), None);
}

#[test]
fn what_a_job_that_is_filled_must_say_is_asked_for() {
    let text = filled();
    for (from, to, what) in [
        (
            "close: {method: PATCH, path: '/jobs/{job}', json: {state: filled}},",
            "",
            "one of `upload` and `close`",
        ),
        ("open: [new], ", "", "`open` and `close` belong together"),
        ("open: [new]", "open: [done]", "the state `done` is named twice"),
        (", csv: {null_as: NIL, line_end: crlf}", "", "`put.upload` holds no records"),
        ("json: {state: filled}", "csv: {null_as: x}", "another request than `upload` has a `csv` body"),
        ("json: {kind: things}", "json: {kind: '{records}'}", "the job's `upload` holds them, too"),
        ("json: {kind: things}", "csv: {null_as: x}", "`csv` is the records of a job"),
        (
            "correlate: {echo: {sent: '{key}', result: mark, error: mark}}",
            "correlate: position",
            "results by position",
        ),
        ("results: {method: GET, path: '/jobs/{job}/good'},", "", "`put.bulk.job` has no `results`"),
        ("into: [code, message]", "into: [code]", "the column `why` is split into 1 parts"),
        ("every_max: 30s", "every_max: 1ms", "looked at less often than it lasts"),
        ("DELETE, path: '/jobs/{job}'", "DELETE, path: /jobs", "`put.abort` does not say which job"),
        ("line_end: crlf", "line_end: cr", "cr"),
    ] {
        assert!(text.contains(from), "{from}");
        let errors = Manifest::parse("toy.yaml", &text.replacen(from, to, 1)).map(|_| ()).unwrap_err();
        let said = errors.iter().map(|error| error.what.clone()).collect::<Vec<_>>().join("\n");
        assert!(said.contains(what), "{to}: {said}");
    }
}
