//! `chatplug webhooks list|plan|apply|remove`: the arguments, and what is printed.

use std::io::{self, Write};
use std::path::Path;

use clap::{ArgGroup, Args, Subcommand};
use serde::Serialize;

use super::{table, text};
use crate::livechat::registrations::{Change, Plan, Registration, webhook_url};

/// What to do about the registrations of webhooks.
#[derive(Debug, Subcommand)]
pub enum WebhooksCommand {
    /// List what is registered for the app
    List,
    /// Show what has to be registered for the plugins that are switched on, and change nothing
    Plan(UrlArgs),
    /// Register what is missing, and remove what no plugin needs any more
    Apply(ApplyArgs),
    /// Remove registrations
    Remove(RemoveArgs),
}

/// Where webhooks come in.
#[derive(Debug, Args)]
pub struct UrlArgs {
    /// Where LiveChat reaches the host; an address without a path gets the host's own path
    #[arg(long, value_name = "URL", value_parser = webhook_url)]
    pub url: String,
}

/// The arguments of `apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// Where
    #[command(flatten)]
    pub url: UrlArgs,
    /// Register everything again, with the first of the secrets in the config
    #[arg(long)]
    pub renew: bool,
}

/// The arguments of `remove`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true))]
pub struct RemoveArgs {
    /// All that go to this URL, exactly as it is listed
    #[arg(long, value_name = "URL", group = "which")]
    pub url: Option<String>,
    /// The one with this id
    #[arg(long, value_name = "ID", group = "which")]
    pub id: Option<String>,
}

/// What `plan` and `apply` found.
#[derive(Debug, Serialize)]
pub struct Found<'a> {
    /// Where webhooks are to come.
    pub url: &'a str,
    /// What has to be done.
    #[serde(flatten)]
    pub plan: &'a Plan,
    /// Whether LiveChat sends webhooks of the app at all; absent if it doesn't say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<bool>,
    /// Whether it was done.
    pub applied: bool,
    /// The file that a new secret was written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<&'a Path>,
}

/// Prints what is registered.
///
/// # Errors
/// Those of the output.
pub fn print_list(registered: &[Registration], json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        return text::json(out, &registered);
    }
    let row = |known: &Registration| {
        [
            known.id.clone(),
            known.action.clone(),
            known.kind.clone(),
            known.url.clone(),
            known.additional_data.join(", "),
        ]
    };
    let rows: Vec<[String; 5]> = registered.iter().map(row).collect();
    table::write(out, ["ID", "ACTION", "TYPE", "URL", "ADDITIONAL DATA"], &rows)
}

/// Prints what has to be done, or was done.
///
/// # Errors
/// Those of the output.
pub fn print_plan(found: &Found<'_>, json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        return text::json(out, found);
    }
    let row = |change: &Change| {
        let plugins: Vec<&str> = change.plugins.iter().map(String::as_str).collect();
        [
            change.deed.as_str().to_owned(),
            change.action.clone(),
            plugins.join(", "),
            change.id.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<[String; 4]> = found.plan.changes.iter().map(row).collect();
    table::write(out, ["DO", "ACTION", "FOR", "ID"], &rows)?;
    for problem in &found.plan.problems {
        writeln!(out, "problem: {}", text::escape(problem))?;
    }
    match found.on {
        Some(true) => {}
        Some(false) => writeln!(out, "LiveChat sends no webhooks of this app: they are switched off.")?,
        None => writeln!(
            out,
            "Whether LiveChat sends webhooks of this app is not known: the token lacks the scope webhooks.state:ro."
        )?,
    }
    let url = text::escape(found.url);
    match (found.plan.work(), found.applied) {
        (0, _) => writeln!(out, "Nothing has to be changed at {url}."),
        (count, true) => {
            writeln!(out, "Changed {count} at {url}. LiveChat takes up to two minutes to heed it.")
        }
        (count, false) => writeln!(out, "{count} to change: chatplug webhooks apply --url {url}"),
    }
}
