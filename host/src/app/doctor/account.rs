//! What the account says: whether it takes the credentials, what the time is there, and whether figures can be read.

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use secrecy::ExposeSecret;

use super::super::services::{self, Way};
use crate::action::{Code, Error};
use crate::cli::doctor::{Finding, Grade};
use crate::config::{Api, Config};
use crate::livechat::client::Client;
use crate::overview::{Chats, ChatsAsked, Overview, Stats, StatsAsked};

/// Clocks further apart than this make messages expire too early or too late.
const CLOCK_OFF_MS: i64 = 5_000;

/// Looks; answers the way to LiveChat, if it takes the credentials.
pub(super) async fn look(config: &Config, findings: &mut Vec<Finding>) -> Option<Way> {
    findings.extend(of_credentials(config));
    let way = match services::reading(&config.livechat) {
        Ok(Some(way)) => way,
        Ok(None) => {
            findings.push(none(config.livechat.api));
            return None;
        }
        Err(error) => {
            let finding = Finding::ok("credentials", "to make a request with them", error.to_string());
            findings.push(finding.but(Grade::Problem, "nothing can be asked of LiveChat", "put it right"));
            return None;
        }
    };
    let tried = format!("to list agents at {}", config.livechat.base_url);
    let checked = way.check_credentials().await;
    let is_taken = checked.is_ok();
    findings.push(match checked {
        Ok(()) => Finding::ok("credentials", tried, "LiveChat takes them"),
        Err(error) => refused(config.livechat.api, tried, &error),
    });
    if let Way::Current(client) = &way {
        findings.extend(of_clock(client));
    }
    if !is_taken {
        return None;
    }
    findings.extend(of_figures(config, way.clone()).await);
    Some(way)
}

fn none(api: Api) -> Finding {
    let (tried, todo) = match api {
        Api::V36 => (
            "livechat.token, bot and oauth",
            "make a personal access token in the Developer Console and write where it is under [livechat]",
        ),
        Api::V2 => (
            "livechat.login and livechat.api_key",
            "write the e-mail address of the account's owner, and where their API key is, under [livechat]",
        ),
    };
    let means = "webhooks come in and run plugins, but no plugin can do anything in LiveChat";
    Finding::ok("credentials", tried, "there are none").but(Grade::Warning, means, todo)
}

/// What the credentials themselves look like, before anybody is asked. An e-mail address for an id, and white
/// space in a token, the config refuses.
fn of_credentials(config: &Config) -> Option<Finding> {
    let token = config.livechat.token.as_ref()?.expose_secret();
    let wrong = |came: &str, means: &str, todo: &str| {
        Some(Finding::ok("credentials", "their form", came).but(Grade::Problem, means, todo))
    };
    match &config.livechat.account_id {
        Some(id) if id.chars().all(|c| c.is_ascii_digit()) => wrong(
            "livechat.account_id is a number",
            "that is the number of the licence",
            "copy the account id (a UUID) that the Developer Console shows beside the token",
        ),
        None if !token.starts_with("dal:") && !token.starts_with("fra:") && !token.starts_with("ey") => {
            wrong(
                "without livechat.account_id the token is sent as Bearer, and it looks like neither an OAuth token \
             (dal:…, fra:…) nor that of a bot",
                "a personal access token that is sent as Bearer is refused",
                "write livechat.account_id, the UUID that the Developer Console shows beside the token",
            )
        }
        _ => None,
    }
}

/// LiveChat doesn't take the credentials, or can't be asked.
fn refused(api: Api, tried: String, error: &Error) -> Finding {
    let finding = Finding::ok("credentials", tried, error.message.clone());
    match error.code {
        Code::Credentials | Code::Denied if api == Api::V2 => finding.but(
            Grade::Problem,
            "LiveChat does not take the e-mail address with this key",
            "compare livechat.login and livechat.api_key with the account: the key is that of the same person",
        ),
        Code::Credentials | Code::Denied => finding.but(
            Grade::Problem,
            "LiveChat does not take these credentials: the account's id or the token is wrong, the token was revoked or has \
             expired, or the licence has, or its user is suspended",
            "see what LiveChat said; compare account id and token with the Developer Console, and make a new token if it is \
             not listed there",
        ),
        _ => finding.but(
            Grade::Problem,
            "LiveChat could not be asked",
            "look at the network and the DNS of this machine, at livechat.base_url, and at LiveChat's status page",
        ),
    }
}

