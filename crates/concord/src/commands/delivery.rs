//! `concord delivery`: what each system must still reach, and what it has; and passing over what is stuck.

use crate::arguments::Delivery;
use crate::commands::dead_letter::each;
use crate::commands::event::{paged, pretty};
use crate::exit::Exit;
use crate::operator::{Operator, listed};
use crate::output::{Column, Output};
use crate::settings::Settings;

const COLUMNS: [Column; 9] = [
    ("DELIVERY", "/key"),
    ("SYSTEM", "/system"),
    ("OBJECT", "/object"),
    ("STATE", "/state"),
    ("LANE", "/lane"),
    ("WANTED", "/wanted"),
    ("REACHED", "/reached"),
    ("TRIES", "/attempts"),
    ("REASON", "/reason"),
];

/// Lists or shows deliveries.
pub(crate) fn run(given: Delivery, settings: &Settings, output: &Output) -> anyhow::Result<Exit> {
    let operator = Operator::of(settings)?;
    match given {
        Delivery::List { system, state, record, route, page } => {
            let mut query = paged(&page);
            let states = (!state.is_empty()).then(|| state.join(","));
            for (name, value) in [("system", system), ("state", states), ("record", record), ("route", route)]
            {
                query.extend(value.map(|value| (name, value)));
            }
            listed(operator.get(&["deliveries"], &query)?, &COLUMNS, output);
        }
        Delivery::Get { key } => {
            let delivery = operator.get(&["deliveries", &key], &[])?;
            output.one(&delivery, |_| pretty(&delivery));
        }
        Delivery::Skip(decision) => {
            return each(&operator, &["deliveries"], &decision, "skip", "is passed over", output);
        }
    }
    Ok(Exit::Done)
}
