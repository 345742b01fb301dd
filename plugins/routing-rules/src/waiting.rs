//! Customers who wait: what is done if nobody answers in time.

use std::time::Duration;

use chatplug_sdk::payload::{EventInChat, TimerDue};
use chatplug_sdk::prelude::*;

use crate::settings::{Settings, Since, Target, WaitingRule};
use crate::{active, alert, thread};

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

/// The customer wrote, `age_ms` ago. If they wait already their time goes on.
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

/// A customer has waited for as long as a rule says.
pub(crate) fn on_timer(settings: &Settings, chat_id: &str, due: &TimerDue) -> Result<(), Failure> {
    let set: Set = due.payload_as()?;
    let Some(rule) = settings.waiting.iter().find(|rule| rule.name == set.rule) else { return Ok(()) };
    let Some(chat) = active(chat_id, &set.thread_id)? else { return Ok(()) };
    // The answer's webhook may be on its way still, or was lost.
    let is_answered = match rule.since {
        Since::Start => thread::is_answered(&chat),
        Since::Message => !thread::is_waiting(&chat),
    };
    if is_answered {
        if rule.since == Since::Message {
            // If the answer's webhook was lost: what the customer writes next begins anew.
            memory::delete(&waits(chat_id, &set.thread_id))?;
        }
        info!(chat = chat_id, rule = rule.name, "somebody has answered");
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
        let delay = rule.after().saturating_sub(Duration::from_millis(age_ms));
        let with = Set { rule: rule.name.clone(), thread_id: thread_id.to_owned() };
        timers::set(&timer(rule, thread_id), delay, &with)?;
    }
    Ok(())
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
