//! Connections: named outside HTTP services. Plugins say what to ask of them; address and credentials are
//! the operator's, and stay in here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use secrecy::SecretString;

use crate::action::http::{self, Request, Response};
use crate::action::{BoxFuture, Code, Effect, Error, Failure, Origin};
use crate::delivery::DeliveryId;
use crate::egress::{Clients, Reach};

mod exchange;
mod headers;
mod notice;
pub mod path;
mod route;
mod slack;
#[cfg(test)]
mod tests;
mod trial;

pub use trial::Trial;

use exchange::{Added, TooLong};
use route::Route;

/// How long a request may take at most, answer included; the default, too.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// The longest answer to what the host sends by itself, bytes.
const OWN_ANSWER: (usize, TooLong) = (1 << 20, TooLong::Refused);

/// One connection, as the operator configured it.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its name in config and manifests.
    pub name: String,
    /// What speaks there.
    pub kind: Kind,
    /// Where.
    pub target: Target,
    /// What every request carries.
    pub credential: Credential,
    /// The effect of POST and PATCH where the plugin doesn't say.
    pub post: Effect,
    /// Which addresses it may lead to.
    pub reach: Reach,
}

/// What speaks at the other end: decides what counts as a failure, and how a connection is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// HubSpot's CRM API.
    Hubspot,
    /// Slack: its failures come with HTTP 200, too.
    Slack,
    /// Anything else.
    Generic,
}

/// The address of a connection.
#[derive(Clone, Debug)]
pub enum Target {
    /// Requests go below this URL.
    BaseUrl(String),
    /// The whole URL, which is the secret; requests have no path of their own.
    SecretUrl(SecretString),
}

/// How requests prove whose they are.
#[derive(Clone, Debug)]
pub enum Credential {
    /// They don't, or the URL does.
    None,
    /// `Authorization: Bearer …`
    Bearer(SecretString),
    /// `Authorization: Basic …`
    Basic {
        /// The user's name.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// A header of the service's own.
    Header {
        /// Its name.
        name: String,
        /// Its value.
        value: SecretString,
    },
}

/// Why connections can't be used as they are configured. Shows no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// One connection is wrong.
    #[error("connection `{connection}`: {problem}")]
    Connection {
        /// Its name.
        connection: String,
        /// What is wrong, and what to do.
        problem: &'static str,
    },
    /// The TLS library or the system's certificates.
    #[error("the HTTP client of the connections could not be set up: {0}")]
    Http(String),
}

/// All connections. They can be replaced while requests are on their way: those end on the old ones.
pub struct Connections {
    clients: Clients,
    routes: ArcSwap<Routes>,
}

type Routes = BTreeMap<String, Arc<Route>>;

impl Connections {
    /// Checks the connections; sends nothing yet.
    ///
    /// # Errors
    /// The first connection that no request can be built for.
    pub fn new(connections: Vec<Connection>) -> Result<Connections, SetupError> {
        let routes = ArcSwap::from_pointee(routes(connections)?);
        Ok(Connections { clients: Clients::new().map_err(SetupError::Http)?, routes })
    }

    /// Puts other connections in the place of these, all or, on an error, none of them.
    ///
    /// # Errors
    /// As [`Connections::new`].
    pub fn replace(&self, connections: Vec<Connection>) -> Result<(), SetupError> {
        self.routes.store(Arc::new(routes(connections)?));
        Ok(())
    }

    /// Sends a harmless request to a connection and says what its answer means.
    ///
    /// # Errors
    /// `not-found` for an unknown connection. A connection that doesn't work is no error but a [`Trial`].
    pub async fn test(&self, name: &str) -> Result<Trial, Error> {
        let route = self.route(name)?;
        Ok(trial::run(self.clients.of(route.reach()), &route).await)
    }

    /// Whether a service takes the credentials of its connection, by a harmless request; `None` if there is no
    /// request that would show it.
    ///
    /// # Errors
    /// It refuses them or says nothing; or `not-found` for an unknown connection.
    pub async fn check_credentials(&self, name: &str) -> Result<Option<()>, Error> {
        let route = self.route(name)?;
        trial::credentials(self.clients.of(route.reach()), &route).await
    }

