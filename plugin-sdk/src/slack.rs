//! Messages to a Slack channel, as text.

use serde_json::json;

use crate::http::{self, Request};

/// A message by a connection of kind `slack`: to `channel`, by its id, where the connection is the Web API; without one where
/// the connection's incoming webhook leads. Nobody is mentioned and no link is shown as a picture, whatever the text says.
pub fn message(connection: &str, channel: Option<&str>, text: &str) -> Request {
    match channel {
        None => http::post_json(connection, "", &json!({ "text": text })),
        Some(channel) => {
            let body = json!({
                "channel": channel, "text": text, "parse": "none", "link_names": false, "unfurl_links": false,
            });
            http::post_json(connection, "/api/chat.postMessage", &body)
        }
    }
}

/// A text as it stands in a message, also between backticks.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('`', "'")
}
