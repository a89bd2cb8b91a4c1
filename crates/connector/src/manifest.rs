//! Manifests: reading, checking, and the ones that come with Concord.

mod wording;

use std::collections::BTreeMap;
use std::sync::Arc;

use canonical::Object;
use serde_json::Value;

use crate::compile;
use crate::connector::Connector;
use crate::error::ManifestError;
use crate::source::ManifestSource;

pub(crate) use wording::unreadable;

/// The largest manifest, in bytes.
const BYTES_MAX: usize = 1 << 20;

/// A checked manifest: what is known of a kind of system, before a system is bound to it.
#[derive(Clone, Debug)]
pub struct Manifest {
    file: Arc<str>,
    source: Arc<ManifestSource>,
}

macro_rules! builtin {
    ($($name:literal),* $(,)?) => {
        /// The manifests that come with Concord, by name.
        const BUILTIN: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../connectors/", $name, ".yaml")))),*];
        /// Their fixtures.
        const FIXTURES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../connectors/fixtures/", $name, ".yaml")))),*];
    };
}

builtin![
    "cloudevents",
    "dataverse",
    "erpnext",
    "http",
    "hubspot",
    "klaviyo",
    "mailchimp",
    "marketo",
    "netsuite",
    "odoo",
    "outbox",
    "postgresql",
    "quickbooks",
    "salesforce",
    "stripe",
    "tryton",
    "webhook"
];

/// The fixtures of a manifest that comes with Concord.
pub(crate) fn builtin_fixtures(name: &str) -> Option<&'static str> {
    FIXTURES.iter().find(|(builtin, _)| *builtin == name).map(|(_, yaml)| *yaml)
}

impl Manifest {
    /// Reads and checks a manifest; `name` is its file or name, for messages.
    ///
    /// # Errors
    /// All that is wrong, each with its place. What the YAML reader refuses comes alone: nothing behind it is known.
    pub fn parse(name: &str, yaml: &str) -> Result<Self, Vec<ManifestError>> {
        if yaml.len() > BYTES_MAX {
            let what = format!("the manifest has {} bytes, at most {BYTES_MAX} are read", yaml.len());
            let hint = Some("split it".to_owned());
            return Err(vec![ManifestError { file: name.to_owned(), line: 0, column: 0, what, hint }]);
        }
        let source: ManifestSource =
            serde_saphyr::from_str(yaml).map_err(|error| vec![unreadable(name, yaml, &error)])?;
        let manifest = Self { file: Arc::from(name), source: Arc::new(source) };
        compile::bind(name, &manifest.source, &BTreeMap::new(), &BTreeMap::new(), true)?;
        Ok(manifest)
    }

    /// The text of a manifest that comes with Concord.
    #[must_use]
    pub fn builtin(name: &str) -> Option<&'static str> {
        BUILTIN.iter().find(|(builtin, _)| *builtin == name).map(|(_, yaml)| *yaml)
    }

    /// The names of the manifests that come with Concord, in order.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    /// The name it gives itself.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.source.connector.value
    }

    /// What it connects to.
    #[must_use]
    pub fn about(&self) -> &str {
        &self.source.about
    }

    /// Where the vendor documents it.
    #[must_use]
    pub fn docs(&self) -> &[String] {
        &self.source.docs
    }

    /// The names of the ways to authenticate; a system that chooses none takes `default`.
    pub fn ways_to_authenticate(&self) -> Vec<&str> {
        self.source.auth.keys().map(String::as_str).collect()
    }

    /// It bound to stand-ins for its parameters: what it can do, for people to look at.
    ///
    /// # Errors
    /// As [`Self::with_parameters`].
    pub fn outline(&self) -> Result<Connector, Vec<ManifestError>> {
        compile::bind(&self.file, &self.source, &BTreeMap::new(), &BTreeMap::new(), true).map(Connector::new)
    }

    /// Its parameters: name, what it is for, and whether it must be set.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str, bool)> {
        self.source.parameters.iter().map(|(name, p)| (name.as_str(), p.about.as_str(), p.required))
    }

    /// Binds it to a system's parameters. The parameter `auth` chooses among the manifest's ways to authenticate.
    ///
    /// # Errors
    /// When a parameter is missing, unknown, of another type, or cannot stand where the manifest puts it.
    pub fn with_parameters(
        &self,
        parameters: &BTreeMap<String, Value>,
    ) -> Result<Connector, Vec<ManifestError>> {
        self.bind(parameters, &BTreeMap::new())
    }

    /// As [`Self::with_parameters`]; `paths` are the source and target paths of the system's mappings, per object, so
    /// that reads ask for exactly these. Objects without paths are read with the manifest's own selection.
    ///
    /// # Errors
    /// As [`Self::with_parameters`].
    pub fn bind(
        &self,
        parameters: &BTreeMap<String, Value>,
        paths: &BTreeMap<Object, Vec<String>>,
    ) -> Result<Connector, Vec<ManifestError>> {
        compile::bind(&self.file, &self.source, parameters, paths, false).map(Connector::new)
    }
}
