//! The repository's own checks and benchmarks.
fn main() {}
