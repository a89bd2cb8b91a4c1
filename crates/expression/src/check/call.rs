//! Calls: which form of a function it is, and what its literal arguments mean.

use rust_decimal::RoundingStrategy;

use super::{Checked, Checker, Item, Known, hint};
use crate::fault::Fault;
use crate::function::{Arg, Form, Function, Gives, Id};
use crate::names::Unknown;
use crate::pattern::{self, Unusable};
use crate::program::{Op, Said};
use crate::tree::{self, Call, Literal, What};
use crate::types::{Kind, Type};

impl Checker<'_> {
    pub(super) fn call(&mut self, node: &tree::Node, call: &Call, known: Known) -> Option<Checked> {
        let Some(function) = Function::find(&call.name) else {
            let fault = Fault::new(&call.named, format!("there is no function `{}`", call.name));
            self.fault(fault.hint(hint::of_function(&call.name)));
            return None;
        };
        if function.each() {
            return self.each(call, function, known);
        }
        if call.receiver.is_some() && !function.method {
            let message = format!("`{}` does not stand after a value", call.name);
            self.fault(Fault::new(&call.named, message).hint(format!("write `{}(x)`", call.name)));
            return None;
        }
        let args: Vec<&tree::Node> = call.receiver.as_deref().into_iter().chain(&call.args).collect();
        let forms: Vec<&Form> =
            function.forms.iter().filter(|form| takes_as_many(form, args.len())).collect();
        let Some(form) = forms.first() else {
            let found = match args.len() {
                1 => "1 argument".to_owned(),
                many => format!("{many} arguments"),
            };
            let fault = Fault::new(&node.at, format!("`{}` does not take {found}", call.name));
            self.fault(fault.hint(usage(function)));
            return None;
        };
        match (form.id, args.as_slice()) {
            (Id::Has, [path]) => self.has(call, path),
            (Id::Coalesce, args) => self.coalesce(call, args, known),
            (Id::Link, [record, object]) => self.link(call, record, object, known),
            (Id::Lookup, [table, from, to, key, rest @ ..]) => {
                let names = [self.said(table), self.said(from), self.said(to)];
                self.lookup(call, [table, to], names, (key, rest.first().copied()), known)
            }
            (_, args) => self.plain(call, function, &forms, args, known),
        }
    }

    fn has(&mut self, call: &Call, path: &tree::Node) -> Option<Checked> {
        if let (What::Name(name), Some(item)) = (&path.what, &self.item)
            && *name == item.name
        {
            let hint = format!("ask `{name} != null`");
            self.fault(Fault::new(&path.at, "`has` asks whether an input is there").hint(hint));
            return None;
        }
        let (input, place) = self.input(path)?;
        let op = Op::Has(input.slot);
        let checked = Checked::new(call.named.start, op, Type::of(Kind::Bool));
        Some(checked.knowing(Known::one(place), Known::default()))
    }

    fn coalesce(&mut self, call: &Call, args: &[&tree::Node], known: Known) -> Option<Checked> {
        let checked: Vec<Option<Checked>> = args.iter().map(|arg| self.check(arg, known)).collect();
        let checked: Vec<Checked> = checked.into_iter().collect::<Option<_>>()?;
        let mut ty = Type::of(Kind::Null);
        let mut null = true;
        for (part, arg) in checked.iter().zip(args) {
            let Some(joined) = ty.join(&part.ty) else {
                self.mismatch(&arg.at, &Type { null: true, ..ty }, &part.ty);
                return None;
            };
            ty = joined;
            null &= part.ty.null;
        }
        let nodes = checked.into_iter().map(|part| part.node).collect();
        Some(Checked::new(call.named.start, Op::Coalesce(nodes), Type { null, ..ty }))
    }

    fn link(
        &mut self,
        call: &Call,
        record: &tree::Node,
        object: &tree::Node,
        known: Known,
    ) -> Option<Checked> {
        let object = self.said(object);
        let of = self.check(record, known)?;
        let (Kind::Ref(entity), Op::Input(slot, _)) = (&of.ty.kind, &of.node.op) else {
            let message = format!("expected an input that refers to a record, found {}", of.ty);
            self.fault(Fault::new(&record.at, message));
            return None;
        };
        let wanted = Type { null: false, ..of.ty.clone() };
        if !self.require(&of, &record.at, &wanted) {
            return None;
        }
        match self.names.link(*slot, entity, &object?) {
            Ok(link) => {
                let op = Op::Link(link, Box::new(of.node));
                Some(Checked::new(call.named.start, op, Type::of(Kind::Text)))
            }
            Err(Unknown { message, hint }) => {
                let at = call.args.last().map_or(record.at.clone(), |object| object.at.clone());
                self.fault(Fault { at, message, hint });
                None
            }
        }
    }

    /// `ends` are where the three names start and end.
    fn lookup(
        &mut self,
        call: &Call,
        ends: [&tree::Node; 2],
        names: [Option<String>; 3],
        (key, default): (&tree::Node, Option<&tree::Node>),
        known: Known,
    ) -> Option<Checked> {
        let text = Type::of(Kind::Text);
        let looked = self.check(key, known);
        let looked = looked.filter(|looked| self.require(looked, &key.at, &text));
        let otherwise = match default {
            None => None,
            Some(node) => {
                let checked = self.check(node, known)?;
                self.require(&checked, &node.at, &text.clone().or_null()).then_some(())?;
                Some(checked)
            }
        };
        let [Some(table), Some(from), Some(to)] = names else { return None };
        let slot = match self.names.table(&table, &from, &to) {
            Ok(slot) => slot,
            Err(Unknown { message, hint }) => {
                let [first, last] = ends;
                self.fault(Fault { at: first.at.start..last.at.end, message, hint });
                return None;
            }
        };
        let ty = Type { null: otherwise.as_ref().is_some_and(|checked| checked.ty.null), ..text };
        let parts = (looked?.node, otherwise.map(|checked| checked.node));
        Some(Checked::new(call.named.start, Op::Lookup(slot, Box::new(parts)), ty))
    }

    /// `list.map(x, …)` and its like.
    fn each(&mut self, call: &Call, function: &Function, known: Known) -> Option<Checked> {
        let (Some(list), [name, body]) = (call.receiver.as_deref(), call.args.as_slice()) else {
            let fault = Fault::new(&call.named, format!("`{}` goes through a list, item by item", call.name));
            let hint = match (function.name, call.args.len()) {
                ("map", 3) if call.receiver.is_some() => {
                    "filter first: `xs.filter(x, …).map(x, …)`".to_owned()
                }
                (name, _) => format!("write `xs.{name}(x, …)`"),
            };
            self.fault(fault.hint(hint));
            return None;
        };
        if self.item.is_some() {
            let fault = Fault::new(&call.named, format!("`{}` stands inside of another", call.name));
            self.fault(fault.hint("one level only: what takes a table of cases is a lookup table"));
            return None;
        }
        let What::Name(name) = &name.what else {
            let fault = Fault::new(&name.at, "expected a name for the items");
            self.fault(fault.hint(format!("write `xs.{}(x, …)`", call.name)));
            return None;
        };
        let through = self.check(list, known)?;
        let Some(item) = item_of(&through.ty) else {
            let wanted = Type::list(Type::of(Kind::Text));
            self.mismatch(&list.at, &wanted, &through.ty);
            return None;
        };
        self.item = Some(Item { name: name.clone(), ty: item.clone() });
        let inner = self.check(body, known);
        self.item = None;
        let inner = inner?;
        let id = function.forms.first().map_or(Id::Map, |form| form.id);
        let ty = match id {
            Id::Map if matches!(inner.ty.kind, Kind::List(_)) => {
                let fault = Fault::new(&body.at, "there are no lists in lists");
                self.fault(fault.hint("`join(xs, \", \")` makes one text of many, `first(xs)` takes one"));
                return None;
            }
            Id::Map => Type::list(inner.ty.clone()),
            _ if !self.require(&inner, &body.at, &Type::of(Kind::Bool)) => return None,
            Id::Filter => Type::list(item),
            _ => Type::of(Kind::Bool),
        };
        Some(Checked::new(call.named.start, Op::Each(id, Box::new((through.node, inner.node))), ty))
    }

    /// A function whose arguments are values and literals.
    fn plain(
        &mut self,
        call: &Call,
        function: &Function,
        forms: &[&Form],
        args: &[&tree::Node],
        known: Known,
    ) -> Option<Checked> {
        let mut values: Vec<(&tree::Node, Option<Checked>)> = Vec::new();
        let mut literals = Vec::new();
        for (k, arg) in args.iter().enumerate() {
            match forms.first().and_then(|form| form.takes.get(k)) {
                Some(Arg::Said(name)) => literals.push((*arg, *name, self.said(arg))),
                _ => values.push((arg, self.check(arg, known))),
            }
        }
        let values: Vec<(&tree::Node, Checked)> =
            values.into_iter().map(|(node, checked)| Some((node, checked?))).collect::<Option<_>>()?;
        let Some(form) = forms.iter().find(|form| misfit(form, &values).is_none()) else {
            self.no_form(function, forms, &values);
            return None;
        };
        let said = if literals.is_empty() { None } else { Some(Box::new(self.meaning(form.id, &literals)?)) };
        let ty = gives(form.gives, &values);
        let nodes = values.into_iter().map(|(_, checked)| checked.node).collect();
        Some(Checked::new(call.named.start, Op::Call(form.id, nodes, said), ty))
    }

    /// Says why no form takes these values: by the one that takes most of them.
    fn no_form(&mut self, function: &Function, forms: &[&Form], values: &[(&tree::Node, Checked)]) {
        let place = forms.iter().filter_map(|form| misfit(form, values)).max().unwrap_or_default();
        let near: Vec<Arg> = forms
            .iter()
            .filter(|form| misfit(form, values) == Some(place))
            .filter_map(|form| valued(form).nth(place))
            .collect();
        let Some((node, checked)) = values.get(place) else { return };
        let by_kind = near.iter().filter_map(|arg| wanted(*arg)).find(|ty| checked.ty.kind.fits(&ty.kind));
        let only = (near.len() == 1).then(|| near.first().and_then(|arg| wanted(*arg))).flatten();
        if let Some(wanted) = by_kind.or(only) {
            self.mismatch(&node.at, &wanted, &checked.ty);
            return;
        }
        let names: Vec<String> = near.iter().map(ToString::to_string).collect();
        let names = names.join(" or ");
        let message = format!("`{}` takes {names}, found {}", function.name, checked.ty);
        self.fault(Fault::new(&node.at, message).hint(usage(function)));
    }

    /// A text that is written out.
    fn said(&mut self, node: &tree::Node) -> Option<String> {
        if let What::Literal(Literal::Text(text)) = &node.what {
            return Some(text.clone());
        }
        let fault = Fault::new(&node.at, "this must be a text that is written out");
        self.fault(fault.hint("it is checked before anything runs: put it in quotes"));
        None
    }

    /// What the literals of a call mean.
    fn meaning(&mut self, id: Id, literals: &[(&tree::Node, &str, Option<String>)]) -> Option<Said> {
        let mut said = Said { rounding: RoundingStrategy::MidpointNearestEven, format: None, zone: None };
        let zoned = literals.len() > 1;
        let mut fine = true;
        for (node, name, text) in literals {
            let text = text.as_deref()?;
            let unusable = match *name {
                "zone" => pattern::zone(text).map(|zone| said.zone = Some(zone)),
                "format" => {
                    said.format = Some(text.to_owned());
                    match id {
                        Id::ParseDate => pattern::reads_dates(text),
                        Id::ParseTime => pattern::reads_times(text, zoned).map(|_| ()),
                        _ => pattern::writes(text, id == Id::FormatTime),
                    }
                }
                _ => rounding(text).map(|rounding| said.rounding = rounding),
            };
            if let Err(Unusable { message, hint }) = unusable {
                self.fault(Fault::new(&node.at, message).hint(hint));
                fine = false;
            }
        }
        fine.then_some(said)
    }
}

