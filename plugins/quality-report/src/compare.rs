//! What LiveChat's own reports say of the same days.

use chatplug_sdk::objects::Report;
use chatplug_sdk::prelude::*;

use crate::figures::Figures;

/// A number of both.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Compared {
    /// What it is.
    pub(crate) name: &'static str,
    /// What was counted here.
    pub(crate) ours: Option<f64>,
    /// What LiveChat says; `None` if it could not be asked.
    pub(crate) theirs: Option<f64>,
}

impl Compared {
    /// How much more LiveChat says.
    pub(crate) fn difference(&self) -> Option<f64> {
        Some(self.theirs? - self.ours?)
    }
}

/// LiveChat's reports of the days; `None` where it may not be asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reports {
    /// How many chats.
    pub(crate) chats: Option<Report>,
    /// Ratings.
    pub(crate) ratings: Option<Report>,
    /// First answers.
    pub(crate) first_response: Option<Report>,
    /// Answers.
    pub(crate) response: Option<Report>,
}

impl Reports {
    /// Asks for them.
    pub(crate) fn read(query: &Query) -> Result<Reports, Failure> {
        Ok(Reports {
            chats: allowed(reports::total_chats(query))?,
            ratings: allowed(reports::ratings(query))?,
            first_response: allowed(reports::first_response_time(query))?,
            response: allowed(reports::response_time(query))?,
        })
    }

    /// The totals beside those that were counted here.
    pub(crate) fn compare(&self, all: &Figures) -> Vec<Compared> {
        let count = |number: u64| Some(number as f64);
        let sum = |report: &Option<Report>, name| report.as_ref().map(|report| report.sum(name));
        let mean = |report: &Option<Report>, name| report.as_ref().and_then(|report| mean(report, name));
        vec![
            Compared {
                name: "chats",
                ours: count(all.chats),
                theirs: self.chats.as_ref().map(|report| report.total),
            },
            Compared { name: "rated good", ours: count(all.good), theirs: sum(&self.ratings, "good") },
            Compared { name: "rated bad", ours: count(all.bad), theirs: sum(&self.ratings, "bad") },
            Compared {
                name: "first response, s",
                ours: all.first_response_s(),
                theirs: mean(&self.first_response, "first_response_time"),
            },
            Compared {
                name: "response, s",
                ours: all.response_s(),
                theirs: mean(&self.response, "response_time"),
            },
        ]
    }
}

/// The mean over all days, each by its `count`.
fn mean(report: &Report, name: &str) -> Option<f64> {
    let days = report.records.keys().map(|day| (report.number(day, "count"), report.number(day, name)));
    let (count, sum) = days.fold((0.0, 0.0), |(all, sum), (count, mean)| (all + count, sum + count * mean));
    (count > 0.0).then(|| sum / count)
}

/// A report that isn't granted, or that the account's API lacks, is none; the rest of the page is there without it.
fn allowed(report: Result<Report, Error>) -> Result<Option<Report>, Failure> {
    match report {
        Err(error) if matches!(error.code, ErrorCode::Denied | ErrorCode::Unsupported) => {
            warn!("the totals are not compared with LiveChat's report: {error}");
            Ok(None)
        }
        report => Ok(Some(report?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(value: Value) -> Option<Report> {
        Some(serde_json::from_value(value).expect("a report"))
    }

    #[test]
    fn totals_stand_beside_those_of_livechat() {
        let all =
            Figures { chats: 9, good: 2, bad: 1, first_count: 4, first_ms: 80_000, ..Figures::default() };
        let days = json!({ "2026-06-01": { "count": 1, "first_response_time": 50.0 },
            "2026-06-02": { "count": 3, "first_response_time": 10.0 } });
        let reports = Reports {
            chats: report(json!({ "total": 11, "records": {} })),
            ratings: report(
                json!({ "records": { "2026-06-01": { "good": 1 }, "2026-06-02": { "good": 1 } } }),
            ),
            first_response: report(json!({ "records": days })),
            response: None,
        };
        let compared = reports.compare(&all);
        let told: Vec<_> =
            compared.iter().map(|one| (one.name, one.ours, one.theirs, one.difference())).collect();
        assert_eq!(
            told,
            [
                ("chats", Some(9.0), Some(11.0), Some(2.0)),
                ("rated good", Some(2.0), Some(2.0), Some(0.0)),
                ("rated bad", Some(1.0), Some(0.0), Some(-1.0)),
                ("first response, s", Some(20.0), Some(20.0), Some(0.0)),
                ("response, s", None, None, None),
            ]
        );
    }

    #[test]
    fn what_may_not_be_asked_is_left_out_and_what_fails_is_tried_again() {
        let refused = |code| allowed(Err(Error::new(code, "no")));
        assert!(matches!(refused(ErrorCode::Denied), Ok(None)));
        assert!(matches!(refused(ErrorCode::Unsupported), Ok(None)));
        assert!(matches!(refused(ErrorCode::RateLimited), Err(Failure::Retry(_))));
        assert!(matches!(refused(ErrorCode::Invalid), Err(Failure::Reject(_))));
    }
}
