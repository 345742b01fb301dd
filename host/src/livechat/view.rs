//! LiveChat's answers as an operator reads them: what stands in the v3.6 shape, in a few plain fields. What is absent is
//! `None`, what has another shape counts as absent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::action::{Code, Error};

/// One conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// The chat; it can have several conversations.
    pub id: String,
    /// The thread that this one is.
    pub thread_id: String,
    /// When it began, RFC 3339.
    pub started: Option<String>,
    /// When something happened last in it, if it has ended, RFC 3339. The platform doesn't say more.
    pub ended: Option<String>,
    /// As the customer gave it.
    pub customer_name: Option<String>,
    /// As the customer gave it.
    pub customer_email: Option<String>,
    /// The agent; of several the one who wrote last.
    pub agent: Option<String>,
    /// `good` or `bad`.
    pub rating: Option<String>,
    /// What the customer said of it.
    pub rating_comment: Option<String>,
    /// What customer and agents wrote to each other, in number; notes don't count.
    pub message_count: usize,
    /// The thread's tags.
    pub tags: Vec<String>,
}

/// One conversation with what was said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// The conversation.
    #[serde(flatten)]
    pub conversation: Conversation,
    /// The messages and notes, in order.
    pub messages: Vec<Said>,
}

/// A message or a note.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// When, RFC 3339.
    pub at: Option<String>,
    /// The author's id.
    pub author_id: String,
    /// The author's name.
    pub author: Option<String>,
    /// Whether the customer wrote it.
    pub by_customer: bool,
    /// Whether only agents see it.
    pub is_note: bool,
    /// The text.
    pub text: String,
}

/// A page of conversations.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// What is on it.
    pub conversations: Vec<Conversation>,
    /// How many there are on all pages, as LiveChat estimates it.
    pub found: Option<u64>,
    /// Leads to the next page.
    pub next_page_id: Option<String>,
}

/// A person of the team.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// The e-mail address.
    pub id: String,
    /// The name that customers see.
    pub name: Option<String>,
    /// `owner`, `viceowner`, `administrator` or `normal`.
    pub role: Option<String>,
    /// `accepting_chats`, `not_accepting_chats` or `offline`, if it is known.
    pub status: Option<String>,
    /// Ids of groups.
    pub groups: Vec<i64>,
}

/// A page of `list_archives`.
///
/// # Errors
/// An answer that is no such page.
pub fn page(answer: &str) -> Result<Page, Error> {
    let page = read("list_archives", answer)?;
    let chats = page["chats"].as_array().ok_or_else(|| unknown("list_archives", "it has no `chats`"))?;
    Ok(Page {
        conversations: chats.iter().map(conversation).collect(),
        found: page["found_chats"].as_u64(),
        next_page_id: text(&page["next_page_id"]),
    })
}

/// The chat of `get_chat`.
///
/// # Errors
/// An answer that is no chat.
pub fn transcript(answer: &str) -> Result<Transcript, Error> {
    let chat = read("get_chat", answer)?;
    let said = |event: &Value| {
        let author_id = text(&event["author_id"]).unwrap_or_default();
        let author = user(&chat, &author_id);
        Said {
            at: text(&event["created_at"]),
            author: author.and_then(|author| text(&author["name"])),
            by_customer: author.is_some_and(is_customer),
            is_note: is_note(event),
            text: text(&event["text"]).unwrap_or_default(),
            author_id,
        }
    };
    let messages = events(&chat).iter().filter(|event| event["type"] == "message").map(said).collect();
    Ok(Transcript { conversation: conversation(&chat), messages })
}

