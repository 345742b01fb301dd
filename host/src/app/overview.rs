//! `chatplug chats`, `agents` and `stats`: asked of the host that runs, which keeps answers for others, or else of
//! LiveChat itself.

use std::io::Write;

use anyhow::Context;
use jiff::tz::TimeZone;

use super::services;
use crate::cli::link::Link;
use crate::cli::overview::{
    ChatsArgs, Form, FormArgs, Listed, StatsArgs, print_agents, print_chats, print_stats,
};
use crate::config::Config;
use crate::livechat::view::Agent;
use crate::overview::{Chats, ChatsAsked, Overview, Stats, StatsAsked};

/// Where the answers come from.
enum Source {
    Host(Link),
    Account(Overview, Option<TimeZone>),
}

impl Source {
    fn of(config: &Config) -> anyhow::Result<Source> {
        if let Some(link) = Link::running(config)? {
            return Ok(Source::Host(link));
        }
        let way = services::reading(&config.livechat)?
            .context("livechat.token is missing: nothing can be asked of the LiveChat API")?;
        Ok(Source::Account(Overview::new(way.into_livechat()), config.livechat.timezone.clone()))
    }

    async fn chats(&self, asked: &ChatsAsked) -> anyhow::Result<Chats> {
        match self {
            Source::Host(link) => link.read("/chats", asked).await,
            Source::Account(overview, zone) => Ok(overview.chats(asked, zone.as_ref()).await?),
        }
    }

    async fn agents(&self) -> anyhow::Result<Vec<Agent>> {
        match self {
            Source::Host(link) => link.read("/agents", &()).await,
            Source::Account(overview, _) => Ok(overview.agents().await?),
        }
    }

    async fn stats(&self, asked: &StatsAsked) -> anyhow::Result<Stats> {
        match self {
            Source::Host(link) => link.read("/stats", asked).await,
            Source::Account(overview, zone) => Ok(overview.stats(asked, zone.as_ref()).await?),
        }
    }
}

/// Prints conversations of some days; `err` is told what has no place beside them.
///
/// # Errors
/// Those of LiveChat or the host, and of the outputs.
pub async fn chats(
    config: &Config,
    args: &ChatsArgs,
    json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<()> {
    let source = Source::of(config)?;
    let mut page = source.chats(&args.asked(args.page.unwrap_or(1))).await?;
    let mut chats = std::mem::take(&mut page.chats);
    while let (None, Some(next)) = (args.page, page.next_page) {
        page = source.chats(&args.asked(next)).await?;
        chats.append(&mut page.chats);
    }
    let listed = Listed { window: page.window, is_cut: page.is_cut, chats };
    print_chats(&listed, Form::of(&args.form, json), out, err)?;
    Ok(())
}

/// Prints the people of the team.
///
/// # Errors
/// Those of LiveChat or the host, and of the output.
pub async fn agents(config: &Config, form: &FormArgs, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let agents = Source::of(config)?.agents().await?;
    print_agents(&agents, Form::of(form, json), out)?;
    Ok(())
}

/// Prints figures of some days.
///
/// # Errors
/// Those of LiveChat or the host, and of the output.
pub async fn stats(config: &Config, args: &StatsArgs, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let stats = Source::of(config)?.stats(&args.asked()).await?;
    print_stats(&stats, Form::of(&args.form, json), out)?;
    Ok(())
}
