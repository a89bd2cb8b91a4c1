//! Calls in the last 24 hours, for the whole org [doc]. Each answer says how many there were.

use std::collections::VecDeque;

use serde_json::json;

use crate::options::Limits;
use crate::request::{Response, json as answer, with_header};

const DAY_MS: u64 = 86_400_000;

#[derive(Debug, Default)]
pub(super) struct Quota {
    calls: VecDeque<u64>,
}

impl Quota {
    /// Takes one call, or says that there are no more. A refused call takes nothing [unverified].
    pub(super) fn take(&mut self, limits: &Limits, now_ms: u64) -> bool {
        while self.calls.front().is_some_and(|first| first.saturating_add(DAY_MS) <= now_ms) {
            self.calls.pop_front();
        }
        let free = limits.daily == 0 || (self.calls.len() as u64) < limits.daily;
        if free {
            self.calls.push_back(now_ms);
        }
        free
    }

    /// `Sforce-Limit-Info: api-usage=18/5000` [doc].
    pub(super) fn header(&self, limits: &Limits, response: Response) -> Response {
        if limits.daily == 0 {
            return response;
        }
        let usage = format!("api-usage={}/{}", self.calls.len(), limits.daily);
        with_header(response, "sforce-limit-info", &usage)
    }

    /// The resource `limits`, a part of it.
    pub(super) fn resource(&self, limits: &Limits) -> Response {
        let left = limits.daily.saturating_sub(self.calls.len() as u64);
        answer(200, &json!({"DailyApiRequests": {"Max": limits.daily, "Remaining": left}}))
    }
}
