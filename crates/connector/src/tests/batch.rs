//! Batches: parts and the whole, what answers say of each record, and what manifests must not say.

use super::first_write;
use std::collections::BTreeMap;

use canonical::{Fields, Object, Wall};
use serde_json::{Value, json};

use crate::{Call, Connector, Manifest, Part, Response, Together, Write};

const NOW: Wall = Wall(1_795_348_800_000_000);

/// One operation, with what a test makes of its batch.
fn manifest(class: &str, batch: &str) -> String {
    format!(
        "connector: toy
version: '1'
about: a toy
limits: {{every_call: [calls], buckets: {{calls: {{size: 10, per: 1s, remaining: x-left}}}}}}
objects:
  things:
    shape: {{id: id}}
    writes:
      put:
        for: [create]
        idempotency: {{class: {class}}}
        request: {{method: POST, path: /things, headers: {{x-key: '{{intent}}'}}, json: {{mark: '{{key}}', name: '{{fields.name}}'}}}}
        answer: {{id: {{path: id}}}}
        probe: {{request: {{method: GET, path: /things, query: {{mark: '{{key}}'}}}}, answer: {{found: items, id: id}}}}
        errors: [{{when: {{status: [420]}}, class: applied}}]
        batch:
{batch}
"
    )
}

const POSITION: &str = "          records_max: 3
          request: {method: POST, path: '/{object}/batch', headers: {x-batch: '{intent}'}, json: {all: '{records}', or: none}}
          record: {mark: '{key}', name: '{fields.name}'}
          results: ''
          correlate: position
          answer: {id: {path: id}}
          rules: [{when: {body: {path: ok, equals: false}}, class: validation}]";

const ERRORS_ONLY: &str = "          records_max: 3
          request: {method: POST, path: /batch, json: '{records}'}
          record: {mark: '{key}'}
          errors: errors
          correlate: {echo: {sent: '{key}', error: marks}}
          answer: {id: {known: '{key}'}}";

fn bound(class: &str, batch: &str) -> Connector {
    let manifest = Manifest::parse("toy.yaml", &manifest(class, batch));
    manifest.unwrap_or_else(|errors| panic!("{errors:?}")).with_parameters(&BTreeMap::new()).unwrap()
}

fn refused(class: &str, batch: &str) -> Vec<String> {
    let errors = Manifest::parse("toy.yaml", &manifest(class, batch)).map(|_| ()).unwrap_err();
    errors
        .iter()
        .map(|error| {
            format!("{}{}", error.what, error.hint.as_ref().map_or(String::new(), |hint| format!("; {hint}")))
        })
        .collect()
}

fn write(number: u32, name: &str) -> Call {
    Call::Write(first_write(
        "things",
        "put",
        number,
        [("name".to_owned(), json!(name))].into_iter().collect(),
    ))
}

fn three() -> Vec<Call> {
    vec![write(1, "Ann Archer"), write(2, "Bob Baker"), write(3, "Cid Cook")]
}

fn said(connector: &Connector, status: u16, body: &Value) -> (String, Vec<(String, Option<String>)>) {
    let answer =
        Response { status, headers: vec![("x-left".into(), "4".into())], body: body.to_string().into() };
    let verdicts = connector.classify_batch(&three(), Together::Batch, &Ok(answer), NOW);
    // Every batch adds up.
    assert_eq!(verdicts.each.len(), 3);
    assert_eq!(verdicts.call.remaining, Some(("calls".to_owned(), 4, None)));
    let each = verdicts.each.into_iter().map(|one| (one.class.name().to_owned(), one.external_id)).collect();
    (verdicts.call.class.name().to_owned(), each)
}

fn classes(connector: &Connector, status: u16, body: &Value) -> Vec<String> {
    said(connector, status, body).1.into_iter().map(|(class, _)| class).collect()
}

