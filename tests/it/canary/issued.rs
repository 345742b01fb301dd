//! The same for the other ways to be somebody at LiveChat: what the host is given for them, and the tokens that it gets
//! with that, are nowhere either; nor are links to published files.

use chatplug::simulator::Livechat;
use chatplug::simulator::livechat::{
    BOT_ID, BOT_SECRET, CLIENT_ID, CLIENT_SECRET, EndedBy, ORGANIZATION_ID, Opening, REFRESH_TOKEN, V2_KEY,
    V2_LOGIN,
};
use chatplug_tests::{Host, guest};
use serde_json::{Value, json};

use super::Heard;
use crate::client::{accept, said};
use crate::services::SMITH;

const OPERATOR: &str = "canary-operator-3c61e0";
const SECRETS: [(&str, &str); 6] = [
    ("the bot's secret", BOT_SECRET),
    ("the app's secret", CLIENT_SECRET),
    ("the refresh token", REFRESH_TOKEN),
    ("the API key", V2_KEY),
    ("an issued token", "issued-"),
    ("the operator's token", OPERATOR),
];

const COMMANDS: [&str; 16] = [
    "check",
    "check --online",
    "doctor",
    "chats",
    "agents",
    "stats",
    "plugins list",
    "plugins show caller",
    "events list",
    "events show ev-1",
    "events recover",
    "files list",
    "files history clockwork a.txt",
    "audit list",
    "webhooks plan --url https://host.example",
    "webhooks apply --url https://host.example",
];

const ENDPOINTS: [&str; 10] = [
    "/metrics",
    "/chats",
    "/agents",
    "/stats",
    "/files",
    "/files/clockwork/a.txt",
    "/dashboard",
    "/api/v1/plugins/caller",
    "/api/v1/events/ev-1",
    "/api/v1/audit",
];

fn host(livechat: &Livechat, identity: &str) -> Host {
    let config = format!(
        "[operator]\nlisten = \"127.0.0.1:0\"\ntoken = {{ env = \"OPERATOR\" }}\n\
         [livechat]\nbase_url = \"{}\"\nallow_private = true\ntimezone = \"Europe/Warsaw\"\n{identity}\n\
         [connections.hubspot]\nkind = \"generic\"\nbase_url = \"https://nobody.example\"\n\
         [connections.hook]\nkind = \"generic\"\nbase_url = \"https://nobody.example\"\n\
         [plugin.caller]\nevents = [\"incoming_event\"]\n\
         grants = [\"chats.*\", \"customers.*\", \"agents.*\", \"reports.*\", \"livechat:configuration.create_tag\", \"livechat:agent.send_event\", \"livechat:reports.*\", \"http:hubspot\", \"http:hook\"]\n\
         [plugin.clockwork]\nevents = [\"incoming_event\"]\n",
        livechat.base_url()
    );
    let mut host = Host::prepared(&config, &[guest("guest_caller"), guest("guest_clockwork")])
        .env("CHATPLUG_LOG", "trace")
        .env("OPERATOR", OPERATOR)
        .env("BOT_SECRET", BOT_SECRET)
        .env("CLIENT_SECRET", CLIENT_SECRET)
        .env("REFRESH_TOKEN", REFRESH_TOKEN)
        .env("LOGIN", V2_LOGIN)
        .env("API_KEY", V2_KEY);
    host.run();
    host
}

/// The webhook of the account that a bot belongs to.
fn ours(webhook: String) -> String {
    webhook.replace("org-1", ORGANIZATION_ID)
}

/// Everything that an account's host does, says and writes.
async fn live(livechat: &Livechat, host: &mut Host) -> Heard {
    let mut heard = Heard::default();
    let opening = Opening { first_message: Some("hi".to_owned()), ..Opening::by("Dana") };
    let told = livechat.start_chat(&opening).expect("a chat");
    livechat.agent_says(&told.chat_id, SMITH, "hello").expect("an answer");
    livechat.end_chat(&told.chat_id, &EndedBy::Router).expect("it ends");
    let calls = [
        json!({"call": "chats.get-chat", "with": [told.chat_id]}),
        json!({"call": "agents.list-routing-statuses", "with": []}),
    ];
    for (number, call) in calls.iter().enumerate() {
        accept(host, ours(said(&format!("CALL{number}"), "1", &call.to_string()))).await;
        livechat.expire_tokens();
    }
    accept(host, ours(said("FILES", "1", "publish a.txt hello"))).await;
    let is_over = |event: &Value| {
        event["deliveries"].as_array().is_some_and(|all| all.iter().all(|one| one["state"] != "pending"))
    };
    host.wait_for_events("the runs to be over", |events| {
        events.len() >= 3 && events[..3].iter().all(is_over)
    });
    let client = reqwest::Client::new();
    for path in ENDPOINTS {
        let answer =
            client.get(host.operator_url(path)).bearer_auth(OPERATOR).send().await.expect("an answer");
        let text = format!("{:?} {}", answer.headers().clone(), answer.text().await.expect("text"));
        heard.add(format!("GET {path}"), text);
    }
    for line in COMMANDS {
        let args: Vec<&str> = line.split(' ').collect();
        heard.output(&args, host.cli(&args));
        heard.output(&[&["--json"], &args[..]].concat(), host.cli(&[&["--json"], &args[..]].concat()));
    }
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_host_is_given_or_gets_to_be_somebody_is_found_nowhere() {
    let livechat = Livechat::start().await.expect("a port");
    let bot = format!(
        "client_id = \"{CLIENT_ID}\"\norganization = \"{ORGANIZATION_ID}\"\n\
         bot = {{ id = \"{BOT_ID}\", secret = {{ env = \"BOT_SECRET\" }} }}"
    );
    let oauth = format!(
        "client_id = \"{CLIENT_ID}\"\noauth = {{ client_secret = {{ env = \"CLIENT_SECRET\" }}, \
         refresh_token = {{ env = \"REFRESH_TOKEN\" }}, token_url = \"{}/v2/token\" }}",
        livechat.base_url()
    );
    let older = "api = \"v2\"\nlogin = { env = \"LOGIN\" }\napi_key = { env = \"API_KEY\" }".to_owned();
    for (identity, operation) in [(&bot, "issue_bot_token"), (&oauth, "token"), (&older, "")] {
        let mut host = host(&livechat, identity);
        let mut heard = live(&livechat, &mut host).await;
        if !operation.is_empty() {
            assert!(livechat.requests().of_operation(operation).len() >= 2, "{operation}");
        }
        let link = host.json(&["files", "token", "clockwork", "a.txt"]);
        let path = link["path"].as_str().expect("a path").to_owned();
        let link = link["token"].as_str().expect("a token").to_owned();
        let file = reqwest::get(host.operator_url(&path)).await;
        heard.add("the file", file.expect("an answer").text().await.expect("text"));
        heard.output(&["files", "list"], host.cli(&["files", "list"]));
        heard.folder(&host.data());
        assert!(host.stop(), "{}", host.log_end());
        heard.folder(&host.data());
        heard.add("the log", host.log());
        assert!(heard.has("incoming_event") && heard.has("CALL1"), "something was heard");
        let secrets = [&SECRETS[..], &[("a link to a file", &*link)]].concat();
        let finds = heard.finds(&secrets);
        assert!(finds.is_empty(), "{identity}: {finds}");
    }
}
