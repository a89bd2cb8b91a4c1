//! The published schemas: each is one, and names exactly the keys that the loader knows.

use serde::Deserialize;
use serde_json::Value;

use crate::settings::{
    Backlog, Client, IntakeSettings, LaneWeights, Listeners, Retention, Settings, StoreSettings,
};
use crate::source::{
    BreakerSource, BucketSource, ConnectionSource, EntitySource, FieldSource, HeardWithinSource,
    LimitsSource, RetrySource, RouteSource, RoutesSource, SpanSource, SystemSource, TimeoutsSource,
    WebhookSource, WindowSource,
};
use crate::tree::Node;
use crate::typed;

/// The keys a type knows, out of what it says about one it does not know.
fn keys<T: for<'a> Deserialize<'a>>() -> Vec<String> {
    let node = Node::parse("\"@@@@@@@@@@@@\": 1").unwrap();
    let Err(fault) = typed::read::<T>(&node) else { panic!("it takes any key") };
    let hint = fault.hint.unwrap();
    let mut keys: Vec<String> =
        hint.strip_prefix("use one of: ").unwrap_or(&hint).split(", ").map(str::to_owned).collect();
    keys.sort();
    keys
}

fn published(schema: &str, pointer: &str) -> Vec<String> {
    let (_, text) = crate::schemas().iter().find(|(name, _)| *name == schema).unwrap();
    let document: Value = serde_json::from_str(text).unwrap();
    let properties = document.pointer(pointer).unwrap_or_else(|| panic!("{schema} has no {pointer}"));
    let mut keys: Vec<String> = properties.as_object().unwrap().keys().cloned().collect();
    keys.sort();
    keys
}

#[test]
fn the_schemas_know_the_keys_that_the_loader_knows() {
    let cases = [
        ("concord", "/properties", keys::<Settings>()),
        ("concord", "/properties/store/properties", keys::<StoreSettings>()),
        ("concord", "/properties/listeners/properties", keys::<Listeners>()),
        ("concord", "/properties/intake/properties", keys::<IntakeSettings>()),
        ("concord", "/properties/intake/properties/backlog/properties", keys::<Backlog>()),
        ("concord", "/properties/intake/properties/clients/items/properties", keys::<Client>()),
        ("concord", "/properties/retention/properties", keys::<Retention>()),
        ("concord", "/$defs/lanes/properties", keys::<LaneWeights>()),
        ("entity", "/properties", keys::<EntitySource>()),
        ("entity", "/properties/fields/additionalProperties/properties", keys::<FieldSource>()),
        (
            "entity",
            "/properties/fields/additionalProperties/properties/owners/items/properties",
            keys::<canonical::Ownership>(),
        ),
        ("entity", "/properties/rules/items/properties", keys::<crate::source::RuleSource>()),
        ("entity", "/properties/rules/items/properties/in/properties", keys::<crate::source::ColumnSource>()),
        (
            "entity",
            "/properties/rules/items/properties/exists/properties",
            keys::<crate::source::KeySource>(),
        ),
        ("entity", "/properties/events/items/properties", keys::<canonical::schema::FactRule>()),
        ("entity", "/$defs/condition/properties", keys::<canonical::Condition>()),
        ("routes", "/properties", keys::<RoutesSource>()),
        ("routes", "/properties/routes/items/properties", keys::<RouteSource>()),
        ("routes", "/$defs/condition/properties", keys::<canonical::Condition>()),
        ("system", "/properties", keys::<SystemSource>()),
        ("system", "/properties/connection/properties", keys::<ConnectionSource>()),
        ("system", "/properties/connection/properties/timeouts/properties", keys::<TimeoutsSource>()),
        ("system", "/properties/webhook/properties", keys::<WebhookSource>()),
        ("system", "/properties/heard_within/properties", keys::<HeardWithinSource>()),
        ("system", "/properties/limits/properties", keys::<LimitsSource>()),
        ("system", "/properties/bulk_window/properties", keys::<WindowSource>()),
        ("system", "/properties/bulk_window/properties/open/items/properties", keys::<SpanSource>()),
        (
            "system",
            "/properties/limits/properties/buckets/additionalProperties/properties",
            keys::<BucketSource>(),
        ),
        ("system", "/properties/breaker/properties", keys::<BreakerSource>()),
        ("system", "/properties/retry/properties", keys::<RetrySource>()),
        ("system", "/$defs/lanes/properties", keys::<LaneWeights>()),
        ("mapping", "/properties", keys::<mapping::MappingSource>()),
        ("mapping", "/properties/fields/items/properties", keys::<mapping::RowSource>()),
        ("mapping", "/properties/fields/items/properties/lookup/properties", keys::<mapping::LookupUse>()),
        ("mapping", "/properties/fields/items/properties/ref/properties", keys::<mapping::RefUse>()),
        ("mapping", "/properties/examples/items/properties", keys::<mapping::ExampleSource>()),
        ("mapping", "/$defs/transform/anyOf/1/properties/decimal/properties", keys::<mapping::DecimalForm>()),
        ("mapping", "/$defs/transform/anyOf/1/properties/boolean/properties", keys::<mapping::BooleanForm>()),
        ("mapping", "/$defs/transform/anyOf/1/properties/date/properties", keys::<mapping::DateForm>()),
        ("mapping", "/$defs/transform/anyOf/1/properties/time/properties", keys::<mapping::TimeForm>()),
        ("mapping", "/$defs/transform/anyOf/1/properties/phone/properties", keys::<mapping::PhoneForm>()),
    ];
    for (schema, pointer, known) in cases {
        assert_eq!(published(schema, pointer), known, "{schema} {pointer}");
    }
}

