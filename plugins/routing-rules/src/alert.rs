//! Telling the team in Slack.

use chatplug_sdk::prelude::*;
use chatplug_sdk::slack::{self, escape};

use crate::settings::{Since, WaitingRule};

/// The connection's name in the manifest and in the operator's config.
pub(crate) const CONNECTION: &str = "slack";

/// What is told: nothing that a customer wrote.
pub(crate) fn text(rule: &WaitingRule, chat: &Chat) -> String {
    let since = match rule.since {
        Since::Start => "Nobody has answered a chat",
        Since::Message => "A customer has waited for an answer",
    };
    let (minutes, name) = (rule.minutes, escape(&rule.name));
    // Ids may stand in a URL as they are; what else came in one would not be LiveChat's.
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let link = match is_id(&chat.id) {
        true => format!(" <https://my.livechatinc.com/chats/{}|Open it in LiveChat>", chat.id),
        false => String::new(),
    };
    format!("{since} for {minutes} min (rule `{name}`).{link}")
}

/// Posts a message: to `channel` by the Web API, without one by the incoming webhook.
pub(crate) fn post(channel: Option<&str>, text: &str) -> Result<(), Failure> {
    slack::message(CONNECTION, channel, text).once("alert").send()?.success()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_team_is_told_where_and_not_what_was_said() {
        let rule = json!({ "name": "<!channel> & `co`", "minutes": 2.5, "since": "message", "alert": true });
        let rule: WaitingRule = serde_json::from_value(rule).expect("a rule");
        let chat = |id: &str| serde_json::from_value(json!({ "id": id })).expect("a chat");
        assert_eq!(
            text(&rule, &chat("PJ0MRSHTDG")),
            "A customer has waited for an answer for 2.5 min (rule `&lt;!channel&gt; &amp; 'co'`). \
             <https://my.livechatinc.com/chats/PJ0MRSHTDG|Open it in LiveChat>"
        );
        assert!(!text(&rule, &chat("a|b>")).contains("a|b"));
    }
}
