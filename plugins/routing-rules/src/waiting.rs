//! Customers who wait: what is done if nobody answers in time.

use std::time::Duration;

use chatplug_sdk::payload::{EventInChat, TimerDue};
use chatplug_sdk::prelude::*;

use crate::settings::{Settings, Since, Target, WaitingRule};
use crate::{active, alert, now_ms, thread};

/// How long it is remembered since when a customer waits.
const REMEMBERED: Duration = Duration::from_secs(86_400);

/// What a timer is set with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Set {
    /// The rule's name.
    rule: String,
    /// The thread.
    thread_id: String,
}

/// A chat began, `age_ms` ago.
pub(crate) fn on_chat(settings: &Settings, thread_id: &str, age_ms: u64) -> Result<(), Failure> {
    set(settings, Since::Start, thread_id, age_ms)
}

/// The customer said something, `age_ms` ago, or a bot did: which of them, the chat tells when the time is over. If they wait
/// already their time goes on.
pub(crate) fn on_customer(settings: &Settings, said: &EventInChat, age_ms: u64) -> Result<(), Failure> {
    if settings.waiting_since(Since::Message).next().is_none() {
        return Ok(());
    }
    let key = waits(&said.chat_id, &said.thread_id);
    // A claim is still this delivery's when it runs again: one that was cut before its timer was set sets it then.
    if !memory::claim(&key, REMEMBERED)? {
        return Ok(());
    }
    set(settings, Since::Message, &said.thread_id, age_ms)
}

/// Somebody answered, or there is nobody left who waits.
pub(crate) fn on_answer(settings: &Settings, chat_id: &str, thread_id: &str) -> Result<(), Failure> {
    for rule in &settings.waiting {
        timers::cancel(&timer(rule, thread_id))?;
    }
    if settings.waiting_since(Since::Message).next().is_some() {
        memory::delete(&waits(chat_id, thread_id))?;
    }
    Ok(())
}

/// Somebody answered, `age_ms` ago, which the host learnt only now. What the customer said since then may have been handled
/// before: so the timers go on from the answer, and look when they are due.
pub(crate) fn on_recovered_answer(settings: &Settings, thread_id: &str, age_ms: u64) -> Result<(), Failure> {
    for rule in settings.waiting_since(Since::Start) {
        timers::cancel(&timer(rule, thread_id))?;
    }
    set(settings, Since::Message, thread_id, age_ms)
}

/// A customer may have waited for as long as a rule says.
pub(crate) fn on_timer(settings: &Settings, chat_id: &str, due: &TimerDue) -> Result<(), Failure> {
    let set: Set = due.payload_as()?;
    let Some(rule) = settings.waiting.iter().find(|rule| rule.name == set.rule) else { return Ok(()) };
    let Some(chat) = active(chat_id, &set.thread_id)? else { return Ok(()) };
    let Some(left) = left(rule, &chat, now_ms()) else {
        if rule.since == Since::Message {
            // What the customer says next begins anew.
            memory::delete(&waits(chat_id, &set.thread_id))?;
        }
        info!(chat = chat_id, rule = rule.name, "nobody waits for an answer");
        return Ok(());
    };
    if !left.is_zero() {
        return set_timer(rule, &set.thread_id, left);
    }
    if !is_first_time(rule, &chat)? {
        return Ok(());
    }
    if settings.dry_run {
        info!(
            chat = chat_id,
            rule = rule.name,
            "dry run: rule `{}` would have {}",
            rule.name,
            described(rule)
        );
        return Ok(());
    }
    if !escalate(rule, &chat)? {
        return Ok(());
    }
    if let Some(tag) = &rule.tag {
        match chats::tag(chat_id, &chat.thread.id, tag).once("tag").send() {
            Err(error) if !error.code.may_pass() => {
                warn!(chat = chat_id, "the chat stays without its tag `{tag}`: {error}");
            }
            done => done?,
        }
    }
    if rule.alert {
        alert::post(settings.channel.as_deref(), &alert::text(rule, &chat))?;
    }
    info!(chat = chat_id, rule = rule.name, "rule `{}` {}", rule.name, described(rule));
    Ok(())
}

/// Whether nothing was done yet about this wait: an answer that was recovered late has the timers set once more.
fn is_first_time(rule: &WaitingRule, chat: &Chat) -> Result<bool, Failure> {
    match thread::first_unanswered(chat) {
        Some(event) if rule.since == Since::Message => {
            let key = format!("handled/{}/{}/{}", chat.thread.id, rule.name, event.id);
            Ok(memory::claim(&key, REMEMBERED)?)
        }
        _ => Ok(true),
    }
}

/// How much of a rule's time is left, as the chat itself tells it; `None` if nobody waits. The answer's webhook may be on its way
/// still, or was lost; and a bot's message may have set the timer, before the customer's.
fn left(rule: &WaitingRule, chat: &Chat, now_ms: u64) -> Option<Duration> {
    match rule.since {
        Since::Start => (!thread::is_answered(chat)).then_some(Duration::ZERO),
        Since::Message => {
            let at_ms = thread::at_ms(thread::first_unanswered(chat)?);
            Some(at_ms.map_or(Duration::ZERO, |at_ms| rule.left(now_ms.saturating_sub(at_ms))))
        }
    }
}

