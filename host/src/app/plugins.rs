//! `chatplug plugins …`: by the host that runs, or on config and store.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::{known, loader};
use crate::cli::link::{self, Link};
use crate::cli::{PluginsCommand, plugins_change, plugins_command, plugins_list, plugins_show};
use crate::config::Config;
use crate::plugins::{Approve, GoBack, Plugins, Switch, view};
use crate::runtime::Services;
use crate::store::{PluginStatus, Reader, Store};
use crate::watcher;

/// Entries of a history that are shown.
const HISTORY_SHOWN: usize = 50;

/// Runs a command; false if it asked a plugin for something that this did not do.
///
/// # Errors
/// Why it can't be done; those of the output.
pub async fn run(
    command: &PluginsCommand,
    (config_path, config): (&Path, &Config),
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    match command {
        PluginsCommand::Command { name, command, arguments } => {
            return plugins_command::run(config, (name, command), arguments, json, out).await;
        }
        PluginsCommand::List => {
            let (statuses, is_running) = statuses(config).await?;
            plugins_list::run(&statuses, is_running, json, out)?;
        }
        PluginsCommand::Show { name } => {
            let (statuses, _) = statuses(config).await?;
            let reader = Reader::open(&config.data_dir)?;
            let versions = reader.map(|reader| reader.versions()).transpose()?.unwrap_or_default();
            let found = view(name, statuses, versions);
            let found =
                found.ok_or_else(|| anyhow::anyhow!("there is no plugin `{}`", name.escape_debug()))?;
            plugins_show::show(&found, json, out)?;
        }
        PluginsCommand::History { name } => {
            let changes = match Reader::open(&config.data_dir)? {
                Some(reader) => reader.version_history(name, HISTORY_SHOWN)?,
                None => Vec::new(),
            };
            plugins_show::history(&changes, json, out)?;
        }
        command => change(command, (config_path, config), json, out).await?,
    }
    Ok(true)
}

async fn change(
    command: &PluginsCommand,
    (config_path, config): (&Path, &Config),
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let host = Link::running(config)?;
    // As long as a host runs it knows better, and the store is its own.
    let (statuses, _) = if host.is_some() { (Vec::new(), true) } else { statuses(config).await? };
    let opened = match host {
        None if Reader::open(&config.data_dir)?.is_some() => Some(Store::open(&config.data_dir)?),
        _ => None,
    };
    let store = opened.as_ref().map(|opened| opened.store.clone());
    let loader = loader(config, Services::none())?;
    let here = Plugins::new(config_path.to_owned(), store, Arc::default(), Some(loader));
    let who = link::who();
    match command {
        PluginsCommand::Enable { name, events } => {
            let wanted = Switch { events: events.clone() };
            let switched = match &host {
                Some(host) => host.change_plugin(name, "enable", &wanted).await?,
                None => here.enable(name, wanted, &statuses, &who).await?,
            };
            plugins_change::switched(&switched, json, out)?;
        }
        PluginsCommand::Disable { name, events } => {
            let wanted = Switch { events: events.clone() };
            let switched = match &host {
                Some(host) => host.change_plugin(name, "disable", &wanted).await?,
                None => here.disable(name, wanted, &who).await?,
            };
            plugins_change::switched(&switched, json, out)?;
        }
        PluginsCommand::Approve { name, version, denies, dry_run } => {
            let (version, denies, dry_run) = (version.clone(), denies.clone(), *dry_run);
            let wanted = Approve { version, denies, dry_run };
            let approval = match &host {
                Some(host) => host.change_plugin(name, "approve", &wanted).await?,
                None => here.approve(name, wanted, &statuses, &who).await?,
            };
            plugins_change::approved(&approval, dry_run, json, out)?;
        }
        PluginsCommand::Rollback { name, to } => {
            let wanted = GoBack { to: to.clone() };
            let went = match &host {
                Some(host) => host.change_plugin(name, "rollback", &wanted).await?,
                None => here.go_back(name, wanted, &who).await?,
            };
            plugins_change::went_back(&went, json, out)?;
        }
        PluginsCommand::List
        | PluginsCommand::Show { .. }
        | PluginsCommand::History { .. }
        | PluginsCommand::Command { .. } => {}
    }
    drop(here);
    if let Some(opened) = opened {
        opened.close();
    }
    Ok(())
}

/// How the plugins are, or would be; and whether a host runs.
async fn statuses(config: &Config) -> anyhow::Result<(Vec<PluginStatus>, bool)> {
    let is_running = Store::is_owned(&config.data_dir)?;
    let statuses = match Reader::open(&config.data_dir)? {
        Some(reader) if is_running => reader.plugin_statuses()?,
        reader => {
            let marks = known(reader.as_ref())?;
            watcher::survey(&loader(config, Services::none())?, config, marks).await.0
        }
    };
    Ok((statuses, is_running))
}
