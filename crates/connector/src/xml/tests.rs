//! What is written reads back as what it was, whatever it holds; and what is read is bounded.

use std::collections::BTreeMap;

use canonical::{Fields, Object};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::tests::first_write;
use crate::{Call, Connector, Manifest, RenderError, Response};

const MANIFEST: &str = r##"
connector: desk
version: "1.0.0"
about: A test.
auth: {default: {bearer: {secret: token}}}
answers: {xml: {lists: [row]}}
errors:
  - {when: {body: {path: Answer.Fault.code, in: [Busy]}}, class: rate_limited}
refusal: {code: [Answer.Fault.code], message: [Answer.Fault.text]}
objects:
  people:
    shape: {id: "@id"}
    fetch: {request: {method: GET, path: "/people/{id}"}, at: Answer.Person}
    writes:
      put:
        for: [create]
        idempotency: {class: upsert}
        request:
          method: POST
          path: /people
          content_type: text/xml
          xml:
            s:Envelope:
              "@xmlns:s": "http://schemas.xmlsoap.org/soap/envelope/"
              s:Body:
                - Put: {"@key": "{key}", "#text": "{fields.note}"}
                - Name: "is {fields.name}"
                  "Gone?": "{fields.gone}"
                - More: {"...": "{fields}", name: null}
                - Fixed: "a < b & c"
        answer: {id: {path: "Answer.Person.@id"}, needs: [Answer.row.0]}
"##;

fn connector(manifest: &str) -> Connector {
    Manifest::parse("desk.yaml", manifest).unwrap().with_parameters(&BTreeMap::new()).unwrap()
}

fn write_of(fields: &Fields) -> Call {
    Call::Write(first_write("people", "put", 1, fields.clone()))
}

fn rendered(fields: Value) -> Result<String, RenderError> {
    let Value::Object(fields) = fields else { panic!("fields are an object") };
    let request = connector(MANIFEST).render(&write_of(&fields))?;
    assert_eq!(request.headers[0], ("content-type".to_owned(), "text/xml".to_owned()));
    Ok(String::from_utf8(request.body).unwrap())
}

#[test]
fn a_tree_is_written_in_the_order_of_lists_and_without_what_is_missing() {
    let written =
        rendered(json!({"name": "Ann & <Bo>", "note": "\"x\"\r\n", "tags": ["a", "b"], "at": null})).unwrap();
    assert_eq!(
        written,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\">\
         <s:Body><Put key=\"rec_1\">\"x\"&#13;\n</Put><Name>is Ann &amp; &lt;Bo&gt;</Name><More><at/>\
         <note>\"x\"&#13;\n</note><tags>a</tags><tags>b</tags><name/></More><Fixed>a &lt; b &amp; c</Fixed></s:Body>\
         </s:Envelope>"
    );
}

#[test]
fn what_has_no_form_in_xml_is_refused_and_never_bent() {
    let why = |fields: Value| rendered(fields).unwrap_err().to_string();
    for fields in [
        json!({"name": "a\u{0}", "note": "x"}),
        json!({"name": "a", "note": "\u{1b}"}),
        json!({"name": "a", "note": "\u{fffe}"}),
    ] {
        assert!(why(fields.clone()).contains("a control character in it has no form in XML"), "{fields}");
    }
    for key in ["@evil", "a b", "a>b", "x:y", "#text", "", "1a", "xmlns"] {
        let fields = json!({"name": "a", "note": "x", "deep": {key: "v"}});
        assert!(why(fields).contains("one of its keys cannot be an element's name"), "{key}");
    }
    assert!(why(json!({"name": "a", "note": "x", "l": [["y"]]})).contains("a list in a list"));
    assert!(why(json!({"name": "a", "note": {"x": 1}})).contains("a text is needed"));
}

/// Any value that a field may hold.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<String>().prop_map(Value::String),
        "[<>&\"'\\]\\[!/? a-c\r\n\t;#-]{0,24}".prop_map(Value::String),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::Null),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            proptest::collection::btree_map("[a-z@#:><\"/ ]{1,6}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// No value becomes more than a value: the document has the template's elements, and each text is the one that it was.
    #[test]
    fn no_value_breaks_out(name in any::<String>(), note in "[<>&\"'\\]!/? a\r\n\t;-]{1,40}", more in value()) {
        let fields = json!({"name": name, "note": note, "more": more});
        if let Ok(written) = rendered(fields) {
            let read = XmlPlan::default().read(written.as_bytes()).unwrap();
            let body = &read["Envelope"]["Body"];
            let names: Vec<&String> = body.as_object().unwrap().keys().collect();
            prop_assert_eq!(names, ["Fixed", "More", "Name", "Put"]);
            prop_assert_eq!(body["Put"]["@key"].as_str(), Some("rec_1"));
            let is = format!("is {name}");
            prop_assert_eq!(body["Name"].as_str(), Some(is.as_str()));
            prop_assert_eq!(body["Fixed"].as_str(), Some("a < b & c"));
            prop_assert_eq!(body["More"]["note"].as_str(), Some(note.as_str()));
            let found: Vec<&str> = body["More"].as_object().unwrap().keys().map(String::as_str).collect();
            prop_assert!(found.iter().all(|name| ["more", "name", "note"].contains(name)), "{found:?}");
        }
    }

    /// Whatever comes in is a value or an error.
    #[test]
    fn reading_is_total(raw in proptest::collection::vec(any::<u8>(), 0..200), text in "[<>&;/a-c=\"' !\\[\\]DOCTYPE#x0-9]{0,80}") {
        drop(XmlPlan::default().read(&raw));
        drop(XmlPlan::default().read(text.as_bytes()));
    }
}

