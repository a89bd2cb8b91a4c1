//! What is wrong with a signature or a log-in is told with its place; what is right names its secrets.

use std::collections::BTreeMap;

use serde_json::json;

use crate::{AuthKind, Manifest};

const SIGNED: &str = "\
connector: desk
version: '1'
about: A desk.
auth:
  default:
    hmac:
      secret: key
      key_id: id
      sign: \"{method}\\n{path_and_query}\\n{timestamp}\\n{nonce}\\n{body_sha256_hex}\"
      headers: {authorization: 'HMAC {key_id}:{signature}', x-time: '{timestamp}', x-nonce: '{nonce}'}
objects: {people: {shape: {id: id}}}
";

const SESSION: &str = "\
connector: desk
version: '1'
about: A desk.
parameters:
  database: {about: The database., kind: text, required: true}
auth:
  default:
    session:
      path: '/{parameter.database}/login'
      json: {db: '{parameter.database}', login: ['{secret.user}', {password: '{secret.password}'}]}
      credential: '{answer.token}'
      prefix: 'Bearer '
      user: user
objects: {people: {shape: {id: id}}}
";

fn auth(manifest: &str, parameters: serde_json::Value) -> AuthKind {
    let parameters: BTreeMap<_, _> = parameters.as_object().unwrap().clone().into_iter().collect();
    Manifest::parse("desk.yaml", manifest).unwrap().with_parameters(&parameters).unwrap().auth().clone()
}

fn wrong(manifest: &str, from: &str, to: &str) -> Vec<String> {
    assert!(manifest.contains(from), "{from}");
    let errors = Manifest::parse("desk.yaml", &manifest.replacen(from, to, 1)).map(|_| ()).unwrap_err();
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn both_name_their_secrets_and_take_parameters() {
    assert_eq!(auth(SIGNED, json!({})).secrets(), ["key", "id"]);
    let auth = auth(SESSION, json!({"database": "a{b}"}));
    assert_eq!(auth.secrets(), ["password", "user"]);
    let AuthKind::Session(login) = auth else { panic!("{auth:?}") };
    // A parameter's braces are no name.
    assert_eq!(login.json.unwrap()["db"], json!("a{{b}}"));
    assert_eq!(login.path, "/a{b}/login");
}

#[test]
fn what_is_wrong_with_a_signature_has_a_place_and_a_way_out() {
    for (from, to, told) in [
        (
            "{path_and_query}",
            "{path_and_qery}",
            "desk.yaml:6:5: hmac.sign: there is no `{path_and_qery}` here; did you mean `path_and_query`?",
        ),
        (
            ":{signature}",
            "",
            "desk.yaml:6:5: hmac.headers: none of them carries the signature; add a header with `{signature}`, such as \
             `x-signature: \"{signature}\"`",
        ),
        (
            ", x-nonce: '{nonce}'",
            "",
            "desk.yaml:6:5: hmac.`{nonce}` must be both signed and in a header; what is not sent cannot be checked, and what \
             is not signed proves nothing",
        ),
        (
            "      key_id: id\n",
            "",
            "desk.yaml:6:5: hmac.`{key_id}` is used, and not given; add `key_id: NAME` of a secret",
        ),
        ("{method}", "{method", "desk.yaml:6:5: hmac.sign: a `{` without its `}`: write `{{` for a brace"),
        ("secret: key", "secrte: key", "desk.yaml:7:7: unknown key `secrte`; did you mean `secret`?"),
    ] {
        assert_eq!(wrong(SIGNED, from, to), [told]);
    }
}

#[test]
fn what_is_wrong_with_a_log_in_has_a_place_and_a_way_out() {
    for (from, to, told) in [
        (
            "{secret.password}",
            "{secrets.password}",
            "desk.yaml:8:5: session.json.login.1.password: there is no `{secrets.password}` here; use one of: secret.NAME, \
             parameter.NAME",
        ),
        (
            "{answer.token}",
            "{secret.password}",
            "desk.yaml:8:5: session.credential: nothing of the log-in's answer is in it; name where the answer holds the \
             session: `{answer.token}` or `{header.x-session}`",
        ),
        (
            "      user: user",
            "      user: user\n      form: {a: b}",
            "desk.yaml:8:5: session.a log-in has one body: `json` or `form`; remove one",
        ),
        ("prefix:", "prefx:", "desk.yaml:12:7: unknown key `prefx`; did you mean `prefix`?"),
    ] {
        assert_eq!(wrong(SESSION, from, to), [told]);
    }
}
