//! A conversation of a flat body as a v3.6 Chat object.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The parts of a body that tell of a conversation; those that it lacks are null.
pub(super) struct Body<'a> {
    /// `id`, `started_timestamp`, `ended_timestamp`, `messages[]`, `tags[]`.
    pub(super) chat: &'a Value,
    /// `id`, `name`, `email`, `custom_variables[]{key,value}`.
    pub(super) visitor: &'a Value,
    /// The tutorial's: an array of `{display_name}`, and what else it may say.
    pub(super) agents: &'a Value,
    /// An array of `{id,type,label,answer}` or `{…,answers[]{label,chosen}}`.
    pub(super) survey: &'a Value,
}

impl Body<'_> {
    /// The chat with its one thread.
    pub(super) fn chat(&self, active: bool) -> Value {
        let mut chat = Map::new();
        put(&mut chat, "id", self.chat["id"].clone());
        put(&mut chat, "users", self.users());
        let mut thread = Map::new();
        put(&mut thread, "active", Value::from(active));
        put(&mut thread, "created_at", timestamp(&self.chat["started_timestamp"]));
        put(&mut thread, "events", self.events());
        put(&mut thread, "tags", self.chat["tags"].clone());
        put(&mut chat, "thread", Value::Object(thread));
        Value::Object(chat)
    }

    fn users(&self) -> Value {
        let mut users = Vec::new();
        if let Some(visitor) = self.visitor.as_object() {
            let mut customer = person("customer");
            for field in ["id", "name", "email"] {
                put(&mut customer, field, visitor.get(field).cloned().unwrap_or_default());
            }
            put(&mut customer, "session_fields", session_fields(&self.visitor["custom_variables"]));
            users.push(Value::Object(customer));
        }
        users.extend(items(self.agents).filter(|agent| agent.is_object()).map(agent_by_display_name));
        for message in items(&self.chat["messages"]) {
            let agent = agent_of_message(message);
            if !agent["id"].is_null() && !users.iter().any(|user| user["id"] == agent["id"]) {
                users.push(agent);
            }
        }
        Value::from(users)
    }

    fn events(&self) -> Value {
        let survey = items(self.survey).next().is_some().then(|| {
            let fields: Vec<Value> = items(self.survey).filter_map(field).collect();
            json!({"type": "filled_form", "form_type": "prechat", "visibility": "all", "fields": fields})
        });
        let messages = items(&self.chat["messages"]).filter_map(|sent| self.message(sent));
        Value::from(survey.into_iter().chain(messages).collect::<Vec<_>>())
    }

    fn message(&self, sent: &Value) -> Option<Value> {
        let author = match sent["user_type"].as_str() {
            Some("visitor") => self.visitor["id"].clone(),
            _ => sent["agent_id"].clone(),
        };
        // What a supervisor says, only agents see.
        let visibility = if sent["user_type"] == "supervisor" { "agents" } else { "all" };
        let mut message = Map::new();
        put(&mut message, "type", Value::from("message"));
        put(&mut message, "text", Value::from(sent["text"].as_str()?));
        put(&mut message, "author_id", author);
        put(&mut message, "created_at", timestamp(&sent["timestamp"]));
        put(&mut message, "visibility", Value::from(visibility));
        Some(Value::Object(message))
    }
}

/// A time in Unix seconds, as a number or in digits.
pub(super) fn time(seconds: &Value) -> Option<Timestamp> {
    let seconds = seconds.as_i64().or_else(|| seconds.as_str()?.parse().ok())?;
    Timestamp::from_second(seconds).ok()
}

fn timestamp(seconds: &Value) -> Value {
    time(seconds).map(|time| Value::from(time.to_string())).unwrap_or_default()
}

fn person(kind: &str) -> Map<String, Value> {
    Map::from_iter([("type".to_owned(), Value::from(kind))])
}

fn agent_by_display_name(sent: &Value) -> Value {
    let mut agent = person("agent");
    // Only what is known of the format is certain to be there; the rest as gateways add it.
    put(&mut agent, "id", first(sent, &["id", "email", "login"]));
    put(&mut agent, "name", first(sent, &["display_name", "name"]));
    put(&mut agent, "email", sent["email"].clone());
    Value::Object(agent)
}

