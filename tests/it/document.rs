//! The document that describes the operator API says what the answers hold.

use chatplug_tests::{Host, deliveries, guest};
use serde_json::{Value, json};

use crate::client::{accept, message, post};

const CONFIG: &str = "[connections.crm]\nkind = \"generic\"\nbase_url = \"https://crm.example\"\n\
                      [plugin.trapper]\nevents = [\"incoming_event\"]\n[plugin.absent]\nevents = [\"incoming_event\"]\n";

/// Where an answer has other keys than the document says. A schema that names none lets all through.
fn differences(document: &Value, schema: &Value, answer: &Value, place: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let named = document.pointer(reference.trim_start_matches('#')).expect("it is in the document");
        return differences(document, named, answer, place);
    }
    let mut found = Vec::new();
    match answer {
        Value::Object(fields) => {
            let (known, others) = (&schema["properties"], &schema["additionalProperties"]);
            for (name, value) in fields {
                let place = format!("{place}.{name}");
                match known.get(name).or_else(|| others.is_object().then_some(others)) {
                    Some(schema) => found.extend(differences(document, schema, value, &place)),
                    None if known.is_null() => {}
                    None => found.push(format!("{place} is not in the document")),
                }
            }
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let missing = required.filter(|name| !fields.contains_key(*name));
            found.extend(missing.map(|name| format!("{place}.{name} is not in the answer")));
        }
        Value::Array(items) => {
            let place = format!("{place}[]");
            items.iter().for_each(|item| found.extend(differences(document, &schema["items"], item, &place)));
        }
        _ => {}
    }
    found
}

#[test]
fn a_key_too_many_and_a_key_too_few_are_told() {
    let one = json!({ "properties": { "id": { "type": "string" } }, "required": ["id"] });
    let document = json!({ "schemas": { "One": one } });
    let schema = json!({
        "properties": { "all": { "items": { "$ref": "#/schemas/One" } }, "more": { "additionalProperties": one } },
    });
    let check = |answer: Value, expected: &[&str]| {
        assert_eq!(differences(&document, &schema, &answer, "answer"), expected, "{answer}");
    };
    check(json!({ "all": [{ "id": "1" }], "more": { "any": { "id": "1" } } }), &[]);
    check(json!({ "other": 1 }), &["answer.other is not in the document"]);
    check(
        json!({ "all": [{ "ID": "1" }] }),
        &["answer.all[].ID is not in the document", "answer.all[].id is not in the answer"],
    );
    check(json!({ "more": { "any": {} } }), &["answer.more.any.id is not in the answer"]);
}

async fn get(host: &Host, path: &str) -> Value {
    let answer = reqwest::get(host.operator_url(path)).await.expect("an answer");
    assert!(answer.status().is_success(), "{path}");
    answer.json().await.expect("JSON")
}

#[tokio::test]
async fn what_is_answered_has_the_keys_that_the_document_says() {
    let host = Host::start(CONFIG, &[guest("guest_trapper")]);
    accept(&host, message("C1", 1)).await;
    accept(&host, message("C2", 1)).await;
    post(&host, message("C3", 1).replace(chatplug_tests::SECRET, "another")).await;
    let is_dead = |delivery: &&Value| delivery["state"] == "dead";
    let events = host.wait_for_events("two dead letters", |events| {
        events.iter().flat_map(deliveries).filter(is_dead).count() == 2
    });
    let dead = deliveries(&events[0]).find(is_dead).expect("a dead letter");
    host.json(&["forget", "--chat", "C2"]);

    let document = get(&host, "/api/v1/openapi.json").await;
    let compared = async |path: &str, asked: &str| {
        let content = &document["paths"][path]["get"]["responses"]["200"]["content"];
        let schema = &content["application/json"]["schema"];
        assert!(schema.is_object(), "{path} is in the document");
        let answer = get(&host, asked).await;
        assert_eq!(differences(&document, schema, &answer, path), [""; 0], "{asked}: {answer:#}");
        answer
    };
    let status = compared("/api/v1/status", "/api/v1/status").await;
    let named = |at: usize| &status["destinations"][at]["name"];
    assert_eq!((named(0), named(1)), (&json!("connections.crm"), &json!("livechat")), "{status:#}");
    assert_eq!(
        (&status["refused"]["wrong-secret"]["total"], &status["calls"]["total"]),
        (&json!(1), &json!(0))
    );

    let event = compared("/api/v1/events/{id}", "/api/v1/events/ev-1").await;
    assert!(event["trace"].is_string() && event["payload"].is_object(), "{event:#}");
    assert!(deliveries(&event).any(|delivery| delivery["crash"].is_object()), "{event:#}");
    assert!(deliveries(&event).any(|delivery| delivery["due_at"].is_string()), "{event:#}");
    let forgotten = compared("/api/v1/events/{id}", "/api/v1/events/ev-2").await;
    assert_eq!(forgotten["removed"], "forgotten");
    let id = dead["id"].as_str().expect("an id");
    compared("/api/v1/deliveries/{id}", &format!("/api/v1/deliveries/{id}")).await;
    let plugin = compared("/api/v1/plugins/{name}", "/api/v1/plugins/trapper").await;
    assert!(plugin["versions"].as_array().is_some_and(|versions| !versions.is_empty()), "{plugin:#}");
    for path in ["/api/v1/events", "/api/v1/dead", "/api/v1/plugins", "/api/v1/audit"] {
        let listed = compared(path, path).await;
        assert!(listed.as_array().is_some_and(|listed| !listed.is_empty()), "{path}");
    }
    compared("/api/v1/dead/count", "/api/v1/dead/count").await;
    compared("/api/v1/plugins/{name}/history", "/api/v1/plugins/trapper/history").await;
}