#[test]
fn parts_make_the_request_in_their_order_and_only_with_their_like() {
    let connector = bound("upsert", POSITION);
    let parts: Vec<Part> =
        three().iter().map(|call| connector.render_part(call, "int_b", Together::Batch).unwrap()).collect();
    let request = Part::join(&parts).unwrap();
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/things/batch"));
    assert!(request.headers.contains(&("x-batch".to_owned(), "int_b".to_owned())));
    assert_eq!(
        String::from_utf8(request.body.clone()).unwrap(),
        r#"{"all":[{"mark":"rec_1","name":"Ann Archer"},{"mark":"rec_2","name":"Bob Baker"},{"mark":"rec_3","name":"Cid Cook"}],"or":"none"}"#
    );
    // Kept and read back, it is the same to the byte.
    let kept: Vec<Part> = parts.iter().map(|part| Part::from_bytes(&part.to_bytes()).unwrap()).collect();
    assert_eq!(Part::join(&kept).unwrap().to_bytes(), request.to_bytes());
    // A part by itself is a batch of one.
    let one = Part::join(&kept[1..2]).unwrap();
    assert_eq!(one.body, br#"{"all":[{"mark":"rec_2","name":"Bob Baker"}],"or":"none"}"#);
    let other = connector.render_part(&write(4, "Dot"), "int_c", Together::Batch).unwrap();
    assert_eq!(Part::join(&[kept[0].clone(), other]), None);
    assert_eq!(Part::join(&[]), None);
    assert_eq!(Part::from_bytes(b"{}"), None);
    assert_eq!(Part::from_bytes(&request.to_bytes()), None);
}

#[test]
fn one_record_that_cannot_be_rendered_is_no_other_ones() {
    let connector = bound("upsert", POSITION);
    let Call::Write(nameless) = write(2, "x") else { unreachable!() };
    let nameless = Call::Write(Write { fields: Fields::new().into(), ..nameless });
    assert!(connector.render_part(&write(1, "Ann"), "int_b", Together::Batch).is_ok());
    let error = connector.render_part(&nameless, "int_b", Together::Batch).unwrap_err();
    assert!(error.to_string().contains("fields.name") && error.to_string().contains("a record"), "{error}");
}

#[test]
fn a_success_may_be_a_refusal_of_the_whole() {
    let refused = format!("{POSITION}\n          refused: {{path: success, equals: false}}");
    let no = json!({"success": false});
    // Nothing says that nothing was applied.
    assert_eq!(classes(&bound("upsert", &refused), 200, &no), ["uncertain"; 3]);
    let whole = format!("{refused}\n          rejects: [200]");
    assert_eq!(classes(&bound("upsert", &whole), 200, &no), ["batch_rejected"; 3]);
    // It is about the place named, and about nothing else.
    for other in [json!({"success": true}), json!({"ok": false}), json!([])] {
        assert_eq!(said(&bound("upsert", &whole), 200, &other).0, "applied", "{other}");
    }
    let all = json!([{"id": 7}, {"id": 8, "success": false}, {"id": 9}]);
    assert_eq!(classes(&bound("upsert", &whole), 200, &all), ["applied"; 3]);
}

#[test]
fn results_by_position_count_only_when_there_is_one_for_each() {
    let connector = bound("upsert", POSITION);
    let all = json!([{"id": 7}, {"ok": false, "message": "bad"}, {"id": 9}]);
    let (call, each) = said(&connector, 200, &all);
    assert_eq!(call, "applied");
    let of = |class: &str, id: Option<&str>| (class.to_owned(), id.map(str::to_owned));
    assert_eq!(each, [of("applied", Some("7")), of("validation", None), of("applied", Some("9"))]);
    // One too few, one too many, none, something else, and one without an id.
    for body in [
        json!([{"id": 7}, {"id": 8}]),
        json!([{"id": 1}, {"id": 2}, {"id": 3}, {"id": 4}]),
        json!([]),
        json!({"id": 7}),
    ] {
        assert_eq!(classes(&connector, 200, &body), ["uncertain"; 3], "{body}");
    }
    assert_eq!(
        classes(&connector, 200, &json!([{"id": 7}, {}, {"id": 9}])),
        ["applied", "uncertain", "applied"]
    );
}

#[test]
fn without_results_whoever_is_in_no_error_was_taken() {
    let connector = bound("upsert", ERRORS_ONLY);
    assert_eq!(classes(&connector, 200, &json!({"errors": []})), ["applied"; 3]);
    let two = json!({"errors": [{"marks": ["rec_1", "rec_3"], "why": "bad"}]});
    assert_eq!(classes(&connector, 200, &two), ["validation", "applied", "validation"]);
    // Said twice of one: nobody knows which holds.
    let twice = json!({"errors": [{"marks": "rec_1"}, {"marks": ["rec_1"]}]});
    assert_eq!(classes(&connector, 200, &twice), ["uncertain", "applied", "applied"]);
    // An error of nobody, or of somebody that was not sent, may be anybody's (I8).
    for error in
        [json!({"why": "bad"}), json!({"marks": "rec_9"}), json!({"marks": ["rec_1", "rec_9"]}), json!(1)]
    {
        let said = classes(&connector, 200, &json!({"errors": [error, {"marks": "rec_2"}]}));
        assert_eq!(said[1..], ["validation", "uncertain"], "{error}");
        assert_ne!(said[0], "applied", "{error}");
    }
    // No list, no word about anybody.
    for body in [json!({}), json!(null), json!({"errors": null})] {
        assert_eq!(classes(&connector, 200, &body), ["uncertain"; 3], "{body}");
    }
}

/// I8: two records that are echoed alike can't be told apart.
#[test]
fn equal_echoes_tell_of_neither() {
    let connector = bound("upsert", ERRORS_ONLY);
    let calls = vec![write(1, "Ann"), write(1, "Ann again"), write(2, "Bob")];
    let said = |body: Value| -> Vec<&'static str> {
        let answer = Response { status: 200, headers: Vec::new(), body: body.to_string().into() };
        connector
            .classify_batch(&calls, Together::Batch, &Ok(answer), NOW)
            .each
            .iter()
            .map(|one| one.class.name())
            .collect()
    };
    assert_eq!(said(json!({"errors": [{"marks": "rec_1"}]})), ["uncertain"; 3]);
    assert_eq!(said(json!({"errors": []})), ["uncertain"; 3]);
    assert_eq!(said(json!({"errors": [{"marks": "rec_2"}]})), ["uncertain", "uncertain", "validation"]);
}