#[test]
fn every_schema_is_one_and_names_itself() {
    for (name, text) in crate::schemas() {
        let document: Value = serde_json::from_str(text).unwrap();
        jsonschema::draft202012::meta::validate(&document).unwrap();
        jsonschema::draft202012::new(&document).unwrap();
        assert!(document["$id"].as_str().unwrap().ends_with(&format!("/{name}.schema.json")));
        described(&document, name);
    }
}

#[test]
fn the_manifests_that_come_with_the_hub_are_as_their_schema_says() {
    let (_, text) = crate::schemas().iter().find(|(name, _)| *name == "connector").unwrap();
    let schema = jsonschema::draft202012::new(&serde_json::from_str(text).unwrap()).unwrap();
    let mut names = 0;
    for name in connector::Manifest::builtin_names() {
        let text = connector::Manifest::builtin(name).unwrap();
        let manifest = Node::parse(text).unwrap().to_json();
        let errors: Vec<String> = schema.iter_errors(&manifest).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new(), "{name}");
        let wrong = Node::parse(&text.replacen("\nabout:", "\nabuot:", 1)).unwrap().to_json();
        assert!(!schema.is_valid(&wrong), "{name}");
        names += 1;
    }
    assert!(names > 5);
}

#[test]
fn the_fixtures_that_come_with_the_hub_are_as_their_schema_says() {
    let (_, text) = crate::schemas().iter().find(|(name, _)| *name == "fixtures").unwrap();
    let schema = jsonschema::draft202012::new(&serde_json::from_str(text).unwrap()).unwrap();
    for name in connector::Manifest::builtin_names() {
        let text = connector::Fixtures::builtin(name).unwrap();
        let fixtures = Node::parse(text).unwrap().to_json();
        let errors: Vec<String> = schema.iter_errors(&fixtures).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new(), "{name}");
        let wrong = Node::parse(&text.replacen("name:", "nmae:", 1)).unwrap().to_json();
        assert!(!schema.is_valid(&wrong), "{name}");
    }
}

/// Every key of every table says what it is for: editors show it.
fn described(schema: &Value, at: &str) {
    for (key, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let at = format!("{at}.{key}");
        if inner.get("type").and_then(Value::as_str) == Some("object") {
            assert!(inner.get("description").is_some(), "{at} is not described");
        }
        described(inner, &at);
    }
}
