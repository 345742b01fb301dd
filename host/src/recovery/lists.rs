//! The way through LiveChat's lists: page by page; in the archives also in smaller pages where one is too large, around
//! what is too large even alone, and past the day before where there is too much of it.

use std::collections::HashSet;

use serde_json::json;

use super::look::Span;
use super::time;
use crate::action::livechat::Call;
use crate::action::{Code, Error};
use crate::livechat::webhook::listed::Page;

/// Conversations on a page of the archives, at most: with all that was said in them it is large.
const ARCHIVES_PAGE: u32 = 50;
/// Pages of each list; what is behind them is left to the operator.
pub(super) const PAGES_MAX: u32 = 200;
/// LiveChat lists conversations by their beginnings; one that began so long before may have gone on, milliseconds.
const LONGEST_MS: i64 = 24 * 3_600_000;
/// The beginning of a list is told in whole seconds.
const SECOND_MS: i64 = 1_000;

/// The pages of a list.
#[derive(Default)]
pub(super) struct Pages {
    pub(super) id: Option<String>,
    seen: HashSet<String>,
}

impl Pages {
    /// Turns over; whether this page is the last one.
    pub(super) fn turn<T>(&mut self, page: &Page<T>) -> Result<bool, Error> {
        self.id.clone_from(&page.next_page_id);
        let Some(id) = &self.id else { return Ok(true) };
        match self.seen.insert(id.clone()) {
            true => Ok(false),
            false => Err(Error::new(Code::Unavailable, "LiveChat's list goes round: a page comes again")),
        }
    }

    /// Whether another page is one too many.
    pub(super) fn is_too_long(&self) -> bool {
        self.seen.len() >= PAGES_MAX as usize
    }
}

/// Where one is in the archives; the oldest conversation comes first.
pub(super) struct Archives {
    span: Span,
    /// The list as it was begun last: with which beginning, and how many on a page.
    from_ms: i64,
    limit: u32,
    pages: Pages,
    /// When the newest conversation began that was listed; before it, where the look begins.
    last_ms: i64,
    /// Calls that may still be made.
    calls: u32,
    /// What is gone around, if it is.
    around: Option<Around>,
    /// Whether the day before was left.
    is_near: bool,
}

/// The way around a conversation that is too large even alone.
#[derive(Clone, Copy)]
struct Around {
    /// The last beginning before it.
    from_ms: i64,
    /// How far from there it is looked next.
    step_ms: i64,
}

/// Conversations that can't be seen, by the times between which they began; milliseconds since 1970.
pub(super) type Unseen = (i64, i64);

impl Archives {
    pub(super) fn new(span: Span) -> Archives {
        let from_ms = span.from_ms - LONGEST_MS;
        Archives {
            span,
            from_ms,
            limit: ARCHIVES_PAGE,
            pages: Pages::default(),
            last_ms: from_ms,
            calls: PAGES_MAX,
            around: None,
            is_near: false,
        }
    }

    /// Before the next call: where there were too many, what is left of the day before is left out. Answers what that is.
    ///
    /// # Errors
    /// If it was left out before.
    pub(super) fn advance(&mut self) -> Result<Option<Unseen>, Error> {
        if self.calls > 0 {
            self.calls -= 1;
            return Ok(None);
        }
        if self.is_near {
            return Err(too_many(&format!("LiveChat lists more than {PAGES_MAX} pages")));
        }
        self.is_near = true;
        self.calls = PAGES_MAX - 1;
        let reached_ms = self.reached_ms();
        let seen_to_ms = self.around.take().map_or(reached_ms, |around| around.from_ms);
        let next_ms = reached_ms.max(self.span.from_ms);
        self.begin(next_ms, ARCHIVES_PAGE);
        Ok((seen_to_ms < next_ms).then_some((seen_to_ms, next_ms)))
    }

    /// The call for the next page.
    pub(super) fn call(&self) -> Call {
        let mut filters = json!({ "from": time(self.from_ms) });
        if self.span.to_ms < self.span.now_ms {
            filters["to"] = json!(time(self.span.to_ms + SECOND_MS));
        }
        let query = json!({ "filters": filters, "limit": self.limit, "sort_order": "asc" }).to_string();
        Call::ListArchives { query, page_id: self.pages.id.clone() }
    }

    /// A conversation that began then was listed.
    pub(super) fn saw(&mut self, began_ms: i64) {
        self.last_ms = self.last_ms.max(began_ms);
    }

    /// Turns over; whether this page was the last one.
    ///
    /// # Errors
    /// If the list goes round.
    pub(super) fn turn<T>(&mut self, page: &Page<T>) -> Result<bool, Error> {
        let is_last = self.pages.turn(page)?;
        if !is_last && self.around.is_some() {
            // How many are on a page, its id says: only another list has more of them again.
            self.begin(self.reached_ms(), ARCHIVES_PAGE);
        }
        self.around = None;
        Ok(is_last)
    }

    /// A page was too large: the list begins again where it had come to, with smaller pages, or behind a conversation that
    /// is too large alone; false if the time that is looked at ends before.
    pub(super) fn lessen(&mut self) -> bool {
        if self.limit > 1 {
            self.begin(self.reached_ms(), self.limit / 2);
            return true;
        }
        let Around { from_ms, step_ms } =
            self.around.unwrap_or(Around { from_ms: self.reached_ms(), step_ms: SECOND_MS });
        self.around = Some(Around { from_ms, step_ms: step_ms * 2 });
        self.begin(from_ms + step_ms, 1);
        self.from_ms <= self.span.end_ms()
    }

    /// What it went around to come here.
    pub(super) fn went_around(&self) -> Option<Unseen> {
        self.around.map(|around| (around.from_ms, self.from_ms.min(self.span.end_ms())))
    }

