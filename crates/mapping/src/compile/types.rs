//! The types of a row: what each step takes and gives, and what is lost on the way.

use canonical::Field;

use super::Fault;
use crate::shape::Shape;
use crate::source::{Equal, OnUnmapped, RowSource};
use crate::step::Step;

/// Follows a row from the system's side to the field.
pub(super) fn reading(
    row: &RowSource,
    steps: &[Step],
    first: usize,
    field: &Field,
    end: Shape,
) -> Result<(), Fault> {
    let mut at = if first > 0 { Shape::Text } else { Shape::Raw };
    let name = |k: usize| row.transform.get(k).map_or("", |transform| transform.name());
    for (k, step) in steps.iter().enumerate() {
        let (takes, gives) = step.read_shapes();
        if !at.fits(takes) {
            let message = format!("`{}` reads {takes}, but here it gets {at}", name(k + first));
            let hint = "each transform takes what the one before it gives: change their order, or drop one";
            return Err(Fault::new(format!("transform[{}]", k + first), message, hint));
        }
        at = gives;
    }
    if row.lookup.is_some() {
        if matches!(at, Shape::Raw | Shape::Text | Shape::Integer | Shape::Boolean) {
            return Ok(());
        }
        let hint = "a table holds texts: look up the value before it becomes something else";
        return Err(Fault::new("lookup", format!("it cannot look up {at}"), hint));
    }
    if at.fits(end) {
        return Ok(());
    }
    let last = steps.len() + first - 1;
    let message = format!("`{}` gives {at}, but `{field}` is {end}", name(last));
    let hint = match end.transform() {
        Some(wanted) if at == Shape::Text => format!("add `{wanted}` after it"),
        Some(wanted) => format!("use `{wanted}`, drop it, or make `{field}` {at} in the schema"),
        None => "drop it".to_owned(),
    };
    Err(Fault::new(format!("transform[{last}]"), message, hint))
}

/// Follows a row from the field to the system's side. `steps` come in the order they write, each with its place.
pub(super) fn writing(
    row: &RowSource,
    steps: &[(usize, Step)],
    field: &Field,
    start: Shape,
) -> Result<(), Fault> {
    let mut at = start;
    if let Some(used) = &row.lookup {
        if matches!(at, Shape::List | Shape::Number) {
            let hint = "a table holds single texts: map lists without a table";
            return Err(Fault::new("lookup", format!("it cannot look up {at}"), hint));
        }
        at = if used.on_unmapped == OnUnmapped::Pass { Shape::Raw } else { Shape::Text };
    }
    for (k, step) in steps {
        let (takes, gives) = step.write_shapes();
        if at.fits(takes) {
            at = gives;
            continue;
        }
        let name = row.transform.get(*k).map_or("", |transform| transform.name());
        let message = format!("`{name}` writes from {takes}, but here it gets {at}");
        let hint = match (at, takes) {
            (Shape::Number, Shape::Text) => "write the number `as: text`, or drop it".to_owned(),
            _ if at == start => format!("`{field}` is {at}: use a transform that writes that, or drop it"),
            _ => "each transform takes what the one before it gives: change their order, or drop one"
                .to_owned(),
        };
        return Err(Fault::new(format!("transform[{k}]"), message, hint));
    }
    Ok(())
}

/// What a row that goes both ways must say because its transforms lose something.
pub(super) fn losses(row: &RowSource, steps: &[Step], kind: Shape) -> Result<(), Fault> {
    let textual = matches!(kind, Shape::Text | Shape::Raw | Shape::List);
    let rounds = steps.iter().any(|step| step.loses() == Some(Equal::Rounded));
    let phones = steps.iter().any(|step| step.loses() == Some(Equal::Phone));
    match row.equal {
        Some(Equal::Rounded) if !rounds => {
            let hint = "drop it, or declare `round` or a format with fewer digits";
            return Err(Fault::new("equal", "nothing is rounded here", hint));
        }
        Some(Equal::Phone) if !phones => {
            let hint = "drop it, or read numbers with `{phone: {country: DE}}`";
            return Err(Fault::new("equal", "no telephone numbers are read here", hint));
        }
        Some(equal) if equal != Equal::Rounded && !textual => {
            let message = format!("`{}` compares texts, and this is {kind}", equal.as_str());
            return Err(Fault::new("equal", message, "drop it"));
        }
        _ => {}
    }
    if !(row.direction.reads() && row.direction.writes()) {
        return Ok(());
    }
    // What a table or another type is made of afterwards keeps nothing of case and white space.
    let kept = textual && row.lookup.as_ref().is_none_or(|used| used.on_unmapped == OnUnmapped::Pass);
    let loses = |what| kept && steps.iter().any(|step| step.loses() == Some(what));
    let needed = match (loses(Equal::CaseInsensitive), loses(Equal::Trimmed)) {
        _ if rounds => Equal::Rounded,
        // What a number is read from keeps neither case nor white space.
        _ if phones && kept => Equal::Phone,
        (true, true) => Equal::Folded,
        (true, false) => Equal::CaseInsensitive,
        (false, true) => Equal::Trimmed,
        (false, false) => return Ok(()),
    };
    if row.equal == Some(needed)
        || (row.equal == Some(Equal::Folded) && !matches!(needed, Equal::Rounded | Equal::Phone))
    {
        return Ok(());
    }
    // The first that does what the row does not declare.
    let undeclared = |step: &Step| step.loses().is_some_and(|lost| row.equal != Some(lost));
    let lossy = steps.iter().zip(&row.transform).find(|(step, _)| undeclared(step));
    let name = lossy.map_or("", |(_, transform)| transform.name());
    let message = format!("`{name}` loses something, so what is written may not come back as it was");
    let hint =
        format!("say when values count as the same: `equal: {}`, or use two one-way rows", needed.as_str());
    Err(Fault::new("equal", message, hint))
}
