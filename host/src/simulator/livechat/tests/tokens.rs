use super::contract::origin;
use super::*;
use crate::action::livechat::{Call, LiveChat};
use crate::action::{Code, Failure};
use crate::egress::Reach;
use crate::livechat::client::{Bot, Client, Credentials, OAuth, Options};

fn client_of(livechat: &Livechat, credentials: Credentials) -> Client {
    let options =
        Options { base_url: livechat.base_url(), reach: Reach::Private, ..Options::new(credentials) };
    Client::new(options).expect("a client")
}

fn bot(secret: &str) -> Credentials {
    Credentials::Bot(Bot {
        id: BOT_ID.to_owned(),
        secret: secret.into(),
        client_id: CLIENT_ID.to_owned(),
        organization: ORGANIZATION_ID.to_owned(),
    })
}

fn oauth(livechat: &Livechat, refresh_token: &str) -> Credentials {
    Credentials::OAuth(OAuth {
        client_id: CLIENT_ID.to_owned(),
        client_secret: CLIENT_SECRET.into(),
        refresh_token: refresh_token.into(),
        token_url: format!("{}/v2/token", livechat.base_url()),
    })
}

async fn ask(client: &Client) -> Result<String, Failure> {
    client.call(&origin(), Call::ListRoutingStatuses { group_ids: vec![] }).await
}

#[tokio::test]
async fn a_token_is_issued_when_it_is_needed_and_anew_when_it_is_refused() {
    let livechat = Livechat::start().await.expect("a port");
    for (credentials, operation) in
        [(bot(BOT_SECRET), "issue_bot_token"), (oauth(&livechat, REFRESH_TOKEN), "token")]
    {
        let client = client_of(&livechat, credentials);
        let issued = || livechat.requests().of_operation(operation).len();
        assert_eq!(issued(), 0, "not before it is needed");
        for _ in 0..3 {
            ask(&client).await.expect("an answer");
        }
        assert_eq!(issued(), 1, "one serves for many calls");
        livechat.expire_tokens();
        // Calls in flight are all refused with the old token, and share the new one.
        let answers = tokio::join!(ask(&client), ask(&client), ask(&client), ask(&client));
        assert!(
            answers.0.is_ok() && answers.1.is_ok() && answers.2.is_ok() && answers.3.is_ok(),
            "{answers:?}"
        );
        assert_eq!(issued(), 2, "{operation}");
    }
    let shown = format!("{:?}", livechat.requests().all());
    assert!(!shown.contains("issued-"), "tokens are not recorded");
}

#[tokio::test]
async fn a_wrong_secret_is_told_and_not_tried_with_each_call() {
    let livechat = Livechat::start().await.expect("a port");
    for (credentials, operation, key) in [
        (bot("another-secret-s3cret"), "issue_bot_token", "livechat.bot"),
        (oauth(&livechat, "another-refresh-s3cret"), "token", "livechat.oauth"),
    ] {
        let client = client_of(&livechat, credentials);
        for _ in 0..3 {
            let error = ask(&client).await.map_err(Failure::into_error).expect_err("refused");
            assert_eq!(error.code, Code::Credentials, "{error}");
            assert!(error.message.contains(key) && !error.message.contains("s3cret"), "{error}");
        }
        assert_eq!(livechat.requests().of_operation(operation).len(), 1);
        assert!(livechat.requests().of_operation("list_routing_statuses").is_empty());
    }
}
