//! What people do in the simulation. Each method changes the account and sends the webhooks of it.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value, json};

use super::Livechat;
use super::account::{Account, RoutingStatus};
use super::changes::Target;
use super::refusal::Refusal;
use crate::simulator::locked;

/// A customer who opens a chat, and from where.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The customer's id; chats of one id are one chat with several threads.
    pub customer_id: String,
    /// As the customer gave it.
    pub name: String,
    /// As the customer gave it.
    pub email: Option<String>,
    /// The page with the chat widget.
    pub page_url: String,
    /// Name and value, as the page set them.
    pub session_fields: Vec<(String, String)>,
    /// `Poland` …
    pub country: Option<String>,
    /// The group that the page belongs to.
    pub group_id: i64,
    /// What LiveChat says by itself in the name of the agent who gets the chat, before the customer writes; it comes
    /// inside `incoming_chat`.
    pub greeting: Option<String>,
    /// What the customer writes first; it comes inside `incoming_chat`.
    pub first_message: Option<String>,
}

impl Opening {
    /// A customer with this name, who has an address at example.com, on a page of the group Support.
    pub fn by(name: &str) -> Opening {
        let word: String = name.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
        Opening {
            customer_id: format!("b7eff798-f8df-4364-8059-{:012x}", number_of(name)),
            name: name.to_owned(),
            email: Some(format!("{word}@example.com")),
            page_url: "https://shop.example.com/".to_owned(),
            session_fields: Vec::new(),
            country: None,
            group_id: 1,
            greeting: None,
            first_message: None,
        }
    }

    fn customer(&self, now: &str) -> Value {
        let fields: Vec<Value> =
            self.session_fields.iter().map(|(name, value)| json!({ name.as_str(): value })).collect();
        let mut customer = json!({
            "id": self.customer_id, "type": "customer", "name": self.name, "session_fields": fields,
            "created_at": now,
            "statistics": {"chats_count": 1, "threads_count": 1, "visits_count": 1, "page_views_count": 1},
            "visit": {
                "started_at": now, "ip": "203.0.113.7", "user_agent": "Mozilla/5.0",
                "geolocation": {"timezone": "Europe/Warsaw"},
                "last_pages": [{"opened_at": now, "url": self.page_url, "title": "Shop"}],
            },
        });
        if let Some(country) = &self.country {
            customer["visit"]["geolocation"]["country"] = json!(country);
        }
        if let Some(email) = &self.email {
            customer["email"] = json!(email);
            customer["email_verified"] = json!(false);
        }
        customer
    }
}

/// A number of 48 bits that belongs to the name.
fn number_of(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish() >> 16
}

/// Who ends a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// The agent with this id.
    Agent(String),
    /// The customer.
    Customer,
    /// The platform, after a time without messages.
    Router,
}

/// What came of something that people did.
#[derive(Clone, Debug)]
pub struct Happening {
    /// The chat.
    pub chat_id: String,
    /// Its newest thread.
    pub thread_id: String,
    /// The webhook bodies, one for each registration that is told, in order.
    pub webhooks: Vec<Value>,
}

/// The story asks for something that the platform would not let happen.
#[derive(Debug, thiserror::Error)]
#[error("the simulated LiveChat can't do that in chat {chat_id}: {reason}")]
pub struct Impossible {
    chat_id: String,
    reason: String,
}

/// What a method of the story answers.
pub type Told = Result<Happening, Impossible>;

impl Livechat {
    /// A customer opens a chat: `incoming_chat`.
    pub fn start_chat(&self, opening: &Opening) -> Told {
        let mut account = locked(&self.account);
        let now = account.now();
        account.customers.insert(opening.customer_id.clone(), opening.customer(&now));
        let properties = chat_properties(opening);
        let chat_id = account.open(&opening.customer_id, opening.group_id, properties);
        let told =
            first_events(&mut account, &chat_id, opening).and_then(|()| tell_opened(&mut account, &chat_id));
        self.finish(account, &chat_id, told)
    }

    /// The customer writes: `incoming_event`.
    pub fn customer_says(&self, chat_id: &str, text: &str) -> Told {
        self.change(chat_id, |account| {
            let author = customer_of(account, chat_id)?;
            account.active_chat(chat_id)?;
            account.add_event(chat_id, message(&author, text, "all")).map(drop)
        })
    }

