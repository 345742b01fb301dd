//! LiveChat's statistics.
//!
//! ```no_run
//! # use chatplug_sdk::prelude::*;
//! # fn handle() -> Result<(), Failure> {
//! let ratings = reports::ratings(&Query::new().days("2026-06-01", "2026-06-07"))?;
//! info!("{} of {} chats were rated badly", ratings.sum("bad"), ratings.sum("chats"));
//! # Ok(()) }
//! ```
//!
//! ```no_run
//! # use chatplug_sdk::prelude::*;
//! # fn handle() -> Result<(), Failure> {
//! let chats = match reports::total_chats(&Query::new()) {
//!     Err(error) if error.code == ErrorCode::Denied => return Ok(()), // the token lacks the scope reports_read
//!     report => report?.total,
//! };
//! # Ok(()) }
//! ```

use crate::exported::bindings::chatplug::plugin::reports as contract;
use crate::exported::bindings::chatplug::plugin::types;
use crate::objects::Report;
use crate::{Error, Query, json};

/// Functions that each read a report.
macro_rules! reports {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Errors
            /// `invalid`, `denied` if the token lacks the scope `reports_read`, or the platform did not answer.
            pub fn $name(query: &Query) -> Result<Report, Error> {
                read(contract::$name(&query.to_json()))
            }
        )*
    };
}

reports! {
    /// How many chats there were: `total`, `continuous`. Grant: `reports.total-chats`.
    total_chats,
    /// How chats were rated: `chats`, `good`, `bad`. Grant: `reports.ratings`.
    ratings,
    /// How each agent was rated, by agent id: `total`, `good`, `bad`, `score`. Grant: `reports.ranking`.
    ranking,
    /// How long customers waited for the first answer: `count`, `first_response_time` in seconds. Grant:
    /// `reports.first-response-time`.
    first_response_time,
    /// How long customers waited for an answer: `count`, `response_time` in seconds. Grant: `reports.response-time`.
    response_time,
    /// How long chats were: `count`, `duration`, `agents_chatting_duration` in seconds. Grant: `reports.duration`.
    duration,
    /// How often each tag was used. Grant: `reports.tags`.
    tags,
    /// How chats began. Grant: `reports.engagement`.
    engagement,
    /// How many chats each group had. Grant: `reports.groups`.
    groups,
    /// How many customers waited in the queue, and left it. How long is there only where LiveChat says it. Grant:
    /// `reports.queued`.
    queued,
    /// For how long agents accepted chats: `hours` of each day, `minutes` of each hour. Grant: `reports.availability`.
    availability,
    /// What each agent did, by agent id. Grant: `reports.performance`.
    performance,
    /// How many people visited: `unique_visitors`, `page_views`. Grant: `reports.visitors`.
    visitors,
}

fn read(answer: Result<String, types::Error>) -> Result<Report, Error> {
    json::read("LiveChat's report", &answer?)
}
