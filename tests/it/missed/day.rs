//! What happens in the simulated LiveChat, and what its webhooks tell of it.

use chatplug::simulator::Livechat;
use chatplug::simulator::livechat::{EndedBy, Happening, Opening, Told};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::services::SMITH;

/// What an event is known by: type, chat, thread, and which of its kind.
pub(super) type Identity = (String, String, String, String);

pub(super) fn identity(event_type: &str, payload: &Value) -> Identity {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (chat, thread, which) = match event_type {
        "incoming_chat" => (&payload["chat"]["id"], &payload["chat"]["thread"]["id"], &Value::Null),
        "thread_tagged" => (&payload["chat_id"], &payload["thread_id"], &payload["tag"]),
        "chat_rated" => (&payload["chat_id"], &payload["thread_id"], &payload["change"]),
        _ => (&payload["chat_id"], &payload["thread_id"], &payload["event"]["id"]),
    };
    (event_type.to_owned(), text(chat), text(thread), text(which))
}

/// What webhooks tell, of the types that can be listed, with the messages that come inside of others.
pub(super) fn told(bodies: &[Value]) -> Vec<Identity> {
    let mut all = Vec::new();
    for body in bodies {
        let (action, payload) = (body["action"].as_str().expect("an action"), &body["payload"]);
        if ["incoming_chat", "incoming_event", "thread_tagged", "chat_deactivated"].contains(&action) {
            all.push(identity(action, payload));
        }
        let chat = &payload["chat"];
        for event in chat["thread"]["events"].as_array().into_iter().flatten() {
            let message = json!({"chat_id": chat["id"], "thread_id": chat["thread"]["id"], "event": event});
            all.push(identity("incoming_event", &message));
        }
        if payload["event"]["system_message_type"] == "rating.chat_rated" {
            let mut rated = payload.clone();
            rated["change"] = json!("rated");
            all.push(identity("chat_rated", &rated));
        }
    }
    all
}

/// The simulated platform, with its clock so long ago; keeps what each deed tells.
pub(super) struct Day {
    pub(super) livechat: Livechat,
    pub(super) bodies: Vec<Value>,
}

impl Day {
    pub(super) fn of(livechat: &Livechat) -> Day {
        Day { livechat: livechat.clone(), bodies: Vec::new() }
    }

    pub(super) fn at(&self, ago_seconds: i64) {
        self.livechat.shift_clock(SignedDuration::from_secs(-ago_seconds));
    }

    fn told(&mut self, told: Told) -> Happening {
        let happening = told.expect("it can happen");
        self.bodies.extend(happening.webhooks.iter().cloned());
        happening
    }

    /// A customer opens a chat; answers its id.
    pub(super) fn begin(&mut self, number: usize) -> String {
        let opening =
            Opening { first_message: Some("hi".to_owned()), ..Opening::by(&format!("Customer {number}")) };
        let told = self.livechat.start_chat(&opening);
        self.told(told).chat_id
    }

    pub(super) fn ask(&mut self, chat_id: &str) {
        let told = self.livechat.customer_says(chat_id, "where is my order?");
        self.told(told);
    }

    /// An agent answers; every third chat is tagged.
    pub(super) fn answer(&mut self, number: usize, chat_id: &str) {
        let told = self.livechat.agent_says(chat_id, SMITH, "on its way");
        self.told(told);
        if number.is_multiple_of(3) {
            let told = self.livechat.agent_tags(chat_id, "sales");
            self.told(told);
        }
    }

    /// The chat ends; every fifth is rated.
    pub(super) fn end(&mut self, number: usize, chat_id: &str) {
        let told = self.livechat.end_chat(chat_id, &EndedBy::Router);
        self.told(told);
        if number.is_multiple_of(5) {
            let told = self.livechat.rate(chat_id, 0);
            self.told(told);
        }
    }

    /// A chat of a minute.
    pub(super) fn chat(&mut self, number: usize, began_ago: i64) {
        self.at(began_ago);
        let chat_id = self.begin(number);
        self.at(began_ago - 20);
        self.ask(&chat_id);
        self.answer(number, &chat_id);
        self.at(began_ago - 60);
        self.end(number, &chat_id);
    }
}
