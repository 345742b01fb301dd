//! The demo's story: five customers, and what the three plugins should make of them.

mod expected;
mod plugins;
mod script;

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

pub use expected::Expectation;
pub use plugins::plugin_config;
pub use script::{Act, Step, steps};

use super::livechat::{Impossible, Told};
use super::{Fault, Hubspot, Livechat, NotYet, Slack, Times, locked};

/// The three services, and who of the story has which chat.
pub struct Stage {
    /// Where the story happens.
    pub livechat: Livechat,
    /// Where notes should appear.
    pub hubspot: Hubspot,
    /// Where alerts should appear.
    pub slack: Slack,
    chats: Mutex<HashMap<&'static str, String>>,
}

impl Stage {
    /// Sets the stage: a contact that HubSpot has already, spelt in another way than the customer does.
    pub fn new(livechat: Livechat, hubspot: Hubspot, slack: Slack) -> Stage {
        hubspot.add_contact("Dana@Example.com");
        Stage { livechat, hubspot, slack, chats: Mutex::default() }
    }

    /// Makes `livechat`, `hubspot` or `slack` answer 503 to everything; false if the name is another.
    pub fn break_down(&self, service: &str) -> bool {
        let faults = match service {
            "livechat" => self.livechat.faults(),
            "hubspot" => self.hubspot.faults(),
            "slack" => self.slack.faults(),
            _ => return false,
        };
        faults.set("*", Fault::Down, Times::UntilCleared);
        true
    }

    /// Plays one step; the webhooks leave by themselves.
    ///
    /// # Errors
    /// The step doesn't fit what was played before.
    pub fn play(&self, step: &Step) -> Result<(), Impossible> {
        let chat_id = self.chat_of(step.customer).unwrap_or_default();
        let happening = self.act(&chat_id, &step.act)?;
        locked(&self.chats).insert(step.customer, happening.chat_id);
        Ok(())
    }

    fn act(&self, chat_id: &str, act: &Act) -> Told {
        let livechat = &self.livechat;
        match act {
            Act::Opens(opening) => livechat.start_chat(opening),
            Act::Says(text) => livechat.customer_says(chat_id, text),
            Act::AgentSays { agent_id, text } => livechat.agent_says(chat_id, agent_id, text),
            Act::Rates(score) => livechat.rate(chat_id, *score),
            Act::Comments(text) => livechat.comment_rating(chat_id, text),
            Act::Ends(by) => livechat.end_chat(chat_id, by),
        }
    }

    /// The chat of a customer of the story.
    pub fn chat_of(&self, customer: &str) -> Option<String> {
        locked(&self.chats).get(customer).cloned()
    }

    /// Waits until what the next steps build on has come.
    ///
    /// # Errors
    /// [`NotYet`] names the expectation that was not met.
    pub async fn wait_for(&self, names: &[&str], within: Duration) -> Result<(), NotYet> {
        for expectation in self.expectations().iter().filter(|known| names.contains(&known.name)) {
            expectation.wait(self, within).await?;
        }
        Ok(())
    }

    /// All that should be true in the end.
    pub fn expectations(&self) -> Vec<Expectation> {
        expected::all()
    }

    /// Waits for all expectations; answers those that were not met, in order. Empty: the demo succeeded.
    pub async fn missing(&self, within: Duration) -> Vec<NotYet> {
        let deadline = tokio::time::Instant::now() + within;
        let mut missing = Vec::new();
        for expectation in self.expectations() {
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            if let Err(not_yet) = expectation.wait(self, left).await {
                missing.push(not_yet);
            }
        }
        missing
    }
}

#[cfg(test)]
mod tests;