/// Sends the chat to whom the rule names; false if it has ended meanwhile.
fn escalate(rule: &WaitingRule, chat: &Chat) -> Result<bool, Failure> {
    let Some(target) = rule.target().filter(|target| !thread::is_with(chat, *target)) else {
        return Ok(true);
    };
    let target = match target {
        Target::Group(id) => chats::Target::group(id),
        Target::Agent(id) => chats::Target::agent(id),
    };
    match chats::transfer(&chat.id, target.or_queue()).once("transfer").send() {
        Err(error) if error.code == ErrorCode::Inactive => Ok(false),
        done => done.map(|()| true).map_err(Failure::from),
    }
}

fn set(settings: &Settings, since: Since, thread_id: &str, age_ms: u64) -> Result<(), Failure> {
    for rule in settings.waiting_since(since) {
        set_timer(rule, thread_id, rule.left(age_ms))?;
    }
    Ok(())
}

fn set_timer(rule: &WaitingRule, thread_id: &str, delay: Duration) -> Result<(), Failure> {
    let with = Set { rule: rule.name.clone(), thread_id: thread_id.to_owned() };
    Ok(timers::set(&timer(rule, thread_id), delay, &with)?)
}

fn timer(rule: &WaitingRule, thread_id: &str) -> String {
    format!("waiting/{thread_id}/{}", rule.name)
}

fn waits(chat_id: &str, thread_id: &str) -> String {
    format!("waits/{chat_id}/{thread_id}")
}

/// What a rule does, in the past tense, for the log.
fn described(rule: &WaitingRule) -> String {
    let sent = rule.target().map(|target| match target {
        Target::Group(id) => format!("sent the chat to group {id}"),
        Target::Agent(id) => format!("sent the chat to agent {id}"),
    });
    let tagged = rule.tag.as_ref().map(|tag| format!("tagged it `{tag}`"));
    let told = rule.alert.then(|| "told the team".to_owned());
    [sent, tagged, told].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON_MS: u64 = 1_780_315_200_000;

    /// A chat with what was said: seconds behind noon, and who.
    fn chat(said: &[(u64, &str)]) -> Chat {
        let events: Vec<Value> = said
            .iter()
            .map(|(second, author)| {
                let at = format!("2026-06-01T12:{:02}:{:02}.000000Z", second / 60, second % 60);
                json!({ "type": "message", "author_id": author, "visibility": "all", "created_at": at })
            })
            .collect();
        let users = json!([{ "id": "c1", "type": "customer" }, { "id": "b1", "type": "agent" }]);
        serde_json::from_value(json!({ "users": users, "thread": { "events": events } })).expect("a chat")
    }

    /// What is left in seconds of a rule of five minutes, so many seconds behind noon.
    #[track_caller]
    fn check(since: &str, said: &[(u64, &str)], now: u64, expected: Option<u64>) {
        let rule = json!({ "name": "a", "minutes": 5, "since": since, "tag": "waited" });
        let rule: WaitingRule = serde_json::from_value(rule).expect("a rule");
        let left = left(&rule, &chat(said), NOON_MS + now * 1_000);
        assert_eq!(left, expected.map(Duration::from_secs), "{since} {said:?} at {now}");
    }

    #[test]
    fn the_chat_tells_how_long_the_customer_has_waited() {
        let (customer, bot, kim) = ("c1", "b1", "kim@us.example");
        // The bot greets at once, the customer writes after four minutes.
        check("message", &[(0, bot), (240, customer)], 300, Some(240));
        check("message", &[(0, bot), (240, customer)], 540, Some(0));
        check("message", &[(0, bot)], 300, None);
        // The bot asks behind an answer.
        check("message", &[(0, customer), (10, kim), (20, bot), (200, customer)], 320, Some(180));
        // The answer's webhook was lost.
        check("message", &[(0, customer), (30, kim)], 300, None);
        check("message", &[(0, customer), (30, kim), (290, customer)], 300, Some(290));
        check("message", &[(0, customer), (100, customer), (200, bot)], 301, Some(0));
        // LiveChat's clock is ahead.
        check("message", &[(60, customer)], 0, Some(300));
        check("start", &[(0, bot), (240, customer)], 300, Some(0));
        check("start", &[(0, customer), (10, kim), (200, customer)], 300, None);
    }

    #[test]
    fn a_message_that_does_not_say_when_has_waited_long_enough() {
        let mut chat = chat(&[(0, "c1")]);
        chat.thread.events[0].created_at = None;
        let rule = json!({ "name": "a", "minutes": 5, "since": "message", "tag": "waited" });
        let rule: WaitingRule = serde_json::from_value(rule).expect("a rule");
        assert_eq!(left(&rule, &chat, NOON_MS), Some(Duration::ZERO));
    }
}
