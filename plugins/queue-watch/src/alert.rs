//! When the team is told, and what.

use chatplug_sdk::prelude::*;
use chatplug_sdk::slack;

use crate::settings::Alerts;

/// The connection's name in the manifest and in the operator's config.
pub const CONNECTION: &str = "slack";

/// Of which thresholds the team was told, and not yet that it is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// How many wait.
    pub queued: bool,
    /// How long.
    pub waiting: bool,
}

/// Samples on the other side of what was told, one after the other, up to as many as are needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// What was told then: once something else is told, they begin anew.
    pub told: Told,
    /// Of how many wait.
    pub queued: u32,
    /// Of how long.
    pub waiting: u32,
}

impl Counts {
    /// Those that go on from what was told.
    fn since(self, told: Told) -> Counts {
        Counts {
            told,
            queued: if self.told.queued == told.queued { self.queued } else { 0 },
            waiting: if self.told.waiting == told.waiting { self.waiting } else { 0 },
        }
    }
}

/// What the team has to be told, and what it was told of then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// What it was told of once it is told this.
    pub told: Told,
    /// Sentences.
    pub texts: Vec<String>,
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
    /// Whether anything is known.
    pub fn is_known(&self) -> bool {
        *self != Sample::default()
    }

    /// Whether each threshold is exceeded; `None` where there is none, or nobody knows.
    pub fn over(&self, alerts: &Alerts) -> [Option<bool>; 2] {
        let over = |value: Option<u64>, limit: Option<u64>| Some(value? > limit?);
        [over(self.queued, alerts.queued_above), over(self.waiting_s, alerts.waiting_above_s)]
    }
}

/// The count after one more sample: `is_over` says whether it is above the threshold, `None` that there is none. And
/// whether the team has to be told of a change.
fn count(before: u32, is_told: bool, is_over: Option<bool>, needed: u32) -> (u32, bool) {
    let needed = needed.max(1);
    match is_over {
        Some(is_over) if is_over != is_told => {
            let samples = before.saturating_add(1).min(needed);
            (samples, samples == needed)
        }
        _ => (0, false),
    }
}

/// The counts after a sample of which something is known, and what to tell. It is to be told with each sample until
/// the team was told, or it isn't so any more.
pub fn next(told: Told, before: Counts, sample: Sample, alerts: &Alerts) -> (Counts, Option<Wish>) {
    let ([queued_over, waiting_over], before) = (sample.over(alerts), before.since(told));
    let (queued, tell_queued) = count(before.queued, told.queued, queued_over, alerts.samples);
    let (waiting, tell_waiting) = count(before.waiting, told.waiting, waiting_over, alerts.samples);
    let mut wish = Wish { told, texts: Vec::new() };
    if tell_queued {
        wish.told.queued = !told.queued;
        let (count, limit) = (sample.queued.unwrap_or_default(), alerts.queued_above.unwrap_or_default());
        wish.texts.push(match wish.told.queued {
            true => format!("{count} customers wait in the queue (more than {limit})."),
            false => format!("The queue is short again: {count} wait (no more than {limit})."),
        });
    }
    if tell_waiting {
        wish.told.waiting = !told.waiting;
        let (seconds, limit) =
            (sample.waiting_s.unwrap_or_default(), alerts.waiting_above_s.unwrap_or_default());
        wish.texts.push(match wish.told.waiting {
            true => format!("A customer has waited in the queue for {seconds} s (more than {limit} s)."),
            false => format!(
                "Nobody waits for too long any more: the longest is {seconds} s (no more than {limit} s)."
            ),
        });
    }
    (Counts { told, queued, waiting }, Some(wish).filter(|wish| wish.told != told))
}

/// What to tell when the office hours end while something is told of.
pub fn closing(told: Told) -> Option<Wish> {
    (told != Told::default()).then(|| Wish {
        told: Told::default(),
        texts: vec![
            "The queue was too long until now; it is not watched any more, as the office hours have ended."
                .to_owned(),
        ],
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

    /// After which of the samples something is told, and what. Slack takes nothing at the samples `refused`.
    fn told_but(
        refused: &[usize],
        samples: &[(Option<u64>, Option<u64>)],
        alerts: &Alerts,
    ) -> Vec<(usize, String)> {
        let (mut told, mut counts, mut all) = (Told::default(), Counts::default(), Vec::new());
        for (number, &(queued, waiting_s)) in (1..).zip(samples) {
            let sample = Sample { queued, waiting_s };
            if !sample.is_known() {
                continue;
            }
            let (after, wish) = next(told, counts, sample, alerts);
            counts = after;
            if let Some(wish) = wish.filter(|_| !refused.contains(&number)) {
                told = wish.told;
                all.extend(wish.texts.into_iter().map(|text| (number, text)));
            }
        }
        all
    }

    fn told(samples: &[(Option<u64>, Option<u64>)], alerts: &Alerts) -> Vec<(usize, String)> {
        told_but(&[], samples, alerts)
    }

    fn queued_but(refused: &[usize], samples: &[Option<u64>]) -> Vec<usize> {
        let samples: Vec<_> = samples.iter().map(|queued| (*queued, queued.map(|_| 0))).collect();
        told_but(refused, &samples, &ALERTS).into_iter().map(|(number, _)| number).collect()
    }

    fn queued(samples: &[Option<u64>]) -> Vec<usize> {
        queued_but(&[], samples)
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
    fn what_could_not_be_told_is_told_with_a_later_sample_if_it_is_still_so() {
        let (over, under) = (Some(4), Some(3));
        assert_eq!(queued_but(&[3, 4], &[over; 6]), [5]);
        assert_eq!(queued_but(&[3], &[over, over, over, None, over]), [5]);
        assert_eq!(queued_but(&[3], &[over, over, over, under, under, under, under]), [] as [usize; 0]);
        assert_eq!(queued_but(&[6], &[over, over, over, under, under, under, under, under]), [3, 7]);
    }

    #[test]
    fn the_end_of_the_hours_ends_what_was_told() {
        assert_eq!(closing(Told::default()), None);
        let wish = closing(Told { waiting: true, ..Told::default() }).expect("something to tell");
        assert_eq!((wish.told, wish.texts.len()), (Told::default(), 1));
    }
}
