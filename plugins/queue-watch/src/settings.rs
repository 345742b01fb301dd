//! What an operator sets.

use chatplug_sdk::clock::Zone;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::hours::Hours;

/// How often there is a sample, seconds: what the schedule of the manifest says.
pub const SAMPLE_S: u32 = 30;

/// The settings of queue-watch.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The headline of the board.
    #[serde(default = "title")]
    #[schemars(length(min = 1, max = 60))]
    pub title: String,
    /// The IANA time zone of `hours`, of the times on the board, and of what "today" is, such as `Europe/Warsaw`: that
    /// of the account.
    pub timezone: Zone,
    /// When the queue is watched; at other times nothing is asked of LiveChat. `[]` is always.
    #[serde(default = "office_hours")]
    pub hours: Vec<Hours>,
    /// How often LiveChat is asked for the chats and the agents' status, seconds. Between, webhooks tell what changes.
    #[serde(default = "poll_s")]
    #[schemars(range(min = 30, max = 600))]
    pub poll_s: u32,
    /// How often LiveChat is asked for today's reports, minutes.
    #[serde(default = "reports_minutes")]
    #[schemars(range(min = 5, max = 240))]
    pub reports_minutes: u32,
    /// Only chats and agents of these groups, by their ids; of all if there is none.
    #[serde(default)]
    #[schemars(length(max = 50))]
    pub groups: Vec<i64>,
    /// When the team is told.
    #[serde(default)]
    pub alerts: Alerts,
}

/// When the team is told.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Alerts {
    /// If more customers than this wait in the queue.
    pub queued_above: Option<u64>,
    /// If a customer in the queue has waited for longer than this, seconds.
    pub waiting_above_s: Option<u64>,
    /// In so many samples one after the other; there is one every 30 s.
    #[schemars(range(min = 1, max = 120))]
    pub samples: u32,
    /// The Slack channel, by its id, where the connection `slack` is the Web API; without it alerts go where the
    /// connection's incoming webhook leads.
    pub channel: Option<String>,
}

impl Default for Alerts {
    fn default() -> Self {
        Alerts { queued_above: None, waiting_above_s: None, samples: 4, channel: None }
    }
}

impl Settings {
    /// Whether the queue is watched then.
    pub fn is_open(&self, at: Timestamp) -> bool {
        self.hours.is_empty() || self.hours.iter().any(|hours| hours.contain(at, &self.timezone.0))
    }

    /// When the queue is watched next: `at` itself, to the minute, or the first time behind it; `None` if it never is.
    pub fn opens(&self, at: Timestamp) -> Option<Timestamp> {
        /// Hours come again after a week; where the clocks change it may be an hour longer.
        const MINUTES: i64 = 8 * 1_440;
        // Hours begin with a minute.
        let first = at.as_second().div_euclid(60);
        let mut minutes =
            (first..first + MINUTES).filter_map(|minute| Timestamp::from_second(minute * 60).ok());
        minutes.find(|minute| self.is_open(*minute))
    }

    /// The seconds between two polls as they come out: there is one with a sample or none.
    pub fn poll_s(&self) -> u32 {
        self.poll_s.div_ceil(SAMPLE_S) * SAMPLE_S
    }

    /// How long what LiveChat said counts, milliseconds: two polls may fail.
    pub fn counts_ms(&self) -> u64 {
        u64::from(self.poll_s()) * 3_000
    }
}

fn title() -> String {
    "Chat queue".to_owned()
}

fn office_hours() -> Vec<Hours> {
    vec![Hours::of_offices()]
}

fn poll_s() -> u32 {
    60
}

fn reports_minutes() -> u32 {
    15
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_zone_has_to_be_set() {
        let settings: Settings = serde_json::from_str(r#"{"timezone":"Europe/Warsaw"}"#).expect("settings");
        let is_open = |at: &str| settings.is_open(at.parse().expect("a time"));
        assert!(is_open("2026-06-01T06:00:00Z"), "Monday, 08:00");
        assert!(!is_open("2026-06-01T05:59:59Z") && !is_open("2026-05-31T10:00:00Z"));
        assert_eq!((settings.poll_s(), settings.counts_ms()), (60, 180_000));
        assert!(serde_json::from_str::<Settings>("{}").is_err());
    }

    #[test]
    fn the_next_time_at_which_the_queue_is_watched_is_found_in_any_week() {
        let check = |at: &str, expected: &str| {
            let settings: Settings =
                serde_json::from_str(r#"{"timezone":"Europe/Warsaw"}"#).expect("settings");
            let opens = settings.opens(at.parse().expect("a time"));
            assert_eq!(opens.map(|opens| opens.to_string()).as_deref(), Some(expected), "{at}");
        };
        check("2026-06-01T05:58:30Z", "2026-06-01T06:00:00Z"); // Monday, 07:58
        check("2026-06-01T06:00:30Z", "2026-06-01T06:00:00Z"); // it is
        check("2026-06-05T18:00:00Z", "2026-06-08T06:00:00Z"); // Friday, 20:00
        check("2026-10-23T18:00:00Z", "2026-10-26T07:00:00Z"); // the clocks go back between
        let never = serde_json::json!({ "timezone": "UTC", "hours": [{ "from": "08:00", "to": "08:01", "days": ["mon"] }] });
        let once: Settings = serde_json::from_value(never).expect("settings");
        let opens = once.opens("2026-06-01T08:01:00Z".parse().expect("a time"));
        assert_eq!(opens.map(|opens| opens.to_string()).as_deref(), Some("2026-06-08T08:00:00Z"));
    }

    #[test]
    fn a_poll_comes_with_a_sample() {
        let with = |poll_s: u32| {
            let settings = serde_json::json!({ "timezone": "UTC", "hours": [], "poll_s": poll_s });
            let settings: Settings = serde_json::from_value(settings).expect("settings");
            assert!(settings.is_open(Timestamp::UNIX_EPOCH));
            settings.poll_s()
        };
        assert_eq!((with(30), with(31), with(60), with(100)), (30, 60, 60, 120));
    }
}
