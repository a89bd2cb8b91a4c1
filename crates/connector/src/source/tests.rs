//! The published schema of manifests names exactly the keys and words that are read.

use std::collections::BTreeSet;

use guard::signature::{Algorithm, Encoding, Preset, Scheme, Separator};
use ledger::{Class, Lane};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::answer::{
    AnswerSource, BatchAnswer, BodyTest, CallKind, CreatedFrom, ExistingSource, HeaderTest, IdFrom,
    ProbeAnswer, RefusalSource, RuleSource, Transport, VersionFrom, WaitForm, WaitSource, When,
};
use super::association::{AssociationSeen, AssociationSource};
use super::batch::{
    BatchSource, CorrelateSource, CsvAnswerSource, CsvSource, EchoSource, JobSource, LineEnd, SplitSource,
    StatusSource,
};
use super::body::XmlSource;
use super::describe::{DescribeSource, ValuesSource};
use super::fetch::ManyErrorsSource;
use super::idempotency::{ClassName, ReplayedSource};
use super::listing::{
    Format, Handled, MarkSource, MomentSource, OrderSource, PollSource, Sorting, TypeRule, WebhookSource,
};
use super::paging::{CursorSource, EndSource, LinkHeaderSource, NumberSource, PageSource};
use super::scope::ScopesSource;
use super::{
    Absent, AbsentOfMany, AnswersSource, BindSource, BindType, BucketSource, FalseSource, FetchSource,
    GraphQlSource, IdempotencySource, IdentitySource, LimitsSource, ManifestSource, ManySource, Method,
    MoreSource, ObjectSource, ParameterKind, ParameterSource, ProbeSource, RequestSource, Serves,
    ShapeSource, SnapshotSource, SqlSource, WriteSource,
};
use crate::describe::FieldKind;
use crate::handshake::{Echo, Handshake};
use crate::moment::{Form, Unit};
use crate::proof::{
    Consent, Login, LoginEncoding, LoginMethod, Signing, SigningAlgorithm, SigningEncoding, SigningKey,
    SigningTime,
};
use crate::spec::{Assertion, AuthKind, ClientPlacement, Deletes, SignatureMethod};
use crate::typed::Typed;

type Names = BTreeSet<String>;

fn schema() -> Value {
    serde_json::from_str(include_str!("../../../../schemas/connector.schema.json")).unwrap()
}

/// The names that a type takes, out of what it says about one that it does not take.
fn names<T: DeserializeOwned>(text: &str) -> Names {
    let Err(error) = serde_saphyr::from_str::<T>(text) else { panic!("it takes {text}") };
    let said = error.without_snippet().render();
    let (_, expected) = said.split_once(", expected ").unwrap_or_else(|| panic!("{said}"));
    let expected = expected.split(" at line ").next().unwrap().trim();
    // Two are `a` or `b`; more are one of `a`, `b`, `c`.
    let names: Vec<&str> = match expected.strip_prefix("one of ") {
        Some(list) => list.split(", ").collect(),
        None => expected.split(" or ").collect(),
    };
    names.into_iter().map(|name| name.trim_matches('`').to_owned()).collect()
}

/// The keys of a table.
fn keys<T: DeserializeOwned>() -> Names {
    names::<T>("'@': 1")
}

/// The words of a choice, and the keys of its table.
fn words<T: DeserializeOwned>() -> Names {
    names::<T>("'@'")
}

