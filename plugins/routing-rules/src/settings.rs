//! What an operator sets: the rules.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use crate::hours::Hours;

mod waiting;

pub use waiting::{Since, WaitingRule};

/// The settings of routing-rules.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Only write to the log what would be done.
    #[serde(default)]
    pub dry_run: bool,
    /// The rules, in order: the first that matches decides.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// What is done about customers who wait, each rule by itself.
    #[serde(default)]
    pub waiting: Vec<WaitingRule>,
    /// The Slack channel for alerts, by its id, where the connection `slack` is the Web API; without it they go where the
    /// connection's incoming webhook leads.
    pub channel: Option<String>,
}

impl Settings {
    /// What the schema can't say: names are unique, a rule does something.
    pub fn check(&self) -> Result<(), String> {
        let mut names = BTreeSet::new();
        for rule in &self.rules {
            let name = &rule.name;
            if !names.insert(name) {
                return Err(format!("settings: two rules are called `{name}`; give each its own name"));
            }
            rule.check().map_err(|problem| format!("settings: rule `{name}`: {problem}"))?;
        }
        names.clear();
        for rule in &self.waiting {
            let name = &rule.name;
            if !names.insert(name) {
                return Err(format!(
                    "settings: two rules of `waiting` are called `{name}`; give each its own name"
                ));
            }
            rule.check().map_err(|problem| format!("settings: rule `{name}` of `waiting`: {problem}"))?;
        }
        match self.rules.is_empty() && self.waiting.is_empty() {
            true => Err("settings: there is neither a rule in `rules` nor one in `waiting`".to_owned()),
            false => Ok(()),
        }
    }

    /// The rules about those who wait since then.
    pub fn waiting_since(&self, since: Since) -> impl Iterator<Item = &WaitingRule> {
        self.waiting.iter().filter(move |rule| rule.since == since)
    }
}

/// One rule: what must hold, and what is done then.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend(
    "not" = {"required": ["to_group", "to_agent"]},
    "anyOf" = [
        {"required": ["to_group"]}, {"required": ["to_agent"]}, {"required": ["tag"]}, {"required": ["properties"]}
    ]
))]
pub struct Rule {
    /// Its name, for the log.
    #[schemars(length(min = 1, max = 100))]
    pub name: String,
    /// What must hold; a rule without it matches every chat.
    #[serde(default)]
    pub when: When,
    /// The id of the group that gets the chat.
    pub to_group: Option<i64>,
    /// The agent who gets the chat: an e-mail address, or the id of a bot.
    pub to_agent: Option<String>,
    /// A tag for the thread; it must exist in LiveChat (case counts).
    #[schemars(extend("format" = "livechat-tag"))]
    pub tag: Option<String>,
    /// Properties of the chat: namespace to name to value. The namespaces must be registered in LiveChat.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "format": "livechat-property-namespace" }))]
    pub properties: BTreeMap<String, BTreeMap<String, PropertyValue>>,
    /// What happens if nobody of the group (or not the agent) accepts chats now.
    #[serde(default)]
    pub otherwise: Otherwise,
}

impl Rule {
    /// Who gets the chat; `None` if the rule only marks it.
    pub fn target(&self) -> Option<Target<'_>> {
        match (self.to_group, &self.to_agent) {
            (Some(group), _) => Some(Target::Group(group)),
            (None, Some(agent)) => Some(Target::Agent(agent)),
            (None, None) => None,
        }
    }

    fn check(&self) -> Result<(), String> {
        if self.to_group.is_some() && self.to_agent.is_some() {
            return Err("it has both to_group and to_agent; keep one".to_owned());
        }
        if self.target().is_none() && self.tag.is_none() && self.properties.is_empty() {
            return Err("it does nothing; add to_group, to_agent, tag or properties".to_owned());
        }
        Ok(())
    }
}

/// Who gets a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target<'a> {
    /// A group, by its id.
    Group(i64),
    /// An agent, by e-mail address or bot id.
    Agent(&'a str),
}