fn of_clock(client: &Client) -> Option<Finding> {
    let ahead_ms = client.ahead_ms()?;
    let seconds = (ahead_ms as f64 / 1e3).round();
    let came = match seconds {
        0.0 => "the same as here".to_owned(),
        s if s > 0.0 => format!("{s} s ahead of this machine's"),
        s => format!("{} s behind this machine's", -s),
    };
    let finding = Finding::ok("clock", "the time in LiveChat's answer", came);
    Some(match ahead_ms.abs() > CLOCK_OFF_MS {
        false => finding,
        true => finding.but(
            Grade::Problem,
            "messages expire by the platform's time: with a wrong clock too early or too late",
            "have the clock set by the network: `timedatectl set-ntp true`",
        ),
    })
}

/// Whether reports and archives can be read, and agree on whether there was anything.
async fn of_figures(config: &Config, way: Way) -> Vec<Finding> {
    let Some(zone) = &config.livechat.timezone else {
        let finding = Finding::ok("time zone", "livechat.timezone", "it is not set");
        return vec![finding.but(
            Grade::Warning,
            "archives and reports by day can't be asked for: a day there is one of the account's zone",
            "write the account's zone under [livechat], such as timezone = \"Europe/Warsaw\"",
        )];
    };
    let overview = Overview::new(way.into_livechat());
    let stats = overview.stats(&StatsAsked { date_from: None, date_to: None }, Some(zone)).await;
    let date_from = Timestamp::now().to_zoned(zone.clone()).date().checked_sub(6.days()).ok();
    let asked = ChatsAsked { date_from, date_to: None, page: None, agent: None };
    let chats = overview.chats(&asked, Some(zone)).await;
    vec![of_reports(config.livechat.api, &stats), of_archives(zone, &stats, &chats)]
}

fn of_reports(api: Api, stats: &Result<Stats, Error>) -> Finding {
    let tried = "reports of the last seven days";
    match stats {
        Ok(stats) => Finding::ok("reports", tried, format!("{} chats", stats.sum.total_chats)),
        Err(error) => {
            let todo = match (error.code, api) {
                (Code::Denied | Code::Credentials, Api::V36) => "give the token the scope reports_read",
                (Code::Denied | Code::Credentials, Api::V2) => {
                    "use e-mail address and API key of the account's owner: others may not read reports"
                }
                _ => "see what LiveChat said",
            };
            let means = "`chatplug stats` and plugins that ask for reports get no figures";
            Finding::ok("reports", tried, error.message.clone()).but(Grade::Warning, means, todo)
        }
    }
}

/// Archives that are empty while the reports count chats were asked for days of another zone, or by somebody who sees none.
fn of_archives(zone: &TimeZone, stats: &Result<Stats, Error>, chats: &Result<Chats, Error>) -> Finding {
    let tried = "archives of the last seven days";
    let chats = match chats {
        Ok(chats) => chats,
        Err(error) => {
            return Finding::ok("archives", tried, error.message.clone()).but(
                Grade::Warning,
                "`chatplug chats` and plugins that ask for archives get nothing",
                "if it was refused, give the token the scope chats--all:ro or chats--access:ro",
            );
        }
    };
    let finding = Finding::ok("archives", tried, format!("{} chats on the first page", chats.chats.len()));
    let counted = stats.as_ref().map_or(0, |stats| stats.sum.total_chats);
    if !chats.chats.is_empty() || counted == 0 {
        return finding;
    }
    let zone = zone.iana_name().unwrap_or("the zone of the config");
    finding.but(
        Grade::Warning,
        format!("the reports count {counted} chats in these days: the days are cut otherwise, or the token sees none of them"),
        format!(
            "compare livechat.timezone ({zone}) with the account's; a token with chats--access sees only the chats of its \
             user's groups"
        ),
    )
}

#[cfg(test)]
mod tests;
