//! Whether LiveChat sends the webhooks that the plugins need, and to this host.

use std::collections::BTreeSet;

use super::identity::Identity;
use crate::action::{Code, Error};
use crate::app::webhooks::{App, needed};
use crate::cli::doctor::{Finding, Kind};
use crate::config::Config;
use crate::livechat::client::Client;
use crate::livechat::registrations::{self, Deed, Plan, Registration};

const WHAT: &str = "webhooks";

/// Looks at the registrations for `url`; without one at those that are taken for this host's.
pub(super) async fn look(config: &Config, client: Client, url: Option<&str>) -> Vec<Finding> {
    let app = match App::with(config, client) {
        Ok(app) => app,
        Err(error) => return vec![no_client_id(&format!("{error:#}"))],
    };
    let identity = Identity::of(&config.livechat);
    let registered = match app.registered().await {
        Ok(registered) => registered,
        Err(error) => return vec![failed(identity, "list_webhooks", &error)],
    };
    let urls = registrations::urls(&registered, &needed(config));
    let Some(judged) = url.or(urls.first().map(|(url, _)| *url)) else { return vec![none_registered()] };
    let mut findings = Vec::new();
    if url.is_none() {
        findings.extend(of_urls(&urls));
    }
    match app.plan_beside(config, judged, &registered).await {
        Ok((plan, on)) => {
            let elsewhere = if url.is_some() { registered.as_slice() } else { &[] };
            findings.extend(of_plan(identity, judged, elsewhere, &plan, on));
        }
        Err(error) => {
            findings.push(failed(identity, "list_webhook_names and the state of the webhooks", &error))
        }
    }
    findings
}

fn no_client_id(said: &str) -> Finding {
    Finding::ok(WHAT, "livechat.client_id", said).but(
        Kind::NoClientId,
        "it can't be seen whether the webhooks that the plugins need are registered",
        "write livechat.client_id",
    )
}

fn failed(identity: Identity, tried: &str, error: &anyhow::Error) -> Finding {
    let finding = Finding::ok(WHAT, tried, format!("{error:#}"));
    let means = "it can't be seen whether the webhooks that the plugins need are registered";
    match error.downcast_ref::<Error>().map(|error| error.code) {
        Some(Code::Denied | Code::Credentials) => {
            finding.but(Kind::WebhooksRefused, means, identity.needs("webhooks.configuration:rw"))
        }
        _ => finding.but(
            Kind::WebhooksUnreadable,
            means,
            "it is not the credentials: see what LiveChat said, and look again in some minutes",
        ),
    }
}

fn none_registered() -> Finding {
    Finding::ok(WHAT, "list_webhooks", "none is registered for the app").but(
        Kind::NoneRegistered,
        "nothing comes in: they were never registered, or the app was uninstalled",
        "`chatplug webhooks apply --url https://…` registers what the plugins need",
    )
}

/// Says which of several URLs is judged.
fn of_urls(urls: &[(&str, usize)]) -> Option<Finding> {
    let [(judged, count), others @ ..] = urls else { return None };
    if others.is_empty() {
        return None;
    }
    let others: Vec<String> = others.iter().map(|(url, count)| format!("{count} at {url}")).collect();
    let came = format!("looked at: the {count} at {judged}; there are others: {}", others.join(", "));
    Some(Finding::ok(WHAT, "list_webhooks, without --url", came).but(
        Kind::SeveralUrls,
        "the app's webhooks go to several addresses; the one to which most goes of what the plugins need was taken for this \
         host's. The others are those of other hosts, or of this one before it moved",
        "say which one is this host's: `chatplug doctor --url URL`; `chatplug webhooks remove --url URL` takes away what \
         nobody listens to",
    ))
}

