//! A compiled expression, and how an evaluation ends.

use canonical::jiff::tz::TimeZone;
use rust_decimal::RoundingStrategy;
use serde_json::Value;

use crate::function::Id;
use crate::tree::{Literal, Operator};
use crate::types::Type;

/// A checked expression: every name is a slot, every format and zone is known to be one.
#[derive(Debug, Clone)]
pub struct Program {
    pub(crate) root: Node,
    pub(crate) ty: Type,
    pub(crate) uses: Vec<u16>,
}

impl Program {
    /// The slots of its inputs, in the order they are first named.
    #[must_use]
    pub fn uses(&self) -> &[u16] {
        &self.uses
    }

    /// What it gives.
    #[must_use]
    pub fn ty(&self) -> &Type {
        &self.ty
    }
}

/// How an evaluation ends well.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It read an input that was never said.
    Missing,
    /// A value in normal form.
    Value(Value),
}

/// Why an evaluation ends without a value. It holds none: they may be personal (I15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{why}, at character {}", at + 1)]
pub struct Stop {
    /// The character, counted from 0, of the part that stopped.
    pub at: u32,
    /// Why.
    pub why: Cause,
}

/// Why an evaluation stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// An input holds a value that is not of its type.
    #[error("an input is not of the type it was declared with")]
    Kind,
    /// A text is not written as the number, date, time or word that it should be.
    #[error("a text is not written as it must be here")]
    Form,
    /// A number, date, time or position is outside of what there is.
    #[error("a number, date or time is out of range")]
    Range,
    /// A decimal would lose digits.
    #[error("a decimal would lose digits; `round` or `div` say how many are kept")]
    Inexact,
    /// A division by zero.
    #[error("a division by zero")]
    DivideByZero,
    /// It needs more steps, or makes more bytes, than one evaluation may.
    #[error("it needs more than an evaluation may use (10,000 steps, 64 KiB)")]
    Budget,
    /// A lookup table does not have the text.
    #[error("the lookup table does not have this value")]
    Unmapped,
    /// A record is not linked in the other system.
    #[error("the record it refers to is not linked there")]
    Unlinked,
}

/// One part, and the character it was read from.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) at: u32,
    pub(crate) op: Op,
}

/// What a part does.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    Literal(Literal),
    Input(u16, Type),
    /// The item that `all`, `exists`, `filter` or `map` is at.
    Item,
    Has(u16),
    List(Vec<Node>),
    Not(Box<Node>),
    Negative(Box<Node>),
    Binary(Operator, Box<(Node, Node)>),
    Choose(Box<(Node, Node, Node)>),
    Coalesce(Vec<Node>),
    Each(Id, Box<(Node, Node)>),
    Lookup(u16, Box<(Node, Option<Node>)>),
    Link(u16, Box<Node>),
    Call(Id, Vec<Node>, Option<Box<Said>>),
}

/// What literal arguments of a call said.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) rounding: RoundingStrategy,
    pub(crate) format: Option<String>,
    pub(crate) zone: Option<TimeZone>,
}
