//! What the host stored and what the services saved, against what was answered.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use chatplug::simulator::livechat;
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
    check_services(&stored, &notes, stage, report);
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

fn check_services(stored: &[Stored], notes: &[Note], stage: &Stage, report: &mut Report) {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for note in notes {
        *counts
            .entry((if note.is_second { "second note" } else { "first note" }, &note.work))
            .or_default() += 1;
    }
    let entries = stage.ledger.entries();
    for entry in &entries {
        *counts.entry(("entry", entry.body["text"].as_str().unwrap_or_default())).or_default() += 1;
    }
    let known: BTreeSet<&str> = stored.iter().map(|stored| stored.work.as_str()).collect();
    for (kind, work) in counts.keys().filter(|(_, work)| !known.contains(work)) {
        report.from_nowhere.push(format!("{kind} of {work}"));
    }
    for work in known {
        for kind in ["first note", "entry", "second note"] {
            match counts.get(&(kind, work)).copied().unwrap_or(0) {
                0 => report.missing.push(format!("{kind} of {work}")),
                count => report.doubled += count - 1,
            }
        }
    }
}

/// Order, count, tag and members of one chat.
fn check_chat(talk: &Talk, stored: &[Stored], notes: &[Note], stage: &Stage, report: &mut Report) {
    let accepted: Vec<&str> = stored
        .iter()
        .filter(|stored| stored.chat_id == talk.chat_id)
        .map(|stored| stored.work.as_str())
        .collect();
    let place = |work: &str| accepted.iter().position(|known| *known == work);
    let (mut seen, mut last) = (BTreeSet::new(), None);
    for note in notes.iter().filter(|note| note.chat_id == talk.chat_id) {
        let now = (place(&note.work), note.is_second);
        // One that is sent again says nothing of the order in which they were sent first.
        if !seen.insert(now) {
            continue;
        }
        if last.is_some_and(|last| last > now) {
            report.out_of_order.push(format!("{} of chat {}", note.work, talk.chat_id));
        }
        last = Some(now);
        if note.is_second && note.count != now.0.map(|place| place as u64 + 1) {
            report.miscounted += 1;
        }
    }
    let chat = stage.livechat.chat(&talk.chat_id).unwrap_or_default();
    let tags = chat["thread"]["tags"].as_array().map_or(0, Vec::len);
    if tags != 1 && !accepted.is_empty() {
        report.missing.push(format!("the tag of chat {}", talk.chat_id));
    }
    let present = |user: &&Value| user["id"] == livechat::PAT_OWNER && user["present"] == true;
    let is_present = chat["users"].as_array().is_some_and(|users| users.iter().any(|user| present(&user)));
    report.left_behind += usize::from(is_present && !talk.is_member);
}
