//! Which traces of the host's own calls a webhook bears. Whatever a customer can write proves nothing: a
//! customer's messages may have a `custom_id` and a client id too.

use std::collections::HashMap;

use super::json::Object;
use super::payload::Payload;
use super::reading::Reading;
use crate::event::trace::{Trace, plugin_of};

/// As whom the host acts, as far as the config says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Us {
    /// The id of the app that the token belongs to.
    pub client_id: Option<String>,
    /// The agent or bot whose token it is.
    pub agent_id: Option<String>,
}

impl Us {
    /// Whether this is our bot, as whom nobody else acts. Of a person whose token we use that can't be said:
    /// the same person also works with the chats.
    fn is_our_bot(&self, user_id: &str) -> bool {
        self.agent_id.as_deref() == Some(user_id) && !is_email(user_id)
    }

    fn is_our_app(&self, client_id: Option<&str>) -> bool {
        client_id.is_some() && self.client_id.as_deref() == client_id
    }
}

/// The users of a chat, where a webhook tells them.
#[derive(Default)]
pub(super) struct Users {
    /// By id; bots are agents too.
    is_agent: HashMap<String, bool>,
}

impl Users {
    pub(super) fn of(chat: &Object) -> Users {
        let users = chat.array("users").into_iter().map(|user| Object::read(user.get()));
        let known = |user: Object| Some((user.id("id")?.into_owned(), user.text("type")? == "agent"));
        Users { is_agent: users.filter_map(known).collect() }
    }
}

/// The traces of a webhook. What tells nothing of who did it (tags, properties) has none: a colleague may
/// have done the same.
pub(super) fn of(us: &Us, reading: &Reading, payload: &Payload) -> Trace {
    let did_it = |name| Trace { by_us: is_done_by_bot(us, &payload.root, name), ..Trace::default() };
    match reading.event_type.as_str() {
        "incoming_event" => of_chat_event(us, &payload.event, &Users::default()),
        "incoming_chat" | "chat_transferred" | "user_added_to_chat" | "user_removed_from_chat" => {
            did_it("requester_id")
        }
        "chat_deactivated" => did_it("user_id"),
        _ if reading.extra.contains("\"requester\"") => of_requester(us, &reading.extra),
        _ => Trace::default(),
    }
}

/// The traces of a chat event; `users` are those of its chat, where the webhook tells them.
pub(super) fn of_chat_event(us: &Us, chat_event: &Object, users: &Users) -> Trace {
    let Some(author) = chat_event.id("author_id") else { return Trace::default() };
    if !is_staff(us, &author, users) {
        return Trace::default();
    }
    let source = chat_event.object("properties").object("source");
    Trace {
        plugin: chat_event.text("custom_id").and_then(|id| plugin_of(&id).map(str::to_owned)),
        chat_event: chat_event.id("id").map(|id| id.into_owned()),
        by_us: us.is_our_bot(&author) || us.is_our_app(source.id("client_id").as_deref()),
    }
}

/// Whether an agent or a bot wrote it. Most webhooks say only the author's id: agents have e-mail addresses
/// for ids, bots 32 hex digits, customers UUIDs that LiveChat gives them.
fn is_staff(us: &Us, author: &str, users: &Users) -> bool {
    let looks_so = || is_email(author) || is_bot_id(author) || us.agent_id.as_deref() == Some(author);
    users.is_agent.get(author).copied().unwrap_or_else(looks_so)
}

fn is_email(id: &str) -> bool {
    id.contains('@')
}

fn is_bot_id(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_done_by_bot(us: &Us, root: &Object, name: &str) -> bool {
    root.id(name).is_some_and(|user_id| us.is_our_bot(&user_id))
}

/// Changes of the account's configuration say beside the payload who made them.
fn of_requester(us: &Us, extra: &str) -> Trace {
    let requester = Object::read(extra).object("requester");
    let by_bot = is_done_by_bot(us, &requester, "user_id");
    Trace { by_us: by_bot || us.is_our_app(requester.id("client_id").as_deref()), ..Trace::default() }
}
