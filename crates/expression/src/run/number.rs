//! Numbers: exact, or stopped. Digits go only where a function was told how many stay.

use canonical::Decimal;
use rust_decimal::RoundingStrategy;

use crate::function::Id;
use crate::program::Cause;
use crate::tree::Operator;
use crate::value::Val;

/// Digits after the point that a decimal can have.
const SCALE_MAX: i64 = 28;

pub(super) fn negative<'a>(value: Val<'a>) -> Result<Val<'a>, Cause> {
    match value {
        Val::Int(number) => number.checked_neg().map(Val::Int).ok_or(Cause::Range),
        Val::Decimal(number) => Ok(Val::Decimal(-number)),
        _ => Err(Cause::Kind),
    }
}

pub(super) fn absolute<'a>(value: Val<'a>) -> Result<Val<'a>, Cause> {
    match value {
        Val::Int(number) => number.checked_abs().map(Val::Int).ok_or(Cause::Range),
        Val::Decimal(number) => Ok(Val::Decimal(number.abs())),
        _ => Err(Cause::Kind),
    }
}

/// Whole numbers. Division drops what is after the point; the remainder has the sign of the left side.
pub(super) fn whole<'a>(operator: Operator, left: i64, right: i64) -> Result<Val<'a>, Cause> {
    if right == 0 && matches!(operator, Operator::Divide | Operator::Remainder) {
        return Err(Cause::DivideByZero);
    }
    let found = match operator {
        Operator::Add => left.checked_add(right),
        Operator::Subtract => left.checked_sub(right),
        Operator::Multiply => left.checked_mul(right),
        Operator::Divide => left.checked_div(right),
        Operator::Remainder => left.checked_rem(right),
        _ => return Err(Cause::Kind),
    };
    found.map(Val::Int).ok_or(Cause::Range)
}

/// Decimals. The library rounds what does not fit into its digits; here that is an end.
pub(super) fn exact<'a>(operator: Operator, left: Decimal, right: Decimal) -> Result<Val<'a>, Cause> {
    let (left, right) = (left.normalize(), right.normalize());
    let nothing = left.is_zero() || right.is_zero();
    let (found, scale) = match operator {
        Operator::Add => (left.checked_add(right), left.scale().max(right.scale())),
        Operator::Subtract => (left.checked_sub(right), left.scale().max(right.scale())),
        Operator::Multiply => (left.checked_mul(right), left.scale() + right.scale()),
        _ => return Err(Cause::Kind),
    };
    let found = found.ok_or(Cause::Range)?;
    if found.scale() < scale && !nothing {
        return Err(Cause::Inexact);
    }
    Ok(Val::Decimal(found))
}

/// `round(number, digits, mode)` and `div(number, by, digits, mode)`.
pub(super) fn rounded<'a>(
    id: Id,
    args: Vec<Val<'a>>,
    rounding: Option<RoundingStrategy>,
) -> Result<Val<'a>, Cause> {
    let rounding = rounding.unwrap_or(RoundingStrategy::MidpointNearestEven);
    let mut args = args.into_iter();
    let mut next = || args.next().ok_or(Cause::Kind);
    let number = next()?.decimal()?;
    let by = if id == Id::Div { Some(next()?.decimal()?) } else { None };
    let digits = next()?.int()?;
    if !(0..=SCALE_MAX).contains(&digits) {
        return Err(Cause::Range);
    }
    let digits = u32::try_from(digits).map_err(|_| Cause::Range)?;
    match by {
        None => Ok(Val::Decimal(number.round_dp_with_strategy(digits, rounding))),
        Some(by) => divided(number, by, digits, rounding).map(Val::Decimal),
    }
}

/// The quotient, rounded once: by whole numbers, since a quotient that is cut to 28 digits first may be rounded
/// to a half that it is not.
fn divided(number: Decimal, by: Decimal, digits: u32, rounding: RoundingStrategy) -> Result<Decimal, Cause> {
    if by.is_zero() {
        return Err(Cause::DivideByZero);
    }
    let (number, by) = (number.normalize(), by.normalize());
    let (mut above, mut below) = (number.mantissa(), by.mantissa());
    let up = i64::from(by.scale()) + i64::from(digits) - i64::from(number.scale());
    let power = 10_i128.checked_pow(u32::try_from(up.unsigned_abs()).map_err(|_| Cause::Range)?);
    let side = if up >= 0 { &mut above } else { &mut below };
    *side = power.and_then(|power| side.checked_mul(power)).ok_or(Cause::Range)?;
    let (quotient, rest) = (above / below, above % below);
    let away = match (rest.unsigned_abs().saturating_mul(2)).cmp(&below.unsigned_abs()) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal if rounding == RoundingStrategy::MidpointNearestEven => quotient % 2 != 0,
        std::cmp::Ordering::Equal => true,
    };
    let step = if (above < 0) == (below < 0) { 1 } else { -1 };
    let quotient = if away { quotient + step } else { quotient };
    Decimal::try_from_i128_with_scale(quotient, digits)
        .map(|found| found.normalize())
        .map_err(|_| Cause::Range)
}

pub(super) fn to_int(number: Decimal) -> Result<i64, Cause> {
    let number = number.normalize();
    if number.scale() > 0 {
        return Err(Cause::Inexact);
    }
    i64::try_from(number.mantissa()).map_err(|_| Cause::Range)
}

/// Digits with at most a minus before them: no other sign, no white space, no leading zeros.
pub(super) fn parse(text: &str) -> Result<i64, Cause> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !plain || (digits.starts_with('0') && text != "0") {
        return Err(Cause::Form);
    }
    text.parse().map_err(|_| Cause::Range)
}
