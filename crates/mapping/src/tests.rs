//! What mappings do, by tables and by properties.

mod cells;
mod compiling;
mod equality;
mod examples;
mod lookups;
mod moments;
mod policies;
mod properties;
mod references;
mod support;
mod transforms;
mod written;
