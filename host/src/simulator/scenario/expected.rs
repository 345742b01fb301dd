//! What should be true of the three services when the story has been played.

use std::time::Duration;

use serde_json::Value;

use super::Stage;
use crate::simulator::livechat::{BOT_ID, PAT_OWNER};
use crate::simulator::slack::Post;
use crate::simulator::{NotYet, Requests};

/// One thing that should be true.
pub struct Expectation {
    /// The service and what should be there: "Slack: alert for Dana's bad rating".
    pub name: &'static str,
    service: Service,
    is_met: fn(&Stage) -> bool,
}

#[derive(Clone, Copy)]
enum Service {
    Livechat,
    Hubspot,
    Slack,
}

impl Expectation {
    /// Whether it is true now.
    pub fn is_met(&self, stage: &Stage) -> bool {
        (self.is_met)(stage)
    }

    /// Waits until it is true.
    ///
    /// # Errors
    /// [`NotYet`] names it when the time is over.
    pub async fn wait(&self, stage: &Stage, within: Duration) -> Result<(), NotYet> {
        let requests: &Requests = match self.service {
            Service::Livechat => stage.livechat.requests(),
            Service::Hubspot => stage.hubspot.requests(),
            Service::Slack => stage.slack.requests(),
        };
        requests.wait_until(self.name, within, || self.is_met(stage)).await
    }
}

pub(super) fn all() -> Vec<Expectation> {
    let livechat = LIVECHAT.iter().map(|(name, is_met)| (Service::Livechat, *name, *is_met));
    let slack = SLACK.iter().map(|(name, is_met)| (Service::Slack, *name, *is_met));
    let hubspot = HUBSPOT.iter().map(|(name, is_met)| (Service::Hubspot, *name, *is_met));
    livechat
        .chain(slack)
        .chain(hubspot)
        .map(|(service, name, is_met)| Expectation { name, service, is_met })
        .collect()
}

type Check = (&'static str, fn(&Stage) -> bool);

const LIVECHAT: [Check; 7] = [
    ("LiveChat: Dana's chat is in the group Sales (2)", |stage| {
        chat(stage, "Dana")["access"]["group_ids"] == serde_json::json!([2])
    }),
    ("LiveChat: tag sales on Dana's thread", |stage| is_tagged(stage, "Dana", "sales")),
    ("LiveChat: tag urgent on Omar's thread", |stage| is_tagged(stage, "Omar", "urgent")),
    ("LiveChat: tag low-rating on Omar's thread", |stage| is_tagged(stage, "Omar", "low-rating")),
    ("LiveChat: internal note in Omar's chat", |stage| {
        let chat = chat(stage, "Omar");
        let events = chat["thread"]["events"].as_array();
        events.into_iter().flatten().any(|event| {
            let is_ours = [PAT_OWNER, BOT_ID].iter().any(|author| event["author_id"] == *author);
            is_ours && event["visibility"] == "agents"
        })
    }),
    ("LiveChat: no tag low-rating on Dana's thread, which had ended", |stage| {
        !is_tagged(stage, "Dana", "low-rating")
    }),
    ("LiveChat: Mia's chat carries the property of enterprise customers", |stage| {
        chat(stage, "Mia")["properties"]["test"]["string_property"] == "enterprise"
    }),
];

const SLACK: [Check; 7] = [
    ("Slack: alert for Omar's bad rating", |stage| is_alerted(stage, "Omar")),
    ("Slack: alert for Dana's bad rating", |stage| is_alerted(stage, "Dana")),
    ("Slack: Dana's comment, as an update or a second post", |stage| {
        is_alerted(stage, "I waited twenty minutes for one number")
    }),
    ("Slack: alert for Mallory's bad rating", |stage| is_alerted(stage, "Mallory")),
    ("Slack: no alert for Mia's good rating", |stage| !is_alerted(stage, "Mia")),
    ("Slack: one alert for Omar", |stage| posts_about(stage, "Omar").len() == 1),
    ("Slack: nobody is mentioned, no limit is exceeded", |stage| stage.slack.violations().is_empty()),
];

const HUBSPOT: [Check; 7] = [
    ("HubSpot: note on dana@example.com with the transcript", |stage| {
        is_noted(stage, "dana@example.com", "How much is the team plan?")
    }),
    ("HubSpot: one note on dana@example.com, updated by the later comment", |stage| {
        let comment = "I waited twenty minutes for one number";
        is_noted(stage, "dana@example.com", comment) && stage.hubspot.notes_on("dana@example.com").len() == 1
    }),
    ("HubSpot: note on omar@example.com", |stage| {
        is_noted(stage, "omar@example.com", "My parcel arrived broken")
    }),
    ("HubSpot: note on mia@example.com", |stage| {
        is_noted(stage, "mia@example.com", "where do I find my invoices")
    }),
    ("HubSpot: note on mallory+test@example.com", |stage| {
        is_noted(stage, "mallory+test@example.com", "alert(1)")
    }),
    ("HubSpot: markup in Mallory's note is escaped", |stage| {
        let notes = stage.hubspot.notes_on("mallory+test@example.com");
        !notes.is_empty()
            && notes.iter().all(|note| !note.body().contains("<script") && !note.body().contains("<b>bold"))
    }),
    ("HubSpot: no note on the visitor without an address", |stage| {
        stage.hubspot.notes().iter().all(|note| !note.body().contains("Do you ship to Norway?"))
    }),
];

fn chat(stage: &Stage, customer: &str) -> Value {
    let chat_id = stage.chat_of(customer);
    chat_id.and_then(|id| stage.livechat.chat(&id)).unwrap_or(Value::Null)
}

fn is_tagged(stage: &Stage, customer: &str, tag: &str) -> bool {
    let chat = chat(stage, customer);
    chat["thread"]["tags"].as_array().is_some_and(|tags| tags.iter().any(|known| known == tag))
}

fn posts_about(stage: &Stage, text: &str) -> Vec<Post> {
    stage.slack.posts().into_iter().filter(|post| post.content().contains(text)).collect()
}

fn is_alerted(stage: &Stage, text: &str) -> bool {
    !posts_about(stage, text).is_empty()
}

fn is_noted(stage: &Stage, email: &str, text: &str) -> bool {
    stage.hubspot.notes_on(email).iter().any(|note| note.body().contains(text))
}
