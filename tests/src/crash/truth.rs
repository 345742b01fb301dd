//! What the host stored and what the services saved, against what was answered.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use chatplug::simulator::ledger::Entry;
use chatplug::store::{EventFilter, Reader};
use serde_json::Value;

use super::Report;
use super::load::Talk;
use super::stage::Stage;

/// A message that the host stored.
struct Stored {
    work: String,
    chat_id: String,
    /// The states of its deliveries.
    states: Vec<String>,
}

/// A note that LiveChat saved.
struct Note {
    chat_id: String,
    is_second: bool,
    work: String,
    count: Option<u64>,
}

pub(super) fn check(stage: &Stage, talks: &[Talk], report: &mut Report) -> anyhow::Result<()> {
    let stored = stored(stage)?;
    let notes: Vec<Note> =
        stage.livechat.sent().iter().filter_map(|sent| note(&sent.chat_id, &sent.text)).collect();
    report.messages = super::load::said(talks);
    check_store(&stored, talks, report);
    check_deliveries(&stored, report);
    let text = |entry: &Entry| entry.body["text"].as_str().unwrap_or_default().to_owned();
    let entries: Vec<String> = stage.ledger.entries().iter().map(text).collect();
    check_services(&stored, &notes, &entries, report);
    for talk in talks {
        check_chat(talk, &stored, &notes, stage, report);
    }
    Ok(())
}

/// The messages that the host stored, in the order in which it accepted them.
fn stored(stage: &Stage) -> anyhow::Result<Vec<Stored>> {
    let reader = Reader::open(&stage.host.data())?.context("the data folder has no store")?;
    let filter = EventFilter { limit: 10_000_000, ..EventFilter::default() };
    let mut all = Vec::new();
    for view in reader.events(&filter)?.into_iter().rev() {
        let event =
            reader.event(view.id.parse().map_err(anyhow::Error::msg)?)?.context("the event went away")?;
        let payload = event.payload.unwrap_or(Value::Null);
        let work = payload["event"]["text"].as_str().unwrap_or_default().to_owned();
        let states = event.deliveries.into_iter().map(|delivery| delivery.state).collect();
        all.push(Stored { work, chat_id: view.chat_id.unwrap_or_default(), states });
    }
    Ok(all)
}

fn note(chat_id: &str, text: &str) -> Option<Note> {
    let (is_second, rest) = match text.split_once(' ')? {
        ("first", rest) => (false, rest),
        ("second", rest) => (true, rest),
        _ => return None,
    };
    let (work, count) = match rest.split_once(" count ") {
        Some((work, count)) => (work, count.parse().ok()),
        None => (rest, None),
    };
    Some(Note { chat_id: chat_id.to_owned(), is_second, work: work.to_owned(), count })
}

fn check_store(stored: &[Stored], talks: &[Talk], report: &mut Report) {
    let known: BTreeSet<&str> = stored.iter().map(|stored| stored.work.as_str()).collect();
    report.stored_twice = stored.len() - known.len();
    for text in talks.iter().flat_map(|talk| &talk.answered) {
        report.answered += 1;
        if !known.contains(text.as_str()) {
            report.lost.push(text.clone());
        }
    }
}

fn check_deliveries(stored: &[Stored], report: &mut Report) {
    for message in stored {
        match message.states.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["succeeded"] => report.succeeded += 1,
            ["dead"] => report.dead += 1,
            ["held"] => report.held += 1,
            _ => report.unfinished.push(format!("{}: {:?}", message.work, message.states)),
        }
    }
}

/// Each kind of action, on each message, in the place where it was saved.
fn check_services(stored: &[Stored], notes: &[Note], entries: &[String], report: &mut Report) {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for note in notes {
        let kind = if note.is_second { "second note" } else { "first note" };
        *counts.entry((kind, &note.work)).or_default() += 1;
    }
    for entry in entries {
        *counts.entry(("entry", entry)).or_default() += 1;
    }
    let known: BTreeSet<&str> = stored.iter().map(|stored| stored.work.as_str()).collect();
    for (kind, work) in counts.keys().filter(|(_, work)| !known.contains(work)) {
        report.from_nowhere.push(format!("{kind} of {work}"));
    }
    for work in known {
        for kind in ["first note", "entry", "second note"] {
            match counts.get(&(kind, work)).copied().unwrap_or(0) {
                0 => report.missing.push(format!("{kind} of {work}")),
                count => report
                    .doubled
                    .extend(std::iter::repeat_n(format!("{kind} of {work}, {count} times"), count - 1)),
            }
        }
    }
}

