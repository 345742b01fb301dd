//! `chatplug forget`

use std::io::Write;
use std::path::Path;

use anyhow::bail;
use serde::Serialize;

use super::link::{Link, stored, who};
use super::{ForgetArgs, text};
use crate::config::Config;
use crate::event::person::Person;
use crate::store::{Error, Forgotten, Store};

/// What the host can't take away; the operator has to.
pub const OUT_OF_REACH: [&str; 10] = [
    "backups of the store, and stores that a restore left beside it",
    "LiveChat itself: chats, customers, archives",
    "what plugins sent through connections (CRM, Slack)",
    "log lines that were written",
    "webhooks that `chatplug serve --capture` wrote into a folder",
    "what plugins keep, runs recorded and other chats' events hold that tells of them by other words than the address or the id of the chat; published files likewise, and copies that somebody saved",
    "what other events and their runs have of an address' chats without the address: name those chats with --chat",
    "what other events and their runs have of a chat of which no event is stored, if its id could be a word or a number",
    "free pages of the store, of what retention had removed before, until they are used again or given back",
    "the chat's id in the list of events, until their metadata is removed",
];

#[derive(Serialize)]
struct Report<'a> {
    dry_run: bool,
    #[serde(flatten)]
    forgotten: &'a Forgotten,
    out_of_reach: [&'static str; OUT_OF_REACH.len()],
}

impl ForgetArgs {
    /// Whom the arguments name.
    pub fn person(&self) -> Option<Person> {
        self.chat.clone().or_else(|| self.email.clone())
    }
}

/// Takes away what is stored of a person, or says what would be taken away.
///
/// # Errors
/// Those of the store and of the output.
pub async fn run(
    config_path: &Path,
    args: &ForgetArgs,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let Some(person) = args.person() else { bail!("name a person with --chat or --email") };
    let data_dir = Config::data_dir_of(config_path)?;
    let forgotten = match args.dry_run {
        true => stored(&data_dir)?.would_forget(&person)?,
        false => forget(config_path, &data_dir, person).await?,
    };
    print(&forgotten, args.dry_run, json, out)
}

async fn forget(config_path: &Path, data_dir: &Path, person: Person) -> anyhow::Result<Forgotten> {
    stored(data_dir)?;
    let opened = match Store::open(data_dir) {
        Err(Error::Locked(_)) => {
            let operator = Config::operator_of(config_path)?;
            return Link::to_host(data_dir, &operator)?.forget(person).await;
        }
        opened => opened?,
    };
    let forgotten = opened.store.forget(person, who(), jiff::Timestamp::now().as_millisecond()).await;
    // The log has what was there before; closing empties it.
    opened.close();
    Ok(forgotten?)
}

fn print(forgotten: &Forgotten, dry_run: bool, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    if json {
        return Ok(text::json(out, &Report { dry_run, forgotten, out_of_reach: OUT_OF_REACH })?);
    }
    let chats: Vec<String> = forgotten.chats.iter().map(|chat| text::escape(chat)).collect();
    writeln!(
        out,
        "{}: {} events, of them {} unfinished or dead deliveries; {} ratings, {} keys of repetitions, {} entries of \
         plugins' memory, {} timers, {} versions of published files; chats: {}.",
        if dry_run { "Would be forgotten" } else { "Forgotten" },
        forgotten.events,
        forgotten.deliveries,
        forgotten.ratings,
        forgotten.dedupe_keys,
        forgotten.memory,
        forgotten.timers,
        forgotten.files,
        if chats.is_empty() { "none".to_owned() } else { chats.join(", ") },
    )?;
    writeln!(out, "Out of reach of this command:")?;
    OUT_OF_REACH.iter().try_for_each(|place| writeln!(out, "- {place}"))?;
    Ok(())
}
