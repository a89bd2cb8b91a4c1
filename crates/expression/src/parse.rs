//! Words to a tree, by the precedence of CEL. Bounded before it starts: length, depth, number of parts.

use std::ops::Range;

use crate::fault::Fault;
use crate::lex::{Lexeme, Word, words};
use crate::limits::{CHARACTERS_MAX, DEPTH_MAX, NODES_MAX};
use crate::tree::{Ast, Call, Literal, Node, Operator, What};

/// Reads an expression.
///
/// # Errors
/// When it is longer, deeper or larger than [`crate::limits`] allow, or is not written as one.
pub fn parse(text: &str) -> Result<Ast, Fault> {
    if text.chars().nth(CHARACTERS_MAX).is_some() {
        let end = u32::try_from(CHARACTERS_MAX).unwrap_or(u32::MAX);
        let message = format!("an expression has at most {CHARACTERS_MAX} characters");
        let hint = "use a lookup table for lists of cases, or several rows";
        return Err(Fault::new(&(end..end), message).hint(hint));
    }
    let words = words(text)?;
    let mut parser = Parser { words, at: 0, depth: 0, nodes: 0 };
    if parser.peek() == &Lexeme::End {
        return Err(Fault::new(&(0..0), "there is no expression"));
    }
    let root = parser.expression()?;
    match parser.peek() {
        Lexeme::End => Ok(Ast { root }),
        _ => Err(parser.unexpected("an operator, or the end")),
    }
}

/// Names of operators in other languages, and CEL's reserved words.
const NO_NAMES: [(&str, &str); 8] = [
    ("and", "use `&&`"),
    ("or", "use `||`"),
    ("not", "use `!`"),
    ("if", "use `condition ? this : that`"),
    ("then", "use `condition ? this : that`"),
    ("else", "use `condition ? this : that`"),
    ("for", "use `list.map(x, …)`"),
    ("let", "there are no variables: write the value where it is used"),
];

struct Parser {
    words: Vec<Word>,
    at: usize,
    depth: u32,
    nodes: u32,
}

impl Parser {
    fn peek(&self) -> &Lexeme {
        self.words.get(self.at).map_or(&Lexeme::End, |word| &word.what)
    }

    /// The characters of the word that is next.
    fn here(&self) -> Range<u32> {
        self.words.get(self.at).or(self.words.last()).map_or(0..0, |word| word.at.clone())
    }

