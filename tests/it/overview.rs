//! What operators see of the account: chats, agents and figures, from a running host, from its command line, and without
//! one.

use chatplug::simulator::Livechat;
use chatplug::simulator::livechat::{ACCOUNT_ID, EndedBy, Opening, PAT};
use chatplug_tests::Host;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::services::SMITH;

const TOKEN: &str = "the-operators-token";
const READ_TOKEN: &str = "the-readers-token-0";
const FORMULA: &str = "=HYPERLINK(\"https://evil.example\",\"x\")";

fn host(livechat: &Livechat) -> Host {
    let config = format!(
        "[operator]\ntoken = {{ env = \"OPERATOR_TOKEN\" }}\nread_token = {{ env = \"READ_TOKEN\" }}\n\
         [livechat]\nbase_url = \"{}\"\nallow_private = true\naccount_id = \"{ACCOUNT_ID}\"\n\
         token = {{ env = \"LIVECHAT_PAT\" }}\ntimezone = \"Europe/Warsaw\"\n",
        livechat.base_url()
    );
    Host::prepared(&config, &[])
        .env("OPERATOR_TOKEN", TOKEN)
        .env("READ_TOKEN", READ_TOKEN)
        .env("LIVECHAT_PAT", PAT)
}

/// A chat that ends, with two messages and a note.
fn ended_chat(livechat: &Livechat, customer: &str) -> String {
    let opening = Opening { first_message: Some("hi".to_owned()), ..Opening::by(customer) };
    let chat_id = livechat.start_chat(&opening).expect("a chat").chat_id;
    livechat.agent_says(&chat_id, SMITH, "hello").expect("an answer");
    livechat.agent_notes(&chat_id, SMITH, "psst").expect("a note");
    livechat.end_chat(&chat_id, &EndedBy::Router).expect("it ends");
    chat_id
}

async fn read(host: &Host, path: &str, token: &str) -> (StatusCode, Value) {
    let request = reqwest::Client::new().get(host.operator_url(path)).bearer_auth(token);
    let answer = request.send().await.expect("an answer");
    (answer.status(), answer.json().await.expect("JSON"))
}

async fn shown(host: &Host, path: &str) -> Value {
    let (status, answer) = read(host, path, READ_TOKEN).await;
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    answer
}

