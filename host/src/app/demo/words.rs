//! What the simulated services were asked to do, in words that are safe to show.

use serde_json::Value;

use crate::cli::text;
use crate::simulator::Recorded;

/// The most of a text that is shown, in characters.
const SHOWN: usize = 100;

/// A service of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Asked {
    LiveChat,
    HubSpot,
    Slack,
}

impl Asked {
    pub(super) fn title(self) -> &'static str {
        match self {
            Asked::LiveChat => "LiveChat",
            Asked::HubSpot => "HubSpot",
            Asked::Slack => "Slack",
        }
    }
}

/// What a request did; `None` if it only read something, and could. `customer_of` knows whose chat it is.
pub(super) fn of(
    asked: Asked,
    request: &Recorded,
    customer_of: &dyn Fn(&str) -> Option<&'static str>,
) -> Option<String> {
    let body = request.body.as_ref().unwrap_or(&Value::Null);
    let done = match asked {
        Asked::LiveChat => livechat(&request.operation, body, customer_of),
        Asked::HubSpot => hubspot(&request.operation, body, &request.path),
        Asked::Slack => slack(&request.operation, body),
    };
    match request.status {
        Some(200..300) => done,
        // A search that finds nobody is an answer like any other.
        Some(404) if done.is_none() => None,
        Some(status) => {
            let tried = done.unwrap_or_else(|| request.operation.clone());
            let failed = if status < 500 { "refused" } else { "FAILED" };
            Some(format!("{failed} ({status}): {}", text::escape(&tried)))
        }
        None => None,
    }
}

fn livechat(
    action: &str,
    body: &Value,
    customer_of: &dyn Fn(&str) -> Option<&'static str>,
) -> Option<String> {
    let id = body["chat_id"].as_str().or(body["id"].as_str()).unwrap_or_default();
    let chat = match customer_of(id) {
        Some(customer) => format!("chat {} ({customer})", short(id)),
        None => format!("chat {}", short(id)),
    };
    let value = |name: &str| plain(&body[name]);
    Some(match action {
        "transfer_chat" => {
            let target = &body["target"];
            let ids: Vec<String> = target["ids"].as_array().into_iter().flatten().map(plain).collect();
            format!("transfer {chat} to {} {}", plain(&target["type"]), ids.join(", "))
        }
        "tag_thread" => format!("tag {chat}: {}", value("tag")),
        "untag_thread" => format!("untag {chat}: {}", value("tag")),
        "send_event" if body["event"]["visibility"] == "agents" => {
            format!("internal note in {chat}: {}", plain(&body["event"]["text"]))
        }
        "send_event" => format!("message in {chat}: {}", plain(&body["event"]["text"])),
        "update_chat_properties" => format!("set properties of {chat}: {}", value("properties")),
        "add_user_to_chat" => format!("add {} to {chat}", value("user_id")),
        "remove_user_from_chat" => format!("remove {} from {chat}", value("user_id")),
        "deactivate_chat" => format!("end {chat}"),
        _ => return None,
    })
}

fn hubspot(operation: &str, body: &Value, path: &str) -> Option<String> {
    let id = || short(path.split('?').next().and_then(|path| path.rsplit('/').next()).unwrap_or_default());
    let properties = &body["properties"];
    let size = || properties["hs_note_body"].as_str().map_or(0, |text| text.chars().count());
    Some(match operation {
        "contacts.create" => format!("new contact {}", plain(&properties["email"])),
        "contacts.update" => format!("change contact {}", id()),
        "notes.create" => {
            let contact = plain(&body["associations"][0]["to"]["id"]);
            format!("note of {} characters on contact {contact}", size())
        }
        "notes.update" => format!("note {} now has {} characters", id(), size()),
        "notes.delete" => format!("delete note {}", id()),
        _ => return None,
    })
}

fn slack(operation: &str, body: &Value) -> Option<String> {
    match operation {
        "webhook" | "chat.postMessage" => Some(format!("posted: {}", plain(&body["text"]))),
        "chat.update" => Some(format!("updated: {}", plain(&body["text"]))),
        _ => None,
    }
}

/// A text as it is, anything else as JSON; on one line.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => short(text),
        other => short(&other.to_string()),
    }
}

/// The beginning of a text, on one line, escaped.
pub(super) fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", text::escape(&line[..end])),
        None => text::escape(&line),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    fn check(asked: Asked, operation: &str, body: Value, status: u16, expected: Option<&str>) {
        let request = Recorded {
            number: 1,
            operation: operation.to_owned(),
            method: "POST".to_owned(),
            path: "/crm/v3/objects/notes/9001?x=y".to_owned(),
            headers: Vec::new(),
            body: Some(body),
            status: Some(status),
            fault: None,
            at: Timestamp::UNIX_EPOCH,
        };
        let words = of(asked, &request, &|chat| (chat == "C1").then_some("Dana"));
        assert_eq!(words.as_deref(), expected, "{operation}");
    }

    #[test]
    fn what_changes_something_is_told() {
        let transfer = json!({"id": "C1", "target": {"type": "group", "ids": [2]}});
        check(Asked::LiveChat, "transfer_chat", transfer, 200, Some("transfer chat C1 (Dana) to group 2"));
        let tag = json!({"chat_id": "C2", "thread_id": "T2", "tag": "sales"});
        check(Asked::LiveChat, "tag_thread", tag, 200, Some("tag chat C2: sales"));
        let note = json!({"chat_id": "C1", "event": {"text": "rated as bad", "visibility": "agents"}});
        check(
            Asked::LiveChat,
            "send_event",
            note,
            200,
            Some("internal note in chat C1 (Dana): rated as bad"),
        );
        let contact = json!({"properties": {"email": "omar@example.com"}});
        check(Asked::HubSpot, "contacts.create", contact, 201, Some("new contact omar@example.com"));
        let note = json!({"properties": {"hs_note_body": "<p>x"}, "associations": [{"to": {"id": "501"}}]});
        check(Asked::HubSpot, "notes.create", note.clone(), 201, Some("note of 4 characters on contact 501"));
        check(Asked::HubSpot, "notes.update", note, 200, Some("note 9001 now has 4 characters"));
        check(Asked::Slack, "webhook", json!({"text": "Low\nrating"}), 200, Some("posted: Low rating"));
    }

    #[test]
    fn what_only_reads_is_not_told_unless_it_fails() {
        check(Asked::LiveChat, "get_chat", json!({"chat_id": "C1"}), 200, None);
        check(Asked::LiveChat, "get_chat", json!({"chat_id": "C1"}), 503, Some("FAILED (503): get_chat"));
        check(Asked::HubSpot, "contacts.get", Value::Null, 404, None);
        check(Asked::HubSpot, "contacts.get", Value::Null, 401, Some("refused (401): contacts.get"));
    }

    #[test]
    fn what_comes_from_outside_is_cut_and_escaped() {
        let text = format!("\u{1b}[2J\u{202e}{}", "x".repeat(500));
        let expected = format!("posted: \\u{{1b}}[2J\\u{{202e}}{}…", "x".repeat(95));
        check(Asked::Slack, "webhook", json!({"text": text}), 200, Some(&expected));
    }
}
