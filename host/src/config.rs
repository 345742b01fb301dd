//! The operator's file, `chatplug.toml`: read, checked as a whole, its secrets resolved.
//!
//! [`DEFAULT`] is the documentation of every key. A key that is not in it is refused: a misspelt key that is
//! silently ignored costs more than one that is answered with a line number.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod address;
mod connection;
mod credentials;
mod differences;
pub mod edit;
mod grants;
mod item;
mod livechat;
mod loading;
mod notify;
mod operator;
mod plugin;
mod problem;
mod retention;
mod rewrite;
mod schedules;
mod secret;
mod table;
mod terms;
#[cfg(test)]
mod tests;

pub use address::Address;
pub use connection::{Connection, Kind};
pub use credentials::Credentials;
pub use livechat::{Api, Bot, IS_EMAIL, Livechat, OAuth};
pub use operator::Operator;
pub use plugin::{Plugin, Updates};
pub use problem::{Problem, Problems};
pub use rewrite::rewrite;
pub use schedules::Change as ScheduleChange;
pub use secret::{Given, Missing, WHITE_SPACE};

use toml::de::DeTable;

use item::{Item, Source};
use table::Table;

use crate::egress::Reach;
use crate::event::types;
use crate::limits::{Loading, Retention};

/// The commented default file, with every key.
pub const DEFAULT: &str = include_str!("config/default.toml");

const CONFIG_BYTES_MAX: u64 = 1 << 20;

/// A checked config. Holds secrets; its `Debug` text does not show them.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[server]`.
    pub server: Server,
    /// `[operator]`.
    pub operator: Operator,
    /// `data.dir`: where the store and the cache of compiled components are.
    pub data_dir: PathBuf,
    /// `[retention]`.
    pub retention: Retention,
    /// `[livechat]`.
    pub livechat: Livechat,
    /// `operator.notify`: the connection through which the operator is told of incidents.
    pub notify: Option<String>,
    /// `[connections.NAME]`, ordered by name.
    pub connections: Vec<Connection>,
    /// `plugins.dir`: the folder that is watched for components.
    pub plugins_dir: PathBuf,
    /// The rest of `[plugins]`: what plugins may be before they run.
    pub loading: Loading,
    /// `plugins.stack_bytes`: the stack of an attempt, bytes.
    pub stack_bytes: usize,
    /// `[plugin.NAME]`, by name.
    pub plugins: BTreeMap<String, Plugin>,
}

/// `[server]`: the listener of webhooks and health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The address that is listened on; port 0 takes a free one.
    pub listen: SocketAddr,
}

impl Config {
    /// Reads the file at `path`, with secrets from the environment and from files.
    ///
    /// # Errors
    /// Everything that is wrong with the file, or that it can't be read.
    pub fn load(path: &Path) -> Result<Config, Problems> {
        Config::load_given(path, None)
    }

