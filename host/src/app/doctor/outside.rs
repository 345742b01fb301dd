//! Whether the host is reached where LiveChat is told to send webhooks.

use std::time::Duration;

use serde_json::Value;

use crate::cli::doctor::{Finding, Kind};
use crate::egress::{self, Reach, cause};

const TIMEOUT: Duration = Duration::from_secs(10);
const WHAT: &str = "the way in";

/// What came back: a status and what the body calls it, or why nothing did.
type Came = Result<(u16, Option<String>), String>;

/// Posts something that is no webhook. A host refuses it, and by how it says so it is known.
pub(super) async fn look(url: &str) -> Finding {
    of_answer(url, ask(url).await)
}

async fn ask(url: &str) -> Came {
    // From here its name may lead to an address of this network.
    let client = egress::client(Reach::Private)?;
    let request = client.post(url).timeout(TIMEOUT).header("content-type", "application/json").body("{}");
    let answer = request.send().await.map_err(cause)?;
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap_or_default();
    Ok((status, body["status"].as_str().map(str::to_owned)))
}

fn of_answer(url: &str, came: Came) -> Finding {
    let found = |came: String| Finding::ok(WHAT, format!("POST {url} with a body that is no webhook"), came);
    let (status, word) = match came {
        Ok(answer) => answer,
        Err(error) => {
            return found(error).but(
                Kind::WayNoAnswer,
                "from here nobody is reached at that URL; LiveChat may not reach it either",
                "look at DNS, firewall, certificate, and at the proxy in front of the host",
            );
        }
    };
    match (status, word.as_deref()) {
        (400 | 403, Some("refused")) => {
            let finding = found(format!("HTTP {status}, refused as it should be: a host answers there"));
            match url.starts_with("https://") {
                true => finding,
                false => finding.but(
                    Kind::WayNoTls,
                    "webhooks carry their secret in the body, and this URL has no TLS",
                    "put a proxy with TLS in front of the host",
                ),
            }
        }
        (301..=308, _) => found(format!("HTTP {status}, a redirect")).but(
            Kind::WayRedirected,
            "LiveChat may not follow it",
            "register the URL that it leads to",
        ),
        (404 | 405, _) => found(format!("HTTP {status}")).but(
            Kind::WayNotTheHost,
            "somebody answers there, but not the host: the path is wrong, or the proxy does not hand it on",
            "have the proxy hand /webhooks/livechat on to the host, and take that path",
        ),
        (502..=504, _) => found(format!("HTTP {status}")).but(
            Kind::WayProxyAlone,
            "a proxy answers there, and does not reach the host",
            "start the host; compare the proxy's address for it with server.listen",
        ),
        _ => found(format!("HTTP {status}")).but(
            Kind::WayStrange,
            "that is no answer of a host: something else listens there, or stands in front of it and answers itself",
            "look who answers there: `curl -i -X POST URL`",
        ),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::double::{Answer, Double};

    const URL: &str = "https://host.example/webhooks/livechat";

    /// What is found where a server answers this.
    async fn found(answer: Answer) -> Finding {
        let double = Double::start([answer]).await;
        let mut finding = look(&double.url).await;
        finding.tried = finding.tried.replace(&double.url, "http://host.example");
        finding
    }

    pub(in crate::app::doctor) async fn provoked() -> Vec<Finding> {
        let mut all = vec![of_answer(URL, Err("connection refused".to_owned()))];
        for answer in [
            Answer::text(403, "{\"status\":\"refused\"}"),
            Answer::text(307, "").and("location", "https://elsewhere.example"),
            Answer::text(404, "not here"),
            Answer::text(405, ""),
            Answer::text(502, "<html>bad gateway</html>"),
            Answer::text(504, ""),
            Answer::text(200, "welcome"),
            Answer::text(403, "forbidden"),
        ] {
            all.push(found(answer).await);
        }
        all
    }

    #[tokio::test]
    async fn a_host_behind_tls_is_well_and_a_closed_port_is_not() {
        for status in [400, 403] {
            assert_eq!(of_answer(URL, Ok((status, Some("refused".to_owned())))).kind, None);
        }
        let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let found = look(&format!("http://{}/", closed.expect("a port"))).await;
        assert_eq!(found.kind, Some(Kind::WayNoAnswer), "{found:?}");
    }
}
