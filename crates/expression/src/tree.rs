//! An expression as it was read, before anything is known of its names.

use std::collections::BTreeSet;
use std::ops::Range;

use canonical::Decimal;

/// What [`crate::parse`] makes of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Ast {
    pub(crate) root: Node,
}

impl Ast {
    /// The tables that it looks up in, by name: all that a `lookup` writes out. Nothing is checked yet.
    #[must_use]
    pub fn tables(&self) -> BTreeSet<&str> {
        let mut tables = BTreeSet::new();
        self.root.tables(&mut tables);
        tables
    }
}

impl Node {
    fn tables<'a>(&'a self, into: &mut BTreeSet<&'a str>) {
        match &self.what {
            What::Literal(_) | What::Name(_) => {}
            What::List(items) => items.iter().for_each(|item| item.tables(into)),
            What::Select(inner, _) | What::Not(inner) | What::Negative(inner) => inner.tables(into),
            What::Index(left, right) | What::Binary(_, left, right) => {
                left.tables(into);
                right.tables(into);
            }
            What::Choose(condition, yes, no) => {
                [condition, yes, no].into_iter().for_each(|part| part.tables(into));
            }
            What::Call(call) => {
                if let (Some(What::Literal(Literal::Text(table))), "lookup") =
                    (call.args.first().map(|arg| &arg.what), call.name.as_str())
                {
                    into.insert(table);
                }
                call.receiver.iter().for_each(|receiver| receiver.tables(into));
                call.args.iter().for_each(|arg| arg.tables(into));
            }
        }
    }
}

/// One part, and the characters it was read from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) at: Range<u32>,
    pub(crate) what: What,
}

/// What a part is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum What {
    Literal(Literal),
    List(Vec<Node>),
    Name(String),
    Select(Box<Node>, String),
    Index(Box<Node>, Box<Node>),
    Call(Call),
    Not(Box<Node>),
    Negative(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
    Choose(Box<Node>, Box<Node>, Box<Node>),
}

/// A value that stands in the expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Decimal(Decimal),
    Text(String),
}

/// `name(args)`, or `receiver.name(args)`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// Where the name stands.
    pub(crate) named: Range<u32>,
    pub(crate) receiver: Option<Box<Node>>,
    pub(crate) args: Vec<Node>,
}

/// An operator between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operator {
    /// As it is written.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Or => "||",
            Self::And => "&&",
            Self::Equal => "==",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
            Self::In => "in",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }

    /// How strongly it binds, from 1; all bind to the left.
    pub(crate) fn strength(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal | Self::Unequal | Self::Less | Self::AtMost => 3,
            Self::More | Self::AtLeast | Self::In => 3,
            Self::Add | Self::Subtract => 4,
            Self::Multiply | Self::Divide | Self::Remainder => 5,
        }
    }
}
