//! Telephone numbers: however a system writes them, the record has E.164 (`+49301234567`).
//!
//! What is not written out is not guessed: a number without its area code, with an extension, or with letters is
//! refused. A number in E.164 stays as it is.

mod plans;

use canonical::value::kind_of;
use serde_json::Value;

use super::BadStep;
use crate::flaw::{Flaw, Why};
use crate::source::PhoneForm;
use plans::Plan;

/// Fewest digits of a number with its calling code.
const DIGITS_MIN: usize = 7;
/// Most digits of a number with its calling code (E.164).
const DIGITS_MAX: usize = 15;

/// Numbers as they are written in one country.
#[derive(Debug, Clone)]
pub(crate) struct Phone(Plan);

impl Phone {
    pub(super) fn compile(form: &PhoneForm) -> Result<Self, BadStep> {
        let Some(plan) = plans::of(&form.country).filter(|plan| !plan.country.is_empty()) else {
            let upper = form.country.to_uppercase();
            let hint = match plans::countries().find(|country| *country == upper) {
                Some(country) => format!("did you mean `{country}`?"),
                None => "use two capital letters of ISO 3166, such as `DE` or `US`".to_owned(),
            };
            return Err(BadStep::new("country", format!("there is no country `{}`", form.country), hint));
        };
        Ok(Self(plan))
    }

    /// A number in E.164.
    pub(super) fn bring(&self, value: Value) -> Result<Value, Flaw> {
        let Value::String(text) = value else {
            return Err(Flaw::new(self.expected(), kind_of(&value), Why::Kind));
        };
        match self.number(&text) {
            Some(number) if number == text => Ok(Value::String(text)),
            Some(number) => Ok(Value::String(number)),
            None => Err(Flaw::new(self.expected(), "a text", Why::Form)),
        }
    }

    /// Whether two texts are the same number.
    pub(crate) fn alike(&self, one: &str, other: &str) -> bool {
        let number = |text: &str| self.number(text);
        one == other || number(one).is_some_and(|one| Some(one) == number(other))
    }

    /// Numbers for trying this out, in several ways of writing: `digits` gives their digits.
    pub(crate) fn samples(&self, mut digits: impl FnMut() -> char) -> Vec<String> {
        let Plan { code, trunk, abroad, least, most, .. } = self.0;
        let mut samples = Vec::new();
        for k in 0..12 {
            let length = (least + k % (most - least + 1)).max(DIGITS_MIN - code.len());
            // No number begins with 0 or 1 everywhere; one with 7 or 8 is nowhere taken for a prefix.
            let rest: String = std::iter::once('7').chain((1..length).map(|_| digits())).collect();
            let (area, line) = rest.split_at(length / 3);
            samples.push(match k % 4 {
                0 => format!("+{code}{rest}"),
                1 => format!("{trunk}{area} {line}"),
                2 => format!("+{code} ({area}) {line}"),
                _ => format!("{abroad}{code}-{area}/{line}"),
            });
        }
        samples
    }

    fn expected(&self) -> String {
        let Plan { country, code, trunk, .. } = self.0;
        let national = if trunk.is_empty() { String::new() } else { format!(" with its {trunk}") };
        format!(
            "a whole telephone number of {country}{national}, or any with `+` and its calling code (+{code}…)"
        )
    }

    fn number(&self, text: &str) -> Option<String> {
        let written = Written::parse(text)?;
        let digits = written.digits.as_str();
        if written.plus {
            return international(digits, written.optional_zero);
        }
        let abroad = self.0.abroad;
        match (digits.strip_prefix(abroad), written.optional_zero) {
            (Some(rest), None) if !abroad.is_empty() => international(rest, None),
            (Some(rest), Some(at)) if !abroad.is_empty() => {
                international(rest, Some(at.checked_sub(abroad.len())?))
            }
            (_, None) => self.national(digits),
            (_, Some(_)) => None,
        }
    }

    /// A number as it is written within the country.
    fn national(&self, digits: &str) -> Option<String> {
        let Plan { code, trunk, least, most, .. } = self.0;
        // North American numbers are whole with and without the 1 that comes before them.
        let rest = if code == "1" && digits.len() == least { digits } else { digits.strip_prefix(trunk)? };
        let zero = rest.starts_with('0') && !self.0.keeps_zero();
        let whole = (least..=most).contains(&rest.len()) && !zero;
        whole.then(|| international(&format!("{code}{rest}"), None))?
    }
}

/// A number after `+`. `optional_zero` is where a zero stands alone in brackets: dialled within the country only.
fn international(digits: &str, optional_zero: Option<usize>) -> Option<String> {
    let plans: Vec<Plan> = plans::by_code(digits).collect();
    let code = plans.first()?.code;
    let mut rest = digits.get(code.len()..)?.to_owned();
    if let Some(at) = optional_zero {
        let dropped = at == code.len() && plans.iter().all(|plan| plan.trunk == "0");
        if !dropped {
            return None;
        }
        rest = rest.get(1..)?.to_owned();
    }
    let fits = plans.iter().any(|plan| (plan.least..=plan.most).contains(&rest.len()));
    let zero = rest.starts_with('0') && !plans.iter().any(Plan::keeps_zero);
    let long = (DIGITS_MIN..=DIGITS_MAX).contains(&(code.len() + rest.len()));
    (fits && long && !zero && north_american(code, &rest)).then(|| format!("+{code}{rest}"))
}

/// In North America neither the area code nor the exchange begins with 0 or 1.
fn north_american(code: &str, rest: &str) -> bool {
    let begins = |at: usize| rest.as_bytes().get(at).is_some_and(|digit| (b'2'..=b'9').contains(digit));
    code != "1" || (begins(0) && begins(3))
}

/// A text taken apart.
struct Written {
    plus: bool,
    digits: String,
    /// Where among the digits a zero stands alone in brackets, behind a calling code: `+49 (0)30`.
    optional_zero: Option<usize>,
}

impl Written {
    /// `None`: it holds something that is neither a digit nor stands between digits.
    fn parse(text: &str) -> Option<Self> {
        let mut written =
            Self { plus: false, digits: String::with_capacity(text.len()), optional_zero: None };
        let text = text.trim();
        let mut open: Option<usize> = None;
        for (at, c) in text.char_indices() {
            match c {
                '0'..='9' => written.digits.push(c),
                '+' if written.digits.is_empty() && !written.plus => written.plus = true,
                '(' if open.is_none() => open = Some(at + 1),
                ')' => {
                    let inside = text.get(open.take()?..at)?;
                    // First, it is what comes before a number; later, what is left out from abroad.
                    if inside.trim() == "0" && written.digits.len() > 1 {
                        if written.optional_zero.is_some() {
                            return None;
                        }
                        written.optional_zero = Some(written.digits.len() - 1);
                    }
                }
                c if between(c) => {}
                _ => return None,
            }
        }
        (open.is_none() && !written.digits.is_empty()).then_some(written)
    }
}

/// What people put between digits: blanks, dots, slashes, and the several dashes.
fn between(c: char) -> bool {
    matches!(
        c,
        ' ' | '\t' | '\u{a0}' | '\u{202f}' | '\u{2009}' | '.' | '/' | '-' | '\u{2010}'
            ..='\u{2015}' | '\u{2212}'
    )
}
