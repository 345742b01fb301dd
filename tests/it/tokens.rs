//! Tokens that the host has issued: it gets them when it needs them and again when they have ended, and nobody else gets them.

use chatplug::simulator::Livechat;
use chatplug::simulator::livechat::{
    BOT_ID, BOT_SECRET, CLIENT_ID, CLIENT_SECRET, ORGANIZATION_ID, REFRESH_TOKEN,
};
use chatplug_tests::Host;

fn host(livechat: &Livechat, identity: &str) -> Host {
    let url = livechat.base_url();
    let config = format!(
        "[livechat]\nbase_url = \"{url}\"\nallow_private = true\nclient_id = \"{CLIENT_ID}\"\n\
         organization = \"{ORGANIZATION_ID}\"\n\
         timezone = \"Europe/Warsaw\"\n{identity}\n"
    );
    let mut host = Host::prepared(&config, &[])
        .env("BOT_SECRET", BOT_SECRET)
        .env("CLIENT_SECRET", CLIENT_SECRET)
        .env("REFRESH_TOKEN", REFRESH_TOKEN);
    host.run();
    host
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_a_bot_and_of_an_app_are_issued_and_renewed() {
    let livechat = Livechat::start().await.expect("a port");
    let bot = format!("bot = {{ id = \"{BOT_ID}\", secret = {{ env = \"BOT_SECRET\" }} }}");
    let oauth = format!(
        "oauth = {{ client_secret = {{ env = \"CLIENT_SECRET\" }}, refresh_token = {{ env = \"REFRESH_TOKEN\" }}, \
         token_url = \"{}/v2/token\" }}",
        livechat.base_url()
    );
    for (identity, operation) in [(&bot, "issue_bot_token"), (&oauth, "token")] {
        let host = host(&livechat, identity);
        let agents = host.json(&["agents"]);
        assert!(agents.as_array().is_some_and(|agents| !agents.is_empty()), "{agents}");
        livechat.expire_tokens();
        // Something else: who is there is remembered for a moment.
        assert!(host.cli(&["chats"]).status.success(), "{}", host.log_end());
        assert_eq!(livechat.requests().of_operation(operation).len(), 2, "{operation}");
        for secret in [BOT_SECRET, CLIENT_SECRET, REFRESH_TOKEN, "issued-"] {
            assert!(!host.log().contains(secret), "{secret} is in the log");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_told_with_what_to_check() {
    let livechat = Livechat::start().await.expect("a port");
    let host =
        host(&livechat, &format!("bot = {{ id = \"{BOT_ID}\", secret = {{ env = \"REFRESH_TOKEN\" }} }}"));
    let said = host.cli(&["agents"]);
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(!said.status.success() && text.contains("check livechat.bot"), "{text}");
    assert!(!text.contains(REFRESH_TOKEN), "{text}");
}
