//! Which webhooks have to be registered with LiveChat for the plugins, and what has to be changed there for it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::event::types::{self, CHAT_RATED};

/// Registrations of one action that LiveChat allows an app; livechat.md section 3.
pub const PER_ACTION_MAX: usize = 3;
/// The longest URL that LiveChat takes, characters.
const URL_MAX: usize = 500;
/// Where the host takes webhooks.
const PATH: &str = "/webhooks/livechat";
/// Webhooks of an account; the other kind comes only while a bot is online.
pub const KIND: &str = "license";

/// A registration as LiveChat lists it. Its secret is not part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// LiveChat's id of it.
    pub id: String,
    /// The event type on the platform.
    pub action: String,
    /// Where its webhooks go.
    pub url: String,
    /// `license` or `bot`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What comes beside the payload.
    #[serde(default)]
    pub additional_data: Vec<String>,
}

/// An action that can be registered.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Offered {
    /// The action.
    pub action: String,
    /// What can be asked for beside the payload.
    #[serde(default)]
    pub additional_data: Vec<String>,
}

/// What has to be done about an action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// Nothing: it is registered.
    Keep,
    /// It isn't registered.
    Register,
    /// It is registered, but with less than it could bring: a registration can't be edited.
    Renew,
    /// It is registered at our URL, and nobody needs it.
    Remove,
}

impl Deed {
    /// The word in listings.
    pub fn as_str(&self) -> &'static str {
        match self {
            Deed::Keep => "keep",
            Deed::Register => "register",
            Deed::Renew => "renew",
            Deed::Remove => "remove",
        }
    }
}

/// One line of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What to do.
    pub deed: Deed,
    /// The action.
    pub action: String,
    /// The plugins that need it.
    pub plugins: BTreeSet<String>,
    /// The registration that there is.
    pub id: Option<String>,
    /// What it is to bring beside the payload.
    pub additional_data: Vec<String>,
    /// Whether LiveChat takes one more of this action, so that the new one can come before the old one goes.
    pub has_room: bool,
}

/// What has to be done so that the plugins get their events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// By action.
    pub changes: Vec<Change>,
    /// What keeps it from being done: sentences.
    pub problems: Vec<String>,
}

impl Plan {
    /// How many of the changes are not "keep".
    pub fn work(&self) -> usize {
        self.changes.iter().filter(|change| change.deed != Deed::Keep).count()
    }
}

/// The actions that plugins need, and which plugins need them. `plugins` are names, with the event types that they get.
pub fn needed<'a>(
    plugins: impl IntoIterator<Item = (&'a str, &'a [String])>,
) -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut needed: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
    for (plugin, events) in plugins {
        for action in events.iter().flat_map(|event_type| actions(event_type)) {
            needed.entry(action).or_default().insert(plugin.to_owned());
        }
    }
    needed
}

/// The URLs to which an app's webhooks go, with the registrations of each: first the one that is taken for this host's where
/// nobody says which it is. That is the one to which most goes of what the plugins need, then most of all, then the one
/// that LiveChat lists first.
pub fn urls<'a>(
    registered: &'a [Registration],
    needed: &BTreeMap<&'static str, BTreeSet<String>>,
) -> Vec<(&'a str, usize)> {
    let mut urls: Vec<(&str, usize, usize)> = Vec::new();
    for known in registered {
        let is_needed = usize::from(needed.contains_key(known.action.as_str()));
        match urls.iter_mut().find(|(url, ..)| *url == known.url) {
            Some((_, of_needed, all)) => (*of_needed, *all) = (*of_needed + is_needed, *all + 1),
            None => urls.push((&known.url, is_needed, 1)),
        }
    }
    urls.sort_by_key(|(_, of_needed, all)| (Reverse(*of_needed), Reverse(*all)));
    urls.into_iter().map(|(url, _, all)| (url, all)).collect()
}

/// The platform's actions of which the events of a type are made.
fn actions(event_type: &str) -> Vec<&'static str> {
    match event_type {
        CHAT_RATED => vec!["incoming_event", "thread_properties_deleted", "thread_properties_updated"],
        // A chat's first messages come only inside of it.
        "incoming_event" => vec!["incoming_chat", "incoming_event"],
        other => types::of_wire(other).into_iter().collect(),
    }
}

/// What has to be changed of what LiveChat has registered for our app, so that what is `needed` comes to `url`.
/// Registrations at other URLs are others' and are left alone.
pub fn plan(
    needed: &BTreeMap<&'static str, BTreeSet<String>>,
    offered: &[Offered],
    registered: &[Registration],
    url: &str,
) -> Plan {
    let mut plan = Plan::default();
    for (action, plugins) in needed {
        match offered.iter().find(|offer| offer.action == *action) {
            Some(offer) => plan_action(&mut plan, offer, plugins, registered, url),
            None => plan.problems.push(format!(
                "LiveChat offers no webhook `{action}`, which {} needs",
                plugins.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
            )),
        }
    }
    let useless = registered.iter().filter(|known| known.url == url && known.kind == KIND);
    for known in useless.filter(|known| !needed.contains_key(known.action.as_str())) {
        plan.changes.push(removal(known));
    }
    plan
}

