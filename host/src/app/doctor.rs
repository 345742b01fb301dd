//! `chatplug doctor`: looks at all that the host depends on, says what it found and what to do about it. It changes
//! nothing. What is pure in here is told what came of looking, and says what that means.

use std::io::Write;
use std::path::Path;

use super::services::Way;
use crate::cli::doctor::{DoctorArgs, Finding, print};

mod account;
mod figures;
mod identity;
mod machine;
mod outside;
mod reach;
mod setup;
#[cfg(test)]
mod tests;
mod webhooks;

/// Looks, and prints what was found; false if there is a problem. A config that is refused is a finding, and what can be
/// looked at without it is looked at.
///
/// # Errors
/// Those of the output.
pub async fn run(
    config_path: &Path,
    args: &DoctorArgs,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    Ok(print(&look(config_path, args.url.as_deref()).await, json, out)?)
}

async fn look(config_path: &Path, url: Option<&str>) -> Vec<Finding> {
    let mut known = setup::read(config_path);
    let mut findings = std::mem::take(&mut known.findings);
    findings.extend(machine::look(known.data_dir.as_deref()));
    let is_reached = match &known.address {
        Some((base_url, reach)) => reach::look(base_url, *reach, &mut findings).await,
        None => {
            findings.push(Finding::skipped("LiveChat", "the config doesn't say where it is"));
            false
        }
    };
    let way = match &known.livechat {
        Some(livechat) => account::look(livechat, is_reached, &mut findings).await,
        None => {
            let why = "[livechat] of the config can't be read; put it right first";
            findings.push(Finding::skipped("credentials", why));
            None
        }
    };
    match (&known.config, way) {
        (_, None) => findings.push(Finding::skipped("webhooks", "LiveChat can't be asked for them")),
        (_, Some(Way::Older(_))) => findings.push(Finding::skipped(
            "webhooks",
            "the older API has no list of them: look into LiveChat's settings, where they are made",
        )),
        (None, Some(_)) => findings.push(Finding::skipped(
            "webhooks",
            "the config can't be read, so that it isn't known what the plugins need; put it right first",
        )),
        (Some(config), Some(Way::Current(client))) => {
            findings.extend(webhooks::look(config, client, url).await);
        }
    }
    findings.push(match url {
        Some(url) => outside::look(url).await,
        None => Finding::skipped("the way in", "--url says where LiveChat reaches the host"),
    });
    findings
}
