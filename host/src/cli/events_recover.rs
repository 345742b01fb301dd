//! `chatplug events recover`

use std::io::Write;

use anyhow::Context;
use clap::Args;
use jiff::{SignedDuration, Timestamp};

use super::link::Link;
use super::selection::since;
use super::text;
use crate::config::Config;
use crate::recovery::Report;

/// How far back it is looked, unless the command says otherwise.
const DEFAULT: SignedDuration = SignedDuration::from_hours(24);

/// The arguments of `events recover`.
#[derive(Debug, Args)]
pub struct RecoverArgs {
    /// What happened then or later: a time such as 2026-11-28T10:00:00Z, or how long ago, such as 6h; by default a day ago
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub from: Option<Timestamp>,
    /// What happened then or before; by default, and at the latest, until two minutes ago
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub to: Option<Timestamp>,
}

/// Has the running host look what it missed; false if it could not look at everything.
///
/// # Errors
/// If no host runs; those of the host and the output.
pub async fn run(
    config: &Config,
    args: &RecoverArgs,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    let link = Link::running(config)?.context(
        "no host runs with this config: start it; what it missed while it was down it recovers by itself then",
    )?;
    let from = match args.from {
        Some(from) => from,
        None => Timestamp::now().checked_sub(DEFAULT).context("the machine's clock is wrong")?,
    };
    let report = link.recover(from, args.to).await?;
    if json {
        text::json(out, &report)?;
    } else {
        print(&report, out)?;
    }
    Ok(report.unfinished.is_none() && report.not_seen.is_empty())
}

fn print(report: &Report, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "{}", text::escape(&report.to_string()))?;
    let Report { conversations, calls, .. } = report;
    writeln!(out, "Looked at {conversations} conversations, with {calls} calls to LiveChat.")?;
    if !report.unreadable_chats.is_empty() {
        writeln!(out, "Not shown as a whole: {}", text::escape(&report.unreadable_chats.join(", ")))?;
    }
    Ok(())
}