/// I3: an operation that has no batch any more says nothing of what was sent as one.
#[test]
fn what_is_not_understood_any_more_is_uncertain() {
    let gone = |call: Call| match call {
        Call::Write(write) => Call::Write(Write { operation: "gone".to_owned(), ..write }),
        call => call,
    };
    let calls: Vec<Call> = three().into_iter().map(gone).collect();
    let answer = Response { status: 200, headers: Vec::new(), body: b"[]".to_vec() };
    for outcome in bound("upsert", POSITION).classify_batch(&calls, Together::Batch, &Ok(answer), NOW).each {
        assert_eq!(outcome.class.name(), "uncertain");
    }
}

#[test]
fn i3_only_a_declared_refusal_means_that_nothing_was_applied() {
    let connector = bound("upsert", &format!("{POSITION}\n          rejects: [400]"));
    assert_eq!(classes(&connector, 400, &json!({})), ["batch_rejected"; 3]);
    // Declared for a single record, not for a batch: it may have stopped half-way.
    for status in [403, 404, 409, 410, 413, 422, 301] {
        assert_eq!(classes(&connector, status, &json!({})), ["uncertain"; 3], "{status}");
    }
    // A single record's `applied` says nothing of three.
    assert_eq!(classes(&connector, 420, &json!({})), ["uncertain"; 3]);
    for (status, class) in [
        (429, "rate_limited"),
        (401, "auth_expired"),
        (423, "uncertain"),
        (500, "uncertain"),
        (503, "uncertain"),
    ] {
        assert_eq!(classes(&connector, status, &json!({})), [class; 3], "{status}");
    }
    // Some of it may have been done before the lock was met: harmless where it can be repeated, or is excluded.
    for (class, rejects, told) in [
        ("native_key, ttl_s: 9", "[400]", "uncertain"),
        ("none", "[400]", "uncertain"),
        ("upsert", "[400]", "uncertain"),
        ("native_key, ttl_s: 9", "[423]", "locked"),
    ] {
        let form = format!("{POSITION}\n          rejects: {rejects}");
        let connector = bound(class, &form);
        assert_eq!(classes(&connector, 423, &json!({})), [told; 3], "{class} {rejects}");
    }
    // Alone it is what the refusal says.
    let one = connector.classify_batch(
        &three()[..1],
        Together::Batch,
        &Ok(Response { status: 400, ..Response::default() }),
        NOW,
    );
    assert_eq!(one.each[0].class.name(), "validation");
}

