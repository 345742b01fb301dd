//! `chatplug webhooks`: brings what is registered with LiveChat in line with the plugins that are switched on.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};

use super::services;
use crate::action::{Code, Error};
use crate::cli::link::Link;
use crate::cli::text;
use crate::cli::webhooks::{ApplyArgs, Found, RemoveArgs, WebhooksCommand, print_list, print_plan};
use crate::config::{Api, Config, Given};
use crate::livechat::client::Client;
use crate::livechat::registrations::{self, Change, Deed, Plan, Registration};
use crate::store::{Reader, WebhooksChanged};

mod secret;

/// Carries a command out; false if something keeps the plugins from getting their events.
///
/// # Errors
/// Credentials or an app's id that the config lacks; those of LiveChat and of the output.
pub async fn run(
    config_path: &Path,
    command: &WebhooksCommand,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    let generated = match command {
        WebhooksCommand::Apply(_) => secret::generate_missing(config_path, json)?,
        _ => None,
    };
    let config = &Config::load_given(config_path, generated.as_ref())?;
    let app = App::of(config)?;
    match command {
        WebhooksCommand::List => {
            print_list(&app.registered().await?, json, out)?;
            Ok(true)
        }
        WebhooksCommand::Plan(args) => {
            let (plan, on) = app.plan(config, &args.url).await?;
            let found = Found { url: &args.url, plan: &plan, on, applied: false, secret_file: None };
            print_plan(&found, json, out)?;
            Ok(plan.problems.is_empty() && on != Some(false))
        }
        WebhooksCommand::Apply(args) => app.apply(config, args, generated.as_ref(), json, out).await,
        WebhooksCommand::Remove(args) => app.remove(config, args, json, out).await,
    }
}

/// Has it written down what was changed, whether all of it was `made` or not: in the store of the host, if there is one
/// yet.
async fn note<T>(config: &Config, changed: WebhooksChanged, made: &anyhow::Result<T>) -> anyhow::Result<()> {
    if changed.done.is_empty() || Reader::open(&config.data_dir)?.is_none() {
        return Ok(());
    }
    let noted = async { Link::open(config)?.note_webhooks(changed).await };
    let noted = noted.await.context("the webhooks are changed, and the audit log could not be told");
    // Of two errors the one that kept it from being done is wanted.
    if made.is_ok() { noted } else { Ok(()) }
}

fn client_id(config: &Config) -> anyhow::Result<&str> {
    config.livechat.client_id.as_deref().context(
        "livechat.client_id is missing: write the Client ID of your app, from the Developer Console; LiveChat keeps \
         webhooks by app",
    )
}

/// The app whose webhooks these are, and the way to LiveChat.
pub(super) struct App<'a> {
    client: Client,
    client_id: &'a str,
}

