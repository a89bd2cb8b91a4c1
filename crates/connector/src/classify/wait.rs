//! How long a target asked to be left alone, in all the forms vendors use, and never longer than believed.

use std::time::Duration;

use canonical::{Wall, jiff};
use ledger::Wait;

use super::Answer;
use crate::exchange::Response;
use crate::plan::{WaitPlan, item};
use crate::source::WaitForm;

/// The longest a `Retry-After` is believed when the manifest does not say.
const MAX: Duration = Duration::from_secs(3600);

impl WaitPlan {
    /// The wait that the answer or the manifest states.
    pub(crate) fn read(&self, answer: &Answer<'_>, now: Wall) -> Option<Wait> {
        let text = match &self.path {
            Some(path) => answer.json().and_then(|body| path.text_at(body)),
            None => self.said(answer.response).map(str::to_owned),
        };
        let stated = text.and_then(|text| read(self.form, text.trim(), said_at(answer.response, now)));
        stated.or(self.default).map(|wait| Wait::For(wait.min(self.max)))
    }

    /// The same, of headers alone.
    pub(crate) fn read_header(&self, response: &Response, now: Wall) -> Option<Wait> {
        let stated =
            self.said(response).and_then(|text| read(self.form, text.trim(), said_at(response, now)));
        stated.or(self.default).map(|wait| Wait::For(wait.min(self.max)))
    }

    fn said<'a>(&self, response: &'a Response) -> Option<&'a str> {
        let header = response.header(self.header.as_deref().unwrap_or("retry-after"))?;
        match &self.item {
            Some(name) => item(header, name),
            None => Some(header),
        }
    }
}

/// `Retry-After` as RFC 9110 section 10.2.3 has it.
pub(crate) fn retry_after(response: &Response, now: Wall) -> Option<Duration> {
    let text = response.header("retry-after")?.trim();
    read(WaitForm::RetryAfter, text, said_at(response, now)).map(|wait| wait.min(MAX))
}

/// When the answer was given, by the clock of whoever gave it: a time that it names is by that clock, too.
fn said_at(response: &Response, now: Wall) -> Wall {
    response.header("date").and_then(http_date).map_or(now, Wall)
}

fn read(form: WaitForm, text: &str, now: Wall) -> Option<Duration> {
    let number = || text.parse::<f64>().ok().filter(|number| (0.0..=1e15).contains(number));
    let until = |at: i64| Wall(at).since(now);
    match form {
        WaitForm::RetryAfter => match number() {
            Some(seconds) => Some(Duration::from_secs_f64(seconds)),
            None => http_date(text).map(until),
        },
        WaitForm::Seconds => number().map(Duration::from_secs_f64),
        WaitForm::Ms => number().map(|ms| Duration::from_secs_f64(ms / 1e3)),
        WaitForm::Minutes => number().map(|minutes| Duration::from_secs_f64(minutes * 60.0)),
        WaitForm::Duration => text.parse::<jiff::SignedDuration>().ok()?.try_into().ok(),
        WaitForm::DateTime => crate::moment::read_text(text).map(until),
        WaitForm::Epoch => text.parse::<i64>().ok()?.checked_mul(1_000_000).map(until),
        WaitForm::EpochMs => text.parse::<i64>().ok()?.checked_mul(1_000).map(until),
    }
}

/// An HTTP date (`Sun, 06 Nov 1994 08:49:37 GMT`) in microseconds since 1970.
pub(crate) fn http_date(text: &str) -> Option<i64> {
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
    Some(at.as_microsecond())
}