fn read(text: &str) -> Result<Value, &'static str> {
    XmlPlan { lists: vec!["row".to_owned()] }.read(text.as_bytes())
}

#[test]
fn a_document_is_read_by_local_names_with_lists_where_they_are_said() {
    let read = read(
        "\u{feff}<?xml version='1.0'?><!-- c --><s:A xmlns:s='u' xmlns:i='v'>\n  <s:row n='1'>x</s:row>\n  <b>1</b><b>2</b>\
         <c i:nil='true'>y</c><d/><e><![CDATA[<&]]>&amp;&#65;</e><f>t<g>u</g></f></s:A>",
    );
    assert_eq!(
        read,
        Ok(json!({"A": {
            "row": [{"@n": "1", "#text": "x"}], "b": ["1", "2"], "c": null, "d": "", "e": "<&&A",
            "f": {"#text": "t", "g": "u"},
        }}))
    );
}

#[test]
fn bombs_and_ruins_are_refused() {
    let bomb = "<!DOCTYPE l [<!ENTITY a 'lol'><!ENTITY b '&a;&a;&a;'>]><l>&b;</l>";
    assert_eq!(read(bomb), Err("the XML has a document type, which is not taken"));
    assert_eq!(read("<a>&b;</a>"), Err("the XML has an entity of its own"));
    assert_eq!(read("<a>&lt;</a>"), Ok(json!({"a": "<"})));
    assert!(read("<a x='&b;'/>").is_err());
    let deep = format!("{}{}", "<a>".repeat(65), "</a>".repeat(65));
    assert_eq!(read(&deep), Err("the XML is nested too deep"));
    let wide = format!("<a>{}</a>", "<b/>".repeat(PARTS_FOR_TEST));
    assert_eq!(read(&wide), Err("the XML has too many parts"));
    for ruin in ["<a>", "<a></b>", "<a/><b/>", "x<a/>", "", "<a b></a>", "<a>&#0;</a>", "<a x='1' x='2'/>"] {
        assert!(read(ruin).is_err(), "{ruin}");
    }
    assert_eq!(XmlPlan::default().read(b"<a>\xff</a>"), Err("the XML is not UTF-8"));
}

const PARTS_FOR_TEST: usize = 200_001;

#[test]
fn answers_are_judged_and_read_by_the_same_paths() {
    let connector = connector(MANIFEST);
    let answer = |status: u16, body: &str| {
        Ok(Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() })
    };
    let write =
        write_of(&Fields::from_iter([("name".to_owned(), json!("a")), ("note".to_owned(), json!("b"))]));
    let now = canonical::Wall(0);
    let done = connector.classify(&write, &answer(200, "<Answer><Person id='7'/><row/></Answer>"), now);
    assert_eq!((done.class, done.external_id.as_deref()), (ledger::Class::Applied, Some("7")));
    // What is named and missing is no success.
    let partly = connector.classify(&write, &answer(200, "<Answer><Person id='7'/></Answer>"), now);
    assert_eq!(partly.class, ledger::Class::Uncertain);
    let busy = "<Answer><Fault><code>Busy</code><text>later</text></Fault></Answer>";
    let busy = connector.classify(&write, &answer(200, busy), now);
    assert_eq!((busy.class, busy.refusal.code.as_deref()), (ledger::Class::RateLimited, Some("Busy")));
    let bomb = connector.classify(&write, &answer(200, "<!DOCTYPE a><Answer/>"), now);
    assert_eq!(bomb.class, ledger::Class::Uncertain);
    // A vendor's gateway may answer JSON all the same.
    let json = connector.classify(&write, &answer(200, r#"{"Answer": {"Fault": {"code": "Busy"}}}"#), now);
    assert_eq!(json.class, ledger::Class::RateLimited);
    let fetch = Call::Fetch { object: Object::new("people").unwrap(), external_id: "7".to_owned() };
    let response = answer(200, "<Answer><Person id='7'><name>Ann</name></Person></Answer>").unwrap();
    let seen = connector.read_object(&fetch, &response).unwrap().unwrap();
    assert_eq!(seen.external_id, "7");
    let crate::Seen::State { fields } = seen.seen else { panic!("{seen:?}") };
    assert_eq!(fields["name"], json!("Ann"));
}

#[test]
fn what_is_wrong_has_a_place_and_a_way_out() {
    let wrong = |from: &str, to: &str| -> Vec<String> {
        assert!(MANIFEST.contains(from), "{from}");
        let errors = Manifest::parse("desk.yaml", &MANIFEST.replacen(from, to, 1)).map(|_| ()).unwrap_err();
        errors.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        wrong("- Put:", "- Pu t:"),
        ["desk.yaml:26:25: s:Envelope.s:Body.0.Pu t: this is not an element's name"]
    );
    assert_eq!(
        wrong("{\"@key\": \"{key}\"", "{\"@key\": [x]"),
        ["desk.yaml:26:33: s:Envelope.s:Body.0.Put.@key: an attribute is a text"]
    );
    assert_eq!(
        wrong("\"{key}\"", "\"{kye}\""),
        ["desk.yaml:26:33: s:Envelope.s:Body.0.Put.@key: there is no `{kye}` here; did you mean `key`?"]
    );
    assert_eq!(
        wrong("          xml:\n", "          json: {a: 1}\n          xml:\n"),
        ["desk.yaml:24:13: a request has one body: `json`, `form`, `xml`, `graphql` or `csv`; remove one"]
    );
    assert_eq!(
        wrong("answers: {xml: {lists: [row]}}", "answers: {xml: {list: [row]}}"),
        ["desk.yaml:6:17: unknown key `list`; did you mean `lists`?"]
    );
}
