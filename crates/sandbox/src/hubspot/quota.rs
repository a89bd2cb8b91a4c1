//! The CRM's quotas: a rolling window for the app, a second one for searches, and calls per day.

use std::collections::VecDeque;

use crate::options::Limits;
use crate::request::{Response, with_header};

const DAY_MS: u64 = 86_400_000;

#[derive(Debug, Default)]
pub(super) struct Quota {
    burst: VecDeque<u64>,
    search: VecDeque<u64>,
    day: u64,
    today: u64,
}

impl Quota {
    /// Takes one call, or names the policy it breaks. A refused call takes nothing.
    pub(super) fn take(&mut self, limits: &Limits, search: bool, now_ms: u64) -> Result<(), &'static str> {
        if self.day != now_ms / DAY_MS {
            self.day = now_ms / DAY_MS;
            self.today = 0;
        }
        if limits.daily > 0 && self.today >= limits.daily {
            return Err("DAILY");
        }
        let (window, most, length, policy) = if search {
            (&mut self.search, limits.search_per_second, 1_000, "SECONDLY")
        } else {
            (&mut self.burst, limits.burst, limits.burst_window_ms, "TEN_SECONDLY_ROLLING")
        };
        while window.front().is_some_and(|first| first.saturating_add(length) <= now_ms) {
            window.pop_front();
        }
        if most > 0 {
            if window.len() as u64 >= most {
                return Err(policy);
            }
            window.push_back(now_ms);
        }
        self.today += 1;
        Ok(())
    }

    /// Adds what is left to an answer.
    pub(super) fn headers(&self, limits: &Limits, response: Response) -> Response {
        let mut pairs = Vec::new();
        if limits.burst > 0 {
            let left = limits.burst.saturating_sub(self.burst.len() as u64);
            pairs.push(("x-hubspot-ratelimit-max", limits.burst));
            pairs.push(("x-hubspot-ratelimit-remaining", left));
            pairs.push(("x-hubspot-ratelimit-interval-milliseconds", limits.burst_window_ms));
        }
        if limits.daily > 0 {
            pairs.push(("x-hubspot-ratelimit-daily", limits.daily));
            pairs.push(("x-hubspot-ratelimit-daily-remaining", limits.daily.saturating_sub(self.today)));
        }
        pairs
            .into_iter()
            .fold(response, |response, (name, value)| with_header(response, name, &value.to_string()))
    }
}
