//! Messages to a Slack channel, as text.

use serde_json::{Value, json};

use crate::http::{self, Request};

/// A message by a connection of kind `slack`: to `channel`, by its id, where the connection is the Web API; without one where
/// the connection's incoming webhook leads. A link is not shown as a page or a picture, and a name is only a name. `text`
/// is Slack's markup, in which `<!channel>` rings everyone: [`escape`] what others wrote.
pub fn message(connection: &str, channel: Option<&str>, text: &str) -> Request {
    let path = if channel.is_some() { "/api/chat.postMessage" } else { "" };
    http::post_json(connection, path, &body(channel, text))
}

fn body(channel: Option<&str>, text: &str) -> Value {
    let mut body = json!({ "text": text, "unfurl_links": false, "unfurl_media": false });
    if let Some(channel) = channel {
        body["channel"] = channel.into();
        // The incoming webhook does so by itself.
        body["parse"] = "none".into();
        body["link_names"] = false.into();
    }
    body
}

/// A text as it stands in a message, also between backticks.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('`', "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_link_is_unfolded_whichever_way_the_message_goes() {
        let flags = json!({ "unfurl_links": false, "unfurl_media": false });
        let check = |channel: Option<&str>, more: Value| {
            let mut expected = flags.clone();
            expected
                .as_object_mut()
                .expect("an object")
                .extend(more.as_object().cloned().expect("an object"));
            assert_eq!(body(channel, "Hello"), expected);
        };
        check(None, json!({ "text": "Hello" }));
        check(Some("C1"), json!({ "text": "Hello", "channel": "C1", "parse": "none", "link_names": false }));
    }

    #[test]
    fn what_others_wrote_rings_nobody() {
        assert_eq!(escape("<!channel> & `co`"), "&lt;!channel&gt; &amp; 'co'");
    }
}
