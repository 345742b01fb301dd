use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use secrecy::{ExposeSecret, SecretString};

use super::item::Item;
use super::listen;
use super::secret::secret;
use super::table::Table;

/// A token that is shorter can be guessed.
const TOKEN_CHARS_MIN: usize = 16;

/// `[operator]`: the listener for those who run the host.
#[derive(Clone, Debug)]
pub struct Operator {
    /// The address that is listened on; port 0 takes a free one. Without a token it is of this machine only.
    pub listen: SocketAddr,
    /// Who has it may do everything. `None`: whoever is on this machine may.
    pub token: Option<SecretString>,
    /// Who has it may read.
    pub read_token: Option<SecretString>,
    /// The names by which the listener may be called, beside `localhost` and IP addresses; in lower case.
    pub hosts: Vec<String>,
}

const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8081);

pub(super) fn read(table: &mut Table<'_>) -> Operator {
    let address = table.take("listen");
    let (token, read_token) = (table.take("token"), table.take("read_token"));
    if let (Some(read_token), None) = (&read_token, &token) {
        read_token.report(
            "is set, but `operator.token` is not, and without it whoever is on this machine may change \
             everything: set token = { env = \"CHATPLUG_TOKEN\" } too",
        );
    }
    let listen = address.as_ref().and_then(listen).unwrap_or(LISTEN_DEFAULT);
    if let (Some(address), None) = (&address, &token)
        && !listen.ip().is_loopback()
    {
        address.report(
            "is reachable from other machines, and `operator.token` is not set: set token = { env = \
             \"CHATPLUG_TOKEN\" }, or listen on 127.0.0.1",
        );
    }
    let value = |item: &Option<Item<'_>>| item.as_ref().and_then(operator_token);
    let (secret, read_secret) = (value(&token), value(&read_token));
    if let (Some(item), Some(one), Some(other)) = (&read_token, &secret, &read_secret)
        && one.expose_secret() == other.expose_secret()
    {
        item.report("is the same as `operator.token`: who may only read needs a token of their own");
    }
    let hosts = table.take("hosts").map(|item| item.items()).unwrap_or_default();
    Operator {
        listen,
        token: secret,
        read_token: read_secret,
        hosts: hosts.iter().filter_map(host).collect(),
    }
}

fn operator_token(item: &Item<'_>) -> Option<SecretString> {
    let token = secret(item)?;
    if token.expose_secret().chars().count() < TOKEN_CHARS_MIN || !token.expose_secret().is_ascii() {
        item.report(format!(
            "is shorter than {TOKEN_CHARS_MIN} characters, or not ASCII: make one with `openssl rand -hex 24`"
        ));
        return None;
    }
    Some(token)
}

fn host(item: &Item<'_>) -> Option<String> {
    let name = item.text()?;
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    if name.is_empty() || !name.chars().all(word) {
        item.report("is no host name: write it without scheme and port, such as \"chatplug.example.com\"");
        return None;
    }
    Some(name.to_ascii_lowercase())
}
