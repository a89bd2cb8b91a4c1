//! A first manifest out of an OpenAPI document: what the document says is taken over, what it can't say is marked to be
//! answered by a person, and nothing is guessed that could make a second object.
//!
//! OpenAPI knows requests and shapes. It does not know whether a create can be repeated, how a change is found again, how
//! long the target goes on working, or what is missing from a listing: those are left at what is safe, marked `OPEN`.

mod document;
mod resource;
mod sample;
mod sent;
mod server;
#[cfg(test)]
mod tests;
mod text;
mod way;

use serde_json::Value;

use document::Document;
use server::Server;
use way::Ways;

/// The largest document, in bytes.
const BYTES_MAX: usize = 32 << 20;

/// What is made of a document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scaffold {
    /// The connector's name.
    pub name: String,
    /// The manifest, as YAML.
    pub manifest: String,
    /// First fixtures, as YAML.
    pub fixtures: String,
    /// Where its server is, if the document says so: the origin only.
    pub base_url: Option<String>,
    /// The objects, with the names of their operations.
    pub objects: Vec<(String, Vec<&'static str>)>,
    /// Paths of the document that no object was made of.
    pub left_out: Vec<String>,
}

/// Why nothing can be made of a document.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ScaffoldError {
    /// Too large.
    #[error(
        "the document has {0} bytes, at most {BYTES_MAX} are read: take the part that you need out of it"
    )]
    TooLarge(usize),
    /// Neither JSON nor YAML.
    #[error("the document is neither JSON nor YAML: {0}")]
    Unreadable(String),
    /// Not OpenAPI 3.
    #[error("this is no OpenAPI 3 document ({0}): convert it first, for example with swagger2openapi")]
    Version(String),
    /// Nothing in it looks like objects.
    #[error(
        "no path of the document is a collection or one of its items: write the manifest by hand, or take another document"
    )]
    Empty,
    /// An object was asked for that it does not have.
    #[error("nothing of the document is an object `{name}`; {hint}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What may be meant.
        hint: String,
    },
    /// What was made is no manifest.
    #[error("what was made of it does not pass: {0}; this is a defect of Concord")]
    Unsound(String),
}

/// Makes a manifest of an OpenAPI 3 document. `name` is the connector's; absent: made of the document's title.
/// `only` are the objects that are wanted; none: all.
///
/// # Errors
/// [`ScaffoldError`].
pub fn scaffold(openapi: &str, name: Option<&str>, only: &[String]) -> Result<Scaffold, ScaffoldError> {
    if openapi.len() > BYTES_MAX {
        return Err(ScaffoldError::TooLarge(openapi.len()));
    }
    let root: Value = match serde_json::from_str(openapi) {
        Ok(root) => root,
        Err(_) => serde_saphyr::from_str(openapi)
            .map_err(|error| ScaffoldError::Unreadable(error.without_snippet().render()))?,
    };
    let document = Document::new(root)?;
    let (server, ways) = (Server::of(&document), Ways::of(&document));
    let (mut resources, left_out) = resource::all(&document, &ways);
    if let Some(name) = only.iter().find(|name| resources.iter().all(|one| one.object != **name)) {
        let known: Vec<&str> = resources.iter().map(|one| one.object.as_str()).collect();
        let hint = canonical::suggest::hint(name, known);
        return Err(ScaffoldError::Unknown { name: name.clone(), hint });
    }
    if !only.is_empty() {
        resources.retain(|resource| only.contains(&resource.object));
    }
    if resources.is_empty() {
        return Err(ScaffoldError::Empty);
    }
    let name = name.map_or_else(|| slug(document.title(), server.origin.as_deref()), str::to_owned);
    let manifest = text::manifest(&name, &document, &server, &ways, &resources);
    let parsed = crate::Manifest::parse(&format!("{name}.yaml"), &manifest);
    let parsed = parsed.map_err(|errors| {
        ScaffoldError::Unsound(errors.first().map(ToString::to_string).unwrap_or_default())
    })?;
    let fixtures = sample::fixtures(&parsed, &server, &resources).unwrap_or_default();
    let objects = resources.iter().map(|one| (one.object.clone(), one.operations())).collect();
    Ok(Scaffold { name, manifest, fixtures, base_url: server.origin, objects, left_out })
}

/// A name that a file can have: of the title, else of the server's own domain.
fn slug(title: &str, origin: Option<&str>) -> String {
    let kept: String =
        title.to_lowercase().chars().map(|one| if one.is_ascii_alphanumeric() { one } else { '-' }).collect();
    let words: Vec<&str> =
        kept.split('-').filter(|word| !matches!(*word, "" | "api" | "rest" | "the")).collect();
    if !words.is_empty() {
        return words.join("-");
    }
    let url = origin.and_then(|origin| url::Url::parse(origin).ok());
    let domain = url.as_ref().and_then(url::Url::domain).and_then(|domain| domain.rsplit('.').nth(1));
    domain.unwrap_or("system").to_owned()
}
