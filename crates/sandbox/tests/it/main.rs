//! The vendors' official SDKs talk to the running sandbox: what they accept is what the vendor means.
#![cfg(test)]

mod hubspot;
mod mailchimp;
mod salesforce;
mod sdk;
