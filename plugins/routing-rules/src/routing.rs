//! Routing one thread: at most once, and never out of somebody's hands.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use chatplug_sdk::objects::{RoutingStatus, Status};
use chatplug_sdk::prelude::*;

use crate::decision::{Decision, Transfer, decide};
use crate::settings::{Rule, Settings, Target};
use crate::thread;

/// How long it is remembered what became of a thread; later the thread itself tells.
const REMEMBERED: Duration = Duration::from_secs(86_400);

/// One thread of a chat.
pub struct Routing<'a> {
    /// The operator's rules.
    pub settings: &'a Settings,
    /// The chat.
    pub chat_id: &'a str,
    /// The thread.
    pub thread_id: &'a str,
}

impl Routing<'_> {
    /// Remembers that a person transferred the thread.
    pub fn leave_to_people(&self) -> Result<(), Failure> {
        Ok(memory::set_for(&self.key("by-hand"), &true, REMEMBERED)?)
    }

    /// Whether the customer's first message was looked at.
    pub fn is_examined(&self) -> Result<bool, Failure> {
        Ok(memory::get::<bool>(&self.key("examined"))?.is_some())
    }

    /// Remembers that the customer's first message was looked at.
    pub fn set_examined(&self) -> Result<(), Failure> {
        Ok(memory::set_for(&self.key("examined"), &true, REMEMBERED)?)
    }

    /// Does what the first matching rule says. `at_ms` is when the customer came, milliseconds since 1970.
    pub fn route(&self, chat: &Chat, at_ms: u64) -> Result<(), Failure> {
        if let Some(name) = self.moved(chat)? {
            self.finish(&name)?;
        } else if let Some(reason) = self.taken(chat)? {
            info!(chat = self.chat_id, "left the chat alone: {reason}");
        } else {
            let facts = thread::facts(chat, at_ms);
            let mut availability = Availability::default();
            match decide(&self.settings.rules, &facts, |target| availability.of(target))? {
                Some(decision) => self.follow(chat, &decision)?,
                None => info!(chat = self.chat_id, "no rule matches the chat"),
            }
        }
        match thread::customer_messages(chat).next() {
            Some(_) => self.set_examined(),
            None => Ok(()),
        }
    }

    /// The rule by which an earlier attempt transferred the thread. If LiveChat's answer was lost, the chat
    /// itself tells: it is where the rule wanted it.
    fn moved(&self, chat: &Chat) -> Result<Option<String>, Failure> {
        if let Some(name) = memory::get(&self.key("moved"))? {
            return Ok(Some(name));
        }
        let sent: Option<String> = memory::get(&self.key("sent"))?;
        Ok(sent.filter(|name| {
            let target = self.rule(name).and_then(Rule::target);
            target.is_some_and(|target| thread::is_with(chat, target))
        }))
    }

    fn rule(&self, name: &str) -> Option<&Rule> {
        self.settings.rules.iter().find(|rule| rule.name == name)
    }

    fn taken(&self, chat: &Chat) -> Result<Option<&'static str>, Failure> {
        if memory::get::<bool>(&self.key("by-hand"))?.is_some() {
            return Ok(Some("somebody transferred it"));
        }
        Ok(thread::taken(chat))
    }

    fn follow(&self, chat: &Chat, decision: &Decision) -> Result<(), Failure> {
        let name = &decision.rule.name;
        let claim = if self.settings.dry_run { "dry-run" } else { "routed" };
        if !memory::claim(&self.key(claim), REMEMBERED)? {
            info!(chat = self.chat_id, "left the chat alone: it was routed before");
            return Ok(());
        }
        if self.settings.dry_run {
            info!(
                chat = self.chat_id,
                rule = name,
                "dry run: rule `{name}` would have {}",
                described(decision)
            );
            return Ok(());
        }
        if let Some(transfer) = decision.transfer
            && !thread::is_with(chat, transfer.target)
            && !self.transfer(name, transfer)?
        {
            return Ok(());
        }
        info!(chat = self.chat_id, rule = name, "rule `{name}` {}", described(decision));
        self.mark(decision.rule)
    }

    /// What an earlier attempt at this event left to do after it had transferred the chat.
    fn finish(&self, name: &str) -> Result<(), Failure> {
        match self.rule(name) {
            Some(rule) if memory::claim(&self.key("routed"), REMEMBERED)? => self.mark(rule),
            _ => Ok(()),
        }
    }

    /// Answers whether the chat went there: not if it ended meanwhile.
    fn transfer(&self, name: &str, transfer: Transfer) -> Result<bool, Failure> {
        let target = match transfer.target {
            Target::Group(id) => chats::Target::group(id),
            Target::Agent(id) => chats::Target::agent(id),
        };
        let target = if transfer.queued { target.or_queue() } else { target };
        memory::set_for(&self.key("sent"), name, REMEMBERED)?;
        match chats::transfer(self.chat_id, target).once("transfer").send() {
            Ok(()) => {
                memory::set_for(&self.key("moved"), name, REMEMBERED)?;
                Ok(true)
            }
            Err(error) if error.code == ErrorCode::Inactive => {
                info!(chat = self.chat_id, "the chat ended before it was routed");
                Ok(false)
            }
            // Whoever was free a moment ago no longer is: the next attempt sees that and does as the rule says.
            Err(error) if error.code == ErrorCode::Conflict => Err(Failure::retry(error.to_string())),
            Err(error) => Err(error.into()),
        }
    }

    /// Tag and properties. The chat is where it belongs by now, so one that can't be set is only told.
    fn mark(&self, rule: &Rule) -> Result<(), Failure> {
        if let Some(tag) = &rule.tag {
            let tagged = chats::tag(self.chat_id, self.thread_id, tag).once("tag").send();
            self.told(tagged, &format!("tag `{tag}`"))?;
        }
        if !rule.properties.is_empty() {
            let set = chats::set_properties(self.chat_id, &json!(rule.properties)).once("properties").send();
            self.told(set, "properties")?;
        }
        Ok(())
    }

    fn told(&self, done: Result<(), Error>, what: &str) -> Result<(), Failure> {
        match done.map_err(|error| (error.to_string(), Failure::from(error))) {
            Err((_, again @ Failure::Retry(_))) => Err(again),
            Err((problem, _)) => {
                warn!(
                    chat = self.chat_id,
                    thread = self.thread_id,
                    "the chat stays without its {what}: {problem}"
                );
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn key(&self, what: &str) -> String {
        // A chat's events run one after the other: what one remembers, the next one sees.
        format!("{what}/{}/{}", self.chat_id, self.thread_id)
    }
}

/// Who accepts chats: each question is asked once.
#[derive(Default)]
struct Availability(BTreeMap<Option<i64>, Vec<RoutingStatus>>);

impl Availability {
    fn of(&mut self, target: Target) -> Result<bool, Failure> {
        let (group, agent) = match target {
            Target::Group(id) => (Some(id), None),
            Target::Agent(id) => (None, Some(id)),
        };
        let statuses = match self.0.entry(group) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(agents::routing_statuses(group.as_slice())?),
        };
        Ok(statuses
            .iter()
            .filter(|status| agent.is_none_or(|agent| status.agent_id.eq_ignore_ascii_case(agent)))
            .any(|status| status.status == Status::AcceptingChats))
    }
}

/// What a decision does, in the past tense, for the log.
fn described(decision: &Decision) -> String {
    let marks = match (&decision.rule.tag, decision.rule.properties.is_empty()) {
        (None, true) => String::new(),
        (Some(tag), true) => format!(", with tag `{tag}`"),
        (None, false) => ", with properties".to_owned(),
        (Some(tag), false) => format!(", with tag `{tag}` and properties"),
    };
    let Some(transfer) = decision.transfer else { return format!("left the chat where it is{marks}") };
    let target = match transfer.target {
        Target::Group(id) => format!("group {id}"),
        Target::Agent(id) => format!("agent {id}"),
    };
    let queued = if transfer.queued { ", where it waits: nobody accepts chats" } else { "" };
    format!("sent the chat to {target}{queued}{marks}")
}
