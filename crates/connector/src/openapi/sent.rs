//! How the body of a request is written.

use serde_json::Value;

use super::document::Document;

/// A body's form.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) enum Sent {
    /// The document says nothing of a body.
    #[default]
    Unsaid,
    /// JSON; the media type where it is another one than usual.
    Json(Option<String>),
    /// A form.
    Form,
    /// XML with that root.
    Xml(String),
    /// None that is known here.
    Other(String),
}

impl Sent {
    /// The form that suits best of those that an operation takes, and its schema.
    pub(super) fn of<'d>(
        document: &'d Document,
        operation: &'d Value,
        object: &str,
    ) -> (Self, Option<&'d Value>) {
        let bodies: Vec<(String, &Value)> =
            document.bodies(operation).into_iter().map(|(media, schema)| (plain(media), schema)).collect();
        let found = |fits: fn(&str) -> bool| bodies.iter().find(|(media, _)| fits(media));
        let ranked = [
            found(|media| media == "application/json"),
            found(|media| media == "application/merge-patch+json"),
            found(is_json),
            found(|media| media == "*/*"),
            found(|media| media == "application/x-www-form-urlencoded"),
            found(is_xml),
            bodies.first(),
        ];
        let Some((media, schema)) = ranked.into_iter().flatten().next() else { return (Self::Unsaid, None) };
        let sent = match media.as_str() {
            "application/json" | "*/*" => Self::Json(None),
            "application/x-www-form-urlencoded" => Self::Form,
            other if is_json(other) => Self::Json(Some(other.to_owned())),
            other if is_xml(other) => Self::Xml(root(document, schema, object)),
            other => Self::Other(other.to_owned()),
        };
        (sent, Some(document.at(schema)))
    }

    /// The body as a part of a request in a manifest, of what the fields are wrapped in.
    pub(super) fn written(&self, wraps: Option<&str>) -> String {
        let quoted = |text: &str| Value::from(text).to_string();
        match self {
            Self::Form => "form: {\"...\": \"{fields}\"}".to_owned(),
            Self::Xml(root) => format!("xml: {{{}: {{\"...\": \"{{fields}}\"}}}}", quoted(root)),
            Self::Json(_) | Self::Unsaid | Self::Other(_) => {
                let json = match wraps {
                    Some(wraps) => format!("json: {{{}: \"{{fields}}\"}}", quoted(wraps)),
                    None => "json: \"{fields}\"".to_owned(),
                };
                match self {
                    Self::Json(Some(media)) => format!("{json}, content_type: {}", quoted(media)),
                    _ => json,
                }
            }
        }
    }

    /// What is to be asked about it.
    pub(super) fn question(&self) -> Option<String> {
        match self {
            Self::Json(_) => None,
            Self::Unsaid => Some("the document says nothing of its body: JSON is a guess.".to_owned()),
            Self::Form => Some("how the form writes what is nested, and lists.".to_owned()),
            Self::Xml(_) => Some(
                "the XML's namespace and the order of its elements; and are answers XML, too (`answers: {xml: {}}`)?".to_owned(),
            ),
            Self::Other(media) => {
                Some(format!("the document takes `{media}`, which is not known here: JSON is a guess."))
            }
        }
    }
}

fn plain(media: &str) -> String {
    media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether it is JSON that holds fields: a JSON Patch holds steps.
fn is_json(media: &str) -> bool {
    let other = media.contains("json-patch") || media.contains("json-seq") || media.contains("ndjson");
    media.contains("json") && !other
}

fn is_xml(media: &str) -> bool {
    media.ends_with("/xml") || media.ends_with("+xml")
}

/// The name of a document's root.
fn root(document: &Document, schema: &Value, object: &str) -> String {
    let said = document.at(schema)["xml"]["name"].as_str();
    let named = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
    let name = said.or(named).unwrap_or(object);
    if crate::xml::is_name(name) { name.to_owned() } else { object.to_owned() }
}
