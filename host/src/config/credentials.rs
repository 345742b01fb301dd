use reqwest::header::HeaderName;
use secrecy::SecretString;

use super::item::Item;
use super::secret::{identifier, secret, spaced_secret};
use super::table::Table;

/// How the host proves itself to a connection.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// Not at all, or by the secret URL.
    None,
    /// `Authorization: Bearer …`.
    Bearer(SecretString),
    /// `Authorization: Basic …`.
    Basic {
        /// The name.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// A header of the service's own.
    Header {
        /// The header's name, lower case.
        name: String,
        /// The header's value.
        value: SecretString,
    },
}

pub(super) fn read(table: &mut Table<'_>) -> Option<Credentials> {
    let (bearer, basic, header) = (table.take("bearer"), table.take("basic"), table.take("header"));
    match (bearer, basic, header) {
        (None, None, None) => Some(Credentials::None),
        (Some(item), None, None) => secret(&item).map(Credentials::Bearer),
        (None, Some(item), None) => self::basic(item.table()?),
        (None, None, Some(item)) => self::header(item.table()?),
        _ => {
            table.report("has more than one of bearer, basic and header: keep one");
            None
        }
    }
}

fn basic(mut table: Table<'_>) -> Option<Credentials> {
    let (user, password) = (table.take("user"), table.take("password"));
    if user.is_none() || password.is_none() {
        table.report("needs user = \"…\" and password = { env = \"…\" }");
    }
    table.finish();
    let (user, password) = (user.map(|item| identifier(&item)), password.map(|item| spaced_secret(&item)));
    Some(Credentials::Basic { user: user??, password: password?? })
}

fn header(mut table: Table<'_>) -> Option<Credentials> {
    let (name, value) = (table.take("name"), table.take("value"));
    if name.is_none() || value.is_none() {
        table.report("needs name = \"X-Api-Key\" (or another header) and value = { env = \"…\" }");
    }
    table.finish();
    let (name, value) = (name.map(|item| header_name(&item)), value.map(|item| spaced_secret(&item)));
    Some(Credentials::Header { name: name??, value: value?? })
}

// They belong to the transport; a request with one of them would be misread or refused.
const TRANSPORT_HEADERS: &[&str] =
    &["connection", "content-length", "content-type", "host", "transfer-encoding", "upgrade"];

fn header_name(item: &Item<'_>) -> Option<String> {
    match HeaderName::from_bytes(item.text()?.as_bytes()) {
        Ok(name) if !TRANSPORT_HEADERS.contains(&name.as_str()) => Some(name.as_str().to_owned()),
        Ok(_) => {
            item.report(
                "is a header that the host sets itself: name the one that the service reads a key from",
            );
            None
        }
        Err(_) => {
            item.report("is no name of a header");
            None
        }
    }
}
