//! How large an expression may be, and how much one evaluation may do.
//!
//! The first four are checked when it is compiled, the last two are counted while it runs. A step is a node that
//! is evaluated, an item of a list that is looked at, or [`READ_BYTES_PER_STEP`] bytes of text that are read.
//! Bytes are counted before they are allocated; texts that an input holds are lent and cost nothing until they
//! stand in the result.

/// Characters of one expression. It is one line.
pub const CHARACTERS_MAX: usize = 1_000;
/// How deep parentheses, lists, calls, choices and signs may stand inside each other.
pub const DEPTH_MAX: u32 = 24;
/// Values, operators and calls in one expression.
pub const NODES_MAX: u32 = 256;
/// Different inputs of one expression.
pub const INPUTS_MAX: usize = 32;
/// Steps of one evaluation.
pub const STEPS_MAX: u32 = 10_000;
/// Bytes of text, and of lists at 8 bytes an item, that one evaluation may make.
pub const BYTES_MAX: u32 = 64 * 1024;
/// Bytes of text that are read for one step.
pub const READ_BYTES_PER_STEP: usize = 256;
