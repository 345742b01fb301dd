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

[plugin.routing-rules]
events = ["incoming_chat", "incoming_event", "chat_transferred"]
grants = [
    "agents.list-routing-statuses", "chats.get-chat", "chats.set-properties", "chats.tag", "chats.transfer",
]
denies = ["http:slack"]

[[plugin.routing-rules.settings.rules]]
name = "pricing pages go to Sales"
when = { page_url = "shop.example.com/pricing*" }
to_group = 2
tag = "sales"
otherwise = "queue"

[[plugin.routing-rules.settings.rules]]
name = "enterprise customers are marked"
when = { session_fields = { plan = "enterprise" } }
properties = { test = { string_property = "enterprise" } }

[[plugin.routing-rules.settings.rules]]
name = "urgent words"
when = { keywords = ["urgent", "broken"] }
tag = "urgent"

[plugin.crm-notes]
events = ["chat_deactivated", "chat_rated"]
grants = ["chats.get-chat", "http:hubspot"]

[plugin.crm-notes.settings]
create_contact = true
without_email = "skip"
"#
}
