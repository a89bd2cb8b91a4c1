//! What mappings do, by tables and by properties.

mod cells;
mod compiling;
mod coverage;
mod equality;
mod examples;
mod lookups;
mod moments;
mod page;
mod phones;
mod policies;
mod properties;
mod references;
mod roundtrip;
mod support;
mod transforms;
mod upcasts;
mod vendor;
mod written;