/// What is registered for `url`. `elsewhere` are the app's registrations among which others may have what is missing.
fn of_plan(
    identity: Identity,
    url: &str,
    elsewhere: &[Registration],
    plan: &Plan,
    on: Option<bool>,
) -> Vec<Finding> {
    let tried = || format!("list_webhooks, for {url}");
    let mut findings = Vec::new();
    let named = |deed: Deed| -> Vec<&str> {
        plan.changes.iter().filter(|change| change.deed == deed).map(|change| &*change.action).collect()
    };
    let goes = |action: &str| elsewhere.iter().any(|known| known.action == action && known.url != url);
    let (moved, missing): (Vec<&str>, Vec<&str>) =
        named(Deed::Register).into_iter().partition(|action| goes(action));
    findings.extend(of_moved(url, elsewhere, &moved));
    if !missing.is_empty() {
        findings.push(Finding::ok(WHAT, tried(), format!("not registered: {}", missing.join(", "))).but(
            Kind::WebhooksMissing,
            "plugins get no events of these types; if they did before, the registrations were removed",
            format!("`chatplug webhooks apply --url {url}`"),
        ));
    }
    let partial = named(Deed::Renew);
    if !partial.is_empty() {
        findings.push(Finding::ok(WHAT, tried(), format!("without all data: {}", partial.join(", "))).but(
            Kind::WebhooksPartial,
            "these webhooks come without what LiveChat could send beside them (who is in the chat, its properties), which \
             plugins read",
            format!("`chatplug webhooks apply --url {url}` registers them anew: a registration can't be changed"),
        ));
    }
    for problem in &plan.problems {
        findings.push(Finding::ok(WHAT, tried(), problem.clone()).but(
            Kind::WebhooksImpossible,
            "these webhooks can't be registered as things are, so that plugins get no events of this type",
            format!("do what is said there; `chatplug webhooks plan --url {url}` shows what is left"),
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(WHAT, tried(), "all that the plugins need are registered"));
    }
    findings.push(of_state(identity, url, on));
    findings
}

/// What the plugins need and another address gets.
fn of_moved(url: &str, elsewhere: &[Registration], moved: &[&str]) -> Option<Finding> {
    if moved.is_empty() {
        return None;
    }
    let others: BTreeSet<&str> = elsewhere
        .iter()
        .filter(|known| known.url != url && moved.contains(&known.action.as_str()))
        .map(|known| known.url.as_str())
        .collect();
    let others: Vec<&str> = others.into_iter().collect();
    let came = format!("registered for another address: {} go to {}", moved.join(", "), others.join(", "));
    Some(Finding::ok(WHAT, format!("list_webhooks, for {url}"), came).but(
        Kind::UrlChanged,
        "LiveChat sends these webhooks there, and not to this host: its address has changed, or another host uses the same app",
        format!(
            "`chatplug webhooks apply --url {url}` registers them here, too; then, if nobody listens there any more, \
             `chatplug webhooks remove --url {}`",
            others.first().copied().unwrap_or("URL")
        ),
    ))
}

fn of_state(identity: Identity, url: &str, on: Option<bool>) -> Finding {
    let state = "get_license_webhooks_state";
    match on {
        Some(true) => Finding::ok(WHAT, state, "they are switched on"),
        Some(false) => Finding::ok(WHAT, state, "they are switched off").but(
            Kind::WebhooksOff,
            "LiveChat sends none: the app is not installed on the licence, or they were switched off",
            format!("install the app, then `chatplug webhooks apply --url {url}`, which switches them on"),
        ),
        None => Finding::ok(WHAT, state, "the token may not ask").but(
            Kind::WebhooksStateUnknown,
            "it can't be seen whether LiveChat sends webhooks",
            identity.needs("webhooks.state:ro"),
        ),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::livechat::registrations::{Change, KIND};

    const URL: &str = "https://host.example/webhooks/livechat";
    const OLD: &str = "https://old.example/webhooks/livechat";

    fn change(deed: Deed, action: &str) -> Change {
        let (action, plugins) = (action.to_owned(), BTreeSet::new());
        Change { deed, action, plugins, id: None, additional_data: Vec::new(), has_room: true }
    }

    fn at(url: &str, action: &str) -> Registration {
        let [id, action, url, kind] = ["wh_1", action, url, KIND].map(str::to_owned);
        Registration { id, action, url, kind, additional_data: Vec::new() }
    }

    fn of(changes: Vec<Change>, problems: &[&str], on: Option<bool>) -> Vec<Finding> {
        let problems = problems.iter().map(|text| (*text).to_owned()).collect();
        let elsewhere = [at(OLD, "incoming_event"), at(OLD, "thread_tagged"), at(URL, "chat_deactivated")];
        of_plan(Identity::Pat, URL, &elsewhere, &Plan { changes, problems }, on)
    }

    pub(in crate::app::doctor) fn provoked() -> Vec<Finding> {
        let error = |code| {
            anyhow::Error::new(Error::new(code, "LiveChat says no")).context("cannot list the webhooks")
        };
        let mut all = vec![
            no_client_id("livechat.client_id is missing"),
            failed(Identity::OAuth, "list_webhooks", &error(Code::Denied)),
            failed(Identity::OAuth, "list_webhooks", &error(Code::Unavailable)),
            none_registered(),
        ];
        all.extend(of_urls(&[(URL, 5), (OLD, 2), ("https://third.example/", 1)]));
        let changes = vec![
            change(Deed::Register, "incoming_chat"),
            change(Deed::Register, "incoming_event"),
            change(Deed::Renew, "chat_deactivated"),
        ];
        all.extend(of(
            changes,
            &["LiveChat offers no webhook `ticket_created`, which notes needs"],
            Some(false),
        ));
        all.extend(of(Vec::new(), &[], None));
        all.retain(|finding| finding.kind.is_some());
        all
    }

    #[test]
    fn all_is_well_where_all_is_registered_and_on() {
        let found = of(vec![change(Deed::Keep, "incoming_chat")], &[], Some(true));
        let came: Vec<&str> = found.iter().map(|finding| finding.came.as_str()).collect();
        assert_eq!(came, ["all that the plugins need are registered", "they are switched on"]);
        assert!(found.iter().all(|finding| finding.kind.is_none()));
        assert_eq!(of_urls(&[(URL, 5)]), None);
    }

    #[test]
    fn what_goes_elsewhere_is_not_called_missing() {
        let kinds = |changes| -> Vec<Kind> {
            of(changes, &[], Some(true)).into_iter().filter_map(|finding| finding.kind).collect()
        };
        assert_eq!(kinds(vec![change(Deed::Register, "thread_tagged")]), [Kind::UrlChanged]);
        assert_eq!(kinds(vec![change(Deed::Register, "agent_created")]), [Kind::WebhooksMissing]);
        assert!(kinds(vec![change(Deed::Remove, "agent_created")]).is_empty());
    }
}
