use super::address::Address;
use super::connection::{Connection, Kind};
use super::table::Table;
use crate::event::types::nearest;

/// `operator.notify`: the connection through which the operator is told of incidents.
pub(super) fn read(table: &mut Table<'_>, connections: &[(String, Option<Connection>)]) -> Option<String> {
    let item = table.take("notify")?;
    let name = item.text()?;
    let Some((_, connection)) = connections.iter().find(|(other, _)| other == name) else {
        let known = connections.iter().map(|(other, _)| other.as_str());
        let hint = match nearest(name, known) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("add [connections.{}], of kind \"slack\" or \"generic\"", name.escape_debug()),
        };
        item.report(format!("names no connection: there is no `{}`; {hint}", name.escape_debug()));
        return None;
    };
    // What is wrong with the connection itself was reported with it.
    let connection = connection.as_ref()?;
    match (connection.kind, &connection.address) {
        (Kind::Hubspot, _) => item.report(
            "names a connection of kind hubspot, where nobody reads messages: name one of kind \"slack\" or \"generic\"",
        ),
        (Kind::Slack, Address::Base(_)) => item.report(
            "names a connection to Slack's Web API, which doesn't say to which channel: name one with url = { env = \
             \"…\" }, the URL of an incoming webhook",
        ),
        (Kind::Slack, Address::Secret(_)) | (Kind::Generic, _) => return Some(name.to_owned()),
    }
    None
}