fn plan_action(
    plan: &mut Plan,
    offer: &Offered,
    plugins: &BTreeSet<String>,
    registered: &[Registration],
    url: &str,
) {
    let of_action: Vec<&Registration> =
        registered.iter().filter(|known| known.action == offer.action).collect();
    let mut ours: Vec<&Registration> =
        of_action.iter().copied().filter(|known| known.url == url && known.kind == KIND).collect();
    let brings_all =
        |known: &&Registration| offer.additional_data.iter().all(|data| known.additional_data.contains(data));
    // The best one first: the others only bring everything twice.
    ours.sort_by_key(|known| !brings_all(known));
    let has_room = of_action.len() < PER_ACTION_MAX;
    let deed = match ours.first() {
        Some(known) if brings_all(known) => Deed::Keep,
        Some(_) => Deed::Renew,
        None => Deed::Register,
    };
    if deed == Deed::Register && !has_room {
        let urls: Vec<&str> = of_action.iter().map(|known| known.url.as_str()).collect();
        plan.problems.push(format!(
            "`{}` is registered {PER_ACTION_MAX} times for this app already, which is all that LiveChat allows: remove \
             one of {} (chatplug webhooks remove --url URL)",
            offer.action,
            urls.join(", ")
        ));
        return;
    }
    plan.changes.push(Change {
        deed,
        action: offer.action.clone(),
        plugins: plugins.clone(),
        id: ours.first().map(|known| known.id.clone()),
        additional_data: offer.additional_data.clone(),
        has_room,
    });
    plan.changes.extend(ours.iter().skip(1).map(|known| removal(known)));
}

fn removal(known: &Registration) -> Change {
    Change {
        deed: Deed::Remove,
        action: known.action.clone(),
        plugins: BTreeSet::new(),
        id: Some(known.id.clone()),
        additional_data: Vec::new(),
        has_room: true,
    }
}

