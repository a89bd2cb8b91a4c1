//! Which scopes a connector's operations need, and which of them a token has.

use connector::{Call, Connector, Failure, Needed, Response, Use};
use serde_json::{Value, json};

use crate::output::{Column, Output, shown};

const COLUMNS: [Column; 3] = [("SCOPE", "/scope"), ("OPERATIONS", "/operations"), ("OBJECTS", "/objects")];

/// What each operation needs, as data: an entry for each operation, object and scope. Null where the manifest says none.
pub(super) fn listed(connector: &Connector) -> Value {
    if !connector.tells_scopes() {
        return Value::Null;
    }
    let mut needed: Vec<Value> = Vec::new();
    let mut put = |object: Option<&str>, found: Vec<Needed>| {
        for one in found {
            let operation = one.operation.rsplit('/').next().unwrap_or_default();
            needed.push(json!({ "scope": one.words(), "operation": operation, "object": object }));
        }
    };
    put(None, connector.needed(Use::Any));
    put(None, connector.needed(Use::Identity));
    for object in connector.shown_objects() {
        let name = Some(connector.name_of(&object));
        put(name, connector.needed(Use::Webhook(&object)));
        put(name, connector.needed(Use::List(&object)));
        put(name, connector.needed(Use::Fetch(&object)));
        put(name, connector.needed(Use::Describe(&object)));
        for operation in connector.operations(&object) {
            put(name, connector.needed(Use::Write(&object, operation)));
        }
    }
    json!({ "given": connector.scopes_given(), "needed": needed })
}

/// The same for people: each scope once, with the operations that need it.
pub(super) fn page(listed: &Value, output: &Output) -> Vec<String> {
    let needed = listed["needed"].as_array().map(Vec::as_slice).unwrap_or_default();
    if needed.is_empty() {
        return Vec::new();
    }
    let mut scopes: Vec<(&Value, Vec<String>, Vec<String>)> = Vec::new();
    for one in needed {
        let at = scopes.iter().position(|(scope, ..)| **scope == one["scope"]).unwrap_or_else(|| {
            scopes.push((&one["scope"], Vec::new(), Vec::new()));
            scopes.len() - 1
        });
        if let Some((_, operations, objects)) = scopes.get_mut(at) {
            once(operations, shown(&one["operation"]));
            one["object"].as_str().into_iter().for_each(|object| once(objects, object.to_owned()));
        }
    }
    let rows: Vec<Value> = scopes
        .into_iter()
        .map(|(scope, operations, objects)| {
            json!({ "scope": scope, "operations": operations.join(", "), "objects": objects.join(", ") })
        })
        .collect();
    let given = format!("scopes are granted at: {}", shown(&listed["given"]));
    vec![String::new(), given, output.table(&COLUMNS, &rows)]
}

fn once(names: &mut Vec<String>, name: String) {
    if !names.contains(&name) {
        names.push(name);
    }
}

/// What the vendor told about the credential's scopes, and which of the call's it did not name. Null: it told nothing.
pub(super) fn told(
    connector: &Connector,
    call: &Call,
    answer: &Result<Response, Failure>,
    of_token: Option<Vec<String>>,
) -> Value {
    let of_identity = answer.as_ref().ok().filter(|_| *call == Call::Identity);
    let of_identity = of_identity.and_then(|response| connector.granted(response));
    let granted = connector.told(of_identity.or(of_token).unwrap_or_default());
    if granted.is_empty() {
        return Value::Null;
    }
    let lacks = |needed: &Needed| connector.is_told(needed) && !connector.is_granted(needed, &granted);
    let missing: Vec<String> =
        connector.needed_by(call).iter().filter(|one| lacks(one)).map(Needed::words).collect();
    json!({ "granted": granted, "missing": missing, "given": connector.scopes_given() })
}

/// The same in words.
pub(super) fn tell(told: &Value, output: &Output) {
    let list = |name: &str| -> Vec<String> {
        told[name].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let granted = list("granted");
    if granted.is_empty() {
        return;
    }
    output.say(&format!("granted scopes: {}", granted.join(", ")));
    for scope in list("missing") {
        output.warn(&format!(
            "the scope `{scope}`, which this call needs, is not among them; grant it at the vendor: {}",
            shown(&told["given"])
        ));
    }
}
