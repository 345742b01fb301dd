//! `chatplug doctor`: looks at all that the host depends on, says what it found and what to do about it. It changes
//! nothing.

use std::io::Write;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::services;
use super::webhooks::App;
use crate::action::{Code, Error};
use crate::cli::doctor::{DoctorArgs, Finding, Grade, print};
use crate::cli::link::Link;
use crate::config::Config;
use crate::livechat::client::Client;
use crate::livechat::registrations::{Deed, Plan};
use crate::store;

mod outside;

/// A disk that takes longer to sync is slow for each webhook.
const SYNC_SLOW: Duration = Duration::from_millis(50);
/// Clocks further apart than this make messages expire too early or too late.
const CLOCK_OFF_MS: i64 = 5_000;
/// As in the alert rules: less is left of the disk.
const DISK_LOW: f64 = 0.1;

/// Looks, and prints what was found; false if there is a problem.
///
/// # Errors
/// Those of the output.
pub async fn run(
    config: &Config,
    args: &DoctorArgs,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    let mut findings = of_config(config);
    findings.push(of_host(config));
    findings.extend(of_disk(config));
    findings.extend(of_account(config, args.url.as_deref()).await);
    if let Some(url) = &args.url {
        findings.push(outside::look(url).await);
    }
    Ok(print(&findings, json, out)?)
}

fn of_config(config: &Config) -> Vec<Finding> {
    let tried = "the config and the secrets that it refers to";
    let mut findings = vec![Finding::ok("config", tried, "they can be read")];
    for warning in config.warnings() {
        let finding = Finding::ok("config", tried, warning);
        findings.push(finding.but(Grade::Warning, "", "see `chatplug config default` for all keys"));
    }
    if config.livechat.webhook_secrets.is_empty() {
        let finding = Finding::ok("webhook secrets", "livechat.webhooks.secrets", "there is none");
        findings.push(finding.but(
            Grade::Problem,
            "every webhook is refused: nothing tells LiveChat's from anybody else's",
            "write `secrets = [{ env = \"LIVECHAT_WEBHOOK_SECRET\" }]` under [livechat.webhooks]",
        ));
    }
    findings
}

fn of_host(config: &Config) -> Finding {
    let tried = format!("the lock of the data folder {}", config.data_dir.display());
    match Link::running(config) {
        Ok(Some(_)) => Finding::ok("host", tried, "a host runs with this config"),
        Ok(None) => Finding::ok("host", tried, "no host runs with this config").but(
            Grade::Warning,
            "webhooks are refused by the network until it is started; LiveChat sends each three times within seconds",
            "start it: `chatplug serve`, or the service",
        ),
        Err(error) => Finding::ok("host", tried, format!("{error:#}")).but(
            Grade::Problem,
            "it can't be told whether a host runs",
            "run this as the host's own user",
        ),
    }
}

fn of_disk(config: &Config) -> Vec<Finding> {
    let folder = &config.data_dir;
    if !folder.exists() {
        let tried = format!("the data folder {}", folder.display());
        let finding = Finding::ok("disk", tried, "it is not there");
        return vec![finding.but(Grade::Warning, "no host has run with this config yet", "start the host")];
    }
    let tried = format!("the disk of {}", folder.display());
    let unreadable = |what: &str, error: std::io::Error| {
        Finding::ok("disk", format!("{what}, {}", folder.display()), error.to_string()).but(
            Grade::Problem,
            "the host can't write there either, if this is its user",
            "let the host's user own the data folder, and run this as that user",
        )
    };
    let room = match store::disk(folder) {
        Ok(disk) => {
            let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
            let came = format!("{:.1} of {:.1} GiB are free", gib(disk.free), gib(disk.size));
            let finding = Finding::ok("disk", tried, came);
            if (disk.free as f64) < disk.size as f64 * DISK_LOW {
                finding.but(
                    Grade::Warning,
                    "a full disk has webhooks answered 503 until there is room again",
                    "make room, or keep less: [retention] in the config",
                )
            } else {
                finding
            }
        }
        Err(error) => unreadable("room", error),
    };
    let sync = match store::try_sync(folder) {
        Ok(took) => {
            let came = format!("{:.1} ms", took.as_secs_f64() * 1e3);
            let finding = Finding::ok("disk", "a sync of 4 KiB in the data folder", came);
            if took > SYNC_SLOW {
                finding.but(
                    Grade::Warning,
                    "each webhook waits for such a sync: under load they are answered slowly",
                    "put the data folder on a local SSD, not on a network's file system",
                )
            } else {
                finding
            }
        }
        Err(error) => unreadable("a sync", error),
    };
    vec![room, sync]
}