/// What the schema names at a definition: keys of a table, or words and keys of a choice.
fn published(schema: &Value, name: &str) -> Names {
    let at = if name.is_empty() { schema } else { &schema["$defs"][name] };
    let forms = at["anyOf"].as_array().cloned().unwrap_or_else(|| vec![at.clone()]);
    let of = |form: &Value| -> Vec<String> {
        let words = form["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let keys =
            form["properties"].as_object().into_iter().flat_map(|keys| keys.keys().map(String::as_str));
        words.chain(keys).map(str::to_owned).collect()
    };
    forms.iter().flat_map(of).collect()
}

#[test]
fn the_schema_knows_the_keys_that_the_reader_knows() {
    let schema = schema();
    for (name, known) in [
        ("", keys::<ManifestSource>()),
        ("parameter", keys::<ParameterSource>()),
        ("more", keys::<MoreSource>()),
        ("limits", keys::<LimitsSource>()),
        ("bucket", keys::<BucketSource>()),
        ("request", keys::<RequestSource>()),
        ("sql", keys::<SqlSource>()),
        ("bind", keys::<BindSource>()),
        ("graphql", keys::<GraphQlSource>()),
        ("xml", keys::<XmlSource>()),
        ("identity", keys::<IdentitySource>()),
        ("scopes", keys::<ScopesSource>()),
        ("object", keys::<ObjectSource>()),
        ("shape", keys::<ShapeSource>()),
        ("false_is_null", keys::<FalseSource>()),
        ("fetch", keys::<FetchSource>()),
        ("many", keys::<ManySource>()),
        ("many_errors", keys::<ManyErrorsSource>()),
        ("association", keys::<AssociationSource>()),
        ("association_seen", keys::<AssociationSeen>()),
        ("moving", words::<ledger::Moving>()),
        ("write", keys::<WriteSource>()),
        ("idempotency", keys::<IdempotencySource>()),
        ("replayed", keys::<ReplayedSource>()),
        ("probe", keys::<ProbeSource>()),
        ("answer", keys::<AnswerSource>()),
        ("batch_answer", keys::<BatchAnswer>()),
        ("probe_answer", keys::<ProbeAnswer>()),
        ("refusal", keys::<RefusalSource>()),
        ("rule", keys::<RuleSource>()),
        ("when", keys::<When>()),
        ("body_test", keys::<BodyTest>()),
        ("header_test", keys::<HeaderTest>()),
        ("existing", keys::<ExistingSource>()),
        ("wait", keys::<WaitSource>()),
        ("batch", keys::<BatchSource>()),
        ("job", keys::<JobSource>()),
        ("csv", keys::<CsvSource>()),
        ("csv_answer", keys::<CsvAnswerSource>()),
        ("split", keys::<SplitSource>()),
        ("status", keys::<StatusSource>()),
        ("echo", keys::<EchoSource>()),
        ("moment", keys::<MomentSource>()),
        ("order", keys::<OrderSource>()),
        ("mark", keys::<MarkSource>()),
        ("poll", keys::<PollSource>()),
        ("snapshot", keys::<SnapshotSource>()),
        ("cursor", keys::<CursorSource>()),
        ("page_end", keys::<EndSource>()),
        ("page_number", keys::<NumberSource>()),
        ("link_header", keys::<LinkHeaderSource>()),
        ("describe", keys::<DescribeSource>()),
        ("values", keys::<ValuesSource>()),
        ("webhook", keys::<WebhookSource>()),
        ("handshake_echo", keys::<Echo>()),
        ("type_rule", keys::<TypeRule>()),
        ("assertion", keys::<Assertion>()),
        ("signing", keys::<Signing>()),
        ("login", keys::<Login>()),
        ("consent", keys::<Consent>()),
    ] {
        assert_eq!(published(&schema, name), known, "{name}");
    }
}

#[test]
fn the_schema_knows_the_words_that_the_reader_knows() {
    let schema = schema();
    for (name, known) in [
        ("auth_kind", words::<AuthKind>()),
        ("client_placement", words::<ClientPlacement>()),
        ("signature_method", words::<SignatureMethod>()),
        ("signing_algorithm", words::<SigningAlgorithm>()),
        ("signing_encoding", words::<SigningEncoding>()),
        ("signing_key", words::<SigningKey>()),
        ("signing_time", words::<SigningTime>()),
        ("login_encoding", words::<LoginEncoding>()),
        ("login_method", words::<LoginMethod>()),
        ("handshake", words::<Handshake>()),
        ("deletes", words::<Deletes>()),
        ("field_kind", words::<FieldKind>()),
        ("parameter_kind", words::<ParameterKind>()),
        ("method", words::<Method>()),
        ("bind_type", words::<BindType>()),
        ("answers", words::<AnswersSource>()),
        ("absent", words::<Absent>()),
        ("absent_of_many", words::<AbsentOfMany>()),
        ("serves", words::<Serves>()),
        ("id_from", words::<IdFrom>()),
        ("created_from", words::<CreatedFrom>()),
        ("version_from", words::<VersionFrom>()),
        ("wait_form", words::<WaitForm>()),
        ("transport", words::<Transport>()),
        ("call_kind", words::<CallKind>()),
        ("correlate", words::<CorrelateSource>()),
        ("sorting", words::<Sorting>()),
        ("page", words::<PageSource>()),
        ("format", words::<Format>()),
        ("handled", words::<Handled>()),
        ("form", words::<Form>()),
        ("unit", words::<Unit>()),
        ("typed", words::<Typed>()),
        ("scheme", words::<Scheme>()),
        ("preset", words::<Preset>()),
        ("algorithm", words::<Algorithm>()),
        ("encoding", words::<Encoding>()),
        ("separator", words::<Separator>()),
        ("class", words::<Class>()),
        ("lane", words::<Lane>()),
        ("line_end", words::<LineEnd>()),
    ] {
        assert_eq!(published(&schema, name), known, "{name}");
    }
    let classes = &schema["$defs"]["idempotency"]["properties"]["class"]["enum"];
    let classes: Names =
        classes.as_array().unwrap().iter().filter_map(Value::as_str).map(str::to_owned).collect();
    assert_eq!(classes, words::<ClassName>());
}

#[test]
fn every_key_says_what_it_is_for() {
    fn described(at: &Value, place: &str) {
        for (key, inner) in at["properties"].as_object().into_iter().flatten() {
            let place = format!("{place}.{key}");
            assert!(inner["description"].as_str().is_some_and(|text| text.ends_with('.')), "{place}");
            described(inner, &place);
        }
    }
    let schema = schema();
    described(&schema, "");
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        described(definition, name);
        for form in definition["anyOf"].as_array().into_iter().flatten() {
            described(form, name);
        }
    }
}
