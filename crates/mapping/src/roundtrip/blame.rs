//! Which part of a row loses a value, in words for the one who wrote it.

use serde_json::Value;

use super::{Disproof, Loss, Pair, Witness};
use crate::source::{Direction, Transform};

impl Pair<'_> {
    /// A value of the record that does not come back.
    pub(super) fn lost(&self, from: Witness, value: &Value, loss: &Loss) -> Disproof {
        let (field, path) = (&self.read.field, self.read.path.as_str());
        let what = match from {
            Witness::Made | Witness::Table => format!("{value} {}", written(loss)),
            // What an example holds may be somebody's.
            Witness::Example(index) => {
                format!("what `examples[{index}]` says of it does not come back as it was")
            }
        };
        let blamed = self.blamed(value);
        let message = format!("{}`{field}` goes to `{path}` and back, but {what}", self.by(blamed));
        self.disproof(blamed, message)
    }

    /// A cell of the table that no value of the system reads as.
    pub(super) fn unreadable(&self, key: &str, cell: &Value, loss: &Loss) -> Disproof {
        let table = self.read.table.as_ref().map_or("", |table| table.name.as_str());
        let how = match loss {
            Loss::Unread(sent, _) if sent == cell => "it is refused".to_owned(),
            Loss::Unread(sent, _) => format!("it arrives as {sent}, which the table does not have"),
            Loss::Other(sent, back) => format!("it arrives as {sent}, which is {back}"),
            Loss::Silent(sent) => format!("it arrives as {sent}, which says nothing"),
            Loss::Empty => "it arrives empty".to_owned(),
        };
        let blamed = self.altered(cell).unwrap_or(Blamed::Lookup);
        let message = format!("{}`{key}` of the table `{table}` is never read: {how}", self.by(blamed));
        self.disproof(blamed, message)
    }

    /// The first part, as reading goes, whose result is not what writing started from there.
    fn blamed(&self, value: &Value) -> Blamed {
        let from = match &self.write.table {
            Some(table) => table.translate(value.clone()).ok(),
            None => Some(value.clone()),
        };
        let altered = from.and_then(|from| self.altered(&from));
        let whole = if self.row.lookup.is_some() { Blamed::Lookup } else { Blamed::Row };
        altered.unwrap_or(whole)
    }

    /// The first transform that does not give back what it wrote, of a value before the transforms.
    fn altered(&self, value: &Value) -> Option<Blamed> {
        if self.row.direction != Direction::Both {
            return None;
        }
        let mut held = vec![value.clone()];
        for step in self.read.steps.iter().rev() {
            held.push(step.write(held.last()?.clone()).ok()?);
        }
        let mut at = held.pop()?;
        for (k, step) in self.read.steps.iter().enumerate() {
            let expected = held.pop()?;
            match step.read(at) {
                Ok(back) if back == expected => at = back,
                _ => return Some(Blamed::Transform(k)),
            }
        }
        None
    }

    fn name(&self, k: usize) -> &'static str {
        self.row.transform.get(k).map_or("", Transform::name)
    }

    fn by(&self, blamed: Blamed) -> String {
        match blamed {
            Blamed::Transform(k) => format!("`{}` loses something: ", self.name(k)),
            Blamed::Lookup | Blamed::Row => String::new(),
        }
    }

    fn disproof(&self, blamed: Blamed, message: String) -> Disproof {
        let (key, hint) = match blamed {
            Blamed::Transform(k) if self.row.lookup.is_some() => {
                let name = self.name(k);
                (format!("transform[{k}]"), format!("write the table's values as `{name}` leaves them, or drop it"))
            }
            Blamed::Transform(k) => (
                format!("transform[{k}]"),
                "drop it, say with `equal` when values count as the same, or use `direction: in` or `out` alone"
                    .to_owned(),
            ),
            Blamed::Lookup => (
                "lookup".to_owned(),
                "give each of the record's values one of its own in the table, or let the row go one way"
                    .to_owned(),
            ),
            Blamed::Row if self.row.direction == Direction::Both => (
                "field".to_owned(),
                "let the row go one way (`direction: in` or `out`), or choose another form there".to_owned(),
            ),
            Blamed::Row => (
                "field".to_owned(),
                "make the two rows one that goes both ways, or say here with `equal` when values count as the same"
                    .to_owned(),
            ),
        };
        Disproof { row: self.at, key, message, hint }
    }
}

/// What to correct.
#[derive(Clone, Copy)]
enum Blamed {
    Transform(usize),
    Lookup,
    Row,
}

fn written(loss: &Loss) -> String {
    match loss {
        Loss::Empty => "is written as nothing".to_owned(),
        Loss::Silent(sent) => format!("is written as {sent}, which reads as nothing"),
        Loss::Other(sent, back) => format!("is written as {sent} and read as {back}"),
        Loss::Unread(sent, flaw) => {
            format!(
                "is written as {sent}, which is not read: expected {}, found {}",
                flaw.expected, flaw.found
            )
        }
    }
}