    fn route(&self, name: &str) -> Result<Arc<Route>, Error> {
        self.routes.load().get(name).cloned().ok_or_else(|| {
            Error::new(
                Code::NotFound,
                format!("there is no connection `{name}`: add [connections.{name}] to the config"),
            )
        })
    }

    async fn exchange(&self, origin: &Origin, request: Request) -> Result<Response, Failure> {
        let route = self.route(&request.connection)?;
        let effect = effect(&route, &request)?;
        // What Slack did stands in the body: one that is cut says nothing.
        let too_long = match (effect, route.kind()) {
            (Effect::Read, _) | (_, Kind::Slack) => TooLong::Refused,
            _ => TooLong::Cut,
        };
        let key = match effect {
            Effect::Keyed => Some(origin.custom_id()),
            Effect::Read | Effect::Repeatable | Effect::LookedUp | Effect::Unknown => None,
        };
        let http = self.clients.of(route.reach());
        let prepared = exchange::prepare(http, &route, &request, Added::new(&route, origin, key))?;
        let started = Instant::now();
        let answer = exchange::fetch(&route, prepared, (origin.answer_bytes, too_long)).await;
        tracing::debug!(
            plugin = &*origin.plugin,
            delivery = %DeliveryId(origin.delivery),
            trace = %origin.trace,
            connection = route.name(),
            method = request.method,
            path = request.path,
            status = answer.as_ref().ok().map(|response| response.status),
            ms = started.elapsed().as_millis() as u64,
            "request to a connection"
        );
        judge(&route, origin, answer?)
    }
}

impl http::Connections for Connections {
    fn effect(&self, request: &Request) -> Result<Effect, Error> {
        effect(&*self.route(&request.connection)?, request)
    }

    fn send<'a>(&'a self, origin: &'a Origin, request: Request) -> BoxFuture<'a, Result<Response, Failure>> {
        Box::pin(self.exchange(origin, request))
    }
}

fn routes(connections: Vec<Connection>) -> Result<Routes, SetupError> {
    let mut routes = Routes::new();
    for connection in connections {
        let route = Route::new(connection)?;
        if let Some(twin) = routes.insert(route.name().to_owned(), Arc::new(route)) {
            return Err(twin.problem("is configured twice"));
        }
    }
    Ok(routes)
}

fn effect(route: &Route, request: &Request) -> Result<Effect, Error> {
    let Some(word) = &request.effect else {
        return Ok(match request.method.as_str() {
            "GET" | "HEAD" => Effect::Read,
            "PUT" | "DELETE" => Effect::Repeatable,
            _ => route.post(),
        });
    };
    Effect::parse(word).ok_or_else(|| {
        let known = "`read`, `repeatable`, `keyed` or `unknown`";
        Error::new(Code::Invalid, format!("`{}` is no effect; it is {known}", word.escape_debug()))
    })
}

/// What the plugin gets, with a line for the operator if the service refuses our credentials.
fn judge(route: &Route, origin: &Origin, response: Response) -> Result<Response, Failure> {
    let status = response.status;
    let judged = match route.kind() {
        Kind::Slack => slack::judge(route.name(), response),
        Kind::Hubspot | Kind::Generic => Ok(response),
    };
    let refused = judged.as_ref().is_err_and(|error| matches!(error.code, Code::Denied | Code::Credentials));
    if refused || status == 401 || status == 403 {
        let connection = route.name();
        tracing::warn!(
            plugin = &*origin.plugin,
            delivery = %DeliveryId(origin.delivery),
            trace = %origin.trace,
            connection,
            status,
            "the service refuses this connection's credentials: check that they are valid and allowed to do this \
             (`chatplug connections test {connection}`)"
        );
    }
    // Slack's own "something broke" may have posted all the same; an answer of others is judged by its status.
    judged.map_err(|error| match error.code {
        Code::Unavailable => Failure::Doubt(error),
        _ => Failure::Refused(error),
    })
}
