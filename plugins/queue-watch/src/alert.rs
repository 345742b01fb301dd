//! When the team is told, and what.

use chatplug_sdk::prelude::*;
use chatplug_sdk::slack;

use crate::settings::Alerts;

/// The connection's name in the manifest and in the operator's config.
pub const CONNECTION: &str = "slack";

/// How one threshold stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Samples on the other side of what was told, one after the other.
    pub samples: u32,
    /// Whether the team was told, and not yet that it is over.
    pub is_told: bool,
}

impl Standing {
    /// After one more sample: `is_over` says whether it is above the threshold, `None` that nobody knows, which changes
    /// nothing. And whether the team has to be told of a change.
    pub fn after(self, is_over: Option<bool>, needed: u32) -> (Standing, bool) {
        let Some(is_over) = is_over else { return (self, false) };
        if is_over == self.is_told {
            return (Standing { samples: 0, ..self }, false);
        }
        let samples = self.samples + 1;
        if samples < needed.max(1) {
            return (Standing { samples, ..self }, false);
        }
        (Standing { samples: 0, is_told: is_over }, true)
    }
}

/// Both thresholds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standings {
    /// How many wait.
    pub queued: Standing,
    /// How long.
    pub waiting: Standing,
}

/// What a sample says for the alerts; `None` is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// How many wait.
    pub queued: Option<u64>,
    /// How long the one who has waited longest has, seconds.
    pub waiting_s: Option<u64>,
}

impl Sample {
    /// Whether each threshold is exceeded; `None` where there is none, or nobody knows.
    pub fn over(&self, alerts: &Alerts) -> [Option<bool>; 2] {
        let over = |value: Option<u64>, limit: Option<u64>| Some(value? > limit?);
        [over(self.queued, alerts.queued_above), over(self.waiting_s, alerts.waiting_above_s)]
    }
}

/// How it stands after a sample, and what to tell.
pub fn next(before: Standings, sample: Sample, alerts: &Alerts) -> (Standings, Vec<String>) {
    let [queued_over, waiting_over] = sample.over(alerts);
    let (queued, tell_queued) = before.queued.after(queued_over, alerts.samples);
    let (waiting, tell_waiting) = before.waiting.after(waiting_over, alerts.samples);
    let mut told = Vec::new();
    if tell_queued {
        let (count, limit) = (sample.queued.unwrap_or_default(), alerts.queued_above.unwrap_or_default());
        told.push(match queued.is_told {
            true => format!("{count} customers wait in the queue (more than {limit})."),
            false => format!("The queue is short again: {count} wait (no more than {limit})."),
        });
    }
    if tell_waiting {
        let (seconds, limit) =
            (sample.waiting_s.unwrap_or_default(), alerts.waiting_above_s.unwrap_or_default());
        told.push(match waiting.is_told {
            true => format!("A customer has waited in the queue for {seconds} s (more than {limit} s)."),
            false => format!(
                "Nobody waits for too long any more: the longest is {seconds} s (no more than {limit} s)."
            ),
        });
    }
    (Standings { queued, waiting }, told)
}

/// What to tell when the office hours end while something is told of.
pub fn closing(before: Standings) -> Option<String> {
    let is_told = before.queued.is_told || before.waiting.is_told;
    is_told.then(|| {
        "The queue was too long until now; it is not watched any more, as the office hours have ended."
            .to_owned()
    })
}

/// Posts messages as one: to `channel` by the Web API, without one by the incoming webhook.
pub fn post(channel: Option<&str>, texts: &[String]) -> Result<(), Error> {
    slack::message(CONNECTION, channel, &texts.join("\n")).once("alert").send()?.success().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALERTS: Alerts =
        Alerts { queued_above: Some(3), waiting_above_s: Some(60), samples: 3, channel: None };

    /// After which of the samples something is told, and what.
    fn told(samples: &[(Option<u64>, Option<u64>)], alerts: &Alerts) -> Vec<(usize, String)> {
        let (mut standings, mut all) = (Standings::default(), Vec::new());
        for (number, &(queued, waiting_s)) in samples.iter().enumerate() {
            let (next, texts) = next(standings, Sample { queued, waiting_s }, alerts);
            standings = next;
            all.extend(texts.into_iter().map(|text| (number + 1, text)));
        }
        all
    }

    fn queued(samples: &[Option<u64>]) -> Vec<usize> {
        let samples: Vec<_> = samples.iter().map(|queued| (*queued, Some(0))).collect();
        told(&samples, &ALERTS).into_iter().map(|(number, _)| number).collect()
    }

    #[test]
    fn the_team_is_told_once_and_again_when_it_is_over() {
        let (over, under) = (Some(4), Some(3));
        assert_eq!(queued(&[over, over]), [] as [usize; 0]);
        assert_eq!(queued(&[over, over, over, over, over]), [3]);
        assert_eq!(queued(&[over, over, under, over, over, over]), [6], "one after the other");
        assert_eq!(queued(&[over, over, over, under, under, under, under]), [3, 6]);
        assert_eq!(queued(&[over, over, over, under, over, under, under, under]), [3, 8]);
        assert_eq!(queued(&[over, over, over, under, under, under, over, over, over]), [3, 6, 9]);
    }

    #[test]
    fn what_nobody_knows_begins_and_ends_nothing() {
        let (over, under) = (Some(9), Some(0));
        assert_eq!(queued(&[None, None, None, None]), [] as [usize; 0]);
        assert_eq!(queued(&[over, over, None, over, None, None, None, under, under, under]), [4, 10]);
    }

    #[test]
    fn what_is_told_has_the_numbers() {
        let samples = [(Some(4), Some(61)), (Some(5), Some(62)), (Some(6), Some(63)), (Some(1), Some(60))];
        let alerts = Alerts { samples: 1, ..ALERTS };
        let told = told(&samples, &alerts);
        let expected = [
            (1, "4 customers wait in the queue (more than 3)."),
            (1, "A customer has waited in the queue for 61 s (more than 60 s)."),
            (4, "The queue is short again: 1 wait (no more than 3)."),
            (4, "Nobody waits for too long any more: the longest is 60 s (no more than 60 s)."),
        ];
        assert_eq!(told, expected.map(|(number, text)| (number, text.to_owned())));
    }

    #[test]
    fn without_a_threshold_nothing_is_told() {
        assert_eq!(told(&[(Some(1_000), Some(1_000)); 200], &Alerts::default()), []);
    }

    #[test]
    fn the_end_of_the_hours_ends_what_was_told() {
        assert_eq!(closing(Standings::default()), None);
        let told = Standing { samples: 0, is_told: true };
        assert!(closing(Standings { waiting: told, ..Standings::default() }).is_some());
    }
}