    /// The customer sends a file and writes nothing: `incoming_event`.
    pub fn customer_sends_file(&self, chat_id: &str, name: &str) -> Told {
        self.change(chat_id, |account| {
            let author = customer_of(account, chat_id)?;
            account.active_chat(chat_id)?;
            account.add_event(chat_id, file(&author, name)).map(drop)
        })
    }

    /// LiveChat says something by itself in an agent's name, who may know nothing of it: `incoming_event`.
    pub fn agent_greets(&self, chat_id: &str, agent_id: &str, text: &str) -> Told {
        self.change(chat_id, |account| {
            account.active_chat(chat_id)?;
            account.add_event(chat_id, greeting(agent_id, text)).map(drop)
        })
    }

    /// An agent writes; an agent who isn't in the chat joins it first.
    pub fn agent_says(&self, chat_id: &str, agent_id: &str, text: &str) -> Told {
        self.change(chat_id, |account| {
            account.active_chat(chat_id)?;
            if !account.chat(chat_id)?.is_present(agent_id) {
                account.add_member(chat_id, agent_id, "all", "manual", Some(agent_id))?;
            }
            account.add_event(chat_id, message(agent_id, text, "all")).map(drop)
        })
    }

    /// An agent writes what only agents see.
    pub fn agent_notes(&self, chat_id: &str, agent_id: &str, text: &str) -> Told {
        self.change(chat_id, |account| {
            account.active_chat(chat_id)?;
            account.add_event(chat_id, message(agent_id, text, "agents")).map(drop)
        })
    }

    /// An agent joins the chat, visible to the customer.
    pub fn agent_joins(&self, chat_id: &str, agent_id: &str) -> Told {
        self.change(chat_id, |account| {
            account.active_chat(chat_id)?;
            account.add_member(chat_id, agent_id, "all", "manual", Some(agent_id))
        })
    }

    /// An agent transfers the chat to a group by hand.
    pub fn agent_transfers(&self, chat_id: &str, agent_id: &str, group_id: i64) -> Told {
        self.change(chat_id, |account| {
            account.active_chat(chat_id)?;
            account.transfer(chat_id, Target::Groups(vec![group_id]), true, Some(agent_id))
        })
    }

    /// An agent tags the newest thread.
    pub fn agent_tags(&self, chat_id: &str, tag: &str) -> Told {
        self.change(chat_id, |account| {
            let thread_id = account.chat(chat_id)?.newest().id.clone();
            account.set_tag(chat_id, &thread_id, tag, true)
        })
    }

    /// The customer rates, 0 for bad and 1 for good, also after the chat: `thread_properties_updated`, and
    /// the system message as `incoming_event`.
    pub fn rate(&self, chat_id: &str, score: i64) -> Told {
        let word = if score == 0 { "bad" } else { "good" };
        self.change(chat_id, |account| {
            let customer = customer_name(account, chat_id)?;
            account.set_thread_properties(chat_id, json!({"rating": {"score": score}}))?;
            let text = format!("{customer} rated the chat as {word}");
            let vars = json!({"customer": customer, "score": word});
            account.add_system_message(chat_id, "rating.chat_rated", text, vars)
        })
    }

    /// The customer says why.
    pub fn comment_rating(&self, chat_id: &str, comment: &str) -> Told {
        self.change(chat_id, |account| {
            let customer = customer_name(account, chat_id)?;
            account.set_thread_properties(chat_id, json!({"rating": {"comment": comment}}))?;
            let text = format!("{customer} left the following comment: {comment}");
            let vars = json!({"customer": customer, "comment": comment});
            account.add_system_message(chat_id, "rating.chat_commented", text, vars)
        })
    }

    /// The customer takes the rating back: `thread_properties_deleted`, and the system message.
    pub fn cancel_rating(&self, chat_id: &str) -> Told {
        self.change(chat_id, |account| {
            let customer = customer_name(account, chat_id)?;
            let thread = account.chat_mut(chat_id)?.newest_mut();
            thread.properties.remove("rating");
            let payload = json!({
                "chat_id": chat_id, "thread_id": thread.id, "properties": {"rating": ["score", "comment"]},
            });
            account.happened("thread_properties_deleted", Some(chat_id), payload);
            let text = format!("{customer} canceled the chat rating");
            account.add_system_message(
                chat_id,
                "rating.chat_rating_canceled",
                text,
                json!({"customer": customer}),
            )
        })
    }

