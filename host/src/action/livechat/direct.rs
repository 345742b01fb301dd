//! Calls that a plugin names itself: an API, an action, and the body as LiveChat wants it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::action::fuse::Subject;
use crate::action::{Code, Effect, Error};

/// An API of LiveChat's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Api {
    /// Chats, customers, who accepts chats.
    Agent,
    /// Agents, groups, tags, webhooks.
    Configuration,
    /// Statistics.
    Reports,
}

impl Api {
    /// Its part of the path, and its word in the contract and in grants.
    pub fn as_str(self) -> &'static str {
        match self {
            Api::Agent => "agent",
            Api::Configuration => "configuration",
            Api::Reports => "reports",
        }
    }

    /// The API behind a word.
    pub fn parse(word: &str) -> Option<Api> {
        [Api::Agent, Api::Configuration, Api::Reports].into_iter().find(|api| api.as_str() == word)
    }
}

/// A call by its name. What each field means is told in `wit/livechat.wit`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Direct {
    /// The API.
    pub api: Api,
    /// The action; for reports resource and report.
    pub action: String,
    /// An object.
    pub body: Value,
    /// What making it twice does: one of `read`, `repeatable` and `unknown`.
    effect: Word,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Read,
    Repeatable,
    Unknown,
}

/// Actions that answer with what opens the account.
const SECRET: [&str; 4] = ["batch_create_bots", "create_bot", "issue_bot_token", "reset_bot_secret"];
/// An action that no JSON body makes.
const UPLOAD: &str = "upload_file";

impl Direct {
    /// A call as a plugin asks for it.
    ///
    /// # Errors
    /// What of it makes no sense, or is not for plugins.
    pub fn new(api: &str, action: &str, body: &str, effect: Option<&str>) -> Result<Direct, Error> {
        let invalid = |message: String| Error::new(Code::Invalid, message);
        check_name(&format!("{api}.{action}")).map_err(invalid)?;
        let api = Api::parse(api).ok_or_else(|| invalid("there is no such API".to_owned()))?;
        let body: Value = serde_json::from_str(body)
            .map_err(|error| invalid(format!("the body for {action} is not JSON: {error}")))?;
        if !body.is_object() {
            return Err(invalid(format!("the body for {action} is no JSON object")));
        }
        if body.pointer("/event/custom_id").is_some() {
            return Err(invalid(format!(
                "the `custom_id` in the body for {action} is the host's: leave it out"
            )));
        }
        let effect = word(api, action, effect).map_err(invalid)?;
        Ok(Direct { api, action: action.to_owned(), body, effect })
    }

    /// Its name in manifests, and behind `livechat:` in grants: `configuration.create_tag`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.api.as_str(), self.action)
    }

    /// What making it twice does.
    pub fn effect(&self) -> Effect {
        match self.effect {
            Word::Read => Effect::Read,
            Word::Repeatable => Effect::Repeatable,
            Word::Unknown => Effect::Unknown,
        }
    }

    /// The chat that it is about; which field holds it differs by the action.
    pub fn chat_id(&self) -> Option<&str> {
        if self.api != Api::Agent {
            return None;
        }
        match self.action.as_str() {
            "deactivate_chat"
            | "follow_chat"
            | "unfollow_chat"
            | "transfer_chat"
            | "update_chat_properties"
            | "delete_chat_properties" => self.body["id"].as_str(),
            "resume_chat" => self.body["chat"]["id"].as_str(),
            _ => self.body["chat_id"].as_str(),
        }
    }
}

impl Direct {
    /// What it changes: a chat, else the agent or customer that a field names.
    pub fn subject(&self) -> Subject<'_> {
        if let Some(chat_id) = self.chat_id() {
            return Subject::Chat(chat_id);
        }
        let (agent, id) = (self.body["agent_id"].as_str(), self.body["id"].as_str());
        match (agent, id, self.action.rsplit('_').next()) {
            (Some(agent), ..) | (None, Some(agent), Some("agent")) => Subject::Agent(agent),
            (None, Some(customer), Some("customer")) => Subject::Customer(customer),
            _ => Subject::Account,
        }
    }

    /// Whether it begins a chat, which has no id yet.
    pub fn starts_chat(&self) -> bool {
        self.api == Api::Agent && self.action == "start_chat"
    }
}

/// What making a call twice does, by the plugin's word.
fn word(api: Api, action: &str, word: Option<&str>) -> Result<Word, String> {
    let reads = api == Api::Reports || action.starts_with("list_") || action.starts_with("get_");
    match word {
        None if reads => Ok(Word::Read),
        None | Some("unknown") => Ok(Word::Unknown),
        Some("repeatable") => Ok(Word::Repeatable),
        Some("read") if reads => Ok(Word::Read),
        Some("read") => Err(format!("`{action}` is no read: its effect is `repeatable` or `unknown`")),
        Some(other) => {
            Err(format!("`{}` is no effect; it is `read`, `repeatable` or `unknown`", other.escape_debug()))
        }
    }
}