/// What makes no sense, or is not there, has a status and a code of its own.
async fn expect_refusals(host: &Host) {
    for (path, status, code) in [
        ("/chats?page=4", 404, "not-found"),
        ("/chats?page=0", 400, "invalid"),
        ("/chats?page=x", 400, "invalid"),
        ("/chats?from=2026-01-01", 400, "invalid"),
        ("/chats?date_from=2026-01-02&date_to=2026-01-01", 400, "invalid"),
        ("/chats?date_from=yesterday", 400, "invalid"),
        ("/chats/NOPE", 404, "not-found"),
        ("/agents?x=1", 400, "invalid"),
    ] {
        let (found, answer) = read(host, path, TOKEN).await;
        assert_eq!((found.as_u16(), &answer["error"]["code"]), (status, &json!(code)), "{path}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chats_are_shown_page_by_page_to_whoever_may_read() {
    let livechat = Livechat::start().await.expect("a port");
    for number in 0..119 {
        ended_chat(&livechat, &format!("Customer {number}"));
    }
    let newest = ended_chat(&livechat, FORMULA);
    livechat.rate(&newest, 0).expect("a rating");
    livechat.comment_rating(&newest, "slow").expect("a comment");
    let mut host = host(&livechat);
    host.run();

    let third = shown(&host, "/chats?page=3").await;
    assert_eq!(
        (&third["page"], &third["next_page"], &third["is_cut"], &third["found"]),
        (&json!(3), &Value::Null, &json!(false), &json!(120))
    );
    assert_eq!(third["chats"].as_array().map(Vec::len), Some(20));
    assert_eq!(third["timezone"], "Europe/Warsaw");
    let asked = || livechat.requests().of_operation("list_archives");
    assert_eq!(asked().len(), 3, "each page before it is read, too");
    let filters = asked()[0].body.as_ref().expect("a body")["filters"].clone();
    assert!(filters["from"].as_str().is_some_and(|from| from.contains("T00:00:00.000000+0")), "{filters}");
    assert_eq!(asked()[1].body.as_ref().and_then(Value::as_object).map(serde_json::Map::len), Some(1));

    let first = shown(&host, "/chats").await;
    assert_eq!((&first["next_page"], first["chats"].as_array().map(Vec::len)), (&json!(2), Some(50)));
    let chat = &first["chats"][0];
    assert_eq!(chat["id"], newest);
    for (field, value) in [
        ("customer_name", json!(FORMULA)),
        ("agent", json!(SMITH)),
        ("rating", json!("bad")),
        ("rating_comment", json!("slow")),
        ("message_count", json!(2)),
    ] {
        assert_eq!(chat[field], value, "{field}: {chat}");
    }
    assert!(chat["started"].is_string() && chat["ended"].is_string() && chat["customer_email"].is_string());
    for _ in 0..20 {
        shown(&host, "/chats").await;
    }
    assert!(asked().len() < 20, "answers serve for a while");

    let one = shown(&host, &format!("/chats/{newest}")).await;
    let told: Vec<(&Value, &Value)> = one["messages"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|said| (&said["text"], &said["is_note"]))
        .collect();
    let expected =
        [("hi", false), ("hello", false), ("psst", true)].map(|(text, note)| (json!(text), json!(note)));
    assert_eq!(told, expected.each_ref().map(|(text, note)| (text, note)));

    let nobody = shown(&host, "/chats?agent=olga@example.com&date_from=2026-01-01&date_to=2026-01-02").await;
    assert_eq!((&nobody["found"], &nobody["date_from"]), (&json!(0), &json!("2026-01-01")));
    expect_refusals(&host).await;
    assert_eq!(read(&host, "/chats", "another-token-0000").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_and_figures_are_shown_and_the_command_line_needs_no_running_host() {
    let livechat = Livechat::start().await.expect("a port");
    let chat = ended_chat(&livechat, FORMULA);
    livechat.rate(&chat, 1).expect("a rating");
    ended_chat(&livechat, "Mia");
    let mut host = host(&livechat);
    for is_running in [false, true] {
        if is_running {
            host.run();
            let agents = shown(&host, "/agents").await;
            let smith = agents.as_array().and_then(|all| all.iter().find(|agent| agent["id"] == SMITH));
            assert_eq!(smith.expect("Smith")["status"], "accepting_chats");
            let stats = shown(&host, "/stats").await;
            assert_eq!(
                (&stats["total_chats"], &stats["rated_good"], &stats["rated_bad"]),
                (&json!(2), &json!(1), &json!(0))
            );
            assert!(stats["first_response_time"].is_number(), "{stats}");
            assert_eq!(stats["days"].as_array().map(Vec::len), Some(7), "{stats}");
        }
        let chats = host.json(&["chats"]);
        assert_eq!(chats["chats"].as_array().map(Vec::len), Some(2), "{chats}");
        assert_eq!((&chats["is_cut"], &chats["timezone"]), (&json!(false), &json!("Europe/Warsaw")));
        let csv = host.cli(&["chats", "--csv"]);
        assert!(!String::from_utf8_lossy(&csv.stderr).contains("there are more"), "{csv:?}");
        let csv = String::from_utf8(csv.stdout).expect("text");
        assert_eq!(csv.lines().count(), 3, "{csv}");
        assert!(csv.contains("\"'=HYPERLINK(\"\"https://evil.example\"\",\"\"x\"\")\""), "{csv}");
        let of_olga = host.json(&["chats", "--agent", "olga@example.com"]);
        assert_eq!(of_olga["chats"], json!([]));
        assert_eq!(host.json(&["agents"])[0]["status"], "not_accepting_chats");
        assert_eq!(host.json(&["stats"])["total_chats"], 2);
        let old = host.json(&["stats", "--from", "2026-01-01", "--to", "2026-01-03"]);
        assert_eq!((&old["total_chats"], old["days"].as_array().map(Vec::len)), (&json!(0), Some(3)));
        let table = String::from_utf8(host.cli(&["stats"]).stdout).expect("text");
        assert!(table.contains("all") && table.contains("In Europe/Warsaw."), "{table}");
        let wrong = host.cli(&["stats", "--from", "2026-01-03", "--to", "2026-01-01"]);
        assert!(!wrong.status.success());
        assert!(String::from_utf8_lossy(&wrong.stderr).contains("after"), "{wrong:?}");
    }
}
