//! Where requests to outside services go: not into the private network, not through a proxy.

use std::net::{TcpListener, TcpStream};

use chatplug::simulator::{Hubspot, hubspot};
use chatplug_tests::{Host, guest};
use serde_json::{Value, json};

use crate::capability::NOTHING;
use crate::client::{accept, webhook};

/// A connection that nobody uses.
const HOOK: &str = "https://hooks.example/services/T0/B0/x";

fn config(base_url: &str, more: &str) -> String {
    format!(
        "[connections.hubspot]\nkind = \"hubspot\"\nbase_url = \"{base_url}\"\n{more}\n\
         bearer = {{ env = \"HUBSPOT_TOKEN\" }}\n\
         [connections.hook]\nkind = \"slack\"\nurl = {{ env = \"HOOK_URL\" }}\n\
         [plugin.caller]\nevents = [\"incoming_event\"]\ngrants = [\"http:hubspot\"]\n\
         denies = [{NOTHING}, \"http:hook\"]\n"
    )
}

/// The webhook that has the guest ask HubSpot for a contact.
fn call() -> String {
    let with = json!({ "connection": "hubspot", "method": "GET", "path": "/crm/v3/objects/contacts/501" });
    let event = json!({
        "id": "1", "type": "message", "created_at": "2026-06-01T12:00:03.512000Z", "visibility": "all",
        "author_id": "b7eff798", "text": json!({ "call": "http", "with": with }).to_string(),
    });
    webhook("incoming_event", &json!({ "chat_id": "C1", "thread_id": "T", "event": event }))
}

#[tokio::test]
async fn a_private_address_in_the_config_is_refused_with_its_line() {
    let hubspot = Hubspot::start().await.expect("a port");
    let mut host = Host::prepared(&config(&hubspot.base_url(), ""), &[])
        .env("HUBSPOT_TOKEN", hubspot::TOKEN)
        .env("HOOK_URL", HOOK);
    let error = host.try_run().expect_err("it does not start").to_string();
    let expected = "`connections.hubspot.base_url` leads to this machine or into a private network: add \
                    allow_private = true";
    assert!(error.contains(expected) && error.contains("chatplug.toml:9:12"), "{error}");
    assert_eq!(hubspot.requests().all().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_of_the_environment_is_not_asked() {
    let hubspot = Hubspot::start().await.expect("a port");
    let proxy = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = proxy.local_addr().expect("an address");
    let mut host =
        Host::prepared(&config(&hubspot.base_url(), "allow_private = true"), &[guest("guest_caller")])
            .env("HUBSPOT_TOKEN", hubspot::TOKEN)
            .env("HOOK_URL", HOOK);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        host = host.env(name, &format!("http://{address}"));
    }
    host.run();
    accept(&host, call()).await;
    let events = host.wait_until_done(1);
    let Value::String(reason) = &events[0]["deliveries"][0]["reason"] else { panic!("{events:#?}") };
    assert!(reason.contains("\"status\":404"), "{reason}");
    assert_eq!(hubspot.requests().all().len(), 1);
    // Connections are accepted in order: ours is the first if there was no other.
    let ours = TcpStream::connect(address).expect("a connection");
    let (_, first) = proxy.accept().expect("a connection");
    assert_eq!(first.port(), ours.local_addr().expect("an address").port(), "the proxy was asked");
}