    fn reached_ms(&self) -> i64 {
        self.from_ms.max(self.last_ms)
    }

    fn begin(&mut self, from_ms: i64, limit: u32) {
        // What began in the same second comes once more, and is known.
        self.from_ms = from_ms - from_ms.rem_euclid(SECOND_MS);
        self.limit = limit;
        self.pages = Pages::default();
    }
}

/// There is more than one look takes.
pub(super) fn too_many(what: &str) -> Error {
    let message =
        format!("{what}: look at shorter times, with `chatplug events recover --from TIME --to TIME`");
    Error::new(Code::Limit, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    const DAY_MS: i64 = 24 * HOUR_MS;
    const FROM_MS: i64 = 1_780_000_000_000;
    /// The most that a page may have.
    const BYTES_MAX: u64 = 100;

    /// Goes through archives of conversations, each with its beginning in milliseconds after the day before, and its
    /// size. Answers which were seen, what was told to be unseen, and how it ended.
    fn walk(conversations: &[(i64, u64)]) -> (Vec<i64>, Vec<Unseen>, Result<(), Error>) {
        let span = Span {
            from_ms: FROM_MS,
            to_ms: FROM_MS + HOUR_MS,
            asked_from_ms: FROM_MS,
            now_ms: FROM_MS + 2 * HOUR_MS,
        };
        let began = FROM_MS - DAY_MS;
        let (mut archives, mut seen, mut unseen) = (Archives::new(span), Vec::new(), Vec::new());
        let ended = loop {
            match archives.advance() {
                Ok(left_out) => unseen.extend(left_out),
                Err(error) => break Err(error),
            }
            let Some(page) = page(&archives, conversations, began) else {
                if archives.lessen() {
                    continue;
                }
                unseen.extend(archives.went_around());
                break Ok(());
            };
            unseen.extend(archives.went_around());
            for at_ms in &page.items {
                seen.push(*at_ms);
                archives.saw(began + at_ms);
            }
            match archives.turn(&page) {
                Ok(true) => break Ok(()),
                Ok(false) => {}
                Err(error) => break Err(error),
            }
        };
        seen.dedup();
        let unseen = unseen.into_iter().map(|(from, to)| (from - began, to - began)).collect();
        (seen, unseen, ended)
    }

    /// What LiveChat answers, if it isn't too large. The id of a page is how many come before it.
    fn page(archives: &Archives, conversations: &[(i64, u64)], began: i64) -> Option<Page<i64>> {
        let Call::ListArchives { page_id, .. } = archives.call() else { panic!("a list") };
        let skipped: usize = page_id.map_or(0, |id| id.parse().expect("our own id"));
        let listed: Vec<_> =
            conversations.iter().filter(|(at_ms, _)| began + at_ms >= archives.from_ms).collect();
        let limit = archives.limit as usize;
        let items: Vec<_> = listed.iter().skip(skipped).take(limit).collect();
        let bytes: u64 = items.iter().map(|(_, bytes)| bytes).sum();
        (bytes <= BYTES_MAX).then(|| Page {
            items: items.iter().map(|(at_ms, _)| *at_ms).collect(),
            next_page_id: (skipped + limit < listed.len()).then(|| (skipped + limit).to_string()),
        })
    }

    #[test]
    fn what_is_too_large_for_a_page_comes_on_smaller_ones() {
        let conversations: Vec<(i64, u64)> = (0..300).map(|number| (number * 7_300, 9)).collect();
        let (seen, unseen, ended) = walk(&conversations);
        assert!(seen.iter().eq(conversations.iter().map(|(at_ms, _)| at_ms)), "{seen:?}");
        assert_eq!((unseen, ended), (vec![], Ok(())));
    }

    #[test]
    fn what_is_too_large_alone_is_gone_around_and_told() {
        // The first, one in between, and the last.
        let mut conversations: Vec<(i64, u64)> = (0..100).map(|number| (number * 60_000, 1)).collect();
        for number in [0, 50, 99] {
            conversations[number].1 = BYTES_MAX + 1;
        }
        let (seen, unseen, ended) = walk(&conversations);
        assert_eq!(ended, Ok(()));
        let is_told = |at_ms: i64| unseen.iter().any(|(from_ms, to_ms)| (*from_ms..*to_ms).contains(&at_ms));
        for (at_ms, _) in &conversations {
            assert!(seen.contains(at_ms) || is_told(*at_ms), "{at_ms} is neither seen nor told: {unseen:?}");
        }
        assert_eq!(unseen.len(), 3, "{unseen:?}");
        assert!(seen.len() > 90, "{}", seen.len());
    }

    #[test]
    fn a_day_before_that_is_too_long_is_left_and_told() {
        // Ten in each minute.
        let busy = |conversations: i64| -> Vec<(i64, u64)> {
            (0..conversations).map(|number| (number * 6_000, 1)).collect()
        };
        let (seen, unseen, ended) = walk(&busy(15_000));
        let reached_ms = 49 * 6_000 + 199 * 50 * 6_000;
        assert_eq!((unseen, ended), (vec![(reached_ms, DAY_MS)], Ok(())));
        let in_time = seen.iter().filter(|at_ms| **at_ms >= DAY_MS).count();
        assert_eq!(in_time, 15_000 - 14_400, "all that began in the time itself");
        // A second day's worth in the hour itself is too much.
        let crowded: Vec<(i64, u64)> = (0..25_000).map(|number| (DAY_MS + number * 100, 1)).collect();
        let (_, unseen, ended) = walk(&crowded);
        assert_eq!((unseen, ended.map_err(|error| error.code)), (vec![], Err(Code::Limit)));
    }
}