fn rounding(text: &str) -> Result<RoundingStrategy, Unusable> {
    match text {
        "half_even" => Ok(RoundingStrategy::MidpointNearestEven),
        "half_up" => Ok(RoundingStrategy::MidpointAwayFromZero),
        _ => Err(Unusable {
            message: format!("there is no rounding `{text}`"),
            hint: canonical::suggest::hint(text, ["half_even", "half_up"]),
        }),
    }
}

fn usage(function: &Function) -> String {
    format!("it is {}", function.signatures().join(", or "))
}

fn takes_as_many(form: &Form, count: usize) -> bool {
    match form.takes.split_last() {
        Some((Arg::More, rest)) => count > rest.len(),
        _ => form.takes.len() == count,
    }
}

/// What a form takes besides literals.
fn valued(form: &Form) -> impl Iterator<Item = Arg> {
    form.takes.iter().copied().filter(|arg| !matches!(arg, Arg::Said(_)))
}

/// The first value that a form does not take.
fn misfit(form: &Form, values: &[(&tree::Node, Checked)]) -> Option<usize> {
    valued(form).zip(values).position(|(arg, (_, checked))| !takes(arg, &checked.ty))
}

fn takes(arg: Arg, ty: &Type) -> bool {
    match (arg, item_of(ty)) {
        (Arg::List, item) => item.is_some(),
        (Arg::Ordered, item) => item.is_some_and(|item| {
            let ordered = !matches!(item.kind, Kind::Bool | Kind::Ref(_) | Kind::List(_));
            ordered && !item.null
        }),
        (arg, _) => wanted(arg).is_some_and(|wanted| ty.fits(&wanted)),
    }
}

