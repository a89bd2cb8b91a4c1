//! Texts. What is made is paid for before it is made.

use crate::budget::Budget;
use crate::function::Id;
use crate::program::Cause;
use crate::value::{Text, Val};

pub(super) fn of_one<'a>(id: Id, value: Val<'a>, budget: &mut Budget) -> Result<Val<'a>, Cause> {
    if id == Id::ToText {
        return plain(value, budget);
    }
    let text = value.text()?;
    match id {
        Id::Trim => {
            let start = text.len() - text.trim_start().len();
            let end = start + text.trim().len();
            text.part(start..end, budget)
        }
        Id::Lower | Id::Upper | Id::Title => cased(id, &text, budget),
        Id::Digits => {
            budget.produce(text.len())?;
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            Ok(Val::made(&digits))
        }
        _ => Ok(Val::Int(i64::try_from(text.chars().count()).map_err(|_| Cause::Range)?)),
    }
}

/// Some characters grow when their case changes, so that the length is counted first.
fn cased<'a>(id: Id, text: &str, budget: &mut Budget) -> Result<Val<'a>, Cause> {
    let made = match id {
        Id::Lower => {
            budget.produce(bytes(text.chars().flat_map(char::to_lowercase)))?;
            text.to_lowercase()
        }
        Id::Upper => {
            budget.produce(bytes(text.chars().flat_map(char::to_uppercase)))?;
            text.to_uppercase()
        }
        _ => {
            budget.produce(bytes(titled(text)))?;
            titled(text).collect()
        }
    };
    Ok(Val::made(&made))
}

fn bytes(chars: impl Iterator<Item = char>) -> usize {
    chars.map(char::len_utf8).sum()
}

/// Each word with a capital first letter. Words end at white space and hyphens.
fn titled(text: &str) -> impl Iterator<Item = char> {
    let mut start = true;
    text.chars().flat_map(move |c| {
        let first = std::mem::replace(&mut start, c.is_whitespace() || c == '-');
        let (upper, lower) =
            if first { (Some(c.to_uppercase()), None) } else { (None, Some(c.to_lowercase())) };
        upper.into_iter().flatten().chain(lower.into_iter().flatten())
    })
}

/// The normal form of anything, as a text.
fn plain<'a>(value: Val<'a>, budget: &mut Budget) -> Result<Val<'a>, Cause> {
    let made = match value {
        Val::Int(number) => number.to_string(),
        Val::Decimal(number) => number.normalize().to_string(),
        Val::Bool(flag) => flag.to_string(),
        Val::Date(date) => date.to_string(),
        Val::Time(time) => time.to_string(),
        _ => return Err(Cause::Kind),
    };
    budget.produce(made.len())?;
    Ok(Val::made(&made))
}

pub(super) fn of_two<'a>(
    id: Id,
    first: Val<'a>,
    second: Val<'a>,
    budget: &mut Budget,
) -> Result<Val<'a>, Cause> {
    let second = second.text()?;
    if id == Id::Join {
        return join(&first.list()?, &second, budget);
    }
    let text = first.text()?;
    match id {
        Id::Contains => Ok(Val::Bool(text.contains(&*second))),
        Id::StartsWith => Ok(Val::Bool(text.starts_with(&*second))),
        Id::EndsWith => Ok(Val::Bool(text.ends_with(&*second))),
        _ => split(text, &second, budget),
    }
}

fn split<'a>(text: Text<'a>, separator: &str, budget: &mut Budget) -> Result<Val<'a>, Cause> {
    if separator.is_empty() {
        return Err(Cause::Form);
    }
    let parts = text.matches(separator).count() + 1;
    budget.step(parts)?;
    budget.list(parts)?;
    let items = match &text {
        Text::Lent(text) => text.split(separator).map(|part| Val::Text(Text::Lent(part))).collect(),
        Text::Made(text) => {
            budget.produce(text.len())?;
            text.split(separator).map(Val::made).collect()
        }
    };
    Ok(Val::List(items))
}

fn join<'a>(items: &[Val<'a>], separator: &str, budget: &mut Budget) -> Result<Val<'a>, Cause> {
    budget.step(items.len())?;
    let mut parts: Vec<&str> = Vec::new();
    for item in items {
        match item {
            Val::Null => {}
            Val::Text(text) if text.is_empty() => {}
            Val::Text(text) => parts.push(text),
            _ => return Err(Cause::Kind),
        }
    }
    let between = separator.len().saturating_mul(parts.len().saturating_sub(1));
    budget.produce(parts.iter().fold(between, |sum, part| sum.saturating_add(part.len())))?;
    Ok(Val::made(&parts.join(separator)))
}

pub(super) fn of_three<'a>(
    id: Id,
    first: Val<'a>,
    second: Val<'a>,
    third: Val<'a>,
    budget: &mut Budget,
) -> Result<Val<'a>, Cause> {
    let text = first.text()?;
    if id == Id::PadLeft {
        return pad_left(text, second.int()?, &third.text()?, budget);
    }
    let (second, third) = (second.text()?, third.text()?);
    if id == Id::ParseBool {
        return match () {
            () if *text == *second => Ok(Val::Bool(true)),
            () if *text == *third => Ok(Val::Bool(false)),
            () => Err(Cause::Form),
        };
    }
    if second.is_empty() {
        return Err(Cause::Form);
    }
    let found = text.matches(&*second).count();
    let kept = text.len() - found * second.len();
    budget.produce(found.saturating_mul(third.len()).saturating_add(kept))?;
    Ok(Val::made(&text.replace(&*second, &third)))
}

fn pad_left<'a>(text: Text<'a>, length: i64, pad: &str, budget: &mut Budget) -> Result<Val<'a>, Cause> {
    if pad.chars().count() != 1 {
        return Err(Cause::Form);
    }
    let length = usize::try_from(length).map_err(|_| Cause::Range)?;
    let missing = length.saturating_sub(text.chars().count());
    if missing == 0 {
        return Ok(Val::Text(text));
    }
    budget.produce(missing.saturating_mul(pad.len()).saturating_add(text.len()))?;
    Ok(Val::made(&(pad.repeat(missing) + &text)))
}

/// `substring(text, from)` and `substring(text, from, before)`, in characters.
pub(super) fn substring<'a>(args: Vec<Val<'a>>, budget: &mut Budget) -> Result<Val<'a>, Cause> {
    let mut args = args.into_iter();
    let text = args.next().ok_or(Cause::Kind)?.text()?;
    let from = place(args.next().ok_or(Cause::Kind)?)?;
    let before = args.next().map(place).transpose()?.unwrap_or(usize::MAX);
    if before < from {
        return Err(Cause::Range);
    }
    let byte = |place: usize| text.char_indices().nth(place).map_or(text.len(), |(byte, _)| byte);
    let range = byte(from)..byte(before);
    text.part(range, budget)
}

fn place(value: Val<'_>) -> Result<usize, Cause> {
    usize::try_from(value.int()?).map_err(|_| Cause::Range)
}
