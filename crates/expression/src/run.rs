//! Evaluation: every part that is reached is a step, and what stops says where, never with which value.

mod date;
mod list;
mod number;
mod text;

use std::cmp::Ordering;

use canonical::value::decimal_of;
use serde_json::Value;

use crate::budget::Budget;
use crate::function::Id;
use crate::names::{Inputs, Seen};
use crate::program::{Cause, Node, Op, Outcome, Program, Said, Stop};
use crate::tree::{Literal, Operator};
use crate::types::Type;
use crate::value::{Text, Val};

impl Program {
    /// Evaluates it. The same inputs give the same outcome, at any time and on any machine.
    ///
    /// # Errors
    /// When a value cannot be had: a text that is no number, a division by zero, a table without the key, a budget
    /// that is used up.
    pub fn run(&self, inputs: &dyn Inputs, budget: &mut Budget) -> Result<Outcome, Stop> {
        let mut run = Run { inputs, budget, item: None };
        let written = run.eval(&self.root).and_then(|value| {
            let written = value.write(run.budget);
            written.map_err(|why| End::Stop(Stop { at: self.root.at, why }))
        });
        match written {
            Ok(value) => Ok(Outcome::Value(value)),
            Err(End::Missing) => Ok(Outcome::Missing),
            Err(End::Stop(stop)) => Err(stop),
        }
    }
}

/// Why there is no value.
enum End {
    Missing,
    Stop(Stop),
}

struct Run<'a, 'b> {
    inputs: &'a dyn Inputs,
    budget: &'b mut Budget,
    item: Option<Val<'a>>,
}

