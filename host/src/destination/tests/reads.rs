use proptest::prelude::*;

use crate::destination::reads::{BYTES_MAX, FRESH_MS, READERS_MAX, READS_MAX, Read, Reader, Reads};

fn read(chat: &str) -> Read {
    Read { chat_id: chat.to_owned(), thread_id: None }
}

fn reader(delivery: i64, accepted_at_ms: i64) -> Reader {
    Reader { delivery, accepted_at_ms }
}

/// Reads with one answer for chat C, asked for at 1,000 by delivery 1.
fn reads() -> Reads<&'static str> {
    let mut reads = Reads::default();
    let id = reads.next_id();
    reads.begin(id, read("C"), reader(1, 900), 1_000, "answer");
    reads
}

#[test]
fn an_answer_serves_who_may_have_it() {
    let check = |reader: Reader, now_ms: i64, serves: bool| {
        let answer = reads().find(&read("C"), reader, now_ms);
        assert_eq!(answer, serves.then_some("answer"), "{reader:?} at {now_ms}");
    };
    check(reader(2, 999), 1_000, true);
    check(reader(2, 999), 1_000 + FRESH_MS - 1, true);
    check(reader(2, 999), 1_000 + FRESH_MS, false);
    // Perhaps the event happened after the question.
    check(reader(2, 1_000), 1_500, false);
    check(reader(2, 1_001), 1_500, false);
    // Who looks twice wants to know what has changed.
    check(reader(1, 900), 1_500, false);
    // The clock was put back.
    check(reader(2, 500), 999, false);
    assert_eq!(reads().find(&read("D"), reader(2, 999), 1_500), None);
    let thread = Read { thread_id: Some("T".to_owned()), ..read("C") };
    assert_eq!(reads().find(&thread, reader(2, 999), 1_500), None);
}

#[test]
fn an_action_on_the_chat_ends_its_reads() {
    let mut reads = reads();
    reads.end("D");
    assert!(reads.find(&read("C"), reader(2, 0), 1_500).is_some());
    reads.end("C");
    assert!(reads.find(&read("C"), reader(3, 0), 1_500).is_none());
}

#[test]
fn what_is_kept_has_bounds() {
    let mut reads: Reads<usize> = Reads::default();
    for number in 0..READS_MAX + 1 {
        let id = reads.next_id();
        reads.begin(id, read(&number.to_string()), reader(1, 0), 1_000, number);
        reads.keep(id, BYTES_MAX / READS_MAX);
    }
    assert!(reads.find(&read("0"), reader(2, 0), 1_000).is_none(), "the oldest made room");
    assert_eq!(reads.find(&read("1"), reader(2, 0), 1_000), Some(1));
    let id = reads.next_id();
    reads.begin(id, read("large"), reader(1, 0), 1_000, 0);
    reads.keep(id, BYTES_MAX);
    assert!(reads.find(&read("9"), reader(2, 0), 1_000).is_none(), "all others made room");
    assert!(reads.find(&read("large"), reader(2, 0), 1_000).is_some());
    for delivery in 3..READERS_MAX as i64 + 1 {
        assert!(reads.find(&read("large"), reader(delivery, 0), 1_000).is_some());
    }
    assert!(reads.find(&read("large"), reader(999, 0), 1_000).is_none(), "so many have had it");
}

#[derive(Clone, Debug)]
enum Step {
    Pass(i64),
    Read { chat: usize, delivery: i64, accepted_ago: i64 },
    Act { chat: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (-200..3_000_i64).prop_map(Step::Pass),
        (0..3_usize, 0..6_i64, 0..4_000_i64).prop_map(|(chat, delivery, accepted_ago)| Step::Read {
            chat,
            delivery,
            accepted_ago
        }),
        (0..3_usize).prop_map(|chat| Step::Act { chat }),
    ]
}

/// One request of the model: which chat, when it was asked, who has had it, whether it is over for another reason.
struct Asked {
    chat: usize,
    at_ms: i64,
    readers: Vec<i64>,
    is_ended: bool,
}

proptest! {
    #[test]
    fn shared_answers_keep_the_rules(steps in proptest::collection::vec(step(), 0..200)) {
        let mut reads: Reads<usize> = Reads::default();
        let mut asked: Vec<Asked> = Vec::new();
        let mut now_ms = 1_000_000;
        for step in steps {
            match step {
                Step::Pass(ms) => now_ms += ms,
                Step::Act { chat } => {
                    reads.end(&chat.to_string());
                    asked.iter_mut().filter(|asked| asked.chat == chat).for_each(|asked| asked.is_ended = true);
                }
                Step::Read { chat, delivery, accepted_ago } => {
                    let is_fresh = |asked: &Asked| (0..FRESH_MS).contains(&(now_ms - asked.at_ms));
                    asked.iter_mut().for_each(|asked| asked.is_ended |= !is_fresh(asked));
                    let accepted_at_ms = now_ms - accepted_ago;
                    let wanted = (read(&chat.to_string()), reader(delivery, accepted_at_ms));
                    let may = |asked: &Asked| {
                        asked.chat == chat && !asked.is_ended && asked.at_ms > accepted_at_ms
                            && !asked.readers.contains(&delivery)
                    };
                    match reads.find(&wanted.0, wanted.1, now_ms) {
                        Some(number) => {
                            prop_assert!(may(&asked[number]), "read {} is shared against the rules", number);
                            asked[number].readers.push(delivery);
                        }
                        None => {
                            let newest = asked.iter().rev().find(|asked| asked.chat == chat);
                            prop_assert!(!newest.is_some_and(may), "it could have been shared");
                            let id = reads.next_id();
                            reads.begin(id, wanted.0, wanted.1, now_ms, asked.len());
                            asked.push(Asked { chat, at_ms: now_ms, readers: vec![delivery], is_ended: false });
                        }
                    }
                }
            }
        }
    }
}
