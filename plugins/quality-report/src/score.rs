//! The score: a weighted mean of five parts, each from 0 to 100.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::figures::Figures;

/// How the score is made.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Score {
    /// How much each part counts.
    pub(crate) weights: Weights,
    /// A first answer within so many seconds is worth 100; one that takes twice as long 50.
    #[schemars(range(min = 0.001))]
    pub(crate) first_response_s: f64,
    /// The same for all answers.
    #[schemars(range(min = 0.001))]
    pub(crate) response_s: f64,
}

/// How much each part of the score counts; 0 leaves it out.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Weights {
    /// The share of good ratings among all.
    #[schemars(range(min = 0.0))]
    pub(crate) ratings: f64,
    /// The share of chats that weren't opened again within 24 hours.
    #[schemars(range(min = 0.0))]
    pub(crate) resolution: f64,
    /// The share of chats that somebody answered.
    #[schemars(range(min = 0.0))]
    pub(crate) answered: f64,
    /// How fast the first answer came, on average.
    #[schemars(range(min = 0.0))]
    pub(crate) first_response: f64,
    /// How fast answers came, on average.
    #[schemars(range(min = 0.0))]
    pub(crate) response: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Weights { ratings: 30.0, resolution: 25.0, answered: 20.0, first_response: 15.0, response: 10.0 }
    }
}

impl Default for Score {
    fn default() -> Self {
        Score { weights: Weights::default(), first_response_s: 60.0, response_s: 60.0 }
    }
}

impl Score {
    /// The score, 0 to 100. What isn't known of somebody (no chat was rated) is left out together with its weight; `None`
    /// if nothing is known.
    pub(crate) fn of(&self, figures: &Figures) -> Option<f64> {
        let percent = |share: Option<f64>| share.map(|share| share * 100.0);
        let speed =
            |seconds: Option<f64>, target: f64| seconds.map(|seconds| 100.0 * target / seconds.max(target));
        let parts = [
            (self.weights.ratings, percent(figures.good_share())),
            (self.weights.resolution, percent(figures.resolution())),
            (self.weights.answered, percent(figures.answered_share())),
            (self.weights.first_response, speed(figures.first_response_s(), self.first_response_s)),
            (self.weights.response, speed(figures.response_s(), self.response_s)),
        ];
        let known = parts.iter().filter_map(|(weight, part)| part.map(|part| (weight, part)));
        let (weights, sum) =
            known.fold((0.0, 0.0), |(weights, sum), (weight, part)| (weights + weight, sum + weight * part));
        (weights > 0.0).then(|| sum / weights)
    }

    /// How it is made, for the report.
    pub(crate) fn described(&self) -> String {
        let Weights { ratings, resolution, answered, first_response, response } = self.weights;
        format!(
            "Score: {ratings} × share of good ratings + {resolution} × share not opened again within 24 h + {answered} × \
             share answered + {first_response} × speed of the first answer ({} s is 100 %) + {response} × speed of answers \
             ({} s is 100 %), divided by the weights of what is known.",
            self.first_response_s, self.response_s
        )
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        let Weights { ratings, resolution, answered, first_response, response } = self.weights;
        let weights = [ratings, resolution, answered, first_response, response];
        if weights.iter().any(|weight| !weight.is_finite() || *weight < 0.0) {
            return Err("a weight is 0 or more".to_owned());
        }
        if weights.iter().all(|weight| *weight == 0.0) {
            return Err("no weight is above 0; the score would be nothing".to_owned());
        }
        let targets = [self.first_response_s, self.response_s];
        if targets.iter().any(|target| !target.is_finite() || *target <= 0.0) {
            return Err("first_response_s and response_s are seconds above 0".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_left_out_with_its_weight() {
        let score = Score::default();
        assert_eq!(score.of(&Figures::default()), None);
        let mut figures = Figures { chats: 4, unanswered: 1, reopened: 2, ..Figures::default() };
        // 25 × 50 and 20 × 75, of 45.
        assert_eq!(score.of(&figures), Some((25.0 * 50.0 + 20.0 * 75.0) / 45.0));
        figures.good = 3;
        figures.bad = 1;
        assert_eq!(score.of(&figures), Some((30.0 * 75.0 + 25.0 * 50.0 + 20.0 * 75.0) / 75.0));
        let only =
            Weights { ratings: 1.0, resolution: 0.0, answered: 0.0, first_response: 0.0, response: 0.0 };
        assert_eq!(Score { weights: only, ..Score::default() }.of(&figures), Some(75.0));
    }

    #[test]
    fn twice_the_time_is_half_the_worth_and_less_than_the_target_is_no_better() {
        let only =
            Weights { ratings: 0.0, resolution: 0.0, answered: 0.0, first_response: 1.0, response: 0.0 };
        let score = Score { weights: only, ..Score::default() };
        let of = |ms| score.of(&Figures { first_count: 1, first_ms: ms, ..Figures::default() });
        assert_eq!((of(0), of(60_000), of(120_000)), (Some(100.0), Some(100.0), Some(50.0)));
    }
}
