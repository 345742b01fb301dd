//! The plugins' part of the demo's `chatplug.toml`.

/// The sections of the three plugins, as TOML. They name the connections `slack` and `hubspot`, which the
/// demo's own part of the file has to define.
pub fn plugin_config() -> &'static str {
    r#"
[plugin.low-rating-alert]
events = ["chat_rated"]
grants = ["chats.get-chat", "chats.tag", "chats.send-note", "http:slack"]

[plugin.low-rating-alert.settings]
low = { "0-1" = 0, "1-5" = 2 }
connection = "slack"
tag = "low-rating"
note = true

[plugin.routing-rules]
events = ["incoming_chat", "incoming_event"]
grants = [
    "chats.get-chat", "chats.transfer", "chats.tag", "chats.set-properties", "agents.list-routing-statuses",
]

[[plugin.routing-rules.settings.rules]]
name = "pricing pages go to Sales"
page = "/pricing"
transfer = { group = 2 }
tag = "sales"
otherwise = "queue"

[[plugin.routing-rules.settings.rules]]
name = "enterprise customers are marked"
session = { plan = "enterprise" }
properties = { test = { string_property = "enterprise" } }

[[plugin.routing-rules.settings.rules]]
name = "urgent words"
keywords = ["urgent", "broken"]
tag = "urgent"

[plugin.crm-notes]
events = ["chat_deactivated", "chat_rated"]
grants = ["chats.get-chat", "http:hubspot"]

[plugin.crm-notes.settings]
connection = "hubspot"
create_contact = true
without_email = "skip"
"#
}
