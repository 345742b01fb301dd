//! Answers that serve again, and which page of a list has which id.

use std::collections::VecDeque;
use std::sync::Arc;

/// How long an answer serves, milliseconds.
pub(super) const FRESH_MS: i64 = 30_000;
/// How long the ids of pages are remembered after the first was; LiveChat keeps them for a month, but a list changes.
const PAGES_MS: i64 = 600_000;
const ANSWERS_MAX: usize = 64;
const BYTES_MAX: usize = 32 << 20;
const LISTS_MAX: usize = 32;

/// Both, the oldest first.
#[derive(Default)]
pub(super) struct Kept {
    answers: VecDeque<Answer>,
    lists: VecDeque<List>,
}

struct Answer {
    key: String,
    text: Arc<str>,
    asked_at_ms: i64,
}

/// A list whose pages are known from the second one on.
struct List {
    query: String,
    ids: Vec<String>,
    begun_at_ms: i64,
}

impl Kept {
    /// The answer to what was asked a moment ago.
    pub(super) fn answer(&mut self, key: &str, now_ms: i64) -> Option<Arc<str>> {
        // What a clock that was put back lets look new goes, too.
        self.answers.retain(|answer| (0..FRESH_MS).contains(&(now_ms - answer.asked_at_ms)));
        self.answers.iter().find(|answer| answer.key == key).map(|answer| answer.text.clone())
    }

    pub(super) fn keep(&mut self, key: String, text: Arc<str>, asked_at_ms: i64) {
        self.answers.retain(|answer| answer.key != key);
        self.answers.push_back(Answer { key, text, asked_at_ms });
        let bytes =
            |answers: &VecDeque<Answer>| answers.iter().map(|answer| answer.text.len()).sum::<usize>();
        while self.answers.len() > ANSWERS_MAX || bytes(&self.answers) > BYTES_MAX {
            self.answers.pop_front();
        }
    }

    /// The page nearest to one, not behind it, whose id is known; the first has none.
    pub(super) fn nearest_page(&mut self, query: &str, number: u32, now_ms: i64) -> (u32, Option<String>) {
        self.lists.retain(|list| (0..PAGES_MS).contains(&(now_ms - list.begun_at_ms)));
        let ids = self.lists.iter().find(|list| list.query == query).map(|list| list.ids.as_slice());
        let ids = ids.unwrap_or_default();
        let nearest = ids.len().min(number.saturating_sub(1) as usize);
        (nearest as u32 + 1, nearest.checked_sub(1).map(|index| ids[index].clone()))
    }

    /// Notes the id of a page from the second one on; false if a page before it has the same.
    pub(super) fn learn_page(&mut self, query: &str, number: u32, id: &str, now_ms: i64) -> bool {
        let index = number.saturating_sub(2) as usize;
        let place = self.lists.iter().position(|list| list.query == query);
        let place = place.unwrap_or_else(|| {
            if self.lists.len() >= LISTS_MAX {
                self.lists.pop_front();
            }
            self.lists.push_back(List { query: query.to_owned(), ids: Vec::new(), begun_at_ms: now_ms });
            self.lists.len() - 1
        });
        let ids = &mut self.lists[place].ids;
        // What comes behind it was learnt of the list as it was before.
        if ids.get(index).is_some_and(|known| known != id) {
            ids.truncate(index);
        }
        if ids.iter().take(index).any(|known| known == id) {
            ids.truncate(index);
            return false;
        }
        if ids.len() == index {
            ids.push(id.to_owned());
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_serves_for_a_while_and_there_is_a_bound() {
        let mut kept = Kept::default();
        kept.keep("a".to_owned(), "1".into(), 0);
        assert_eq!(kept.answer("a", FRESH_MS - 1).as_deref(), Some("1"));
        assert_eq!(kept.answer("b", 0), None);
        assert_eq!(kept.answer("a", FRESH_MS), None);
        kept.keep("a".to_owned(), "1".into(), 100);
        assert_eq!(kept.answer("a", 99), None, "the clock was put back");
        for number in 0..ANSWERS_MAX + 1 {
            kept.keep(number.to_string(), "x".into(), 0);
        }
        assert_eq!(kept.answer("0", 0), None);
        assert!(kept.answer("1", 0).is_some());
        let long: Arc<str> = "x".repeat(BYTES_MAX / 2).into();
        kept.keep("long".to_owned(), long.clone(), 0);
        kept.keep("longer".to_owned(), long, 0);
        assert!(kept.answer("1", 0).is_none() && kept.answer("long", 0).is_some());
    }

    #[test]
    fn pages_are_found_by_their_numbers() {
        let mut kept = Kept::default();
        assert_eq!(kept.nearest_page("q", 5, 0), (1, None));
        assert!(kept.learn_page("q", 2, "b", 0));
        assert!(kept.learn_page("q", 3, "c", 0));
        let page = |id: &str| Some(id.to_owned());
        assert_eq!(kept.nearest_page("q", 5, 0), (3, page("c")));
        assert_eq!(kept.nearest_page("q", 2, 0), (2, page("b")));
        assert_eq!(kept.nearest_page("q", 1, 0), (1, None));
        assert_eq!(kept.nearest_page("other", 2, 0), (1, None));
        // The list has changed: what followed the old second page is not known any more.
        assert!(kept.learn_page("q", 2, "b2", 0));
        assert_eq!(kept.nearest_page("q", 5, 0), (2, page("b2")));
        assert_eq!(kept.nearest_page("q", 5, PAGES_MS), (1, None));
    }

    #[test]
    fn a_list_that_goes_round_is_noticed() {
        let mut kept = Kept::default();
        assert!(kept.learn_page("q", 2, "b", 0));
        assert!(kept.learn_page("q", 2, "b", 0), "asked again");
        assert!(kept.learn_page("q", 3, "c", 0));
        assert!(!kept.learn_page("q", 4, "b", 0));
    }
}
