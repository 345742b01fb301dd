//! Whether the host is reached where LiveChat is told to send webhooks.

use std::time::Duration;

use serde_json::Value;

use crate::cli::doctor::{Finding, Grade};
use crate::egress::{self, Reach, cause};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Posts something that is no webhook. A host refuses it, and by how it says so it is known.
pub(super) async fn look(url: &str) -> Finding {
    const WHAT: &str = "the way in";
    let tried = format!("POST {url} with a body that is no webhook");
    let problem = |came: String, means: &str, todo: &str| {
        Finding::ok(WHAT, tried.clone(), came).but(Grade::Problem, means, todo)
    };
    // From here its name may lead to an address of this network.
    let client = match egress::client(Reach::Private) {
        Ok(client) => client,
        Err(error) => return problem(error, "nothing can be sent", "look at the system's certificates"),
    };
    let answer =
        client.post(url).timeout(TIMEOUT).header("content-type", "application/json").body("{}").send().await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            return problem(
                cause(error),
                "from here nobody is reached at that URL; LiveChat may not reach it either",
                "look at DNS, firewall, certificate, and at the proxy in front of the host",
            );
        }
    };
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap_or_default();
    match (status, body["status"].as_str()) {
        (400 | 403, Some("refused")) => {
            let finding = Finding::ok(
                WHAT,
                tried,
                format!("HTTP {status}, refused as it should be: a host answers there"),
            );
            if url.starts_with("https://") {
                return finding;
            }
            finding.but(
                Grade::Warning,
                "webhooks carry their secret in the body, and this URL has no TLS",
                "put a proxy with TLS in front of the host",
            )
        }
        (301..=308, _) => problem(
            format!("HTTP {status}, a redirect"),
            "LiveChat does not follow it",
            "register the URL that it leads to",
        ),
        (404 | 405, _) => problem(
            format!("HTTP {status}"),
            "somebody answers there, but not the host: the path is wrong, or the proxy does not hand it on",
            "have the proxy hand /webhooks/livechat on to the host, and take that path",
        ),
        (502..=504, _) => problem(
            format!("HTTP {status}"),
            "a proxy answers there, and does not reach the host",
            "start the host; compare the proxy's address for it with server.listen",
        ),
        _ => problem(format!("HTTP {status}"), "that is no answer of a host", "look who answers there"),
    }
}