    /// Where the word before ends.
    fn end(&self) -> u32 {
        self.at.checked_sub(1).and_then(|before| self.words.get(before)).map_or(0, |word| word.at.end)
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self.peek(), Lexeme::Sign(found) if *found == sign)
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = self.is(sign);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str, opened: &Range<u32>) -> Result<(), Fault> {
        if self.take(sign) {
            return Ok(());
        }
        if self.peek() == &Lexeme::End {
            return Err(Fault::new(opened, format!("nothing closes this: `{sign}` is missing")));
        }
        Err(self.unexpected(&format!("`{sign}`")))
    }

    fn unexpected(&self, wanted: &str) -> Fault {
        let found = match self.peek() {
            Lexeme::Name(name) => {
                let hint = NO_NAMES.iter().find(|(known, _)| known == name).map(|(_, hint)| *hint);
                let fault = Fault::new(&self.here(), format!("expected {wanted}, found `{name}`"));
                return hint.map_or(fault.clone(), |hint| fault.hint(hint));
            }
            Lexeme::Int(_) | Lexeme::Decimal(_) => "a number".to_owned(),
            Lexeme::Text(_) => "a text".to_owned(),
            Lexeme::Sign(sign) => format!("`{sign}`"),
            Lexeme::End => "the end".to_owned(),
        };
        Fault::new(&self.here(), format!("expected {wanted}, found {found}"))
    }

    fn node(&mut self, at: Range<u32>, what: What) -> Result<Node, Fault> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            let message = format!("an expression has at most {NODES_MAX} parts");
            return Err(Fault::new(&at, message).hint("use a lookup table, or several rows"));
        }
        Ok(Node { at, what })
    }

    /// One level deeper, for what stands inside something.
    fn inside<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.depth == DEPTH_MAX {
            let message = format!("this is nested more than {DEPTH_MAX} levels deep");
            return Err(Fault::new(&self.here(), message).hint("say it flatter, or in several rows"));
        }
        self.depth += 1;
        let found = read(self);
        self.depth -= 1;
        found
    }

    fn expression(&mut self) -> Result<Node, Fault> {
        let condition = self.binary(1)?;
        if !self.is("?") {
            return Ok(condition);
        }
        let mark = self.here();
        self.at += 1;
        let yes = self.inside(|parser| parser.binary(1))?;
        self.expect(":", &mark)?;
        let no = self.inside(Self::expression)?;
        let at = condition.at.start..no.at.end;
        self.node(at, What::Choose(Box::new(condition), Box::new(yes), Box::new(no)))
    }

    fn operator(&self) -> Option<Operator> {
        Some(match self.peek() {
            Lexeme::Name(name) if name == "in" => Operator::In,
            Lexeme::Sign(sign) => match *sign {
                "||" => Operator::Or,
                "&&" => Operator::And,
                "==" => Operator::Equal,
                "!=" => Operator::Unequal,
                "<" => Operator::Less,
                "<=" => Operator::AtMost,
                ">" => Operator::More,
                ">=" => Operator::AtLeast,
                "+" => Operator::Add,
                "-" => Operator::Subtract,
                "*" => Operator::Multiply,
                "/" => Operator::Divide,
                "%" => Operator::Remainder,
                _ => return None,
            },
            _ => return None,
        })
    }

    /// Operators that bind at least as strongly as `least`.
    fn binary(&mut self, least: u8) -> Result<Node, Fault> {
        let mut left = self.unary()?;
        while let Some(operator) = self.operator().filter(|operator| operator.strength() >= least) {
            self.at += 1;
            let right = self.binary(operator.strength() + 1)?;
            let at = left.at.start..right.at.end;
            left = self.node(at, What::Binary(operator, Box::new(left), Box::new(right)))?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Node, Fault> {
        let start = self.here();
        if self.take("!") {
            let inner = self.inside(Self::unary)?;
            return self.node(start.start..inner.at.end, What::Not(Box::new(inner)));
        }
        if !self.take("-") {
            return self.member();
        }
        if let Lexeme::Int(value) = *self.peek() {
            // The smallest whole number is one more below zero than the largest is above.
            let small = i64::try_from(value).map_or(i64::MIN, |value| -value);
            let at = start.start..self.here().end;
            self.at += 1;
            let literal = self.node(at, What::Literal(Literal::Int(small)))?;
            return self.members(literal);
        }
        if let Lexeme::Decimal(value) = *self.peek() {
            let at = start.start..self.here().end;
            self.at += 1;
            return self.node(at, What::Literal(Literal::Decimal(-value)));
        }
        let inner = self.inside(Self::unary)?;
        self.node(start.start..inner.at.end, What::Negative(Box::new(inner)))
    }

    fn member(&mut self) -> Result<Node, Fault> {
        let first = self.primary()?;
        self.members(first)
    }

    /// What follows a value: `.name`, `.name(…)`, `[…]`.
    fn members(&mut self, first: Node) -> Result<Node, Fault> {
        let mut left = first;
        loop {
            if self.is("[") {
                let opened = self.here();
                self.at += 1;
                let key = self.inside(Self::expression)?;
                self.expect("]", &opened)?;
                let at = left.at.start..self.end();
                left = self.node(at, What::Index(Box::new(left), Box::new(key)))?;
            } else if self.take(".") {
                left = self.selected(left)?;
            } else {
                return Ok(left);
            }
        }
    }

    fn selected(&mut self, left: Node) -> Result<Node, Fault> {
        let named = self.here();
        let name = match self.peek() {
            Lexeme::Name(name) if matches!(name.as_str(), "in" | "true" | "false" | "null") => {
                let hint = format!("write it in brackets: [\"{name}\"]");
                return Err(Fault::new(&named, format!("`{name}` is no name")).hint(hint));
            }
            Lexeme::Name(name) => name.clone(),
            Lexeme::Sign("?") => {
                let hint = "ask with `has(…)`, or use `coalesce(…)`";
                return Err(Fault::new(&named, "there are no optional values").hint(hint));
            }
            _ => return Err(self.unexpected("a name")),
        };
        self.at += 1;
        if !self.is("(") {
            return self.node(left.at.start..named.end, What::Select(Box::new(left), name));
        }
        let args = self.args()?;
        let at = left.at.start..self.end();
        self.node(at, What::Call(Call { name, named, receiver: Some(Box::new(left)), args }))
    }

    fn args(&mut self) -> Result<Vec<Node>, Fault> {
        let opened = self.here();
        self.at += 1;
        self.items(")", &opened)
    }

    /// Values with commas between, up to the sign that closes them.
    fn items(&mut self, close: &str, opened: &Range<u32>) -> Result<Vec<Node>, Fault> {
        let mut items = Vec::new();
        if self.take(close) {
            return Ok(items);
        }
        loop {
            items.push(self.inside(Self::expression)?);
            if self.take(",") {
                continue;
            }
            self.expect(close, opened)?;
            return Ok(items);
        }
    }

    fn primary(&mut self) -> Result<Node, Fault> {
        let at = self.here();
        let literal = match self.peek() {
            Lexeme::Int(value) => match i64::try_from(*value) {
                Ok(value) => Literal::Int(value),
                Err(_) => {
                    let fault = Fault::new(&at, "this whole number is too large");
                    return Err(fault.hint("at most 9223372036854775807"));
                }
            },
            Lexeme::Decimal(value) => Literal::Decimal(*value),
            Lexeme::Text(text) => Literal::Text(text.clone()),
            Lexeme::Name(name) => match name.as_str() {
                "null" => Literal::Null,
                "true" => Literal::Bool(true),
                "false" => Literal::Bool(false),
                "in" => return Err(self.unexpected("a value")),
                name if NO_NAMES.iter().any(|(known, _)| *known == name) => {
                    return Err(self.unexpected("a value"));
                }
                _ => return self.named(),
            },
            Lexeme::Sign("(") => {
                self.at += 1;
                let inner = self.inside(Self::expression)?;
                self.expect(")", &at)?;
                return Ok(Node { at: at.start..self.end(), ..inner });
            }
            Lexeme::Sign("[") => {
                self.at += 1;
                let items = self.items("]", &at)?;
                return self.node(at.start..self.end(), What::List(items));
            }
            Lexeme::Sign(".") => {
                let fault = Fault::new(&at, "nothing stands before this point");
                return Err(fault.hint("write `0.5`, or the root of the path: `record.name`"));
            }
            Lexeme::Sign(_) | Lexeme::End => return Err(self.unexpected("a value")),
        };
        self.at += 1;
        self.node(at, What::Literal(literal))
    }

    fn named(&mut self) -> Result<Node, Fault> {
        let named = self.here();
        let Lexeme::Name(name) = self.peek().clone() else { return Err(self.unexpected("a name")) };
        self.at += 1;
        if !self.is("(") {
            return self.node(named, What::Name(name));
        }
        let args = self.args()?;
        let at = named.start..self.end();
        self.node(at, What::Call(Call { name, named, receiver: None, args }))
    }
}