fn agent_of_message(message: &Value) -> Value {
    let mut agent = person("agent");
    put(&mut agent, "id", message["agent_id"].clone());
    put(&mut agent, "name", message["author_name"].clone());
    Value::Object(agent)
}

fn session_fields(variables: &Value) -> Value {
    let field = |variable: &Value| Some(json!({variable["key"].as_str()?: variable["value"]}));
    let fields: Vec<Value> = items(variables).filter_map(field).collect();
    if fields.is_empty() { Value::Null } else { Value::from(fields) }
}

/// A field of a filled form. Of several answers, those that were chosen.
fn field(sent: &Value) -> Option<Value> {
    let mut field = Map::new();
    for name in ["id", "type", "label", "answer"] {
        put(&mut field, name, sent.as_object()?.get(name).cloned().unwrap_or_default());
    }
    if sent["answers"].is_array() {
        let chosen = items(&sent["answers"]).filter(|answer| answer["chosen"] == true);
        let answers: Vec<Value> = chosen.map(|answer| json!({"label": answer["label"]})).collect();
        put(&mut field, "answers", Value::from(answers));
    }
    Some(Value::Object(field))
}

fn first(object: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| &object[*name]).find(|value| !value.is_null()).cloned().unwrap_or_default()
}

/// The elements of an array; none of anything else.
fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Sets a field, unless there is nothing to set.
fn put(object: &mut Map<String, Value>, name: &str, value: Value) {
    if !value.is_null() {
        object.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: Value, expected: Value) {
        let body = Body {
            chat: &body["chat"],
            visitor: &body["visitor"],
            agents: &body["agents"],
            survey: &body["survey"],
        };
        assert_eq!(body.chat(true), expected);
    }

    #[test]
    fn a_conversation_becomes_a_chat() {
        check(
            json!({
                "chat": {
                    "id": "C", "started_timestamp": "0", "tags": ["sales"],
                    "messages": [
                        {"user_type": "visitor", "text": "hi", "timestamp": 60},
                        {"user_type": "agent", "author_name": "Ann", "agent_id": "ann@x", "text": "hello"},
                        {"user_type": "supervisor", "author_name": "Bo", "agent_id": "bo@x", "text": "psst"},
                        {"user_type": "agent", "author_name": "Ann", "agent_id": "ann@x", "text": 5},
                    ],
                },
                "visitor": {"id": "S1", "name": "Mary", "custom_variables": [{"key": "k", "value": "v"}, 5]},
                "agents": [],
                "survey": [
                    {"id": 1, "type": "name", "label": "Name", "answer": "Mary"},
                    {"id": 2, "type": "select", "answers": [{"label": "a", "chosen": true}, {"label": "b"}]},
                ],
            }),
            json!({
                "id": "C",
                "users": [
                    {"type": "customer", "id": "S1", "name": "Mary", "session_fields": [{"k": "v"}]},
                    {"type": "agent", "id": "ann@x", "name": "Ann"},
                    {"type": "agent", "id": "bo@x", "name": "Bo"},
                ],
                "thread": {
                    "active": true, "created_at": "1970-01-01T00:00:00Z", "tags": ["sales"],
                    "events": [
                        {"type": "filled_form", "form_type": "prechat", "visibility": "all", "fields": [
                            {"id": 1, "type": "name", "label": "Name", "answer": "Mary"},
                            {"id": 2, "type": "select", "answers": [{"label": "a"}]},
                        ]},
                        {"type": "message", "text": "hi", "author_id": "S1", "visibility": "all",
                         "created_at": "1970-01-01T00:01:00Z"},
                        {"type": "message", "text": "hello", "author_id": "ann@x", "visibility": "all"},
                        {"type": "message", "text": "psst", "author_id": "bo@x", "visibility": "agents"},
                    ],
                },
            }),
        );
    }

    #[test]
    fn what_is_odd_is_left_out() {
        check(
            json!({"chat": {"messages": {"a": 1}}, "visitor": [1], "agents": [{"display_name": "Ann"}, 7]}),
            json!({"users": [{"type": "agent", "name": "Ann"}], "thread": {"active": true, "events": []}}),
        );
    }
}
