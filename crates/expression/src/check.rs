//! A tree to a program: names become slots, every part gets a type, and what may be null must be asked first.

mod call;
mod hint;
mod operator;
mod path;

use std::ops::Range;
use std::rc::Rc;

use crate::fault::Fault;
use crate::names::Names;
use crate::program::{Node, Op, Program};
use crate::tree::{self, Ast, Literal, What};
use crate::types::{Kind, Type};

/// Checks an expression against what its names are and what is wanted of it. Where nothing is known of that
/// (`None`), it may give anything that can stand outside: no reference, which is an id of this hub.
///
/// # Errors
/// Everything that is wrong with it, in the order it is found.
pub fn compile(ast: &Ast, names: &mut dyn Names, wanted: Option<&Type>) -> Result<Program, Vec<Fault>> {
    let mut checker = Checker { names, uses: Vec::new(), item: None, faults: Vec::new() };
    let root = checker.check(&ast.root, Known::default());
    if let Some(root) = root
        && checker.result(&root, &ast.root.at, wanted)
        && checker.faults.is_empty()
    {
        return Ok(Program { root: root.node, ty: root.ty, uses: checker.uses });
    }
    Err(checker.faults)
}

/// Which inputs are known not to be null: a bit for each, by its place in `uses`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Known(u32);

impl Known {
    fn both(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn either(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    fn has(self, place: usize) -> bool {
        self.0 >> place & 1 == 1
    }

    fn one(place: usize) -> Self {
        Self(1 << place)
    }
}

/// A part that was checked.
struct Checked {
    node: Node,
    ty: Type,
    /// What is known when it is true, and when it is false.
    yes: Known,
    no: Known,
    /// Its place in `uses`, when it is an input itself.
    input: Option<usize>,
    /// The closed list of its texts.
    choices: Option<Rc<Vec<String>>>,
}

impl Checked {
    fn new(at: u32, op: Op, ty: Type) -> Self {
        let node = Node { at, op };
        Self { node, ty, yes: Known::default(), no: Known::default(), input: None, choices: None }
    }

    fn knowing(mut self, yes: Known, no: Known) -> Self {
        (self.yes, self.no) = (yes, no);
        self
    }
}

/// What `all`, `exists`, `filter` or `map` calls the items it goes through.
struct Item {
    name: String,
    ty: Type,
}

struct Checker<'a> {
    names: &'a mut dyn Names,
    uses: Vec<u16>,
    item: Option<Item>,
    faults: Vec<Fault>,
}

impl Checker<'_> {
    /// `None`: something is wrong with it, and that was said.
    fn check(&mut self, node: &tree::Node, known: Known) -> Option<Checked> {
        match &node.what {
            What::Literal(literal) => Some(self.literal(node, literal)),
            What::List(items) => self.list(node, items, known),
            What::Name(_) | What::Select(..) | What::Index(..) => self.path(node, known),
            What::Call(call) => self.call(node, call, known),
            What::Not(inner) => {
                let checked = self.check(inner, known)?;
                self.require(&checked, &inner.at, &Type::of(Kind::Bool)).then_some(())?;
                let (yes, no) = (checked.no, checked.yes);
                let op = Op::Not(Box::new(checked.node));
                Some(Checked::new(node.at.start, op, Type::of(Kind::Bool)).knowing(yes, no))
            }
            What::Negative(inner) => self.negative(node, inner, known),
            What::Binary(operator, left, right) => self.binary(node, *operator, left, right, known),
            What::Choose(condition, yes, no) => self.choose(node, condition, yes, no, known),
        }
    }

    fn literal(&self, node: &tree::Node, literal: &Literal) -> Checked {
        let ty = match literal {
            Literal::Null => Type::of(Kind::Null).or_null(),
            Literal::Bool(_) => Type::of(Kind::Bool),
            Literal::Int(_) => Type::of(Kind::Int),
            Literal::Decimal(_) => Type::of(Kind::Decimal),
            Literal::Text(_) => Type::of(Kind::Text),
        };
        // What never happens may be taken to let know anything.
        let (yes, no) = match literal {
            Literal::Bool(true) => (Known::default(), Known(u32::MAX)),
            Literal::Bool(false) => (Known(u32::MAX), Known::default()),
            _ => Default::default(),
        };
        Checked::new(node.at.start, Op::Literal(literal.clone()), ty).knowing(yes, no)
    }

    fn list(&mut self, node: &tree::Node, items: &[tree::Node], known: Known) -> Option<Checked> {
        let mut item = Type::of(Kind::Null);
        let mut nodes = Vec::with_capacity(items.len());
        let mut fine = true;
        for part in items {
            let Some(checked) = self.check(part, known) else {
                fine = false;
                continue;
            };
            if matches!(checked.ty.kind, Kind::List(_)) {
                let hint = "lists hold texts, numbers, dates and times";
                self.fault(Fault::new(&part.at, "there are no lists in lists").hint(hint));
                fine = false;
            } else if let Some(joined) = item.join(&checked.ty) {
                item = joined;
                nodes.push(checked.node);
            } else {
                self.mismatch(&part.at, &Type { null: true, ..item.clone() }, &checked.ty);
                fine = false;
            }
        }
        fine.then(|| Checked::new(node.at.start, Op::List(nodes), Type::list(item)))
    }

    fn choose(
        &mut self,
        node: &tree::Node,
        condition: &tree::Node,
        yes: &tree::Node,
        no: &tree::Node,
        known: Known,
    ) -> Option<Checked> {
        let asked = self.check(condition, known);
        let asked = asked.filter(|asked| self.require(asked, &condition.at, &Type::of(Kind::Bool)));
        let (if_yes, if_no) = asked.as_ref().map_or(Default::default(), |asked| (asked.yes, asked.no));
        let left = self.check(yes, known.both(if_yes));
        let right = self.check(no, known.both(if_no));
        let (asked, left, right) = (asked?, left?, right?);
        let Some(ty) = left.ty.join(&right.ty) else {
            self.mismatch(&no.at, &Type { null: true, ..left.ty }, &right.ty);
            return None;
        };
        let when_true = if_yes.both(left.yes).either(if_no.both(right.yes));
        let when_false = if_yes.both(left.no).either(if_no.both(right.no));
        let op = Op::Choose(Box::new((asked.node, left.node, right.node)));
        Some(Checked::new(node.at.start, op, ty).knowing(when_true, when_false))
    }

    /// Whether it gives what is wanted.
    fn result(&mut self, root: &Checked, at: &Range<u32>, wanted: Option<&Type>) -> bool {
        let item = if let Kind::List(item) = &root.ty.kind { &item.kind } else { &root.ty.kind };
        match (wanted, item) {
            (Some(wanted), _) => self.require(root, at, wanted),
            (None, Kind::Ref(_)) => {
                let wanted = Type { kind: Kind::Text, ..root.ty.clone() };
                self.mismatch(at, &wanted, &root.ty);
                false
            }
            (None, _) => true,
        }
    }

    fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Whether a part is what is wanted. If not, that is said.
    fn require(&mut self, checked: &Checked, at: &Range<u32>, wanted: &Type) -> bool {
        let fits = checked.ty.fits(wanted);
        if !fits {
            self.mismatch(at, wanted, &checked.ty);
        }
        fits
    }

    fn mismatch(&mut self, at: &Range<u32>, wanted: &Type, found: &Type) {
        let fault = Fault::new(at, format!("expected {wanted}, found {found}"));
        self.fault(match hint::to_become(found, wanted) {
            Some(hint) => fault.hint(hint),
            None => fault,
        });
    }
}