/// A key stands for the whole batch: that its answer was stored is true of each.
#[test]
fn an_answer_that_a_batch_was_given_before_says_so_of_each() {
    let replayed = |class: &str, status: u16, header: &str| {
        let headers = vec![(header.to_owned(), "true".to_owned())];
        let answer = Response { status, headers, body: json!([{"id": 1}]).to_string().into() };
        let verdicts = bound(class, POSITION).classify_batch(&three(), Together::Batch, &Ok(answer), NOW);
        let mut each = verdicts.each.iter().map(|outcome| outcome.replayed);
        assert!(each.all(|each| each == verdicts.call.replayed), "{verdicts:?}");
        verdicts.call.replayed
    };
    let says = "native_key, ttl_s: 9, replayed: {header: X-Again}";
    assert!(replayed(says, 500, "x-again") && replayed(says, 200, "x-again"));
    assert!(!replayed(says, 500, "x-once") && !replayed("native_key, ttl_s: 9", 500, "x-again"));
}

#[test]
fn i15_what_is_said_of_all_shows_a_value_of_none() {
    let yaml = manifest("upsert", POSITION)
        .replace("objects:\n", "refusal: {message: [message], code: [code]}\nobjects:\n");
    let connector = Manifest::parse("toy.yaml", &yaml).unwrap().with_parameters(&BTreeMap::new()).unwrap();
    let body = json!({"message": "Bob Baker clashes with Cid Cook", "code": "Bob_Baker"});
    let answer = Response { status: 400, headers: Vec::new(), body: body.to_string().into() };
    for outcome in connector.classify_batch(&three(), Together::Batch, &Ok(answer), NOW).each {
        assert_eq!(outcome.refusal.message, "[value] clashes with [value]");
    }
}

