//! What the settings cost at LiveChat's list price.

use crate::settings::Settings;

/// Calls of a poll: the chats, and who accepts them.
const POLL: f64 = 2.0;
/// Reports that are read together.
const REPORTS: f64 = 3.0;
/// Minutes of a week.
const WEEK_MINUTES: i16 = 7 * 24 * 60;
/// Weeks of a month, on average.
const WEEKS: f64 = 365.25 / 7.0 / 12.0;
/// LiveChat's price of a call in dollars: up to a million calls in a month, beyond that, and beyond ten million.
const PRICES: [(f64, f64); 3] = [(1e6, 0.27e-3), (1e7, 0.22e-3), (f64::INFINITY, 0.17e-3)];

/// What a month of it costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Price {
    /// Calls of LiveChat's API, with at most a hundred chats at a time.
    pub calls: f64,
    /// What each further hundred chats at a time would add.
    pub more: f64,
}

impl Price {
    /// Of these settings.
    pub fn of(settings: &Settings) -> Price {
        let is_open = |minute: &i16| {
            settings.hours.is_empty() || settings.hours.iter().any(|hours| hours.contain_minute(*minute))
        };
        let hours = (0..WEEK_MINUTES).filter(is_open).count() as f64 / 60.0 * WEEKS;
        let polls = hours * 3_600.0 / f64::from(settings.poll_s());
        let reports = hours * 60.0 / f64::from(settings.reports_minutes);
        Price { calls: polls * POLL + reports * REPORTS, more: polls }
    }

    /// In dollars.
    pub fn dollars(self) -> f64 {
        dollars(self.calls)
    }

    /// A sentence.
    pub fn text(self) -> String {
        format!(
            "about {:.0} calls of LiveChat's API a month: ${:.2} at its list price of $0.27 for 1,000 calls, ${:.2} more \
             for each further hundred chats at a time",
            self.calls,
            self.dollars(),
            dollars(self.calls + self.more) - self.dollars(),
        )
    }
}

fn dollars(calls: f64) -> f64 {
    let (mut from, mut sum) = (0.0, 0.0);
    for (to, price) in PRICES {
        sum += (calls.min(to) - from).max(0.0) * price;
        from = to;
    }
    sum
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn price(settings: Value) -> Price {
        let mut all = json!({ "timezone": "UTC" });
        all.as_object_mut().expect("an object").extend(settings.as_object().expect("an object").clone());
        Price::of(&serde_json::from_value(all).expect("settings"))
    }

    #[test]
    fn the_defaults_cost_less_than_thirty_dollars() {
        // 60 hours a week are 260.9 a month: 60 polls with two calls and 4 times three reports in each.
        let price = price(json!({}));
        assert!((price.calls - 260.892_857 * (120.0 + 12.0)).abs() < 1.0, "{price:?}");
        assert!((9.2..9.4).contains(&price.dollars()), "{price:?}");
        assert!(price.text().starts_with("about 34438 calls"), "{}", price.text());
    }

    #[test]
    fn always_and_as_often_as_possible_costs_more() {
        let price = price(json!({ "hours": [], "poll_s": 30, "reports_minutes": 5 }));
        assert!((price.calls - 730.5 * (240.0 + 36.0)).abs() < 1.0, "{price:?}");
        assert!(price.dollars() > 50.0);
    }

    #[test]
    fn many_calls_are_cheaper() {
        let check = |calls: f64, expected: f64| assert!((dollars(calls) - expected).abs() < 1e-6, "{calls}");
        check(0.0, 0.0);
        check(1_000.0, 0.27);
        check(2e6, 270.0 + 220.0);
        check(1.1e7, 270.0 + 1980.0 + 170.0);
    }
}