/// The agents of `list_agents`, with the statuses of `list_routing_statuses`.
///
/// # Errors
/// Answers that are no such lists.
pub fn agents(agents: &str, statuses: &str) -> Result<Vec<Agent>, Error> {
    let list = |action: &str, answer: &str| {
        let Value::Array(list) = read(action, answer)? else { return Err(unknown(action, "it is no list")) };
        Ok(list)
    };
    let statuses = list("list_routing_statuses", statuses)?;
    let statuses: BTreeMap<String, String> = statuses
        .iter()
        .filter_map(|known| Some((text(&known["agent_id"])?, text(&known["status"])?.replace(' ', "_"))))
        .collect();
    let agent = |agent: &Value| {
        let id = text(&agent["id"])?;
        Some(Agent {
            name: text(&agent["name"]),
            role: text(&agent["role"]),
            status: statuses.get(&id).cloned(),
            groups: items(&agent["groups"]).iter().filter_map(|group| group["id"].as_i64()).collect(),
            id,
        })
    };
    Ok(list("list_agents", agents)?.iter().filter_map(agent).collect())
}

/// One report: bucket to number's name to number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures(BTreeMap<String, BTreeMap<String, f64>>);

impl Figures {
    /// The numbers of a report.
    ///
    /// # Errors
    /// An answer that is no report.
    pub fn of(answer: &str) -> Result<Figures, Error> {
        let report = read("the report", answer)?;
        let records =
            report["records"].as_object().ok_or_else(|| unknown("the report", "it has no `records`"))?;
        let numbers = |record: &Value| {
            let fields = record.as_object().into_iter().flatten();
            fields.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect()
        };
        Ok(Figures(records.iter().map(|(bucket, record)| (bucket.clone(), numbers(record))).collect()))
    }

    /// The buckets, in order.
    pub fn buckets(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// One number; 0 if it isn't there.
    pub fn number(&self, bucket: &str, name: &str) -> f64 {
        self.0.get(bucket).and_then(|record| record.get(name)).copied().unwrap_or_default()
    }
}

fn conversation(chat: &Value) -> Conversation {
    let thread = &chat["thread"];
    let messages: Vec<&Value> =
        events(chat).iter().filter(|event| event["type"] == "message" && !is_note(event)).collect();
    let customer = items(&chat["users"]).iter().find(|user| is_customer(user)).unwrap_or(&Value::Null);
    let rating = &thread["properties"]["rating"];
    let last = events(chat).last().and_then(|event| text(&event["created_at"]));
    Conversation {
        id: text(&chat["id"]).unwrap_or_default(),
        thread_id: text(&thread["id"]).unwrap_or_default(),
        started: text(&thread["created_at"]),
        ended: last.filter(|_| thread["active"] == false),
        customer_name: text(&customer["name"]),
        customer_email: text(&customer["email"]),
        agent: agent_of(chat, &messages),
        rating: rating["score"].as_f64().map(|score| if score > 0.0 { "good" } else { "bad" }.to_owned()),
        rating_comment: text(&rating["comment"]),
        message_count: messages.len(),
        tags: items(&thread["tags"]).iter().filter_map(text).collect(),
    }
}

/// Who wrote last of those who are no customer; else an agent who was there.
fn agent_of(chat: &Value, messages: &[&Value]) -> Option<String> {
    let by_agent = |id: &str| user(chat, id).map_or(id.contains('@'), |user| !is_customer(user));
    let wrote =
        messages.iter().rev().filter_map(|message| text(&message["author_id"])).find(|id| by_agent(id));
    let was_in = |user: &&Value| {
        let ids = items(&chat["thread"]["user_ids"]);
        user["type"] == "agent" && (ids.is_empty() || ids.contains(&user["id"]))
    };
    wrote.or_else(|| items(&chat["users"]).iter().find(was_in).and_then(|user| text(&user["id"])))
}

fn user<'a>(chat: &'a Value, id: &str) -> Option<&'a Value> {
    items(&chat["users"]).iter().find(|user| user["id"] == id)
}

fn is_customer(user: &Value) -> bool {
    user["type"] == "customer"
}

fn is_note(event: &Value) -> bool {
    event["visibility"] == "agents"
}