impl<'a> Run<'a, '_> {
    fn eval(&mut self, node: &'a Node) -> Result<Val<'a>, End> {
        let at = |why| End::Stop(Stop { at: node.at, why });
        self.budget.step(1).map_err(at)?;
        Ok(match &node.op {
            Op::Literal(literal) => literal_value(literal),
            Op::Input(slot, ty) => self.input(*slot, ty).map_err(at)?.ok_or(End::Missing)?,
            Op::Item => self.item.clone().ok_or_else(|| at(Cause::Kind))?,
            Op::Has(slot) => Val::Bool(matches!(self.inputs.input(*slot), Seen::Value(v) if !v.is_null())),
            Op::List(nodes) => {
                self.budget.list(nodes.len()).map_err(at)?;
                Val::List(nodes.iter().map(|node| self.eval(node)).collect::<Result<_, _>>()?)
            }
            Op::Not(inner) => Val::Bool(!self.flag(inner)?),
            Op::Negative(inner) => number::negative(self.eval(inner)?).map_err(at)?,
            Op::Binary(Operator::And, sides) => Val::Bool(self.flag(&sides.0)? && self.flag(&sides.1)?),
            Op::Binary(Operator::Or, sides) => Val::Bool(self.flag(&sides.0)? || self.flag(&sides.1)?),
            Op::Binary(operator, sides) => {
                let (left, right) = (self.eval(&sides.0)?, self.eval(&sides.1)?);
                self.operate(*operator, left, right).map_err(at)?
            }
            Op::Choose(parts) => {
                let chosen = if self.flag(&parts.0)? { &parts.1 } else { &parts.2 };
                self.eval(chosen)?
            }
            Op::Coalesce(nodes) => {
                for node in nodes {
                    match self.eval(node)? {
                        Val::Null => {}
                        found => return Ok(found),
                    }
                }
                Val::Null
            }
            Op::Each(id, parts) => self.each(*id, &parts.0, &parts.1)?,
            Op::Lookup(slot, parts) => {
                let key = self.eval(&parts.0)?.text().map_err(at)?;
                match (self.inputs.lookup(*slot, &key), &parts.1) {
                    (Some(found), _) => Val::Text(Text::Lent(found)),
                    (None, Some(default)) => self.eval(default)?,
                    (None, None) => return Err(at(Cause::Unmapped)),
                }
            }
            Op::Link(slot, of) => {
                let record = self.eval(of)?.text().map_err(at)?;
                let found = self.inputs.link(*slot, &record).ok_or_else(|| at(Cause::Unlinked))?;
                Val::Text(Text::Lent(found))
            }
            Op::Call(id, nodes, said) => {
                let args = nodes.iter().map(|node| self.eval(node)).collect::<Result<Vec<_>, _>>()?;
                self.call(*id, args, said.as_deref()).map_err(at)?
            }
        })
    }

    fn flag(&mut self, node: &'a Node) -> Result<bool, End> {
        self.eval(node)?.flag().map_err(|why| End::Stop(Stop { at: node.at, why }))
    }

    /// `None`: it was never said.
    fn input(&mut self, slot: u16, ty: &Type) -> Result<Option<Val<'a>>, Cause> {
        match self.inputs.input(slot) {
            Seen::Missing => Ok(None),
            Seen::Value(value) => Val::read(value, ty, self.budget).map(Some),
        }
    }

    fn operate(&mut self, operator: Operator, left: Val<'a>, right: Val<'a>) -> Result<Val<'a>, Cause> {
        self.budget.read(left.size().saturating_add(right.size()))?;
        let order = || left.compare(&right).ok_or(Cause::Kind);
        Ok(Val::Bool(match operator {
            Operator::Equal => order()? == Ordering::Equal,
            Operator::Unequal => order()? != Ordering::Equal,
            Operator::Less => order()? == Ordering::Less,
            Operator::AtMost => order()? != Ordering::Greater,
            Operator::More => order()? == Ordering::Greater,
            Operator::AtLeast => order()? != Ordering::Less,
            Operator::In => {
                let items = right.list()?;
                self.budget.step(items.len())?;
                // Kinds agree, so the only thing that does not compare is null with something, which has an order.
                items.iter().any(|item| left.compare(item) == Some(Ordering::Equal))
            }
            operator => match (left, right) {
                (Val::Text(left), Val::Text(right)) if operator == Operator::Add => {
                    self.budget.produce(left.len().saturating_add(right.len()))?;
                    return Ok(Val::made(&[&*left, &*right].concat()));
                }
                (Val::Int(left), Val::Int(right)) => return number::whole(operator, left, right),
                (Val::Decimal(left), Val::Decimal(right)) => return number::exact(operator, left, right),
                _ => return Err(Cause::Kind),
            },
        }))
    }

    fn call(&mut self, id: Id, args: Vec<Val<'a>>, said: Option<&'a Said>) -> Result<Val<'a>, Cause> {
        self.budget.read(args.iter().fold(0, |sum, arg| arg.size().saturating_add(sum)))?;
        match id {
            Id::Trim | Id::Lower | Id::Upper | Id::Title | Id::Digits | Id::SizeText | Id::ToText => {
                text::of_one(id, one(args)?, self.budget)
            }
            Id::Contains | Id::StartsWith | Id::EndsWith | Id::Split | Id::Join => {
                let (first, second) = two(args)?;
                text::of_two(id, first, second, self.budget)
            }
            Id::Replace | Id::ParseBool | Id::PadLeft => {
                let [first, second, third] = args.try_into().map_err(|_| Cause::Kind)?;
                text::of_three(id, first, second, third, self.budget)
            }
            Id::Substring => text::substring(args, self.budget),
            Id::ParseInt => number::parse(&one(args)?.text()?).map(Val::Int),
            Id::ParseDecimal => {
                let text = one(args)?.text()?;
                plain_decimal(&text)
            }
            Id::WidenInt => Ok(Val::Decimal(one(args)?.int()?.into())),
            Id::ToInt => number::to_int(one(args)?.decimal()?).map(Val::Int),
            Id::Abs => number::absolute(one(args)?),
            Id::Min | Id::Max => {
                let (left, right) = two(args)?;
                let order = left.compare(&right).ok_or(Cause::Kind)?;
                let second = if id == Id::Min { order == Ordering::Greater } else { order == Ordering::Less };
                Ok(if second { right } else { left })
            }
            Id::Round | Id::Div => number::rounded(id, args, said.map(|said| said.rounding)),
            Id::SizeList | Id::Distinct | Id::Sort | Id::First => {
                list::whole(id, one(args)?.list()?, self.budget)
            }
            _ => date::call(id, args, said, self.budget),
        }
    }
}

fn literal_value(literal: &Literal) -> Val<'_> {
    match literal {
        Literal::Null => Val::Null,
        Literal::Bool(flag) => Val::Bool(*flag),
        Literal::Int(number) => Val::Int(*number),
        Literal::Decimal(number) => Val::Decimal(*number),
        Literal::Text(text) => Val::Text(Text::Lent(text)),
    }
}

/// A decimal that is written plainly: digits with at most one point and one sign, and no white space.
fn plain_decimal<'a>(text: &str) -> Result<Val<'a>, Cause> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let ends = digits.starts_with('.') || digits.ends_with('.') || digits.is_empty();
    if !plain || ends || digits.matches('.').count() > 1 {
        return Err(Cause::Form);
    }
    decimal_of(&Value::from(text)).map(Val::Decimal).ok_or(Cause::Range)
}

fn one<'a>(args: Vec<Val<'a>>) -> Result<Val<'a>, Cause> {
    args.into_iter().next().ok_or(Cause::Kind)
}

fn two<'a>(args: Vec<Val<'a>>) -> Result<(Val<'a>, Val<'a>), Cause> {
    let [first, second] = args.try_into().map_err(|_| Cause::Kind)?;
    Ok((first, second))
}