/// The address for webhooks behind what an operator wrote: the host's own path is added to a bare origin.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn webhook_url(text: &str) -> Result<String, String> {
    let mut url = Url::parse(text).map_err(|error| format!("{text:?} is no URL: {error}"))?;
    let is_local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if url.scheme() != "https" && !(url.scheme() == "http" && is_local) {
        return Err("it must begin with https://: the secret stands in each webhook".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("it must have no user, password or fragment".to_owned());
    }
    if url.path() == "/" {
        url.set_path(PATH);
    }
    let url = url.to_string();
    if url.len() > URL_MAX {
        return Err(format!("it is longer than the {URL_MAX} characters that LiveChat takes"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://host.example/webhooks/livechat";
    const ALL: [&str; 2] = ["chat_properties", "chat_presence_user_ids"];

    fn offered() -> Vec<Offered> {
        let offer = |action: &&str| Offered {
            action: (*action).to_owned(),
            additional_data: if action.starts_with("agent") {
                vec![]
            } else {
                ALL.map(str::to_owned).to_vec()
            },
        };
        types::PLATFORM.iter().map(offer).collect()
    }

    fn known(id: &str, action: &str, url: &str, data: &[&str]) -> Registration {
        Registration {
            id: id.to_owned(),
            action: action.to_owned(),
            url: url.to_owned(),
            kind: KIND.to_owned(),
            additional_data: data.iter().map(|data| (*data).to_owned()).collect(),
        }
    }

    /// Each change as `deed action id`.
    fn planned(plugins: &[(&str, &[&str])], registered: &[Registration]) -> (Vec<String>, Vec<String>) {
        let plugins: Vec<(String, Vec<String>)> = plugins
            .iter()
            .map(|(name, events)| ((*name).to_owned(), events.iter().map(|e| (*e).to_owned()).collect()))
            .collect();
        let needed = needed(plugins.iter().map(|(name, events)| (name.as_str(), events.as_slice())));
        let plan = plan(&needed, &offered(), registered, URL);
        let line = |change: &Change| {
            format!("{} {} {}", change.deed.as_str(), change.action, change.id.as_deref().unwrap_or("-"))
        };
        (plan.changes.iter().map(line).collect(), plan.problems)
    }

    fn check(plugins: &[(&str, &[&str])], registered: &[Registration], expected: &[&str]) {
        assert_eq!(planned(plugins, registered).0, expected);
    }

    #[test]
    fn the_url_to_which_most_goes_of_what_is_needed_is_taken_for_this_hosts() {
        let check = |registered: &[(&str, &str)], expected: &[(&str, usize)]| {
            let known: Vec<Registration> =
                registered.iter().map(|(action, url)| known("1", action, url, &[])).collect();
            let events = ["chat_deactivated".to_owned(), "thread_tagged".to_owned()];
            assert_eq!(urls(&known, &needed([("a", events.as_slice())])), expected);
        };
        check(&[], &[]);
        check(&[("thread_tagged", "b"), ("thread_tagged", "a")], &[("b", 1), ("a", 1)]);
        let most = [("agent_created", "a"), ("thread_tagged", "b"), ("agent_deleted", "a")];
        check(&most, &[("b", 1), ("a", 2)]);
        let most = [("thread_tagged", "a"), ("thread_tagged", "b"), ("agent_deleted", "b")];
        check(&most, &[("b", 2), ("a", 1)]);
    }

    #[test]
    fn what_plugins_need_is_registered_once_and_what_nobody_needs_is_removed() {
        check(
            &[("a", &["chat_deactivated"]), ("b", &["chat_deactivated"])],
            &[],
            &["register chat_deactivated -"],
        );
        check(&[("a", &["incoming_event"])], &[], &["register incoming_chat -", "register incoming_event -"]);
        let rated = [
            "register incoming_event -",
            "register thread_properties_deleted -",
            "register thread_properties_updated -",
        ];
        check(&[("a", &[CHAT_RATED])], &[], &rated);
        check(&[], &[known("1", "thread_tagged", URL, &ALL)], &["remove thread_tagged 1"]);
        check(&[("a", &[])], &[], &[]);
    }

    #[test]
    fn what_is_there_is_kept_renewed_if_it_brings_less_and_not_doubled() {
        let tagged: &[(&str, &[&str])] = &[("a", &["thread_tagged"])];
        check(tagged, &[known("1", "thread_tagged", URL, &ALL)], &["keep thread_tagged 1"]);
        check(tagged, &[known("1", "thread_tagged", URL, &ALL[..1])], &["renew thread_tagged 1"]);
        let twice = [known("1", "thread_tagged", URL, &[]), known("2", "thread_tagged", URL, &ALL)];
        check(tagged, &twice, &["keep thread_tagged 2", "remove thread_tagged 1"]);
        check(
            &[("a", &["agent_created"])],
            &[known("1", "agent_created", URL, &[])],
            &["keep agent_created 1"],
        );
    }

    #[test]
    fn others_registrations_are_left_alone_and_count_for_the_limit() {
        let tagged: &[(&str, &[&str])] = &[("a", &["thread_tagged"])];
        let other = |id: &str| known(id, "thread_tagged", "https://other.example/", &[]);
        check(tagged, &[other("1"), other("2")], &["register thread_tagged -"]);
        check(&[], &[other("1")], &[]);
        let bot = Registration { kind: "bot".to_owned(), ..known("3", "thread_tagged", URL, &ALL) };
        check(tagged, &[bot], &["register thread_tagged -"]);
        let (changes, problems) = planned(tagged, &[other("1"), other("2"), other("3")]);
        assert_eq!(changes, [] as [String; 0]);
        assert!(problems[0].contains("3 times") && problems[0].contains("other.example"), "{problems:?}");
    }

    #[test]
    fn what_livechat_does_not_offer_is_a_problem() {
        let needed = needed([("a", &["thread_tagged".to_owned()][..])]);
        let plan = plan(&needed, &[], &[], URL);
        assert!(plan.changes.is_empty() && plan.problems[0].contains("`thread_tagged`"), "{plan:?}");
    }

    #[test]
    fn a_url_is_an_https_address_with_the_hosts_path() {
        let check = |text: &str, expected: Result<&str, &str>| match (webhook_url(text), expected) {
            (Ok(url), Ok(expected)) => assert_eq!(url, expected),
            (Err(error), Err(part)) => assert!(error.contains(part), "{text}: {error}"),
            (came, _) => panic!("{text}: {came:?}"),
        };
        check("https://host.example", Ok(URL));
        check("https://host.example/", Ok(URL));
        check("https://host.example/livechat/webhook", Ok("https://host.example/livechat/webhook"));
        check("http://127.0.0.1:8080", Ok("http://127.0.0.1:8080/webhooks/livechat"));
        check("http://host.example", Err("https://"));
        check("ftp://127.0.0.1", Err("https://"));
        check("host.example", Err("no URL"));
        check("https://a:b@host.example", Err("user"));
        check("https://host.example/#x", Err("fragment"));
        check(&format!("https://host.example/{}", "x".repeat(500)), Err("longer"));
    }
}