impl<'a> App<'a> {
    pub(super) fn of(config: &'a Config) -> anyhow::Result<App<'a>> {
        if config.livechat.api == Api::V2 {
            bail!(
                "webhooks can't be registered with the older API (livechat.api = \"v2\"): do it in LiveChat's settings"
            );
        }
        let options = services::options(&config.livechat)
            .context("livechat.token is missing: nothing can be asked of the LiveChat API")?;
        let client_id = client_id(config)?;
        Ok(App { client: Client::new(options)?, client_id })
    }

    /// The same, by a client that is there already.
    pub(super) fn with(config: &'a Config, client: Client) -> anyhow::Result<App<'a>> {
        Ok(App { client, client_id: client_id(config)? })
    }

    pub(super) async fn registered(&self) -> anyhow::Result<Vec<Registration>> {
        self.client.list_webhooks(self.client_id).await.context("cannot list the webhooks of the app")
    }

    /// What has to be done, and whether webhooks are switched on, if LiveChat says so.
    pub(super) async fn plan(&self, config: &Config, url: &str) -> anyhow::Result<(Plan, Option<bool>)> {
        self.plan_beside(config, url, &self.registered().await?).await
    }

    /// The same, beside what is known to be registered.
    pub(super) async fn plan_beside(
        &self,
        config: &Config,
        url: &str,
        registered: &[Registration],
    ) -> anyhow::Result<(Plan, Option<bool>)> {
        let offered = self.client.offered_webhooks().await.context("cannot ask which webhooks there are")?;
        let on = match self.client.are_webhooks_on(self.client_id).await {
            Ok(on) => Some(on),
            Err(Error { code: Code::Denied, .. }) => None,
            Err(error) => return Err(error).context("cannot ask whether webhooks are switched on"),
        };
        let plugins = config.plugins.iter().map(|(name, plugin)| (name.as_str(), plugin.events.as_slice()));
        Ok((registrations::plan(&registrations::needed(plugins), &offered, registered, url), on))
    }

    async fn apply(
        &self,
        config: &Config,
        args: &ApplyArgs,
        generated: Option<&Given>,
        json: bool,
        out: &mut dyn Write,
    ) -> anyhow::Result<bool> {
        let url = &args.url.url;
        if config.livechat.webhook_secrets.is_empty() {
            bail!("livechat.webhooks.secrets is missing: the host would refuse what is registered");
        }
        let (mut plan, mut on) = self.plan(config, url).await?;
        // What is registered already brings another secret than one that was just made.
        let renew = args.renew || generated.is_some();
        for change in plan.changes.iter_mut().filter(|change| renew && change.deed == Deed::Keep) {
            change.deed = Deed::Renew;
        }
        let secret_file = generated.map(|given| secret::put(given, json, out)).transpose()?.flatten();
        let again = if renew { "the same command with --renew goes on" } else { "the same command goes on" };
        let mut done = Vec::new();
        let made = self.make_all(config, url, (&plan, on), again, &mut done).await;
        note(config, WebhooksChanged { url: url.clone(), done, is_whole: made.is_ok() }, &made).await?;
        on = made?;
        print_plan(&Found { url, plan: &plan, on, applied: true, secret_file }, json, out)?;
        Ok(plan.problems.is_empty())
    }

    /// Does what is planned, and notes what it has done; answers whether webhooks are switched on then.
    async fn make_all(
        &self,
        config: &Config,
        url: &str,
        (plan, mut on): (&Plan, Option<bool>),
        again: &str,
        done: &mut Vec<String>,
    ) -> anyhow::Result<Option<bool>> {
        for (number, change) in plan.changes.iter().enumerate() {
            let deed = format!("{} {}", change.deed.as_str(), change.action);
            self.make(config, url, change).await.with_context(|| {
                format!(
                    "cannot {} the webhook {}; {number} of {} were done before it, {again}",
                    change.deed.as_str(),
                    change.action,
                    plan.changes.len()
                )
            })?;
            done.extend((change.deed != Deed::Keep).then_some(deed));
        }
        if on == Some(false) {
            let switched = self.client.switch_webhooks_on(self.client_id).await;
            switched.context("everything is registered, but the webhooks can't be switched on")?;
            done.push("switch webhooks on".to_owned());
            on = Some(true);
        }
        Ok(on)
    }

    async fn make(&self, config: &Config, url: &str, change: &Change) -> Result<(), Error> {
        let register = async || {
            let secret =
                config.livechat.webhook_secrets.first().expect("looked at before anything is changed");
            self.client.register_webhook(self.client_id, url, secret, change).await.map(|_| ())
        };
        match change.deed {
            Deed::Keep => Ok(()),
            Deed::Register => register().await,
            Deed::Remove => self.unregister(change).await,
            // The new one first, so that nothing is missed in between; what comes twice is known by its key.
            Deed::Renew if change.has_room => {
                register().await?;
                self.unregister(change).await
            }
            Deed::Renew => {
                self.unregister(change).await?;
                register().await
            }
        }
    }

    /// One that is gone already is as good as removed.
    async fn unregister(&self, change: &Change) -> Result<(), Error> {
        let Some(id) = &change.id else { return Ok(()) };
        match self.client.unregister_webhook(self.client_id, id).await {
            Err(error) if error.code != Code::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    async fn remove(
        &self,
        config: &Config,
        args: &RemoveArgs,
        json: bool,
        out: &mut dyn Write,
    ) -> anyhow::Result<bool> {
        let mut registered = self.registered().await?;
        registered.retain(|known| {
            args.url.as_ref().is_some_and(|url| *url == known.url)
                || args.id.as_ref().is_some_and(|id| *id == known.id)
        });
        for known in &registered {
            let removed = self.client.unregister_webhook(self.client_id, &known.id).await;
            let removed = removed.with_context(|| format!("cannot remove {} ({})", known.id, known.action));
            let done = Vec::from_iter(removed.is_ok().then(|| format!("remove {}", known.action)));
            let changed = WebhooksChanged { url: known.url.clone(), done, is_whole: removed.is_ok() };
            note(config, changed, &removed).await?;
            removed?;
        }
        if json {
            text::json(out, &registered)?;
        } else {
            writeln!(out, "Removed {}.", registered.len())?;
        }
        Ok(!registered.is_empty())
    }
}