fn events(chat: &Value) -> &[Value] {
    items(&chat["thread"]["events"])
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn read(action: &str, answer: &str) -> Result<Value, Error> {
    serde_json::from_str(answer).map_err(|error| unknown(action, &error.to_string()))
}

fn unknown(action: &str, problem: &str) -> Error {
    Error::new(Code::Unavailable, format!("LiveChat's answer to {action} has an unknown shape: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn chat() -> Value {
        json!({
            "id": "C1",
            "users": [
                {"id": "K1", "type": "customer", "name": "Dana", "email": "dana@example.com"},
                {"id": "ann@example.com", "type": "agent", "name": "Ann"},
                {"id": "bob@example.com", "type": "agent", "name": "Bob"},
            ],
            "thread": {
                "id": "T1", "active": false, "created_at": "2026-06-01T10:00:00.000000Z",
                "user_ids": ["K1", "ann@example.com", "bob@example.com"], "tags": ["vip"],
                "properties": {"rating": {"score": 0, "comment": "slow"}},
                "events": [
                    {"type": "message", "author_id": "K1", "text": "hi", "visibility": "all", "created_at": "a"},
                    {"type": "message", "author_id": "bob@example.com", "text": "hello", "created_at": "b"},
                    {"type": "message", "author_id": "ann@example.com", "text": "psst", "visibility": "agents"},
                    {"type": "system_message", "text": "archived", "created_at": "2026-06-01T10:05:00.000000Z"},
                ],
            },
        })
    }

    #[test]
    fn a_conversation_is_told_in_plain_fields() {
        let answer = json!({"chats": [chat()], "found_chats": 12, "next_page_id": "P2"}).to_string();
        let Page { conversations, found, next_page_id } = page(&answer).expect("a page");
        assert_eq!((found, next_page_id.as_deref()), (Some(12), Some("P2")));
        let expected = json!({
            "id": "C1", "thread_id": "T1", "started": "2026-06-01T10:00:00.000000Z",
            "ended": "2026-06-01T10:05:00.000000Z", "customer_name": "Dana", "customer_email": "dana@example.com",
            "agent": "bob@example.com", "rating": "bad", "rating_comment": "slow", "message_count": 2, "tags": ["vip"],
        });
        assert_eq!(json!(conversations), json!([expected]));
        let whole = transcript(&chat().to_string()).expect("a transcript");
        let told: Vec<_> =
            whole.messages.iter().map(|said| (said.text.as_str(), said.by_customer, said.is_note)).collect();
        assert_eq!(told, [("hi", true, false), ("hello", false, false), ("psst", false, true)]);
        assert_eq!(whole.messages[1].author.as_deref(), Some("Bob"));
    }

    #[test]
    fn what_is_missing_or_strange_is_absent() {
        let strange = json!({"chats": [{}, {"id": 5, "users": {}, "thread": {"active": true, "events": [
            {"created_at": "x"}]}}, null]});
        let conversations = page(&strange.to_string()).expect("a page").conversations;
        assert_eq!(conversations.len(), 3);
        assert!(
            conversations.iter().all(|one| one.ended.is_none() && one.rating.is_none() && one.id.is_empty())
        );
        for wrong in ["", "[]", "{}", r#"{"chats":5}"#] {
            assert!(page(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn agents_have_the_status_that_routing_has() {
        let list = r#"[{"id":"a@x","name":"A","role":"normal","groups":[{"id":2}]},{"id":"b@x"},{}]"#;
        let statuses =
            r#"[{"agent_id":"a@x","status":"accepting chats"},{"agent_id":"bot","status":"offline"}]"#;
        let agents = agents(list, statuses).expect("agents");
        assert_eq!(agents.len(), 2);
        assert_eq!(
            (agents[0].status.as_deref(), agents[0].groups.as_slice()),
            (Some("accepting_chats"), &[2][..])
        );
        assert_eq!(agents[1].status, None);
    }

    #[test]
    fn a_number_that_is_left_out_is_0() {
        let figures =
            Figures::of(r#"{"records":{"2026-06-01":{"total":3,"x":"y"},"2026-06-02":[]}}"#).expect("one");
        assert_eq!(figures.buckets().collect::<Vec<_>>(), ["2026-06-01", "2026-06-02"]);
        assert_eq!(figures.number("2026-06-01", "total"), 3.0);
        assert_eq!(figures.number("2026-06-02", "total"), 0.0);
        assert!(Figures::of("{}").is_err());
    }
}