    /// The thread ends: the system message, and `chat_deactivated`.
    pub fn end_chat(&self, chat_id: &str, by: &EndedBy) -> Told {
        self.change(chat_id, |account| {
            account.active_chat(chat_id)?;
            let (kind, user_id) = match by {
                EndedBy::Agent(agent_id) => ("manual_archived_agent", Some(agent_id.clone())),
                EndedBy::Customer => ("manual_archived_customer", Some(customer_of(account, chat_id)?)),
                EndedBy::Router => ("routing.archived_inactive", None),
            };
            account.add_system_message(chat_id, kind, "Chat archived".to_owned(), json!({}))?;
            account.deactivate(chat_id, user_id.as_deref())
        })
    }

    /// An agent starts or stops accepting chats: `routing_status_set`. Answers the webhook bodies.
    pub fn set_routing_status(&self, agent_id: &str, status: RoutingStatus) -> Vec<Value> {
        let mut account = locked(&self.account);
        if let Some(agent) = account.agents.get_mut(agent_id) {
            agent.status = status;
            // The webhook spells it with spaces, the API with underscores.
            let word = status.as_str().replace('_', " ");
            account.happened("routing_status_set", None, json!({"agent_id": agent_id, "status": word}));
        }
        self.outbox.send_all(&mut account)
    }

    fn change(&self, chat_id: &str, change: impl FnOnce(&mut Account) -> Result<(), Refusal>) -> Told {
        let mut account = locked(&self.account);
        let changed = change(&mut account);
        self.finish(account, chat_id, changed)
    }

    fn finish(
        &self,
        mut account: std::sync::MutexGuard<'_, Account>,
        chat_id: &str,
        changed: Result<(), Refusal>,
    ) -> Told {
        let webhooks = self.outbox.send_all(&mut account);
        let impossible =
            |refusal: Refusal| Impossible { chat_id: chat_id.to_owned(), reason: refusal.message };
        changed.map_err(impossible)?;
        let thread_id = account.chat(chat_id).map_err(impossible)?.newest().id.clone();
        Ok(Happening { chat_id: chat_id.to_owned(), thread_id, webhooks })
    }
}

fn chat_properties(opening: &Opening) -> Map<String, Value> {
    let routing = json!({"continuous": false, "pinned": false, "start_url": opening.page_url});
    let source = json!({"client_id": super::WIDGET_CLIENT_ID, "customer_client_id": super::WIDGET_CLIENT_ID});
    Map::from_iter([("routing".to_owned(), routing), ("source".to_owned(), source)])
}

/// The first messages are told inside `incoming_chat` only.
fn first_events(account: &mut Account, chat_id: &str, opening: &Opening) -> Result<(), Refusal> {
    if let Some(text) = &opening.greeting {
        let agents = account.chat(chat_id)?.public_agents();
        let agent = agents.first().ok_or_else(|| Refusal::not_found("no agent got the chat"))?;
        account.store_event(chat_id, greeting(agent, text))?;
    }
    if let Some(text) = &opening.first_message {
        account.store_event(chat_id, message(&opening.customer_id, text, "all"))?;
    }
    Ok(())
}

fn tell_opened(account: &mut Account, chat_id: &str) -> Result<(), Refusal> {
    let chat = account.chat(chat_id)?;
    let payload = json!({"chat": chat.json(account, chat.newest())});
    account.happened("incoming_chat", Some(chat_id), payload);
    Ok(())
}

fn message(author_id: &str, text: &str, visibility: &str) -> Value {
    json!({
        "type": "message", "text": text, "author_id": author_id, "visibility": visibility,
        "properties": {"source": {"client_id": super::WIDGET_CLIENT_ID}},
    })
}

/// Marked as LiveChat marks it; no client sent it.
fn greeting(agent_id: &str, text: &str) -> Value {
    json!({
        "type": "message", "text": text, "author_id": agent_id, "visibility": "all",
        "properties": {"lc2": {"greeting_id": 17, "welcome_message": false}},
    })
}

fn file(author_id: &str, name: &str) -> Value {
    json!({
        "type": "file", "name": name, "url": format!("https://cdn.example.com/{name}"), "content_type": "application/pdf",
        "author_id": author_id, "visibility": "all",
    })
}

fn customer_of(account: &Account, chat_id: &str) -> Result<String, Refusal> {
    let customer = account.chat(chat_id)?.customer_id();
    customer.map(str::to_owned).ok_or_else(|| Refusal::not_found("the chat has no customer"))
}

fn customer_name(account: &Account, chat_id: &str) -> Result<String, Refusal> {
    let customer = account.user(&customer_of(account, chat_id)?);
    Ok(customer["name"].as_str().unwrap_or("Visitor").to_owned())
}
