use super::address::{self, Address};
use super::credentials::{self, Credentials};
use super::item::Item;
use super::table::Table;
use super::terms;
use crate::action::Effect;
use crate::destination::Terms;
use crate::egress::Reach;

/// `[connections.NAME]`: an outside HTTP service that plugins reach by its name.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The name, kebab-case.
    pub name: String,
    /// What counts as a failure.
    pub kind: Kind,
    /// Where it is.
    pub address: Address,
    /// Which addresses it may lead to.
    pub reach: Reach,
    /// How the host proves itself.
    pub credentials: Credentials,
    /// What sending a POST or PATCH twice does; never [`Effect::Read`].
    pub post: Effect,
    /// How much it may be asked.
    pub terms: Terms,
}

/// A kind of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The HubSpot API.
    Hubspot,
    /// The Slack Web API, or a Slack incoming webhook.
    Slack,
    /// Any other service: its status tells.
    Generic,
}

impl Kind {
    /// The word in the config.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Hubspot => "hubspot",
            Kind::Slack => "slack",
            Kind::Generic => "generic",
        }
    }

    /// What the service is known to take, or is likely to.
    fn terms(self) -> Terms {
        match self {
            // 100 requests in 10 seconds, for each app.
            Kind::Hubspot => Terms { concurrency: 8, rate: 9.0 },
            // One message a second for each channel, with short bursts.
            Kind::Slack => Terms { concurrency: 4, rate: 1.0 },
            Kind::Generic => Terms { concurrency: 16, rate: 50.0 },
        }
    }
}

/// Reads one connection; `None` if it lacks what a connection needs.
pub(super) fn read(name: &str, table: &mut Table<'_>) -> Option<Connection> {
    let kind_item = table.take("kind");
    if kind_item.is_none() {
        table.report("needs a kind: add kind = \"hubspot\", \"slack\" or \"generic\"");
    }
    let kind = kind_item.and_then(|item| kind(&item));
    let reach = address::reach(table);
    let address = address::read(table, reach);
    let credentials = credentials::read(table);
    let post = table.take("post").and_then(|item| post(&item)).unwrap_or(Effect::Unknown);
    let terms = terms::read(table, kind.unwrap_or(Kind::Generic).terms());
    let (kind, address, credentials) = (kind?, address?, credentials?);
    check_credentials(table, kind, &address, &credentials);
    Some(Connection { name: name.to_owned(), kind, address, reach, credentials, post, terms })
}

fn kind(item: &Item<'_>) -> Option<Kind> {
    let word = item.text()?;
    let kind = [Kind::Hubspot, Kind::Slack, Kind::Generic].into_iter().find(|kind| kind.as_str() == word);
    if kind.is_none() {
        item.report("must be \"hubspot\", \"slack\" or \"generic\"");
    }
    kind
}

fn post(item: &Item<'_>) -> Option<Effect> {
    let effect = Effect::parse(item.text()?).filter(|effect| *effect != Effect::Read);
    if effect.is_none() {
        item.report("must be \"repeatable\", \"keyed\" or \"unknown\"");
    }
    effect
}

fn check_credentials(table: &Table<'_>, kind: Kind, address: &Address, credentials: &Credentials) {
    match (address, credentials) {
        (Address::Secret(_), Credentials::None) => {}
        (Address::Secret(_), _) => table.report("has a secret url and credentials: keep one of them"),
        (Address::Base(_), Credentials::None) if kind != Kind::Generic => {
            table.report("needs credentials: add bearer = { env = \"…\" }");
        }
        (Address::Base(_), _) => {}
    }
}
