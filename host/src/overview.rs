//! What operators see of the LiveChat account: chats, agents, figures. It only reads; answers are kept for a short while,
//! because LiveChat bills each call, and a page that is loaded again shall not cost one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::action::livechat::{Call, LiveChat, Report};
use crate::action::{Code, Error, Origin};
use crate::livechat::view::{self, Agent, Conversation, Figures, Transcript};

mod kept;
#[cfg(test)]
mod tests;
mod window;

pub use window::Window;

use kept::Kept;

/// Chats on a page: with all that was said in them, an answer of LiveChat's is large.
pub const PAGE: u32 = 50;
/// The last page that can be asked for: to get there, each page before it may have to be read.
pub const PAGES_MAX: u32 = 100;
/// The longest answer that is taken.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// Which chats.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatsAsked {
    /// The first day; by default yesterday.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date_from: Option<Date>,
    /// The last day; by default today.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date_to: Option<Date>,
    /// The page, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// Only those in which this agent was, by the e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// A page of chats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chats {
    /// The days, in which time zone.
    #[serde(flatten)]
    pub window: Window,
    /// Which page it is.
    pub page: u32,
    /// The next page; `None` on the last one, and on the last one that can be asked for.
    pub next_page: Option<u32>,
    /// Whether there are more chats behind the last page that can be asked for: only fewer days bring them.
    #[serde(default)]
    pub is_cut: bool,
    /// How many there are on all pages, as LiveChat estimates it.
    pub found: Option<u64>,
    /// The newest first.
    pub chats: Vec<Conversation>,
}

/// Which days.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatsAsked {
    /// The first day; by default six days ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date_from: Option<Date>,
    /// The last day; by default today.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date_to: Option<Date>,
}

/// Figures of some days, and of each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// The days, in which time zone.
    #[serde(flatten)]
    pub window: Window,
    /// All days together.
    #[serde(flatten)]
    pub sum: Numbers,
    /// Each day, in order.
    pub days: Vec<Day>,
}

/// Figures of a day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Day {
    /// Which one.
    pub date: String,
    /// Its figures.
    #[serde(flatten)]
    pub numbers: Numbers,
}

/// Figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Numbers {
    /// Chats.
    pub total_chats: u64,
    /// How long customers waited for the first answer on average, seconds; `None` if there was none.
    pub first_response_time: Option<f64>,
    /// Chats that were rated good.
    pub rated_good: u64,
    /// Chats that were rated bad.
    pub rated_bad: u64,
}

/// Reads the account.
pub struct Overview {
    livechat: Arc<dyn LiveChat>,
    kept: Mutex<Kept>,
    /// LiveChat bills each call, and plugins need it, too: screens that look at the same time share one.
    one_at_a_time: tokio::sync::Mutex<()>,
}

impl Overview {
    /// Reads through this.
    pub fn new(livechat: Arc<dyn LiveChat>) -> Overview {
        Overview { livechat, kept: Mutex::default(), one_at_a_time: tokio::sync::Mutex::default() }
    }

    /// A page of the chats that have ended.
    ///
    /// # Errors
    /// `invalid` for days and pages that make no sense, `not-found` behind the last page; those of LiveChat.
    pub async fn chats(&self, asked: &ChatsAsked, zone: Option<&TimeZone>) -> Result<Chats, Error> {
        let zone = known(zone)?;
        let window = Window::new(asked.date_from, asked.date_to, 1, today(zone), zone)?;
        let number = asked.page.unwrap_or(1);
        if !(1..=PAGES_MAX).contains(&number) {
            return Err(invalid(format!("`page` is from 1 to {PAGES_MAX}: ask for fewer days")));
        }
        let mut filters = json!({ "from": window.date_from, "to": window.date_to });
        if let Some(agent) = &asked.agent {
            filters["agents"] = json!({ "values": [agent] });
        }
        let query = json!({ "filters": filters, "limit": PAGE }).to_string();
        let page = self.page(&query, number).await?;
        let has_more = page.next_page_id.is_some();
        Ok(Chats {
            window,
            page: number,
            next_page: (has_more && number < PAGES_MAX).then_some(number + 1),
            is_cut: has_more && number == PAGES_MAX,
            found: page.found,
            chats: page.conversations,
        })
    }

    /// One chat with its newest conversation.
    ///
    /// # Errors
    /// `not-found`; those of LiveChat.
    pub async fn chat(&self, chat_id: &str) -> Result<Transcript, Error> {
        let call = Call::GetChat { chat_id: chat_id.to_owned(), thread_id: None };
        view::transcript(&self.ask(call).await?)
    }

    /// The people of the team, and who accepts chats.
    ///
    /// # Errors
    /// Those of LiveChat.
    pub async fn agents(&self) -> Result<Vec<Agent>, Error> {
        let agents = Call::ListAgents { group_ids: Vec::new(), fields: vec!["groups".to_owned()] };
        let statuses = Call::ListRoutingStatuses { group_ids: Vec::new() };
        view::agents(&self.ask(agents).await?, &self.ask(statuses).await?)
    }

