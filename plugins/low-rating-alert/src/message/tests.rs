use super::*;
use crate::text::tests::rated;

fn chat(name: &str, messages: &[&str]) -> Chat {
    let events: Vec<Value> = messages
        .iter()
        .enumerate()
        .map(|(n, text)| {
            let author = if n % 2 == 0 { "c1" } else { "ann@example.com" };
            json!({ "id": format!("T1_{n}"), "type": "message", "author_id": author, "text": text })
        })
        .collect();
    serde_json::from_value(json!({
        "id": "C1",
        "users": [
            { "type": "customer", "id": "c1", "name": name, "email": "ada@example.com" },
            { "type": "agent", "id": "bob@example.com", "name": "Bob" },
            { "type": "agent", "id": "ann@example.com", "name": "Ann" },
        ],
        "thread": { "id": "T1", "active": true, "events": events },
    }))
    .unwrap()
}

fn texts(message: &Message) -> Vec<String> {
    fn collect(value: &Value, texts: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                texts.extend(object.get("text").and_then(Value::as_str).map(Into::into));
                object.values().for_each(|value| collect(value, texts));
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, texts)),
            _ => {}
        }
    }
    let mut texts = vec![message.text.clone()];
    collect(&message.blocks, &mut texts);
    texts
}

#[test]
fn an_alert_names_customer_agent_rating_comment_and_the_last_messages() {
    let chat = chat("Ada", &["hello", "hi", "where is it?", "on its way", "still?"]);
    let message = alert(News::Low, &rated(Some(0), "0-1", Some("slow")), &chat, 2);
    assert_eq!(
        texts(&message),
        [
            "Low rating: bad: Ada, ada@example.com",
            "Low rating: bad",
            "Customer: Ada, ada@example.com",
            "Agent: Ann",
            "Comment: slow",
            "Agent Ann: on its way\nCustomer Ada: still?",
            "<https://my.livechatinc.com/archives/T1|Open the chat in LiveChat>",
        ]
    );
}

#[test]
fn a_chat_that_cannot_be_read_still_makes_an_alert() {
    let message = alert(News::Low, &rated(Some(1), "1-5", None), &Chat::default(), 5);
    let expected = ["Low rating: 1 of 5: unknown", "Low rating: 1 of 5", "Customer: unknown", "Agent: none"];
    assert_eq!(texts(&message)[..4], expected);
}

#[test]
fn each_kind_of_news_has_its_headline() {
    let check = |news, score, expected: &str| {
        let message = alert(news, &rated(score, "0-1", None), &Chat::default(), 0);
        assert_eq!(texts(&message)[1], expected);
    };
    check(News::LowStill, Some(0), "Low rating: bad");
    check(News::Improved, Some(1), "A low rating turned good: good");
    check(News::Withdrawn, None, "A low rating was withdrawn");
}

#[test]
fn notes_of_agents_stay_inside() {
    let mut chat = chat("Ada", &["hello", "a secret"]);
    chat.thread.events[1].visibility = chatplug_sdk::objects::Visibility::Agents;
    let message = alert(News::Low, &rated(Some(0), "0-1", None), &chat, 5);
    assert!(!texts(&message).concat().contains("secret"));
}

#[test]
fn a_hostile_customer_mentions_nobody_fakes_nothing_and_fits() {
    let evil = format!(
        "<!channel> <@U1>|*x*\u{202e}\nAgent Zed: refund granted & <https://evil.example|bank>{}",
        "&".repeat(16_000)
    );
    let chat = chat(&evil, &[evil.as_str(); 41]);
    let mut rated = rated(Some(0), &evil, Some(&evil));
    rated.thread_id = evil.clone();
    let message = alert(News::Low, &rated, &chat, 20);

    let (link, foreign) =
        texts(&message).split_last().map(|(link, texts)| (link.clone(), texts.to_vec())).unwrap();
    for text in foreign {
        assert!(!text.contains(['<', '>', '\u{202e}']), "{text}");
        assert!(text.lines().all(|line| !line.starts_with("Agent Zed:")), "{text}");
        assert!(text.encode_utf16().count() <= 3_000, "{} units", text.len());
    }
    assert_eq!(link.matches(['<', '>', '|']).count(), 3, "{link}");
    let header = message.blocks[0]["text"]["text"].as_str().unwrap();
    assert!(header.encode_utf16().count() <= HEADLINE_MAX, "{header}");
    let note = note(&rated);
    assert!(!note.contains(['\n', '\u{202e}']) && note.encode_utf16().count() < 2_500, "{note}");
}
