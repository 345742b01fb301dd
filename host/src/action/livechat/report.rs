//! LiveChat's reports.

use serde::{Deserialize, Serialize};

/// A report, as `wit/reports.wit` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the contract documents each")]
pub enum Report {
    TotalChats,
    Ratings,
    Ranking,
    FirstResponseTime,
    ResponseTime,
    Duration,
    Tags,
    Engagement,
    Groups,
    Queued,
    Availability,
    Performance,
    Visitors,
}

impl Report {
    /// All of them.
    pub const ALL: [Report; 13] = [
        Report::TotalChats,
        Report::Ratings,
        Report::Ranking,
        Report::FirstResponseTime,
        Report::ResponseTime,
        Report::Duration,
        Report::Tags,
        Report::Engagement,
        Report::Groups,
        Report::Queued,
        Report::Availability,
        Report::Performance,
        Report::Visitors,
    ];

    /// The capability of reading it.
    pub fn capability(self) -> &'static str {
        match self {
            Report::TotalChats => "reports.total-chats",
            Report::Ratings => "reports.ratings",
            Report::Ranking => "reports.ranking",
            Report::FirstResponseTime => "reports.first-response-time",
            Report::ResponseTime => "reports.response-time",
            Report::Duration => "reports.duration",
            Report::Tags => "reports.tags",
            Report::Engagement => "reports.engagement",
            Report::Groups => "reports.groups",
            Report::Queued => "reports.queued",
            Report::Availability => "reports.availability",
            Report::Performance => "reports.performance",
            Report::Visitors => "reports.visitors",
        }
    }
}
