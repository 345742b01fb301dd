//! `chatplug doctor`: looks at all that the host depends on, says what it found and what to do about it. It changes
//! nothing.

use std::io::Write;
use std::time::Duration;

use super::services::Way;
use super::webhooks::App;
use crate::cli::doctor::{DoctorArgs, Finding, Grade, print};
use crate::cli::link::Link;
use crate::config::Config;
use crate::livechat::client::Client;
use crate::livechat::registrations::{Deed, Plan};
use crate::store;

mod account;
mod outside;

/// A disk that takes longer to sync is slow for each webhook.
const SYNC_SLOW: Duration = Duration::from_millis(50);
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
    if let Some(Way::Current(client)) = account::look(config, &mut findings).await {
        findings.extend(of_registrations(config, client, args.url.as_deref()).await);
    }
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
            "webhooks are refused by the network until it is started; LiveChat tries each three times more within about a minute",
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

/// Whether what the plugins need is registered, and switched on.
async fn of_registrations(config: &Config, client: Client, url: Option<&str>) -> Vec<Finding> {
    const WHAT: &str = "webhooks";
    let app = match App::with(config, client) {
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
            "if it was refused, give the token the scope webhooks.configuration:rw; else see why LiveChat can't be asked",
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
    if !missing.is_empty() {
        let came = format!("missing, or without all data: {}", missing.join(", "));
        findings.push(Finding::ok("webhooks", tried.clone(), came).but(
            Grade::Problem,
            "plugins get no events of these types; if they did before, the registrations were removed or go to \
             another URL",
            format!("`chatplug webhooks apply --url {url}`"),
        ));
    } else if plan.problems.is_empty() {
        findings.push(Finding::ok("webhooks", tried.clone(), "all that the plugins need are registered"));
    }
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