    /// Figures by day.
    ///
    /// # Errors
    /// `invalid` for days that make no sense; those of LiveChat.
    pub async fn stats(&self, asked: &StatsAsked, zone: Option<&TimeZone>) -> Result<Stats, Error> {
        let zone = known(zone)?;
        let window = Window::new(asked.date_from, asked.date_to, 6, today(zone), zone)?;
        let filters = json!({ "from": window.date_from, "to": window.date_to });
        let query = json!({ "distribution": "day", "filters": filters }).to_string();
        let read = async |report| {
            let call = Call::Report { report, query: query.clone() };
            Figures::of(&self.ask(call).await?)
        };
        let totals = read(Report::TotalChats).await?;
        let waits = read(Report::FirstResponseTime).await?;
        let ratings = read(Report::Ratings).await?;
        let day = |date: &str| (date.to_owned(), numbers(date, &totals, &waits, &ratings));
        let days: Vec<(String, Counted)> = totals.buckets().map(day).collect();
        let sum = days.iter().fold(Counted::default(), |sum, (_, day)| sum.and(day));
        let days = days.into_iter().map(|(date, counted)| Day { date, numbers: counted.numbers() }).collect();
        Ok(Stats { window, sum: sum.numbers(), days })
    }

    /// A page by its number. LiveChat's pages have ids, each of which only the page before it tells.
    async fn page(&self, query: &str, number: u32) -> Result<view::Page, Error> {
        let (mut at, mut id) = self.kept().nearest_page(query, number, now());
        loop {
            let page_id = id.clone();
            let call = Call::ListArchives { query: query.to_owned(), page_id };
            let page = view::page(&self.ask(call).await?)?;
            if let Some(next) = &page.next_page_id
                && !self.kept().learn_page(query, at + 1, next, now())
            {
                let message =
                    format!("LiveChat's list goes round: page {} is one of those before it", at + 1);
                return Err(Error::new(Code::Unavailable, message));
            }
            if at == number {
                return Ok(page);
            }
            let last =
                || Error::new(Code::NotFound, format!("there is no page {number}: the last one is {at}"));
            id = Some(page.next_page_id.ok_or_else(last)?);
            at += 1;
        }
    }

    /// One call; an answer that was asked for a moment ago serves again.
    async fn ask(&self, call: Call) -> Result<Arc<str>, Error> {
        let key = serde_json::to_string(&call).expect("every call can be written as JSON");
        if let Some(answer) = self.kept().answer(&key, now()) {
            return Ok(answer);
        }
        let _turn = self.one_at_a_time.lock().await;
        // Whoever had the turn before may have asked the same.
        if let Some(answer) = self.kept().answer(&key, now()) {
            return Ok(answer);
        }
        let asked_at = now();
        let answer = self.livechat.call(&Origin::of_host(asked_at, ANSWER_BYTES_MAX), call).await;
        let answer: Arc<str> = answer.map_err(|failure| failure.into_error())?.into();
        self.kept().keep(key, answer.clone(), asked_at);
        Ok(answer)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Figures that can be summed.
#[derive(Clone, Copy, Default)]
struct Counted {
    numbers: Numbers,
    waited: f64,
    waits: f64,
}

impl Counted {
    fn and(self, other: &Counted) -> Counted {
        let (a, b) = (self.numbers, other.numbers);
        Counted {
            numbers: Numbers {
                total_chats: a.total_chats + b.total_chats,
                first_response_time: None,
                rated_good: a.rated_good + b.rated_good,
                rated_bad: a.rated_bad + b.rated_bad,
            },
            waited: self.waited + other.waited,
            waits: self.waits + other.waits,
        }
    }

    fn numbers(self) -> Numbers {
        let first_response_time = (self.waits > 0.0).then(|| self.waited / self.waits);
        Numbers { first_response_time, ..self.numbers }
    }
}

fn numbers(date: &str, totals: &Figures, waits: &Figures, ratings: &Figures) -> Counted {
    let count = waits.number(date, "count");
    Counted {
        numbers: Numbers {
            total_chats: totals.number(date, "total") as u64,
            first_response_time: None,
            rated_good: ratings.number(date, "good") as u64,
            rated_bad: ratings.number(date, "bad") as u64,
        },
        waited: waits.number(date, "first_response_time") * count,
        waits: count,
    }
}

fn known(zone: Option<&TimeZone>) -> Result<&TimeZone, Error> {
    zone.ok_or_else(|| {
        let text = "which hours a day has depends on the account's time zone: set livechat.timezone, such as \
                    \"Europe/Warsaw\"";
        invalid(text.to_owned())
    })
}

fn today(zone: &TimeZone) -> Date {
    Timestamp::now().to_zoned(zone.clone()).date()
}

fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

fn invalid(message: String) -> Error {
    Error::new(Code::Invalid, message)
}
