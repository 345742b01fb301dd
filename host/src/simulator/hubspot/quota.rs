//! Requests per 10 s, and searches per second.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::problem::Problem;
use crate::simulator::server::Reply;

const BURST: Duration = Duration::from_secs(10);
const SEARCH: Duration = Duration::from_secs(1);
/// What the headers say where no limit is set.
const UNLIMITED: u32 = 190;

/// The two rolling windows.
#[derive(Default)]
pub(super) struct Quota {
    burst: Window,
    search: Window,
}

#[derive(Default)]
struct Window {
    limit: Option<u32>,
    taken: VecDeque<Instant>,
}

impl Quota {
    pub(super) fn of(burst: Option<u32>, search: Option<u32>) -> Quota {
        let window = |limit| Window { limit, taken: VecDeque::new() };
        Quota { burst: window(burst), search: window(search) }
    }

    /// Counts a request, or refuses it.
    pub(super) fn count(&mut self, operation: &str) -> Result<(), Problem> {
        let (window, length, policy) = match operation {
            "contacts.search" => (&mut self.search, SEARCH, "SECONDLY"),
            _ => (&mut self.burst, BURST, "TEN_SECONDLY_ROLLING"),
        };
        if window.take(length) { Ok(()) } else { Err(Problem::over(policy)) }
    }

    /// The headers of a reply that isn't a search's.
    pub(super) fn headers(&self, reply: Reply) -> Reply {
        let limit = self.burst.limit.unwrap_or(UNLIMITED);
        let remaining = limit.saturating_sub(self.burst.taken.len() as u32);
        reply
            .with("x-hubspot-ratelimit-max", limit)
            .with("x-hubspot-ratelimit-remaining", remaining)
            .with("x-hubspot-ratelimit-interval-milliseconds", BURST.as_millis())
    }
}

impl Window {
    fn take(&mut self, length: Duration) -> bool {
        let Some(limit) = self.limit else { return true };
        let now = Instant::now();
        while self.taken.front().is_some_and(|at| now.duration_since(*at) >= length) {
            self.taken.pop_front();
        }
        if self.taken.len() >= limit as usize {
            return false;
        }
        self.taken.push_back(now);
        true
    }
}
