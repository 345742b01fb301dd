//! Each capability of the contract, called by a real component: what reaches the services, what the plugin is
//! told, and that nothing happens without a grant.

mod bounds;
mod caller;
mod doubt;
mod http;
mod livechat;
mod rows;

use serde_json::{Value, json};

pub(crate) use caller::{CONNECTIONS, Caller, NOTHING};
pub(crate) use rows::rows;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_denied_reaches_nobody_and_the_log_says_so() {
    let mut caller = Caller::denied().await;
    let mut rows: Vec<(&str, Value)> = rows(&caller).into_iter().map(|row| (row.name, row.with)).collect();
    rows.push((
        "http",
        json!({"connection": "hubspot", "method": "GET", "path": "/crm/v3/objects/contacts/501"}),
    ));
    rows.push(("http", json!({"connection": "hook", "method": "POST", "path": "", "body": {"text": "hi"}})));
    for (name, with) in rows {
        let told = caller.call(name, &with).await;
        assert_eq!(told["code"], "denied", "{name} {with}: {told}");
        let capability = match name {
            "http" => format!("http:{}", with["connection"].as_str().expect("a name")),
            name => name.to_owned(),
        };
        let message = told["message"].as_str().expect("a message");
        assert!(message.contains(&format!("`{capability}` is denied by the operator")), "{message}");
        caller.stage.expect_logged(&["WARN", &capability, "caller"]);
    }
    assert_eq!(caller.asked().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undeclared_connection_is_denied_though_it_is_granted() {
    let mut caller = Caller::granted().await;
    let told = caller
        .call("http", &json!({"connection": "slack", "method": "POST", "path": "/api/auth.test"}))
        .await;
    assert_eq!(told["code"], "denied", "{told}");
    assert!(told["message"].as_str().expect("a message").contains("manifest"), "{told}");
    assert_eq!(caller.asked().len(), 0);
}
