//! Dates and times. A moment is read from a local time only by a zone, and only when its clock shows it once.

use jiff::civil::Date;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::{one, two};
use crate::budget::Budget;
use crate::function::Id;
use crate::program::{Cause, Said};
use crate::value::{Val, iso_date};

pub(super) fn call<'a>(
    id: Id,
    args: Vec<Val<'a>>,
    said: Option<&Said>,
    budget: &mut Budget,
) -> Result<Val<'a>, Cause> {
    let format = said.and_then(|said| said.format.as_deref());
    let zone = said.and_then(|said| said.zone.as_ref());
    match id {
        Id::ParseDate => read_date(&one(args)?.text()?, format).map(Val::Date).ok_or(Cause::Form),
        Id::ParseTime => read_time(&one(args)?.text()?, format, zone).map(Val::Time).ok_or(Cause::Form),
        Id::FormatDate => written(strtime::format(format.unwrap_or("%F"), one(args)?.date()?), budget),
        Id::FormatTime => {
            let zoned = one(args)?.time()?.to_zoned(zone.cloned().unwrap_or(TimeZone::UTC));
            written(strtime::format(format.unwrap_or("%F"), &zoned), budget)
        }
        Id::DateIn => {
            let zone = zone.cloned().ok_or(Cause::Kind)?;
            Ok(Val::Date(one(args)?.time()?.to_zoned(zone).date()))
        }
        Id::StartOf => {
            let zone = zone.cloned().ok_or(Cause::Kind)?;
            let start = one(args)?.date()?.to_zoned(zone).and_then(|start| start.start_of_day());
            start.map(|start| Val::Time(start.timestamp())).map_err(|_| Cause::Range)
        }
        Id::AddDays | Id::AddMonths => {
            let (date, count) = two(args)?;
            moved(id, date.date()?, count.int()?).map(Val::Date).ok_or(Cause::Range)
        }
        Id::DaysBetween => {
            let (from, to) = two(args)?;
            let span = from.date()?.until(to.date()?).map_err(|_| Cause::Range)?;
            Ok(Val::Int(i64::from(span.get_days())))
        }
        Id::Year => Ok(Val::Int(one(args)?.date()?.year().into())),
        Id::Month => Ok(Val::Int(one(args)?.date()?.month().into())),
        Id::Day => Ok(Val::Int(one(args)?.date()?.day().into())),
        Id::Weekday => Ok(Val::Int(one(args)?.date()?.weekday().to_monday_one_offset().into())),
        Id::EpochMs => {
            let whole = one(args)?.time()?.as_nanosecond().div_euclid(1_000_000);
            i64::try_from(whole).map(Val::Int).map_err(|_| Cause::Range)
        }
        Id::FromEpochMs => {
            let at = Timestamp::from_millisecond(one(args)?.int()?);
            at.map(Val::Time).map_err(|_| Cause::Range)
        }
        _ => Err(Cause::Kind),
    }
}

fn written<'a>(text: Result<String, jiff::Error>, budget: &mut Budget) -> Result<Val<'a>, Cause> {
    // A format is a part of the expression, so that what it gives is short.
    let text = text.map_err(|_| Cause::Range)?;
    budget.produce(text.len())?;
    Ok(Val::made(&text))
}

fn read_date(text: &str, format: Option<&str>) -> Option<Date> {
    match format {
        None => iso_date(text),
        Some(format) => BrokenDownTime::parse(format, text).ok()?.to_date().ok(),
    }
}

fn read_time(text: &str, format: Option<&str>, zone: Option<&TimeZone>) -> Option<Timestamp> {
    let Some(format) = format else { return text.parse().ok() };
    let parsed = BrokenDownTime::parse(format, text).ok()?;
    match parsed.to_timestamp() {
        Ok(at) => Some(at),
        Err(_) => zone?.to_ambiguous_timestamp(parsed.to_datetime().ok()?).unambiguous().ok(),
    }
}

fn moved(id: Id, date: Date, count: i64) -> Option<Date> {
    let span = match id {
        Id::AddDays => Span::new().try_days(count),
        _ => Span::new().try_months(count),
    };
    date.checked_add(span.ok()?).ok()
}