    /// Where the first of `livechat.webhooks.secrets` belongs, with which webhooks are registered, if there is nothing. `None`
    /// also where the file can't be read: [`Config::load`] says why.
    pub fn missing_webhook_secret(path: &Path) -> Option<Missing> {
        let first = |mut root: Table<'_>| {
            let mut webhooks = root.take("livechat")?.table()?.take("webhooks")?.table()?;
            secret::missing(webhooks.take("secrets")?.items().first()?)
        };
        Config::part_of(path, first).ok().flatten()
    }

    /// The same as [`Config::load`], with a secret that is not in its place yet.
    ///
    /// # Errors
    /// As for [`Config::load`].
    pub fn load_given(path: &Path, given: Option<&Given>) -> Result<Config, Problems> {
        let text = read_file(path).map_err(|text| Problems::unreadable(path, text))?;
        parse_given(&text, path, &|name| std::env::var(name).ok(), given, read)
    }

    /// Reads a config from its text. `origin` is the file's path: it stands in front of each problem, and
    /// relative paths are relative to its folder. `env` answers for the environment variables.
    ///
    /// # Errors
    /// Everything that is wrong with the text.
    pub fn parse(
        text: &str,
        origin: impl AsRef<Path>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Config, Problems> {
        parse_part(text, origin.as_ref(), env, read)
    }

    /// The data folder that the file at `path` names, and nothing else of it: for commands that have to work without
    /// the host's secrets, and while the rest of the file is wrong.
    ///
    /// # Errors
    /// What is wrong with `[data]`, or that the file can't be read.
    pub fn data_dir_of(path: &Path) -> Result<PathBuf, Problems> {
        Config::part_of(path, |mut root| root.section("data", |table| folder(table, "data")))
    }

    /// What the file at `path` says of `[livechat]`, with its secrets and no others: for looking at the account while the
    /// rest of the file is wrong.
    ///
    /// # Errors
    /// What is wrong with `[livechat]`, or that the file can't be read.
    pub fn livechat_of(path: &Path) -> Result<Livechat, Problems> {
        Config::part_of(path, |mut root| root.section("livechat", livechat::read))
    }

    /// The address of the LiveChat API and where it may lead, and nothing else of the file at `path`.
    ///
    /// # Errors
    /// What is wrong with these, or that the file can't be read.
    pub fn livechat_address_of(path: &Path) -> Result<(String, Reach), Problems> {
        Config::part_of(path, |mut root| {
            let item = root.take("livechat");
            let mut table = item.and_then(|item| item.table()).unwrap_or_else(|| root.empty("livechat"));
            livechat::address(&mut table)
        })
    }

    /// What the file at `path` says of `[operator]`, with its secrets and no others.
    ///
    /// # Errors
    /// What is wrong with `[operator]`, or that the file can't be read.
    pub fn operator_of(path: &Path) -> Result<Operator, Problems> {
        Config::part_of(path, |mut root| {
            root.section("operator", |table| {
                let _ = table.take("notify");
                operator::read(table)
            })
        })
    }

    fn part_of<T>(path: &Path, read: impl FnOnce(Table<'_>) -> T) -> Result<T, Problems> {
        let text = read_file(path).map_err(|text| Problems::unreadable(path, text))?;
        parse_part(&text, path, &|name| std::env::var(name).ok(), read)
    }

    /// The plugins that get an event of a type again; or only `plugin`, if it does. The plugin that caused the event
    /// gets it only if it is named, or if the config says that it gets such events.
    ///
    /// # Errors
    /// If there is none, and what to do.
    pub fn recipients(
        &self,
        event_type: &str,
        caused_by: Option<&str>,
        plugin: Option<&str>,
    ) -> Result<Vec<Arc<str>>, String> {
        if types::is_addressed(event_type) {
            return Err(format!(
                "an event of the type `{event_type}` is for one plugin, and is not delivered anew: dead letters can be \
                 replayed, commands be given again"
            ));
        }
        let wants = |name: &str, found: &Plugin| {
            let is_own = caused_by == Some(name) && plugin.is_none();
            found.events.iter().any(|event| event == event_type)
                && (!is_own || found.own_events == Some(true))
        };
        let enabled = self.plugins.iter().filter(|(name, found)| wants(name, found));
        let enabled = enabled.map(|(name, _)| Arc::from(name.as_str()));
        let wanted: Vec<Arc<str>> =
            enabled.filter(|name| plugin.is_none_or(|wanted| **name == *wanted)).collect();
        match (wanted.is_empty(), plugin) {
            (false, _) => Ok(wanted),
            (true, Some(plugin)) => Err(format!(
                "`{event_type}` is not switched on for {}: add it to `events` of its section in the config",
                plugin.escape_debug()
            )),
            (true, None) => Err(format!("the config switches `{event_type}` on for no plugin")),
        }
    }

    /// What is allowed but will not work as somebody might expect, each with what to do.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.livechat.webhook_secrets.is_empty() {
            warnings.push(
                "`livechat.webhooks.secrets` is empty: every webhook is refused; add the secret that the webhooks \
                 were registered with, secrets = [{ env = \"LIVECHAT_WEBHOOK_SECRET\" }]"
                    .to_owned(),
            );
        }
        let calls_livechat =
            |plugin: &Plugin| plugin.policy.grants.iter().any(|grant| !grant.allow.starts_with("http:"));
        let (missing, add) = match self.livechat.api {
            Api::V36 if !self.livechat.has_identity() => {
                ("token", "token = { env = \"LIVECHAT_PAT\" } and account_id")
            }
            Api::V2 if self.livechat.api_key.is_none() => {
                ("api_key", "api_key = { env = \"LIVECHAT_API_KEY\" } and login")
            }
            _ => return warnings,
        };
        if let Some((name, _)) = self.plugins.iter().find(|(_, plugin)| calls_livechat(plugin)) {
            warnings.push(format!(
                "`livechat.{missing}` is missing: the calls that [plugin.{name}] is granted will fail; add {add}"
            ));
        }
        warnings
    }

    /// What is different in `other`, in words and without secrets; each says so if it takes effect only
    /// after a restart.
    pub fn differences(&self, other: &Config) -> Vec<String> {
        differences::between(self, other)
    }
}

