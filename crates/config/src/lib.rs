//! A folder of files becomes one checked configuration.
//!
//! [`Files`] holds the texts (from disk, or given by a test or a simulator), [`load`] checks all of them and says
//! everything that is wrong at once, each [`Problem`] with file, line, column, and what would be right.
//! Nothing here reads the environment, a clock or the network; secrets are resolved by whoever may
//! ([`Configuration::resolve_secrets`]).

mod check;
mod compare;
mod configuration;
mod cutover;
mod document;
mod files;
mod fits;
mod passage;
mod permits;
mod problem;
mod secrets;
mod settings;
mod shape;
mod source;
pub mod tenants;
#[cfg(test)]
mod tests;
mod tree;
mod typed;
mod versions;
mod words;

pub use ::mapping::Upcaster;
pub use check::{Trial, Trials, load, load_folder, trials};
pub use compare::{Change, Comparison, How, RouteChange, compare};
pub use configuration::{
    Checked, Configuration, ConnectionConfig, HeardWithin, History, SystemConfig, WebhookConfig,
};
pub use files::Files;
pub use fits::{fits, mapped};
pub use permits::{Permit, Permits};
pub use problem::{Excerpt, Problem, Severity};
pub use secrets::{Secrets, SystemSecrets};
pub use settings::{Client, IntakeSettings, LaneWeights, Listeners, Retention, Settings, StoreSettings};
pub use shape::schemas;
pub use versions::{VersionKind, Versioned, against, unkept};
pub use words::{Period, SecretRef};