/// The credentials, and what LiveChat says to them.
async fn of_account(config: &Config, url: Option<&str>) -> Vec<Finding> {
    let Some(options) = services::options(&config.livechat) else {
        let finding = Finding::ok("credentials", "livechat.token", "there is none");
        return vec![finding.but(
            Grade::Warning,
            "webhooks come in and run plugins, but no plugin can do anything in LiveChat",
            "make a personal access token in the Developer Console and write where it is under [livechat]",
        )];
    };
    let mut findings: Vec<Finding> = of_credentials(config).into_iter().collect();
    let client = match Client::new(options) {
        Ok(client) => client,
        Err(error) => {
            let finding = Finding::ok("credentials", "to make a request with them", error.to_string());
            findings.push(finding.but(Grade::Problem, "nothing can be asked of LiveChat", "put it right"));
            return findings;
        }
    };
    let tried = format!("list_agents at {}", config.livechat.base_url);
    match client.check_credentials().await {
        Ok(()) => findings.push(Finding::ok("credentials", tried, "LiveChat takes them")),
        Err(error) => {
            findings.push(refused(tried, &error));
            findings.extend(of_clock(&client));
            return findings;
        }
    }
    findings.extend(of_clock(&client));
    findings.extend(of_registrations(config, url).await);
    findings
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
fn refused(tried: String, error: &Error) -> Finding {
    let finding = Finding::ok("credentials", tried, error.message.clone());
    match error.code {
        Code::Credentials | Code::Denied => finding.but(
            Grade::Problem,
            "LiveChat does not know these credentials: the account's id or the token is wrong, or the token was \
             revoked or has expired",
            "compare account id and token with the Developer Console; make a new token if it is not listed there",
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

/// Whether what the plugins need is registered, and switched on.
async fn of_registrations(config: &Config, url: Option<&str>) -> Vec<Finding> {
    const WHAT: &str = "webhooks";
    let app = match App::of(config) {
        Ok(app) => app,
        Err(error) => {
            let finding = Finding::ok(WHAT, "livechat.client_id", format!("{error:#}"));
            return vec![finding.but(
                Grade::Warning,
                "it can't be seen whether the webhooks that the plugins need are registered",
                "write livechat.client_id",
            )];
        }
    };
    let failed = |tried: &str, error: anyhow::Error| {
        vec![Finding::ok(WHAT, tried, format!("{error:#}")).but(
            Grade::Warning,
            "it can't be seen whether the webhooks that the plugins need are registered",
            "give the token the scope webhooks.configuration:rw",
        )]
    };
    let registered = match app.registered().await {
        Ok(registered) => registered,
        Err(error) => return failed("list_webhooks", error),
    };
    let Some(url) = url.or(registered.first().map(|registration| registration.url.as_str())) else {
        return vec![none_registered()];
    };
    match app.plan_beside(config, url, &registered).await {
        Ok((plan, on)) => of_plan(url, &plan, on),
        Err(error) => failed("list_webhooks", error),
    }
}

fn none_registered() -> Finding {
    Finding::ok("webhooks", "list_webhooks", "none is registered for the app").but(
        Grade::Problem,
        "nothing comes in",
        "`chatplug webhooks apply --url https://…` registers what the plugins need",
    )
}

fn of_plan(url: &str, plan: &Plan, on: Option<bool>) -> Vec<Finding> {
    let tried = format!("list_webhooks, for {url}");
    let mut findings = Vec::new();
    let named = |deed: Deed| -> Vec<&str> {
        plan.changes.iter().filter(|change| change.deed == deed).map(|change| &*change.action).collect()
    };
    let missing = [named(Deed::Register), named(Deed::Renew)].concat();
    let finding = Finding::ok("webhooks", tried.clone(), "all that the plugins need are registered");
    findings.push(match missing.is_empty() {
        true => finding,
        false => Finding { came: format!("missing, or without all data: {}", missing.join(", ")), ..finding }.but(
            Grade::Problem,
            "plugins get no events of these types; if they did before, the registrations were removed or go to \
             another URL",
            format!("`chatplug webhooks apply --url {url}`"),
        ),
    });
    for problem in &plan.problems {
        let finding = Finding::ok("webhooks", tried.clone(), problem.clone());
        findings.push(finding.but(Grade::Problem, "", "see `chatplug webhooks plan`"));
    }
    let state = "get_license_webhooks_state";
    match on {
        Some(true) => findings.push(Finding::ok("webhooks", state, "they are switched on")),
        Some(false) => findings.push(Finding::ok("webhooks", state, "they are switched off").but(
            Grade::Problem,
            "LiveChat sends none: the app is not installed on the licence, or they were switched off",
            format!("install the app, then `chatplug webhooks apply --url {url}`, which switches them on"),
        )),
        None => findings.push(Finding::ok("webhooks", state, "the token may not ask").but(
            Grade::Warning,
            "it can't be seen whether LiveChat sends webhooks",
            "give the token the scope webhooks.state:ro",
        )),
    }
    findings
}

#[cfg(test)]
mod tests;
