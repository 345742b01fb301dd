//! The way out: the HTTP clients that the edges use for outside services, and the addresses that they reach.
//! What a name leads to is looked up once for each connection that is made, checked, and what was checked is what
//! is connected to.

use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Url};

mod address;
pub mod secret;
#[cfg(test)]
pub(crate) mod tests;

pub use address::Refused;

const USER_AGENT: &str = concat!("chatplug/", env!("CARGO_PKG_VERSION"));

/// Which addresses requests may go to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Those of the internet.
    #[default]
    Public,
    /// Those of this machine and of private networks, too (`allow_private = true`).
    Private,
}

impl Reach {
    /// The reach that `allow_private` stands for.
    pub fn new(allow_private: bool) -> Reach {
        if allow_private { Reach::Private } else { Reach::Public }
    }

    /// Whether requests may go to an address.
    ///
    /// # Errors
    /// What kind of address it is.
    pub fn check(self, address: IpAddr) -> Result<(), Refused> {
        match address::refusal(address) {
            Some(refused) if !(self == Reach::Private && refused.is_private) => Err(refused),
            _ => Ok(()),
        }
    }

    /// Whether requests may go to the host of a URL, as far as the URL itself says where that is: the client doesn't
    /// look addresses up. What a name leads to is checked when it is looked up.
    ///
    /// # Errors
    /// What kind of address it is.
    pub fn check_url(self, url: &Url) -> Result<(), Refused> {
        let host = url.host_str().unwrap_or_default();
        match host.trim_start_matches('[').trim_end_matches(']').parse() {
            Ok(address) => self.check(address),
            // RFC 6761: these names are this machine's.
            Err(_) if is_localhost(host) => self.check(Ipv4Addr::LOCALHOST.into()),
            Err(_) => Ok(()),
        }
    }
}

fn is_localhost(host: &str) -> bool {
    let name = host.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

/// A client that reaches so far. It follows no redirect and asks no proxy, whatever the environment says.
///
/// # Errors
/// The TLS library or the system's certificates.
pub fn client(reach: Reach) -> Result<Client, String> {
    builder(reach, Arc::new(system)).build().map_err(cause)
}

/// The clients of several services that reach differently far.
pub struct Clients {
    public: Client,
    private: Client,
}

impl Clients {
    /// Makes them.
    ///
    /// # Errors
    /// As [`client`].
    pub fn new() -> Result<Clients, String> {
        Ok(Clients { public: client(Reach::Public)?, private: client(Reach::Private)? })
    }

    /// The client that reaches so far, and no further. They share no connection.
    pub fn of(&self, reach: Reach) -> &Client {
        match reach {
            Reach::Public => &self.public,
            Reach::Private => &self.private,
        }
    }
}

/// The innermost cause of a failed request, which says more than the layers around it. The URL may be a secret and
/// stays out.
pub fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn builder(reach: Reach, lookup: Lookup) -> ClientBuilder {
    Client::builder()
        .user_agent(USER_AGENT)
        .redirect(Policy::none())
        .no_proxy()
        .dns_resolver(Guard { reach, lookup })
}

type Found = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;
type Lookup = Arc<dyn Fn(String) -> Found + Send + Sync>;

/// Looks names up for a client, and tells it the addresses only if it may go to all of them.
struct Guard {
    reach: Reach,
    lookup: Lookup,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, found) = (self.reach, (self.lookup)(name.as_str().to_owned()));
        Box::pin(async move {
            let addresses = found.await?;
            // One that may not be gone to is reason enough: the client would choose among them.
            addresses.iter().try_for_each(|address| reach.check(address.ip()))?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// Asks the system; the client puts the port in.
fn system(name: String) -> Found {
    Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
}