#[test]
fn mistakes_in_a_batch_are_named() {
    for (class, from, to, told) in [
        (
            "upsert",
            "records_max: 3",
            "records_max: 1",
            "`put.batch`: `records_max` is 1; a batch has two records or more; leave it out where each goes alone",
        ),
        (
            "upsert",
            "'{records}', or: none",
            "1",
            "`put.batch`: the JSON body has 0 places for the list; write the text `{records}` once, where the list of records goes",
        ),
        (
            "upsert",
            "/{object}/batch",
            "/{key}/batch",
            "there is no `{key}` here; use one of: parameter.NAME, value.NAME, object, intent",
        ),
        (
            "upsert",
            "results: ''",
            "errors: errors",
            "`put.batch`: results by position need one list, `results`; name it and leave `errors` out, or correlate by what is echoed",
        ),
        (
            "upsert",
            "correlate: position",
            "correlate: {echo: {sent: '{key}'}}",
            "`put.batch`: `correlate.echo.result` is missing; say where the echo stands in each result",
        ),
        (
            "'search_first', index_lag_ms: 1",
            "results",
            "results",
            "`put` is `search_first`, which looks for each record by itself, and has a `batch`; leave `batch` out, or choose another class",
        ),
        (
            "'native_key', ttl_s: 9",
            "{intent}",
            "x",
            "`put.batch` carries no key; put `{intent}`, the batch's own id, into the header of the key",
        ),
        (
            "'native_key', ttl_s: 9",
            "PROBE",
            "",
            "`put` is `native_key` with a `batch`, and has no `probe`; a key stands for a whole batch: where not all of it can go again, each is looked for; say how, or leave `batch` out",
        ),
        (
            "'marker_field', index_lag_ms: 1",
            "mark: '{key}', ",
            "",
            "`put` is `marker_field`, and the records of `put.batch` carry no mark; put `{key}` into the same field as in the request",
        ),
    ] {
        if from == "PROBE" {
            let yaml = manifest(class, POSITION);
            let probe = yaml.lines().find(|line| line.trim().starts_with("probe:")).unwrap();
            let errors = Manifest::parse("toy.yaml", &yaml.replace(probe, "")).map(|_| ()).unwrap_err();
            let text: Vec<String> = errors
                .iter()
                .map(|one| format!("{}; {}", one.what, one.hint.clone().unwrap_or_default()))
                .collect();
            assert_eq!(text, [told]);
            continue;
        }
        assert!(POSITION.contains(from), "{from}");
        assert_eq!(refused(class, &POSITION.replace(from, to)), [told]);
    }
    let mute = POSITION.replace("{id: {path: id}}\n", "{}\n");
    let mute = &mute[..mute.find("\n          rules").unwrap()];
    assert_eq!(
        refused("upsert", mute),
        [
            "`put.batch`: nothing tells a result that was taken from one that was not; name in `answer.needs` what each result has that was taken, or write `rules` for those that were not"
        ]
    );
    // A system may do without.
    let manifest = Manifest::parse("toy.yaml", &manifest("upsert", POSITION)).unwrap();
    let without = manifest.with_parameters(&BTreeMap::from([("batch".to_owned(), json!(false))])).unwrap();
    let things = Object::new("things").unwrap();
    assert!(without.operation("put", &things).unwrap().batch.is_none());
    // What it sent together before is still understood.
    let all = json!([{"id": 7}, {"ok": false}, {"id": 9}]);
    assert_eq!(classes(&without, 200, &all), ["applied", "validation", "applied"]);
    assert_eq!(
        bound("upsert", POSITION).operation("put", &things).unwrap().batch.as_ref().unwrap().records_max,
        3
    );
}

#[test]
fn a_mark_is_written_and_looked_for() {
    let class = "marker_field, index_lag_ms: 1";
    let yaml = manifest(class, ERRORS_ONLY);
    assert!(Manifest::parse("toy.yaml", &yaml).is_ok());
    for (from, to, told) in [
        (
            "json: {mark: '{key}', name",
            "json: {name",
            "`put` is `marker_field` and writes no mark; put `{key}` into a field of the request, such as `concord_id: \"{key}\"`",
        ),
        (
            "{mark: '{key}'}}, answer: {found",
            "{mark: '{intent}'}}, answer: {found",
            "`put` is `marker_field`, and no `probe` looks for its mark; search that field for `{key}`, or choose another class",
        ),
        (
            "for: [create]",
            "for: [create, update]",
            "`put` is `marker_field`, and not only for `create` or `notify`; a mark says that the object was made, not that a change of it arrived; use `upsert` for the others",
        ),
    ] {
        assert!(yaml.contains(from), "{from}");
        let errors = Manifest::parse("toy.yaml", &yaml.replace(from, to)).map(|_| ()).unwrap_err();
        let text: Vec<String> = errors
            .iter()
            .map(|error| format!("{}; {}", error.what, error.hint.clone().unwrap_or_default()))
            .collect();
        assert_eq!(text, [told]);
    }
}