/// Reads from a text what `read` takes of it.
fn parse_part<T>(
    text: &str,
    origin: &Path,
    env: &dyn Fn(&str) -> Option<String>,
    read: impl FnOnce(Table<'_>) -> T,
) -> Result<T, Problems> {
    parse_given(text, origin, env, None, read)
}

/// The same, with a secret that is not in its place yet.
fn parse_given<T>(
    text: &str,
    origin: &Path,
    env: &dyn Fn(&str) -> Option<String>,
    given: Option<&Given>,
    read: impl FnOnce(Table<'_>) -> T,
) -> Result<T, Problems> {
    let folder = origin.parent().unwrap_or(Path::new(""));
    let source = Source::new(text, folder, env).with(given);
    let (document, syntax) = DeTable::parse_recoverable(text);
    for error in &syntax {
        source.report(
            error.span().unwrap_or_default(),
            format!("the file is no valid TOML: {}", error.message()),
        );
    }
    let found = syntax.is_empty().then(|| read(Table::root(document.get_ref(), &source)));
    let problems = source.into_problems();
    match found {
        Some(found) if problems.is_empty() => Ok(found),
        _ => Err(Problems::new(origin, problems)),
    }
}

// Reports what is wrong to the table's source and goes on with a default, so that one reading finds everything.
fn read(mut root: Table<'_>) -> Config {
    let server = root.section("server", |table| Server {
        listen: table.take("listen").and_then(|item| listen(&item)).unwrap_or(LISTEN_DEFAULT),
    });
    let data_dir = root.section("data", |table| folder(table, "data"));
    let retention = root.section("retention", retention::read);
    let livechat = root.section("livechat", livechat::read);
    let connections = root.named("connections", connection::read);
    let (operator, notify) =
        root.section("operator", |table| (operator::read(table), self::notify::read(table, &connections)));
    let (plugins_dir, (loading, stack_bytes)) =
        root.section("plugins", |table| (folder(table, "plugins"), loading::read(table)));
    let plugins = root.named("plugin", |_, table| Some(plugin::read(table, &connections)));
    root.finish();
    Config {
        server,
        operator,
        data_dir,
        retention,
        livechat,
        notify,
        connections: connections.into_iter().filter_map(|(_, connection)| connection).collect(),
        plugins_dir,
        loading,
        stack_bytes,
        plugins: plugins.into_iter().filter_map(|(name, plugin)| Some((name, plugin?))).collect(),
    }
}

const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

fn listen(item: &Item<'_>) -> Option<SocketAddr> {
    let parsed = item.text()?.parse().ok();
    if parsed.is_none() {
        item.report("is no address to listen on: write an IP address and a port, such as \"127.0.0.1:8080\"");
    }
    parsed
}

fn folder(table: &mut Table<'_>, default: &str) -> PathBuf {
    let dir = table.take("dir");
    let written = dir.as_ref().and_then(Item::text);
    if let Some(item) = &dir
        && written == Some("")
    {
        item.report("is empty: name a folder");
    }
    table.source.folder.join(written.unwrap_or(default))
}

fn read_file(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| {
        format!("can't read the config: {error}; `chatplug config default > {}` writes one", path.display())
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut text = String::new();
    file.take(CONFIG_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > CONFIG_BYTES_MAX {
        return Err(format!("the config has more than {CONFIG_BYTES_MAX} bytes: is this the right file?"));
    }
    Ok(text)
}