/// Order and count of one chat: `accepted` are its messages as they were accepted, `notes` as they were saved.
fn check_order<'a>(accepted: &[&str], notes: impl Iterator<Item = &'a Note>, report: &mut Report) {
    let place = |work: &str| accepted.iter().position(|known| *known == work);
    let (mut seen, mut last) = (BTreeSet::new(), None);
    for note in notes {
        let now = (place(&note.work), note.is_second);
        // One that is sent again says nothing of the order in which they were sent first.
        if !seen.insert(now) {
            continue;
        }
        if last.is_some_and(|last| last > now) {
            report.out_of_order.push(format!("{} of chat {}", note.work, note.chat_id));
        }
        last = Some(now);
        if note.is_second && note.count != now.0.map(|place| place as u64 + 1) {
            report.miscounted += 1;
        }
    }
}

/// Order, count, tag and members of one chat.
fn check_chat(talk: &Talk, stored: &[Stored], notes: &[Note], stage: &Stage, report: &mut Report) {
    let of_chat = stored.iter().filter(|stored| stored.chat_id == talk.chat_id);
    let accepted: Vec<&str> = of_chat.map(|stored| stored.work.as_str()).collect();
    check_order(&accepted, notes.iter().filter(|note| note.chat_id == talk.chat_id), report);
    let chat = stage.livechat.chat(&talk.chat_id).unwrap_or_default();
    let tags = chat["thread"]["tags"].as_array().map_or(0, Vec::len);
    if tags != 1 && !accepted.is_empty() {
        report.missing.push(format!("the tag of chat {}", talk.chat_id));
    }
    report.left_behind += usize::from(!talk.is_member && stage.is_in(talk));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(texts: &[&str]) -> Vec<Note> {
        texts.iter().map(|text| note("C", text).expect("a note of the worker")).collect()
    }

    fn stored(works: &[&str]) -> Vec<Stored> {
        let stored = |work: &&str| Stored {
            work: (*work).to_owned(),
            chat_id: "C".to_owned(),
            states: vec!["succeeded".to_owned()],
        };
        works.iter().map(stored).collect()
    }

    #[test]
    fn what_is_out_of_order_or_miscounted_is_found() {
        let check = |texts: &[&str], out_of_order: usize, miscounted: usize| {
            let mut report = Report::default();
            check_order(&["work a", "work b"], notes(texts).iter(), &mut report);
            assert_eq!(
                (report.out_of_order.len(), report.miscounted),
                (out_of_order, miscounted),
                "{texts:?}"
            );
        };
        let (a1, a2) = ("first work a", "second work a count 1");
        let (b1, b2) = ("first work b", "second work b count 2");
        check(&[a1, a2, b1, b2], 0, 0);
        check(&[a1, a1, a2, a1, a2, b1, b2], 0, 0);
        check(&[b1, a1, a2, b2], 1, 0);
        check(&[a1, b1, a2, b2], 1, 0);
        check(&[a2, a1], 1, 0);
        check(&[a1, "second work a count 2", b1, b2], 0, 1);
        check(&[a1, "second work a", b1, b2], 0, 1);
    }

    #[test]
    fn what_is_doubled_missing_or_from_nowhere_is_found() {
        let check = |works: &[&str], texts: &[&str], entries: &[&str], expected: (usize, usize, usize)| {
            let mut report = Report::default();
            let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
            check_services(&stored(works), &notes(texts), &entries, &mut report);
            let found = (report.doubled.len(), report.missing.len(), report.from_nowhere.len());
            assert_eq!(found, expected, "{works:?} {texts:?} {entries:?}");
        };
        let whole = ["first work a", "second work a count 1"];
        check(&["work a"], &whole, &["work a"], (0, 0, 0));
        check(&["work a"], &whole, &["work a", "work a"], (1, 0, 0));
        check(&["work a"], &[whole[0], whole[1], "second work a count 2"], &["work a"], (1, 0, 0));
        check(&["work a"], &whole[..1], &[], (0, 2, 0));
        check(&[], &whole, &["work a"], (0, 0, 3));
    }

    #[test]
    fn what_is_lost_stored_twice_or_unfinished_is_found() {
        let mut talk = Talk::new(0, "C".to_owned(), true, fastrand::Rng::with_seed(0));
        talk.answered = vec!["work a".to_owned(), "work b".to_owned()];
        let mut all = stored(&["work a", "work a", "work c"]);
        all[2].states = vec!["pending".to_owned()];
        let mut report = Report::default();
        check_store(&all, &[talk], &mut report);
        check_deliveries(&all, &mut report);
        assert_eq!((report.answered, report.lost, report.stored_twice), (2, vec!["work b".to_owned()], 1));
        assert_eq!((report.succeeded, report.unfinished.len()), (2, 1));
    }
}
