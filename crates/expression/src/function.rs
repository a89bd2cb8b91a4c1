//! The closed set of functions, as data: the checker chooses by it, messages and documentation are made of it.

use std::fmt;

/// A function as people know it.
#[derive(Debug, PartialEq)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// Whether it may also stand after its first argument: `x.trim()`. As in CEL.
    pub method: bool,
    /// What it takes and gives, in each of its forms.
    pub forms: &'static [Form],
    /// What it does, in a line.
    pub about: &'static str,
    /// How it is used.
    pub example: &'static str,
    /// What the example gives, as JSON.
    pub gives: &'static str,
}

/// One way to call a function.
#[derive(Debug, PartialEq)]
pub struct Form {
    pub(crate) id: Id,
    /// What it takes, in order.
    pub takes: &'static [Arg],
    /// What it gives.
    pub gives: Gives,
}

/// What an argument must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arg {
    /// A whole number.
    Int,
    /// A decimal.
    Decimal,
    /// A text.
    Text,
    /// True or false.
    Bool,
    /// A day.
    Date,
    /// A moment.
    Time,
    /// Anything, null too.
    Any,
    /// As many of the kind of the one before as there are.
    More,
    /// A text, or null.
    TextOrNull,
    /// A list of texts, null items too.
    Texts,
    /// A list.
    List,
    /// A list of what has an order.
    Ordered,
    /// A path of an input.
    Path,
    /// A path of an input that refers to a record.
    Record,
    /// A text that is written out, called so.
    Said(&'static str),
    /// A name for the items of the list.
    Name,
    /// An expression on that name that is true or false.
    Condition,
    /// An expression on that name.
    Body,
}

/// What a function gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// A decimal.
    Decimal,
    /// A text.
    Text,
    /// A day.
    Date,
    /// A moment.
    Time,
    /// A list of texts.
    Texts,
    /// The type of its arguments: null only when all of them may be.
    Joined,
    /// The same list.
    List,
    /// A list of what the body gives.
    Bodies,
    /// An item, or null.
    ItemOrNull,
}

/// Which form it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Id {
    Has,
    Coalesce,
    Trim,
    Lower,
    Upper,
    Title,
    SizeText,
    SizeList,
    Contains,
    StartsWith,
    EndsWith,
    Replace,
    Substring,
    Split,
    Join,
    PadLeft,
    Digits,
    ToText,
    ParseInt,
    ParseDecimal,
    WidenInt,
    ParseBool,
    Round,
    Div,
    Abs,
    Min,
    Max,
    ToInt,
    ParseDate,
    ParseTime,
    FormatDate,
    FormatTime,
    DateIn,
    StartOf,
    AddDays,
    AddMonths,
    DaysBetween,
    Year,
    Month,
    Day,
    Weekday,
    EpochMs,
    FromEpochMs,
    All,
    Exists,
    Filter,
    Map,
    Distinct,
    Sort,
    First,
    Lookup,
    Link,
}

impl Function {
    /// The function of a name.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        FUNCTIONS.iter().find(|function| function.name == name)
    }

    /// Whether it goes through a list, item by item, and is written after it.
    #[must_use]
    pub fn each(&self) -> bool {
        self.forms.iter().any(|form| form.takes.contains(&Arg::Name))
    }

    /// How each form is written: `round(decimal, int, "mode") decimal`.
    #[must_use]
    pub fn signatures(&self) -> Vec<String> {
        self.forms.iter().map(|form| self.signature(form)).collect()
    }

    pub(crate) fn signature(&self, form: &Form) -> String {
        let args: Vec<String> = form.takes.iter().map(ToString::to_string).collect();
        match args.split_first() {
            Some((list, rest)) if self.each() => {
                format!("{list}.{}({}) {}", self.name, rest.join(", "), form.gives)
            }
            _ => format!("{}({}) {}", self.name, args.join(", "), form.gives),
        }
    }
}

impl fmt::Display for Arg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Int => "int",
            Self::Decimal => "decimal",
            Self::Text => "text",
            Self::Bool => "bool",
            Self::Date => "date",
            Self::Time => "time",
            Self::Any => "T?",
            Self::More => "…",
            Self::TextOrNull => "text?",
            Self::Texts => "list(text?)",
            Self::List | Self::Ordered => "list(T)",
            Self::Path => "path",
            Self::Record => "path of a ref",
            Self::Name => "x",
            Self::Condition => "bool",
            Self::Body => "U",
            Self::Said(name) => return write!(f, "\"{name}\""),
        })
    }
}

impl fmt::Display for Gives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Int => "int",
            Self::Decimal => "decimal",
            Self::Text => "text",
            Self::Bool => "bool",
            Self::Date => "date",
            Self::Time => "time",
            Self::Texts => "list(text)",
            Self::Joined => "T",
            Self::List => "list(T)",
            Self::Bodies => "list(U)",
            Self::ItemOrNull => "T?",
        })
    }
}

const fn form(id: Id, takes: &'static [Arg], gives: Gives) -> Form {
    Form { id, takes, gives }
}

/// One function: its name, whether it is a method too, its forms, what it does, an example and what that gives.
const fn function(
    name: &'static str,
    method: bool,
    forms: &'static [Form],
    about: &'static str,
    example: &'static str,
    gives: &'static str,
) -> Function {
    Function { name, method, forms, about, example, gives }
}

mod table;
pub use table::FUNCTIONS;
