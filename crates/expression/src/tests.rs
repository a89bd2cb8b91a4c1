//! Functions by their examples, faults by their place, bounds by bombs, and what holds for all values.

mod bombs;
mod documentation;
mod examples;
mod faults;
mod narrowing;
mod oracle;
mod properties;
mod stops;
mod support;
mod tape;
mod values;
