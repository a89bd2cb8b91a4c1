//! Lists: item by item, and as a whole.

use std::cmp::Ordering;

use super::{End, Run};
use crate::budget::Budget;
use crate::function::Id;
use crate::program::{Cause, Node, Stop};
use crate::value::Val;

impl<'a> Run<'a, '_> {
    /// `all`, `exists`, `filter`, `map`. The first two stop at the item that decides.
    pub(super) fn each(&mut self, id: Id, list: &'a Node, body: &'a Node) -> Result<Val<'a>, End> {
        let at = |why| End::Stop(Stop { at: body.at, why });
        let items = self.eval(list)?.list().map_err(at)?;
        let mut out = Vec::new();
        for item in items {
            self.item = Some(item.clone());
            let found = self.eval(body)?;
            self.item = None;
            match id {
                Id::Map => {
                    self.budget.list(1).map_err(at)?;
                    out.push(found);
                }
                Id::Filter => {
                    if found.flag().map_err(at)? {
                        self.budget.list(1).map_err(at)?;
                        out.push(item);
                    }
                }
                id => {
                    let decides = id == Id::Exists;
                    if found.flag().map_err(at)? == decides {
                        return Ok(Val::Bool(decides));
                    }
                }
            }
        }
        Ok(match id {
            Id::Map | Id::Filter => Val::List(out),
            id => Val::Bool(id == Id::All),
        })
    }
}

/// `size`, `distinct`, `sort`, `first`.
pub(super) fn whole<'a>(id: Id, mut items: Vec<Val<'a>>, budget: &mut Budget) -> Result<Val<'a>, Cause> {
    match id {
        Id::SizeList => return Ok(Val::Int(i64::try_from(items.len()).map_err(|_| Cause::Range)?)),
        Id::First => return Ok(items.into_iter().next().unwrap_or(Val::Null)),
        _ => {}
    }
    budget.step(items.len())?;
    let order = |left: &Val<'_>, right: &Val<'_>| left.compare(right).unwrap_or(Ordering::Equal);
    if id == Id::Sort {
        items.sort_by(order);
        return Ok(Val::List(items));
    }
    budget.list(items.len())?;
    let mut places: Vec<(usize, Val<'a>)> = items.into_iter().enumerate().collect();
    places.sort_by(|(_, left), (_, right)| order(left, right));
    // Sorting keeps the order of equals, so that the first of them is the one that stays.
    places.dedup_by(|(_, later), (_, earlier)| order(earlier, later) == Ordering::Equal);
    places.sort_by_key(|(place, _)| *place);
    Ok(Val::List(places.into_iter().map(|(_, item)| item).collect()))
}
