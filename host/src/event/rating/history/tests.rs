use proptest::prelude::*;

use super::super::Scale;
use super::*;

const SECOND: i64 = 1_000;

fn signal(score: Part<i64>, comment: Part<String>, said: Said) -> Signal {
    Signal {
        organization: None,
        chat_id: "C".into(),
        thread_id: Some("T".into()),
        scale: Scale::ZeroToOne,
        score,
        comment,
        said,
    }
}

/// Plays signals, one per word: what was said, `@` when it was said (system message) or `<` when it was
/// received (property), in seconds: `0@100 1<110 slow<120 none@130`. Answers the changes.
fn play(signals: &str) -> String {
    let mut history = History::default();
    let turns = signals.split_whitespace().filter_map(|word| {
        let (what, at) = word.split_once(['@', '<']).unwrap();
        let at_ms = (at.parse::<f64>().unwrap() * 1_000.0) as i64;
        let said = if word.contains('@') { Said::At(at_ms) } else { Said::Before(at_ms) };
        let (score, comment) = match what {
            "none" => (Part::Removed, Part::Removed),
            "no-score" => (Part::Removed, Part::Unmentioned),
            "no-comment" => (Part::Unmentioned, Part::Removed),
            "0" | "1" => (Part::Set(what.parse().unwrap()), Part::Unmentioned),
            text => (Part::Unmentioned, Part::Set(text.to_owned())),
        };
        // Through JSON each time, as the store does.
        history = serde_json::from_str(&serde_json::to_string(&history).unwrap()).unwrap();
        history.hear(&signal(score, comment, said))
    });
    let words: Vec<String> = turns
        .map(|turn| {
            let score = turn.after.score.map_or("-".into(), |score| score.to_string());
            let comment = turn.after.comment.unwrap_or("-".into());
            format!("{:?}:{score}:{comment}", turn.change).to_lowercase()
        })
        .collect();
    words.join(" ")
}

#[test]
fn it_is_known_whether_something_was_heard_since() {
    let mut history = History::default();
    assert!(!history.is_newer_than(&signal(Part::Set(0), Part::Unmentioned, Said::Before(0))), "nothing was");
    history.hear(&signal(Part::Set(1), Part::Unmentioned, Said::At(5)));
    history.hear(&signal(Part::Unmentioned, Part::Set("slow".to_owned()), Said::Before(9)));
    for (said_ms, expected) in [(4, true), (9, true), (10, false)] {
        let listed = signal(Part::Set(0), Part::Unmentioned, Said::Before(said_ms));
        assert_eq!(history.is_newer_than(&listed), expected, "{said_ms}");
    }
}

fn check(signals: &str, changes: &str) {
    assert_eq!(play(signals), changes, "after {signals}");
}

#[test]
fn one_change_per_act_whichever_signal_comes_first() {
    let all = "rated:0:- commented:0:slow";
    check("0<100.2 0@100.1 slow<105.2 slow@105.1", all);
    check("0@100.1 0<100.2 slow@105.1 slow<105.2", all);
    check("0<100.2 slow<105.2 0@100.1 slow@105.1", all);
    check("0@100.1 slow@105.1 0<106 slow<106", all);
    // The comment overtakes the score.
    check("slow@105.1 0@100.1 0<106 slow<107", "commented:-:slow rated:0:slow");
    check("slow<105.2 slow@105.1 0<106 0@100.1", "commented:-:slow rated:0:slow");
}

#[test]
fn every_order_of_a_rating_and_its_comment_ends_the_same() {
    let signals = [("0", '<'), ("0", '@'), ("slow", '<'), ("slow", '@')];
    for order in orders(4) {
        let mut words = Vec::new();
        for (arrival, index) in order.iter().enumerate() {
            let (what, form) = signals[*index];
            let said = if what == "0" { 100.1 } else { 105.1 };
            let at = if form == '@' { said } else { 106.0 + arrival as f64 };
            words.push(format!("{what}{form}{at}"));
        }
        let changes = play(&words.join(" "));
        assert_eq!(changes.split(' ').count(), 2, "{words:?}: {changes}");
        assert!(changes.ends_with(":0:slow"), "{words:?}: {changes}");
    }
}

#[test]
fn a_change_of_mind_is_not_taken_for_a_stale_signal() {
    let all = "rated:0:- changed:1:-";
    // The system message is a little older than the reception of the property before it.
    check("0<100.9 1@100.8 1<101 0@100.1", all);
    check("0<100.2 0@100.1 1<110.2 1@110.1", all);
    check("0<100.2 1<110.2 1@110.1 0@100.1", all);
    // There and back again.
    check("0<100.2 0@100.1 1<110.2 1@110.1 0<120.2 0@120.1", "rated:0:- changed:1:- changed:0:-");
    check("0<100.2 0@100.1 1<110.2 1@110.1 0@120.1 0<120.2", "rated:0:- changed:1:- changed:0:-");
    // Without system messages, once the window for retries is over.
    check("0<100 1<110 0<200", "rated:0:- changed:1:- changed:0:-");
}

#[test]
fn a_stale_retry_makes_no_change() {
    let all = "rated:0:- changed:1:-";
    check("0<100.2 0@100.1 1<110.2 1@110.1 0<150 0@100.1", all);
    check("0<100.2 1<110.2 0<150 0@100.1 1@110.1", all);
    check("0@100.1 1@110.1 0<150 1<170", all);
    // The system message of the first act comes last of all.
    check("1<110.2 1@110.1 0@100.1", "rated:1:-");
    // A first delivery that comes late looks like a new act; its system message explains it.
    check("1<110.2 0<150 0@100.1 1@110.1", "rated:1:- changed:0:- changed:1:-");
}

