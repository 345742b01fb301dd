use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::*;
use crate::action::{BoxFuture, Failure};

/// Answers each call with what the script says, and counts.
struct Scripted<F> {
    script: F,
    asked: AtomicUsize,
}

impl<F: Fn(&Call) -> Result<Value, Code> + Send + Sync> LiveChat for Scripted<F> {
    fn call<'a>(&'a self, _: &'a Origin, call: Call) -> BoxFuture<'a, Result<String, Failure>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = (self.script)(&call).map(|answer| answer.to_string());
        Box::pin(async move {
            // As a service would: others come to ask meanwhile.
            tokio::task::yield_now().await;
            answer.map_err(|code| Error::new(code, "no").into())
        })
    }

    fn look_up<'a>(
        &'a self,
        _: &'a Origin,
        _: &'a Call,
        _: i64,
    ) -> BoxFuture<'a, Result<Option<String>, Failure>> {
        Box::pin(async { Ok(None) })
    }
}

fn overview<F>(script: F) -> (Overview, Arc<Scripted<F>>)
where
    F: Fn(&Call) -> Result<Value, Code> + Send + Sync + 'static,
{
    let livechat = Arc::new(Scripted { script, asked: AtomicUsize::new(0) });
    (Overview::new(livechat.clone()), livechat)
}

fn days() -> ChatsAsked {
    let day = |text: &str| text.parse().ok();
    ChatsAsked { date_from: day("2026-06-01"), date_to: day("2026-06-02"), ..ChatsAsked::default() }
}

fn page(number: u32) -> ChatsAsked {
    ChatsAsked { page: Some(number), ..days() }
}

#[tokio::test]
async fn a_page_is_reached_through_those_before_it_and_then_known() {
    let (overview, livechat) = overview(|call| {
        let Call::ListArchives { query, page_id } = call else { panic!("{call:?}") };
        assert!(query.contains("2026-06-01"), "{query}");
        Ok(match page_id.as_deref() {
            None => json!({"chats": [{"id": "C1"}], "found_chats": 3, "next_page_id": "two"}),
            Some("two") => json!({"chats": [{"id": "C2"}], "found_chats": 3, "next_page_id": "three"}),
            _ => json!({"chats": [{"id": "C3"}], "found_chats": 3}),
        })
    });
    let zone = TimeZone::UTC;
    let third = overview.chats(&page(3), Some(&zone)).await.expect("a page");
    assert_eq!((third.chats[0].id.as_str(), third.next_page), ("C3", None));
    assert_eq!(livechat.asked.load(Ordering::Relaxed), 3);
    let second = overview.chats(&page(2), Some(&zone)).await.expect("a page");
    assert_eq!((second.chats[0].id.as_str(), second.next_page, second.found), ("C2", Some(3), Some(3)));
    let error = overview.chats(&page(4), Some(&zone)).await.expect_err("no such page");
    assert_eq!(error.code, Code::NotFound);
    for wrong in [0, PAGES_MAX + 1] {
        let error = overview.chats(&page(wrong), Some(&zone)).await.expect_err("no page");
        assert_eq!(error.code, Code::Invalid);
    }
}

#[tokio::test]
async fn the_last_page_that_can_be_asked_for_says_whether_it_is_the_end() {
    for pages in [PAGES_MAX - 1, PAGES_MAX, PAGES_MAX + 1] {
        let (overview, _) = overview(move |call| {
            let Call::ListArchives { page_id, .. } = call else { panic!("{call:?}") };
            let at: u32 = page_id.as_deref().map_or(1, |id| id.parse().expect("a number"));
            let next = (at < pages).then(|| (at + 1).to_string());
            Ok(json!({"chats": [{"id": format!("C{at}")}], "next_page_id": next}))
        });
        for number in [1, PAGES_MAX - 1, PAGES_MAX].into_iter().filter(|number| *number <= pages) {
            let shown = overview.chats(&page(number), Some(&TimeZone::UTC)).await.expect("a page");
            let next = (number < pages.min(PAGES_MAX)).then_some(number + 1);
            assert_eq!((shown.next_page, shown.is_cut), (next, number == PAGES_MAX && pages > PAGES_MAX));
        }
    }
}

#[tokio::test]
async fn screens_that_look_at_the_same_time_share_a_call() {
    let (overview, livechat) = overview(|_| Ok(json!({"chats": [{"id": "C1"}]})));
    let look = || async { overview.chats(&page(1), Some(&TimeZone::UTC)).await.expect("a page") };
    let looks = tokio::join!(look(), look(), look(), look());
    assert_eq!((looks.0.chats.len(), looks.3.chats.len()), (1, 1));
    assert_eq!(livechat.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_list_that_goes_round_ends() {
    let (overview, livechat) = overview(|_| Ok(json!({"chats": [], "next_page_id": "again"})));
    let error = overview.chats(&page(50), Some(&TimeZone::UTC)).await.expect_err("it goes round");
    assert!(error.message.contains("goes round"), "{error}");
    assert_eq!(livechat.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_day_needs_a_time_zone_and_a_failure_is_not_kept() {
    let (overview, livechat) = overview(|_| Err(Code::Unavailable));
    let error = overview.chats(&days(), None).await.expect_err("refused");
    assert!(error.code == Code::Invalid && error.message.contains("livechat.timezone"), "{error}");
    assert_eq!(livechat.asked.load(Ordering::Relaxed), 0);
    for _ in 0..2 {
        let error = overview.agents().await.expect_err("a failure");
        assert_eq!(error.code, Code::Unavailable);
    }
    assert_eq!(livechat.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn the_mean_of_some_days_weighs_each_by_its_answers() {
    let (overview, livechat) = overview(|call| {
        let Call::Report { report, .. } = call else { panic!("{call:?}") };
        Ok(match report {
            Report::TotalChats => {
                json!({"records": {"2026-06-01": {"total": 4}, "2026-06-02": {"total": 0}}})
            }
            Report::FirstResponseTime => json!({"records": {
                "2026-06-01": {"count": 3, "first_response_time": 10.0},
                "2026-06-02": {"count": 1, "first_response_time": 50.0},
            }}),
            _ => json!({"records": {"2026-06-01": {"good": 2, "bad": 1}}}),
        })
    });
    let asked = StatsAsked { date_from: days().date_from, date_to: days().date_to };
    let stats = overview.stats(&asked, Some(&TimeZone::UTC)).await.expect("figures");
    let expected = Numbers { total_chats: 4, first_response_time: Some(20.0), rated_good: 2, rated_bad: 1 };
    assert_eq!(stats.sum, expected);
    assert_eq!(stats.days[1].numbers.first_response_time, Some(50.0));
    assert_eq!(stats.days[1].date, "2026-06-02");
    overview.stats(&asked, Some(&TimeZone::UTC)).await.expect("figures");
    assert_eq!(livechat.asked.load(Ordering::Relaxed), 3, "answers serve again");
}
