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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cli::overview::DaysArgs;
    use crate::double::{Answer, Double};
    use crate::overview::PAGES_MAX;

    /// What the command prints on both outputs if the older API has so many pages of one chat each.
    async fn printed(pages: u32, page: Option<u32>, csv: bool) -> (String, String) {
        let answer = |number: u32| {
            let chats = [json!({"id": format!("C{number}")})];
            Answer::text(200, &json!({"chats": chats, "total": pages, "pages": pages}).to_string())
        };
        let double = Double::start((1..=pages).map(answer)).await;
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!(
            "[livechat]\napi = \"v2\"\nlogin = \"a@example.com\"\napi_key = {{ env = \"KEY\" }}\nallow_private = true\n\
             base_url = \"{}\"\ntimezone = \"Europe/Warsaw\"\n",
            double.url
        );
        let path = folder.path().join("chatplug.toml");
        let path = path.to_str().expect("a path");
        let config = Config::parse(&text, path, &|name| Some(name.to_owned())).expect("a config");
        let day = "2026-06-01".parse().ok();
        let days = DaysArgs { from: day, to: day };
        let args = ChatsArgs { days, agent: None, page, form: FormArgs { csv } };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        chats(&config, &args, !csv, &mut out, &mut err).await.expect("a list");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (text(out), text(err))
    }

    #[tokio::test]
    async fn a_list_that_ends_before_the_chats_do_says_so() {
        for (pages, is_cut) in [(2, false), (PAGES_MAX, false), (PAGES_MAX + 1, true)] {
            let (out, err) = printed(pages, None, true).await;
            let shown = pages.min(PAGES_MAX) as usize;
            assert_eq!(out.lines().count(), 1 + shown);
            assert_eq!(err.contains("there are more"), is_cut, "{pages} pages: {err}");
            let (out, err) = printed(pages, None, false).await;
            let listed: Value = serde_json::from_str(&out).expect("JSON");
            assert_eq!((&listed["is_cut"], err.as_str()), (&json!(is_cut), ""), "{pages} pages");
            assert_eq!(listed["chats"].as_array().map(Vec::len), Some(shown));
        }
        // Who asks for one page gets that one.
        let (out, err) = printed(PAGES_MAX + 1, Some(2), true).await;
        assert_eq!((out.lines().count(), err.as_str()), (2, ""));
    }
}
