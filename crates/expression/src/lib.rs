//! One line of CEL syntax for what a field table cannot say: typed, bounded, exact. Pure: no I/O, no clock.
//!
//! [`parse`] reads a text, [`compile`] checks it against what the inputs are and what is wanted of it, and
//! [`Program::run`] evaluates it. What compiles cannot meet a value of another type at run time, unless the
//! inputs break their word. There is no conversion unasked: whole numbers, decimals and texts are three kinds,
//! and whether a value may be null is part of its type.
//!
//! The syntax is CEL's, the functions are a closed set ([`FUNCTIONS`]). What CEL has and this has not, such as
//! regular expressions, doubles and maps, is refused with a hint. Differences in meaning: `1.50` is a decimal;
//! division is of whole numbers, and of decimals by `div`; `&&` and `||` ask the left side first and stop at its
//! errors; `has(x)` is false for null too; reading an input that was never said ends the evaluation with
//! [`Outcome::Missing`].
//!
//! Bounds are in [`limits`]. Errors show the line and never a value (I15).

mod budget;
mod check;
mod fault;
mod function;
mod lex;
pub mod limits;
mod names;
mod parse;
pub mod pattern;
mod program;
mod run;
#[cfg(test)]
mod tests;
mod tree;
mod types;
mod value;

pub use budget::Budget;
pub use check::compile;
pub use fault::Fault;
pub use function::{Arg, FUNCTIONS, Form, Function, Gives};
pub use names::{Input, Inputs, Key, Names, Seen, Unknown};
pub use parse::parse;
pub use program::{Cause, Outcome, Program, Stop};
pub use tree::Ast;
pub use types::{Kind, Type};