const NAME_BYTES_MAX: usize = 100;

/// Checks the name of a call: `configuration.create_tag`, `reports.chats/forms`.
///
/// # Errors
/// What is wrong with it.
pub fn check_name(name: &str) -> Result<(), String> {
    let shown = name.chars().take(NAME_BYTES_MAX).collect::<String>();
    let shown = shown.escape_debug();
    let no_name = || {
        Err(format!(
            "`{shown}` names no call of LiveChat's API: write the API (agent, configuration or reports), a point, and \
             the action's name, such as configuration.create_tag or reports.chats/forms"
        ))
    };
    let Some((api, action)) = name.split_once('.') else { return no_name() };
    let is_word = |text: &str| {
        let is_fine = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        !text.is_empty() && text.bytes().all(is_fine)
    };
    let is_action = match Api::parse(api) {
        Some(Api::Reports) => action.split_once('/').is_some_and(|(a, b)| is_word(a) && is_word(b)),
        Some(_) => is_word(action),
        None => false,
    };
    if !is_action || name.len() > NAME_BYTES_MAX {
        return no_name();
    }
    if SECRET.contains(&action) {
        return Err(format!("`{shown}` answers with credentials, which plugins don't get"));
    }
    if action == UPLOAD {
        return Err(format!("`{shown}` takes a file, which `livechat.call` can't send"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(api: &str, action: &str, effect: Option<&str>, expected: Result<Effect, &str>) {
        let came = Direct::new(api, action, "{}", effect);
        match (came, expected) {
            (Ok(call), Ok(expected)) => assert_eq!(call.effect(), expected, "{action}"),
            (Err(error), Err(part)) => assert!(error.message.contains(part), "{action}: {error}"),
            (came, _) => panic!("{api} {action} {effect:?}: {came:?}"),
        }
    }

    #[test]
    fn a_call_has_the_effect_that_the_plugin_says_unless_it_calls_a_change_a_read() {
        check("configuration", "create_tag", None, Ok(Effect::Unknown));
        check("configuration", "create_tag", Some("repeatable"), Ok(Effect::Repeatable));
        check("configuration", "create_tag", Some("read"), Err("no read"));
        check("configuration", "create_tag", Some("keyed"), Err("no effect"));
        check("configuration", "list_bots", None, Ok(Effect::Read));
        check("configuration", "list_bots", Some("unknown"), Ok(Effect::Unknown));
        check("agent", "get_chat", Some("read"), Ok(Effect::Read));
        check("reports", "chats/forms", None, Ok(Effect::Read));
    }

    #[test]
    fn what_names_no_call_or_is_not_for_plugins_is_refused() {
        for (api, action) in [
            ("", "get_chat"),
            ("customer", "send_event"),
            ("agent", ""),
            ("agent", "../configuration/action/create_bot"),
            ("agent", "get_chat?x"),
            ("agent", "Get_chat"),
            ("agent", "chats/forms"),
            ("reports", "forms"),
            ("reports", "chats/"),
            ("reports", "chats/forms/x"),
        ] {
            check(api, action, None, Err("names no call"));
        }
        check("configuration", "issue_bot_token", None, Err("credentials"));
        check("configuration", "create_bot", None, Err("credentials"));
        check("agent", "upload_file", None, Err("file"));
        for (body, part) in
            [("", "not JSON"), ("[]", "no JSON object"), (r#"{"event":{"custom_id":"a"}}"#, "custom_id")]
        {
            let error = Direct::new("agent", "send_event", body, None).expect_err("refused");
            assert!(error.message.contains(part), "{error}");
        }
    }

    #[test]
    fn the_chat_is_where_the_action_has_it() {
        let chat = |api: &str, action: &str, body: &str| {
            let call = Direct::new(api, action, body, None).expect("a call");
            call.chat_id().map(str::to_owned)
        };
        assert_eq!(chat("agent", "follow_chat", r#"{"id":"C1"}"#).as_deref(), Some("C1"));
        assert_eq!(chat("agent", "resume_chat", r#"{"chat":{"id":"C2"}}"#).as_deref(), Some("C2"));
        assert_eq!(chat("agent", "send_event", r#"{"chat_id":"C3","id":"X"}"#).as_deref(), Some("C3"));
        assert_eq!(chat("configuration", "delete_group", r#"{"id":"1"}"#), None);
    }
}
