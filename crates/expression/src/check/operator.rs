//! Operators: both sides are of one kind, and not null where that has no meaning.

use std::ops::Range;

use canonical::suggest;

use super::{Checked, Checker, Known};
use crate::fault::Fault;
use crate::program::Op;
use crate::tree::{self, Literal, Operator, What};
use crate::types::{Kind, Type};

impl Checker<'_> {
    pub(super) fn negative(
        &mut self,
        node: &tree::Node,
        inner: &tree::Node,
        known: Known,
    ) -> Option<Checked> {
        let checked = self.check(inner, known)?;
        let kinds = [Kind::Int, Kind::Decimal];
        self.one_of(&checked, &inner.at, &kinds, "-")?;
        Some(Checked::new(node.at.start, Op::Negative(Box::new(checked.node)), checked.ty))
    }

    pub(super) fn binary(
        &mut self,
        node: &tree::Node,
        operator: Operator,
        left: &tree::Node,
        right: &tree::Node,
        known: Known,
    ) -> Option<Checked> {
        if matches!(operator, Operator::And | Operator::Or) {
            return self.logic(node, operator, left, right, known);
        }
        let a = self.check(left, known);
        let b = self.check(right, known);
        let (a, b) = (a?, b?);
        match operator {
            Operator::Equal | Operator::Unequal => self.equality(node, operator, (left, a), (right, b)),
            Operator::In => self.membership(node, (left, a), (right, b)),
            Operator::Less | Operator::AtMost | Operator::More | Operator::AtLeast => {
                let kinds = [Kind::Int, Kind::Decimal, Kind::Text, Kind::Date, Kind::Time];
                self.same(operator, &kinds, (left, &a), (right, &b))?;
                Some(pair(node, operator, a, b, Type::of(Kind::Bool)))
            }
            _ => {
                let kinds: &[Kind] = match operator {
                    Operator::Add => &[Kind::Int, Kind::Decimal, Kind::Text],
                    Operator::Divide | Operator::Remainder => &[Kind::Int],
                    _ => &[Kind::Int, Kind::Decimal],
                };
                self.same(operator, kinds, (left, &a), (right, &b))?;
                let ty = a.ty.clone();
                Some(pair(node, operator, a, b, ty))
            }
        }
    }

    /// What the left side lets know holds on the right.
    fn logic(
        &mut self,
        node: &tree::Node,
        operator: Operator,
        left: &tree::Node,
        right: &tree::Node,
        known: Known,
    ) -> Option<Checked> {
        let wanted = Type::of(Kind::Bool);
        let and = operator == Operator::And;
        let a = self.check(left, known);
        let a = a.filter(|a| self.require(a, &left.at, &wanted));
        let passing = a.as_ref().map_or(Known::default(), |a| if and { a.yes } else { a.no });
        let b = self.check(right, known.both(passing));
        let b = b.filter(|b| self.require(b, &right.at, &wanted));
        let (a, b) = (a?, b?);
        let (yes, no) = if and {
            (a.yes.both(b.yes), a.no.either(a.yes.both(b.no)))
        } else {
            (a.yes.either(a.no.both(b.yes)), a.no.both(b.no))
        };
        Some(pair(node, operator, a, b, wanted).knowing(yes, no))
    }

    fn equality(
        &mut self,
        node: &tree::Node,
        operator: Operator,
        (left, a): (&tree::Node, Checked),
        (right, b): (&tree::Node, Checked),
    ) -> Option<Checked> {
        if a.ty.join(&b.ty).is_none() {
            self.two_kinds((left, &a), (right, &b));
            return None;
        }
        self.choice(&a, right);
        self.choice(&b, left);
        let asked = match (&a.ty.kind, &b.ty.kind) {
            (_, Kind::Null) => a.input,
            (Kind::Null, _) => b.input,
            _ => None,
        };
        let there = asked.map_or(Known::default(), Known::one);
        let (yes, no) = match operator {
            Operator::Equal => (Known::default(), there),
            _ => (there, Known::default()),
        };
        Some(pair(node, operator, a, b, Type::of(Kind::Bool)).knowing(yes, no))
    }

    fn membership(
        &mut self,
        node: &tree::Node,
        (left, a): (&tree::Node, Checked),
        (right, b): (&tree::Node, Checked),
    ) -> Option<Checked> {
        let Kind::List(item) = &b.ty.kind else {
            let fault = Fault::new(&right.at, format!("expected a list, found {}", b.ty));
            let hint =
                if b.ty.kind == Kind::Text { "use `contains(text, part)`" } else { "write `x in [a, b]`" };
            self.fault(fault.hint(hint));
            return None;
        };
        if b.ty.null {
            let wanted = Type { null: false, ..b.ty.clone() };
            self.mismatch(&right.at, &wanted, &b.ty);
            return None;
        }
        if item.join(&a.ty).is_none() {
            self.mismatch(&left.at, item, &a.ty);
            return None;
        }
        if let What::List(items) = &right.what {
            for item in items {
                self.choice(&a, item);
            }
        }
        Some(pair(node, Operator::In, a, b, Type::of(Kind::Bool)))
    }

    /// A text that is none of the choices of the input beside it would never be equal to it.
    fn choice(&mut self, input: &Checked, literal: &tree::Node) {
        let (Some(choices), What::Literal(Literal::Text(text))) = (&input.choices, &literal.what) else {
            return;
        };
        if !choices.contains(text) {
            let message = format!("{text:?} is none of the values that this input has");
            let hint = suggest::hint(text, choices.iter().map(String::as_str));
            self.fault(Fault::new(&literal.at, message).hint(hint));
        }
    }

    /// Two sides that are of one of these kinds, the same, and not null.
    fn same(
        &mut self,
        operator: Operator,
        kinds: &[Kind],
        (left, a): (&tree::Node, &Checked),
        (right, b): (&tree::Node, &Checked),
    ) -> Option<()> {
        let first = self.one_of(a, &left.at, kinds, operator.sign());
        let second = self.one_of(b, &right.at, kinds, operator.sign());
        first?;
        second?;
        if a.ty.kind == b.ty.kind {
            return Some(());
        }
        self.two_kinds((left, a), (right, b));
        None
    }

    /// The side that can become like the other is the one that is pointed at: else the right one.
    fn two_kinds(&mut self, (left, a): (&tree::Node, &Checked), (right, b): (&tree::Node, &Checked)) {
        if (&a.ty.kind, &b.ty.kind) == (&Kind::Int, &Kind::Decimal) {
            self.mismatch(&left.at, &b.ty, &a.ty);
        } else {
            self.mismatch(&right.at, &a.ty, &b.ty);
        }
    }

    fn one_of(&mut self, checked: &Checked, at: &Range<u32>, kinds: &[Kind], sign: &str) -> Option<()> {
        let found = &checked.ty;
        if kinds.contains(&found.kind) {
            let wanted = Type { null: false, ..found.clone() };
            return self.require(checked, at, &wanted).then_some(());
        }
        let names: Vec<String> = kinds.iter().map(ToString::to_string).collect();
        let message = format!("`{sign}` takes {}, found {found}", names.join(" or "));
        let fault = Fault::new(at, message);
        self.fault(match (&found.kind, sign) {
            (Kind::Decimal, "/") => fault.hint("decimals are divided by `div(a, b, digits)`"),
            (Kind::Date, "+" | "-") => fault.hint("use `add_days`, `add_months` or `days_between`"),
            (Kind::Time, "+" | "-") => fault.hint("use `from_epoch_ms(epoch_ms(x) + 1000)`"),
            (Kind::Bool, "+") => fault.hint("`text(x)` makes a text of it"),
            (Kind::List(_), "+") => fault.hint("`join(xs, \", \")` makes one text of many"),
            _ => fault,
        });
        None
    }
}

fn pair(node: &tree::Node, operator: Operator, a: Checked, b: Checked, ty: Type) -> Checked {
    Checked::new(node.at.start, Op::Binary(operator, Box::new((a.node, b.node))), ty)
}