/// What must hold for a rule to match: every key that is there; of the values of one key, any.
/// Upper and lower case are the same everywhere.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct When {
    /// The page on which the customer is: an address in which `*` stands for anything, with or without
    /// `https://`, such as `shop.example.com/de/*`.
    pub page_url: OneOrMany<String>,
    /// The domain of that page, or a domain above it.
    pub page_domain: OneOrMany<String>,
    /// The domain of the customer's e-mail address, or a domain above it.
    pub email_domain: OneOrMany<String>,
    /// The customer's session fields: name to value, in which `*` stands for anything. Every field named.
    pub session_fields: BTreeMap<String, OneOrMany<String>>,
    /// Where the customer is: a country's two-letter code, or its English name as LiveChat writes it.
    pub country: OneOrMany<String>,
    /// Words that the customer wrote, in the form before the chat or in messages: whole words; `refund*`
    /// is any word that begins so.
    pub keywords: OneOrMany<String>,
    /// The customer came within these hours.
    pub hours: OneOrMany<Hours>,
    /// The customer came outside all of these hours.
    pub outside_hours: OneOrMany<Hours>,
    /// Somebody in one of these groups accepts chats now: group ids.
    pub group_available: OneOrMany<i64>,
}

/// What happens if nobody accepts chats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Otherwise {
    /// The chat is transferred all the same and waits in the queue.
    #[default]
    Queue,
    /// The rule doesn't match; the next ones are tried.
    Next,
    /// The chat stays where it is; tag and properties are set.
    Leave,
}

/// A property's value.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(untagged)]
pub enum PropertyValue {
    /// True or false.
    Bool(bool),
    /// A whole number (LiveChat's are 32 bits wide).
    Int(i32),
    /// Text.
    Text(String),
}

/// One value, or a list of them.
#[derive(Clone, Debug, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// One value.
    One(T),
    /// A list.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// The values.
    pub fn as_slice(&self) -> &[T] {
        match self {
            OneOrMany::One(value) => std::slice::from_ref(value),
            OneOrMany::Many(values) => values,
        }
    }

    /// Whether `any` value of the list will do; true of an empty list, which asks for nothing.
    pub fn none_or(&self, any: impl FnMut(&T) -> bool) -> bool {
        self.as_slice().is_empty() || self.as_slice().iter().any(any)
    }
}

/// Not derived: an untagged enum would hide what is wrong with a value.
impl<'de, T: DeserializeOwned> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let read = if value.is_array() {
            Vec::deserialize(value).map(OneOrMany::Many)
        } else {
            T::deserialize(value).map(OneOrMany::One)
        };
        read.map_err(de::Error::custom)
    }
}

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        OneOrMany::Many(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rules: &str, expected: Result<(), &str>) {
        let settings = serde_json::from_str::<Settings>(&format!("{{\"rules\":[{rules}]}}"));
        let checked = settings.map_err(|error| error.to_string()).and_then(|settings| settings.check());
        match (&checked, expected) {
            (Err(problem), Err(part)) => assert!(problem.contains(part), "{problem:?} lacks {part:?}"),
            _ => assert_eq!(checked, expected.map_err(str::to_owned), "{rules}"),
        }
    }

    #[test]
    fn wrong_rules_say_what_is_wrong() {
        check(r#"{"name":"a","to_group":1}, {"name":"b","tag":"x"}"#, Ok(()));
        check(r#"{"name":"a","to_group":1}, {"name":"a","tag":"x"}"#, Err("two rules are called `a`"));
        check(r#"{"name":"a"}"#, Err("rule `a`: it does nothing"));
        check(r#"{"name":"a","to_group":1,"to_agent":"b"}"#, Err("both to_group and to_agent"));
        check(r#"{"name":"a","tag":"x","otherwise":"wait"}"#, Err("wait"));
        check(r#"{"name":"a","tag":"x","when":{"pageurl":"b"}}"#, Err("pageurl"));
        check(r#"{"name":"a","tag":"x","when":{"country":7}}"#, Err("invalid type: integer `7`"));
        let hours = r#"{"timezone":"Mars/Base","from":"09:00","to":"10:00"}"#;
        check(&format!(r#"{{"name":"a","tag":"x","when":{{"hours":{hours}}}}}"#), Err("`Mars/Base`"));
    }

    #[test]
    fn the_schema_lets_one_value_stand_for_a_list_and_knows_every_key() {
        let schema = schemars::schema_for!(Settings);
        let text = schema.as_value().to_string();
        for part in ["additionalProperties\":false", "page_url", "outside_hours", "24:00", "anyOf", "queue"] {
            assert!(text.contains(part), "no {part} in {text}");
        }
    }
}
