//! Tests of the loader: trees, schemas, a table of broken folders, secrets, and the example.

mod broken;
mod compare;
mod compat;
mod example;
mod fits;
mod folder;
mod page;
mod published;
mod secrets;
mod tenants;
mod together;
mod trials;
mod upcasts;
mod vendors;
mod versions;
mod yaml;