/// The type of an argument, when there is one.
fn wanted(arg: Arg) -> Option<Type> {
    Some(Type::of(match arg {
        Arg::Int => Kind::Int,
        Arg::Decimal => Kind::Decimal,
        Arg::Text => Kind::Text,
        Arg::Bool => Kind::Bool,
        Arg::Date => Kind::Date,
        Arg::Time => Kind::Time,
        Arg::TextOrNull => return Some(Type::of(Kind::Text).or_null()),
        Arg::Texts => return Some(Type::list(Type::of(Kind::Text).or_null())),
        _ => return None,
    }))
}

fn item_of(ty: &Type) -> Option<Type> {
    match &ty.kind {
        Kind::List(item) if !ty.null => Some((**item).clone()),
        _ => None,
    }
}

fn gives(gives: Gives, values: &[(&tree::Node, Checked)]) -> Type {
    let first = values.first().map_or(Type::of(Kind::Null), |(_, checked)| checked.ty.clone());
    Type::of(match gives {
        Gives::Bool => Kind::Bool,
        Gives::Int => Kind::Int,
        Gives::Decimal => Kind::Decimal,
        Gives::Text => Kind::Text,
        Gives::Date => Kind::Date,
        Gives::Time => Kind::Time,
        Gives::Texts => return Type::list(Type::of(Kind::Text)),
        Gives::ItemOrNull => return item_of(&first).unwrap_or(first).or_null(),
        Gives::Joined | Gives::List | Gives::Bodies => return first,
    })
}