#[test]
fn a_withdrawn_rating_takes_its_comment_along() {
    check("0<100 slow<101 none<110", "rated:0:- commented:0:slow withdrawn:-:-");
    check("0<100 slow<101 no-score<110", "rated:0:- commented:0:slow withdrawn:-:-");
    check("0<100 slow<101 no-comment<110", "rated:0:- commented:0:slow commented:0:-");
    check("0@100 none@110 none<110.2 0<120", "rated:0:- withdrawn:-:-");
    check("0@100 none@110 none<110.2 0<120 0@119", "rated:0:- withdrawn:-:- rated:0:-");
    // A comment that comes late doesn't revive it.
    check("0@100 none@110 slow<115 slow@105", "rated:0:- withdrawn:-:-");
    check("none@100", "");
}

#[test]
fn a_history_stays_small() {
    let mut history = History::default();
    for at in 0..1_000 {
        history.hear(&signal(Part::Set(at % 2), Part::Set(at.to_string()), Said::At(at * SECOND)));
    }
    assert_eq!((history.score.len(), history.comment.len()), (REMEMBERED, REMEMBERED));
    assert_eq!(history.rating(), Rating { score: Some(1), comment: Some("999".into()) });
}

#[test]
fn extreme_times_are_only_times() {
    for at in [i64::MIN, i64::MAX] {
        let mut history = History::default();
        history.hear(&signal(Part::Set(1), Part::Unmentioned, Said::Before(at)));
        history.hear(&signal(Part::Set(0), Part::Unmentioned, Said::At(at)));
        assert_eq!(history.rating().score, Some(0));
    }
}

fn orders(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![vec![]];
    }
    let shorter = orders(count - 1);
    let longer = |order: &Vec<usize>, at: usize| {
        let mut order = order.clone();
        order.insert(at, count - 1);
        order
    };
    shorter.iter().flat_map(|order| (0..count).map(move |at| longer(order, at))).collect()
}

/// What a customer does.
#[derive(Clone, Debug)]
enum Act {
    Rate(i64),
    Comment(u8),
    Withdraw,
}

/// An act, how long after the one before, and how late its signals arrive.
#[derive(Clone, Debug)]
struct Played {
    act: Act,
    pause_ms: i64,
    property_ms: i64,
    system_ms: i64,
    retried_ms: Option<i64>,
}

fn played(slowest_ms: i64) -> impl Strategy<Value = Played> {
    let act = prop_oneof![
        3 => (0..=1i64).prop_map(Act::Rate),
        2 => (0..3u8).prop_map(Act::Comment),
        1 => Just(Act::Withdraw),
    ];
    let late = || 10..=slowest_ms;
    let retried = proptest::option::weighted(0.4, 10 * SECOND..60 * SECOND);
    (act, SECOND..200 * SECOND, late(), late(), retried).prop_map(
        |(act, pause_ms, property_ms, system_ms, retried_ms)| Played {
            act,
            pause_ms,
            property_ms,
            system_ms,
            retried_ms,
        },
    )
}

/// The truth after each act that changed something, and what the host receives, in order of reception.
fn tell(acts: &[Played]) -> (Vec<Rating>, Vec<(i64, Signal)>) {
    let (mut now, mut rating) = (1_000_000_000, Rating::default());
    let (mut truths, mut signals) = (Vec::new(), Vec::new());
    for played in acts {
        now += played.pause_ms;
        let before = rating.clone();
        let (score, comment) = match &played.act {
            Act::Rate(score) => {
                rating.score = Some(*score);
                (Part::Set(*score), Part::Unmentioned)
            }
            // LiveChat offers the comment to those who have rated.
            Act::Comment(_) | Act::Withdraw if rating.score.is_none() => continue,
            Act::Comment(number) => {
                rating.comment = Some(number.to_string());
                (Part::Unmentioned, Part::Set(number.to_string()))
            }
            Act::Withdraw => {
                rating = Rating::default();
                (Part::Removed, Part::Removed)
            }
        };
        if rating != before {
            truths.push(rating.clone());
        }
        let mut receive = |after: i64, said: Said| {
            signals.push((now + after, signal(score.clone(), comment.clone(), said)));
        };
        receive(played.property_ms, Said::Before(now + played.property_ms));
        receive(played.system_ms, Said::At(now));
        if let Some(after) = played.retried_ms {
            receive(played.property_ms + after, Said::Before(now + played.property_ms + after));
            receive(played.system_ms + after, Said::At(now));
        }
    }
    signals.sort_by_key(|(received, _)| *received);
    (truths, signals)
}

fn hear_all(signals: &[(i64, Signal)]) -> (History, Vec<Rating>) {
    let mut history = History::default();
    let heard =
        signals.iter().filter_map(|(_, signal)| history.hear(signal)).map(|turn| turn.after).collect();
    (history, heard)
}

proptest! {
    #[test]
    fn prompt_signals_with_late_retries_make_exactly_the_real_changes(
        acts in proptest::collection::vec(played(900), 0..5),
    ) {
        let (truths, signals) = tell(&acts);
        prop_assert_eq!(hear_all(&signals).1, truths);
    }

    #[test]
    fn late_signals_in_any_order_end_at_the_truth(
        acts in proptest::collection::vec(played(25 * SECOND), 0..4),
    ) {
        let (truths, signals) = tell(&acts);
        let rating = hear_all(&signals).0.rating();
        prop_assert_eq!(rating, truths.last().cloned().unwrap_or_default());
    }
}
