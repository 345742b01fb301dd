//! Whether LiveChat can be reached at all, apart from the credentials: there is a call that needs none.

use crate::action::{Code, Error};
use crate::app::services;
use crate::cli::doctor::{Finding, Kind};
use crate::egress::Reach;
use crate::livechat::client::Client;

/// Clocks further apart than this make messages expire too early or too late.
const CLOCK_OFF_MS: i64 = 5_000;
const WHAT: &str = "LiveChat";

/// Looks; answers whether LiveChat itself has answered.
pub(super) async fn look(base_url: &str, reach: Reach, findings: &mut Vec<Finding>) -> bool {
    let tried = format!("list_webhook_names at {base_url}, which needs no credentials");
    let client = match services::anybody(base_url, reach) {
        Ok(client) => client,
        Err(error) => {
            findings.push(no_client(WHAT, tried, &error.to_string()));
            return false;
        }
    };
    let offered = client.offered_webhooks().await;
    let is_reached = offered.is_ok();
    findings.push(match offered {
        Ok(offered) => Finding::ok(WHAT, tried, format!("it answers, and offers {} webhooks", offered.len())),
        Err(error) => unwell(WHAT, tried, &error),
    });
    findings.push(of_clock(&client));
    is_reached
}

/// No request can be made of what the config says.
pub(super) fn no_client(what: &'static str, tried: String, error: &str) -> Finding {
    Finding::ok(what, tried, error).but(
        Kind::CredentialsUnusable,
        "no request can be made of this, so that nothing can be asked of LiveChat",
        "put right in the config what is named here",
    )
}

/// LiveChat answers no call, whoever asks.
pub(super) fn unwell(what: &'static str, tried: String, error: &Error) -> Finding {
    let finding = Finding::ok(what, tried, error.message.clone());
    match error.code {
        Code::Unavailable => finding.but(
            Kind::Unreachable,
            "no answer came that counts, so that this says nothing of the credentials: the network or the DNS of this \
             machine, a proxy or firewall in between, or LiveChat itself is in trouble",
            "look at the network and the DNS of this machine, at livechat.base_url, and at LiveChat's status page",
        ),
        Code::RateLimited => {
            let wait = error.retry_after_ms.map_or_else(
                || "wait some minutes".to_owned(),
                |ms| format!("wait the {} s that LiveChat asks for", ms.div_ceil(1_000)),
            );
            finding.but(
                Kind::RateLimited,
                "LiveChat is reached, and takes no more calls for now: something asks too much. The host waits by itself and \
                 loses nothing",
                format!("{wait}, and look again; if it comes back, lower livechat.rate, and see who else calls for the account"),
            )
        }
        Code::Other if error.message.contains("misdirected_request") => finding.but(
            Kind::Misdirected,
            "the account is in another of LiveChat's data centres than the one that was asked, and asking where it was sent \
             did not help",
            "set livechat.region to the account's data centre, `dal` or `fra`",
        ),
        Code::Unsupported => finding.but(
            Kind::UnsupportedVersion,
            "LiveChat does not speak version 3.6 of its API there: it was retired, or livechat.base_url leads to something \
             older",
            "see that livechat.base_url has no version in it; else update chatplug",
        ),
        _ => finding.but(
            Kind::NotLivechat,
            "something answers at livechat.base_url that is not LiveChat, or a gateway in front of it that does not let this \
             through",
            "compare livechat.base_url with https://api.livechatinc.com, and look at what stands in between",
        ),
    }
}

fn of_clock(client: &Client) -> Finding {
    match client.ahead_ms() {
        Some(ahead_ms) => clock(ahead_ms),
        None => Finding::skipped("clock", "no answer of LiveChat says what the time is"),
    }
}

fn clock(ahead_ms: i64) -> Finding {
    let seconds = (ahead_ms as f64 / 1e3).round();
    let came = match seconds {
        0.0 => "the same as here".to_owned(),
        s if s > 0.0 => format!("{s} s ahead of this machine's"),
        s => format!("{} s behind this machine's", -s),
    };
    let finding = Finding::ok("clock", "the time in LiveChat's answer", came);
    match ahead_ms.abs() > CLOCK_OFF_MS {
        false => finding,
        true => finding.but(
            Kind::ClockOff,
            "messages expire by the platform's time: with a wrong clock too early or too late",
            "have the clock set by the network: `timedatectl set-ntp true`",
        ),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::double::{Answer, Double};

    /// What comes of asking a server that gives this answer to each call.
    async fn found(answer: Answer) -> Vec<Finding> {
        let double = Double::start([answer]).await;
        let mut findings = Vec::new();
        look(&double.url, Reach::Private, &mut findings).await;
        for finding in &mut findings {
            finding.tried = finding.tried.replace(&double.url, "https://api.livechatinc.com");
        }
        findings
    }

    pub(in crate::app::doctor) async fn provoked() -> Vec<Finding> {
        let refusal =
            |kind: &str| format!("{{\"error\":{{\"type\":\"{kind}\",\"message\":\"said by LiveChat\"}}}}");
        let mut all = vec![clock(5_001), clock(-3_600_000)];
        let mut look = Vec::new();
        super::look("ftp://nowhere", Reach::Public, &mut look).await;
        all.append(&mut look);
        for answer in [
            Answer::text(503, &refusal("service_unavailable")),
            Answer::text(429, &refusal("too_many_requests")).and("retry-after", "7"),
            Answer::text(429, &refusal("too_many_requests")),
            Answer::text(421, &refusal("misdirected_request")),
            Answer::text(404, &refusal("unsupported_version")),
            Answer::text(404, "<html>nothing here</html>"),
        ] {
            let found = found(answer).await;
            all.extend(found.into_iter().filter(|finding| finding.what == WHAT));
        }
        all
    }

    #[tokio::test]
    async fn the_clock_is_compared_and_nobody_is_reached_at_a_closed_port() {
        assert_eq!(clock(5_000).kind, None);
        assert_eq!(clock(-400).came, "the same as here");
        let dated = Answer::text(200, "[]").and("date", "Mon, 01 Jun 2026 10:00:00 GMT");
        let found = found(dated).await;
        assert_eq!((found[0].kind, found[1].kind), (None, Some(Kind::ClockOff)), "{found:?}");
        let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let url = format!("http://{}", closed.expect("a port"));
        let mut found = Vec::new();
        assert!(!look(&url, Reach::Private, &mut found).await);
        assert_eq!((found[0].kind, found[1].kind), (Some(Kind::Unreachable), Some(Kind::NotLookedAt)));
    }
}
