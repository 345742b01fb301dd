//! What LiveChat's own reports say of the same days.

use chatplug_sdk::objects::Report;
use chatplug_sdk::prelude::*;
use serde::{Deserialize, Serialize};

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

/// A report of LiveChat's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Chats,
    Ratings,
    FirstResponse,
    Response,
}

impl Which {
    fn name(self) -> &'static str {
        match self {
            Which::Chats => "chats",
            Which::Ratings => "ratings",
            Which::FirstResponse => "first response",
            Which::Response => "response",
        }
    }
}

/// So many attempts ask for a report that fails; the last of them goes on without it.
const ATTEMPTS_MAX: u32 = 5;

/// So long reports are asked for, milliseconds: where a service asks to wait, the host runs the plugin again, and no attempt
/// is spent.
const ASKED_MS_MAX: i64 = 3_600_000;

/// When the reports were first asked for, in the attempts at an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// Milliseconds since 1970.
    pub(crate) since_ms: i64,
    /// The number of that attempt.
    pub(crate) attempt: u32,
}

/// What follows if a report fails for now. The comparison is a help; what was counted has to be published in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Everything waits for another attempt.
    Waits,
    /// It is left out.
    Ends,
    /// All are left out without asking.
    IsOver,
}

impl Patience {
    /// How it is in an attempt.
    pub(crate) fn of(asked: Asked, attempt: u32, now_ms: i64) -> Patience {
        if now_ms - asked.since_ms >= ASKED_MS_MAX {
            Patience::IsOver
        } else if attempt.saturating_sub(asked.attempt) + 1 >= ATTEMPTS_MAX {
            Patience::Ends
        } else {
            Patience::Waits
        }
    }
}

/// LiveChat's reports of the days; `None` where there is none to compare with.
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
    ///
    /// # Errors
    /// One failed, and is worth another attempt.
    pub(crate) fn read(query: &Query, patience: Patience) -> Result<Reports, Failure> {
        Reports::ask(patience, |which| match which {
            Which::Chats => reports::total_chats(query),
            Which::Ratings => reports::ratings(query),
            Which::FirstResponse => reports::first_response_time(query),
            Which::Response => reports::response_time(query),
        })
    }

    fn ask(
        patience: Patience,
        mut ask: impl FnMut(Which) -> Result<Report, Error>,
    ) -> Result<Reports, Failure> {
        if patience == Patience::IsOver {
            warn!("the totals are not compared: LiveChat's reports could not be asked for too long");
            return Ok(Reports::default());
        }
        let mut ask = |which| worth(which, patience, ask(which));
        Ok(Reports {
            chats: ask(Which::Chats)?,
            ratings: ask(Which::Ratings)?,
            first_response: ask(Which::FirstResponse)?,
            response: ask(Which::Response)?,
        })
    }

    /// What nothing is compared with.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let all = [
            (Which::Chats, &self.chats),
            (Which::Ratings, &self.ratings),
            (Which::FirstResponse, &self.first_response),
            (Which::Response, &self.response),
        ];
        all.into_iter().filter(|(_, report)| report.is_none()).map(|(which, _)| which.name()).collect()
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

/// A report that isn't granted, that the account's API lacks, that is over a limit: whatever is not worth another attempt is
/// left out. The rest of the page is there without it.
fn worth(which: Which, patience: Patience, asked: Result<Report, Error>) -> Result<Option<Report>, Failure> {
    match asked {
        Ok(report) => Ok(Some(report)),
        Err(error) if patience == Patience::Waits && error.code.may_pass() => Err(error.into()),
        Err(error) => {
            warn!("the total of {} is not compared with LiveChat's report: {error}", which.name());
            Ok(None)
        }
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

    const NOT_NOW: [ErrorCode; 3] = [ErrorCode::RateLimited, ErrorCode::Unavailable, ErrorCode::Other];
    const NEVER: [ErrorCode; 8] = [
        ErrorCode::Denied,
        ErrorCode::NotFound,
        ErrorCode::Invalid,
        ErrorCode::Conflict,
        ErrorCode::Inactive,
        ErrorCode::Expired,
        ErrorCode::Limit,
        ErrorCode::Unsupported,
    ];

    /// All but the ratings are there.
    fn without_ratings(patience: Patience, code: ErrorCode) -> Result<Reports, Failure> {
        Reports::ask(patience, |which| match which {
            Which::Ratings => Err(Error::new(code, "no")),
            _ => Ok(Report::default()),
        })
    }

    #[test]
    fn what_cannot_be_asked_is_left_out_and_what_fails_is_tried_again() {
        for code in NEVER {
            for patience in [Patience::Waits, Patience::Ends] {
                let reports = without_ratings(patience, code);
                assert_eq!(reports.map(|reports| reports.missing()), Ok(vec!["ratings"]), "{code:?}");
            }
        }
        for code in NOT_NOW {
            let waits = without_ratings(Patience::Waits, code);
            assert!(matches!(waits, Err(Failure::Retry(_))), "{code:?}");
            let ends = without_ratings(Patience::Ends, code);
            assert_eq!(ends.map(|reports| reports.missing()), Ok(vec!["ratings"]), "{code:?}");
        }
    }

    #[test]
    fn once_patience_is_over_nothing_is_asked() {
        let reports = Reports::ask(Patience::IsOver, |which| panic!("{which:?} is asked for"));
        let reports = reports.expect("reports");
        assert_eq!(reports.missing(), ["chats", "ratings", "first response", "response"]);
        assert!(reports.compare(&Figures::default()).iter().all(|one| one.theirs.is_none()));
    }

    #[test]
    fn patience_ends_after_some_attempts_or_an_hour() {
        #[track_caller]
        fn check(asked: (i64, u32), attempt: u32, now_ms: i64, expected: Patience) {
            let asked = Asked { since_ms: asked.0, attempt: asked.1 };
            assert_eq!(Patience::of(asked, attempt, now_ms), expected);
        }
        check((1_000, 1), 1, 1_000, Patience::Waits);
        check((1_000, 1), 4, 60_000, Patience::Waits);
        check((1_000, 1), 5, 60_000, Patience::Ends);
        check((1_000, 1), 9, 60_000, Patience::Ends);
        // Attempts at what came before don't count.
        check((1_000, 7), 7, 1_000, Patience::Waits);
        check((1_000, 7), 11, 60_000, Patience::Ends);
        // Another event goes on.
        check((1_000, 7), 1, 60_000, Patience::Waits);
        // It was told to wait again and again, which spends no attempt.
        check((1_000, 1), 1, 3_600_999, Patience::Waits);
        check((1_000, 1), 1, 3_601_000, Patience::IsOver);
        check((1_000, 1), 9, 3_601_000, Patience::IsOver);
    }
}
