use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use super::{Status, Visibility};
use crate::json::or_default;

/// Somebody in a chat.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "a chat has a handful of users; a box would be in the author's way"
)]
#[non_exhaustive]
pub enum User {
    /// A person or bot of the team.
    Agent(Agent),
    /// A customer.
    Customer(Customer),
    /// What this SDK doesn't know.
    Other(Value),
}

impl User {
    /// The id; empty if there is none.
    pub fn id(&self) -> &str {
        match self {
            User::Agent(agent) => &agent.id,
            User::Customer(customer) => &customer.id,
            User::Other(value) => value["id"].as_str().unwrap_or_default(),
        }
    }

    /// The name.
    pub fn name(&self) -> Option<&str> {
        match self {
            User::Agent(agent) => agent.name.as_deref(),
            User::Customer(customer) => customer.name.as_deref(),
            User::Other(value) => value["name"].as_str(),
        }
    }

    /// Whether it is the customer.
    pub fn is_customer(&self) -> bool {
        matches!(self, User::Customer(_))
    }
}

impl Default for User {
    fn default() -> Self {
        User::Other(Value::Null)
    }
}

impl<'de> Deserialize<'de> for User {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let user = match value["type"].as_str() {
            Some("agent") => serde_json::from_value(value).map(User::Agent),
            Some("customer") => serde_json::from_value(value).map(User::Customer),
            _ => Ok(User::Other(value)),
        };
        user.map_err(de::Error::custom)
    }
}

/// A person or bot of the team.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Agent {
    /// E-mail address of a person; opaque text for a bot.
    pub id: String,
    /// The name that customers see.
    pub name: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
    /// Whether they are in the chat now.
    #[serde(deserialize_with = "or_default")]
    pub present: bool,
    /// Who sees that they are there.
    #[serde(deserialize_with = "or_default")]
    pub visibility: Visibility,
}

/// A customer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Customer {
    /// The id.
    pub id: String,
    /// The name, as the customer gave it.
    pub name: Option<String>,
    /// The e-mail address, as the customer gave it.
    pub email: Option<String>,
    /// Whether the platform knows that the address is theirs.
    pub email_verified: Option<bool>,
    /// The phone number.
    pub phone_number: Option<String>,
    /// What the page said of them: a list of objects with one key each; see [`Customer::session_field`].
    #[serde(deserialize_with = "or_default")]
    pub session_fields: Vec<BTreeMap<String, Value>>,
    /// Their visit to the website.
    #[serde(alias = "last_visit", deserialize_with = "or_default")]
    pub visit: Visit,
    /// How often they came, as LiveChat sent it.
    pub statistics: Value,
}

impl Customer {
    /// What the page said of them under a key, if it is text.
    pub fn session_field(&self, key: &str) -> Option<&str> {
        self.session_fields.iter().find_map(|field| field.get(key))?.as_str()
    }
}

/// A visit to the website.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Visit {
    /// When it began, RFC 3339.
    pub started_at: Option<String>,
    /// Where they came from.
    pub referrer: Option<String>,
    /// Their address on the network.
    pub ip: Option<String>,
    /// Their browser.
    pub user_agent: Option<String>,
    /// Where they are (`country`, `country_code`, `city` …), as LiveChat sent it.
    pub geolocation: Value,
    /// The last pages they opened, in order.
    #[serde(deserialize_with = "or_default")]
    pub last_pages: Vec<Page>,
}

/// A page of the website.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Page {
    /// When it was opened, RFC 3339.
    pub opened_at: Option<String>,
    /// Its address.
    #[serde(deserialize_with = "or_default")]
    pub url: String,
    /// Its title.
    pub title: Option<String>,
}

/// Whether an agent gets chats.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RoutingStatus {
    /// The agent or bot.
    pub agent_id: String,
    /// What it is. Spaces in place of underscores, as one webhook writes it, count as underscores.
    #[serde(deserialize_with = "status")]
    pub status: Status,
}

fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Status, D::Error> {
    let word: String = or_default(deserializer)?;
    Ok(Status::from(word.replace(' ', "_")))
}
