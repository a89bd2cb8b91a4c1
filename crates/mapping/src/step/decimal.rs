//! Decimals: exact, or refused. Rounding only where the row says so.

use canonical::Decimal;
use canonical::value::{decimal, decimal_of, kind_of};
use rust_decimal::RoundingStrategy;
use serde_json::{Number, Value};

use super::BadStep;
use crate::flaw::{Flaw, Why};
use crate::source::{DecimalForm, Rounding, Written};

/// Most digits after the point that a row may ask for.
const DIGITS_MAX: u32 = 18;

/// How a system writes decimals.
#[derive(Debug, Clone)]
pub(crate) struct Amount {
    number: bool,
    scale: Option<u32>,
    minor: u32,
    round: Option<RoundingStrategy>,
}

impl Amount {
    pub(super) fn compile(form: &DecimalForm) -> Result<Self, BadStep> {
        if form.scale.is_some() && form.minor_units.is_some() {
            let hint = "`minor_units` already says how many digits there are: drop `scale`";
            return Err(BadStep::new("scale", "it stands beside `minor_units`", hint));
        }
        for (option, digits) in [("scale", form.scale), ("minor_units", form.minor_units)] {
            if digits.is_some_and(|digits| digits > DIGITS_MAX) {
                return Err(BadStep::new(option, "it is too large", format!("use 0 to {DIGITS_MAX}")));
            }
        }
        let scale = form.scale.or(form.minor_units.map(|_| 0));
        if form.round.is_some() && scale.is_none() {
            let hint = "say how many digits to round to: `scale` or `minor_units`";
            return Err(BadStep::new("round", "there is nothing to round to", hint));
        }
        let number = match form.written {
            Some(written) => written == Written::Number,
            None => form.minor_units.is_some(),
        };
        let round = form.round.map(|rounding| match rounding {
            Rounding::HalfEven => RoundingStrategy::MidpointNearestEven,
            Rounding::HalfUp => RoundingStrategy::MidpointAwayFromZero,
        });
        Ok(Self { number, scale, minor: form.minor_units.unwrap_or(0), round })
    }

    pub(super) fn is_number(&self) -> bool {
        self.number
    }

    pub(super) fn rounds(&self) -> bool {
        self.round.is_some()
    }

    pub(super) fn read(&self, value: &Value) -> Result<Value, Flaw> {
        let amount = exact(value)?;
        if self.minor == 0 {
            return Ok(decimal(amount));
        }
        let units = amount.normalize();
        if units.scale() > 0 {
            return Err(Flaw::new("a whole number of the smallest unit", kind_of(value), Why::Form));
        }
        Decimal::try_from_i128_with_scale(units.mantissa(), self.minor)
            .map(decimal)
            .map_err(|_| Flaw::new("a number of at most 28 digits", kind_of(value), Why::Range))
    }

    pub(super) fn write(&self, value: &Value) -> Result<Value, Flaw> {
        let too_large = || Flaw::new("a number of at most 28 digits", kind_of(value), Why::Range);
        let mut amount = exact(value)?;
        if self.minor > 0 {
            let unit = Decimal::from(10_u64.pow(self.minor));
            amount = amount.checked_mul(unit).ok_or_else(too_large)?;
        }
        amount = self.fit(amount.normalize(), value)?;
        if !self.number {
            return Ok(Value::String(self.padded(amount)));
        }
        number(amount).map(Value::Number).ok_or_else(|| {
            let expected = "a number that JSON holds exactly (at most 15 digits; else write it `as: text`)";
            Flaw::new(expected, kind_of(value), Why::Inexact)
        })
    }

    /// Brings it to the row's digits.
    fn fit(&self, amount: Decimal, value: &Value) -> Result<Decimal, Flaw> {
        match (self.scale, self.round) {
            (Some(scale), _) if amount.scale() <= scale => Ok(amount),
            (Some(scale), Some(how)) => Ok(amount.round_dp_with_strategy(scale, how).normalize()),
            (Some(scale), None) => {
                let expected = format!("at most {} digits after the point", scale + self.minor);
                Err(Flaw::new(expected, kind_of(value), Why::Inexact))
            }
            (None, _) => Ok(amount),
        }
    }

    /// As text, with zeros up to the row's digits, where 28 digits leave room for them.
    fn padded(&self, amount: Decimal) -> String {
        let Some(scale) = self.scale else { return amount.to_string() };
        let mut padded = amount;
        padded.rescale(scale);
        let whole = padded == amount && padded.scale() == scale;
        if whole { padded.to_string() } else { amount.to_string() }
    }
}

/// Reads a decimal that is written plainly, or a JSON number that holds it exactly.
pub(crate) fn exact(value: &Value) -> Result<Decimal, Flaw> {
    let expected = "a decimal number of at most 28 digits";
    match value {
        Value::String(text) if !is_plain(text) => Err(Flaw::new(expected, "a text", Why::Form)),
        Value::String(_) => decimal_of(value).ok_or_else(|| Flaw::new(expected, "a text", Why::Range)),
        Value::Number(_) => decimal_of(value).ok_or_else(|| {
            Flaw::new("a number of at most 15 digits, or a text of at most 28", "a number", Why::Inexact)
        }),
        other => Err(Flaw::of(expected, other)),
    }
}

/// Digits with at most one point and one sign: no exponent, no grouping.
pub(crate) fn is_plain(text: &str) -> bool {
    let text = text.trim();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let all = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit());
    all(whole) && all(part) && !(whole.is_empty() && part.is_empty())
}

/// As a JSON number, when that holds it exactly.
fn number(amount: Decimal) -> Option<Number> {
    if amount.scale() == 0 {
        return i64::try_from(amount.mantissa()).ok().map(Number::from);
    }
    let float: f64 = amount.to_string().parse().ok()?;
    let number = Number::from_f64(float)?;
    (decimal_of(&Value::Number(number.clone())) == Some(amount)).then_some(number)
}
