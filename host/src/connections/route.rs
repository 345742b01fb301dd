//! A connection that was checked: what requests to it are built from.

use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::{RequestBuilder, Url};
use secrecy::{ExposeSecret, SecretString};

use super::headers::is_reserved;
use super::{Connection, Credential, Kind, SetupError, Target};
use crate::action::Effect;
use crate::egress::Reach;
use crate::egress::secret::{Known, basic_pair, joined};

/// A connection, checked. Has no `Debug` text, and what is secret of it is wiped with it: URL and header are made
/// for each request.
pub(super) struct Route {
    connection: Connection,
    credential: Option<(HeaderName, SecretString)>,
    known: Known,
}

impl Route {
    pub(super) fn new(connection: Connection) -> Result<Route, SetupError> {
        let wrong = |problem| SetupError::Connection { connection: connection.name.clone(), problem };
        let url = match &connection.target {
            Target::BaseUrl(text) => base_url(text).map_err(wrong)?,
            Target::SecretUrl(_) if connection.kind == Kind::Hubspot => {
                return Err(wrong("HubSpot's API has no secret URL: set base_url and bearer"));
            }
            Target::SecretUrl(text) => web_url(text.expose_secret()).map_err(wrong)?,
        };
        connection.reach.check_url(&url).map_err(|refused| wrong(refused.of_url()))?;
        let credential = header(&connection.credential).map_err(wrong)?;
        let known = known(&connection, &url);
        Ok(Route { credential, known, connection })
    }

    pub(super) fn name(&self) -> &str {
        &self.connection.name
    }

    pub(super) fn kind(&self) -> Kind {
        self.connection.kind
    }

    pub(super) fn reach(&self) -> Reach {
        self.connection.reach
    }

    pub(super) fn post(&self) -> Effect {
        self.connection.post
    }

    /// The base URL, or the secret one.
    pub(super) fn url(&self) -> Url {
        let text = match &self.connection.target {
            Target::BaseUrl(text) => text,
            Target::SecretUrl(text) => text.expose_secret(),
        };
        Url::parse(text).expect("it was checked when the route was made")
    }

    pub(super) fn is_secret_url(&self) -> bool {
        matches!(self.connection.target, Target::SecretUrl(_))
    }

    /// The header that carries the credential.
    pub(super) fn credential_name(&self) -> Option<&HeaderName> {
        self.credential.as_ref().map(|(name, _)| name)
    }

    /// Adds the credential to a request, marked as sensitive.
    pub(super) fn prove(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.credential {
            Some((name, value)) => {
                let value = sensitive(value).expect("it was checked when the route was made");
                request.header(name, value)
            }
            None => request,
        }
    }

    /// What the service knows of us and must not tell a plugin.
    pub(super) fn known(&self) -> &Known {
        &self.known
    }

    pub(super) fn problem(&self, problem: &'static str) -> SetupError {
        SetupError::Connection { connection: self.name().to_owned(), problem }
    }
}

fn base_url(text: &str) -> Result<Url, &'static str> {
    let url = web_url(text)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("base_url holds credentials: put them into `basic`");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("base_url must end before `?` and `#`; if the whole URL is a secret, set `url` instead");
    }
    Ok(url)
}

fn web_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "its URL is no URL; it looks like https://api.example.com")?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        _ => Err("its URL must begin with http:// or https://"),
    }
}

fn header(credential: &Credential) -> Result<Option<(HeaderName, SecretString)>, &'static str> {
    let Some((name, value)) = unchecked(credential)? else { return Ok(None) };
    sensitive(&value)?;
    Ok(Some((name, value)))
}

fn unchecked(credential: &Credential) -> Result<Option<(HeaderName, SecretString)>, &'static str> {
    match credential {
        Credential::None => Ok(None),
        Credential::Bearer(token) => Ok(Some((AUTHORIZATION, joined(["Bearer ", present(token)?])))),
        Credential::Basic { user, password } => {
            if user.contains(':') {
                return Err("the user of `basic` holds a colon, which Basic authentication can't carry");
            }
            let pair = basic_pair(user, present(password)?);
            Ok(Some((AUTHORIZATION, joined(["Basic ", pair.expose_secret()]))))
        }
        Credential::Header { name, value } => {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| "the name of its credential's header is no header name")?;
            if is_reserved(name.as_str()) && !super::headers::carries_credentials(name.as_str()) {
                return Err("its credential can't stand in a header that frames the message");
            }
            present(value)?;
            Ok(Some((name, value.clone())))
        }
    }
}

fn known(connection: &Connection, url: &Url) -> Known {
    let pair;
    let of_credential = match &connection.credential {
        Credential::None => vec![],
        Credential::Bearer(secret) | Credential::Header { value: secret, .. } => vec![secret.expose_secret()],
        Credential::Basic { user, password } => {
            pair = basic_pair(user, password.expose_secret());
            vec![password.expose_secret(), pair.expose_secret()]
        }
    };
    let of_url = match &connection.target {
        Target::BaseUrl(_) => vec![],
        Target::SecretUrl(text) => vec![text.expose_secret(), url.as_str(), url.path()],
    };
    Known::new(of_credential.into_iter().chain(of_url))
}

fn present(secret: &SecretString) -> Result<&str, &'static str> {
    match secret.expose_secret() {
        "" => Err("its credential is empty"),
        secret => Ok(secret),
    }
}

fn sensitive(text: &SecretString) -> Result<HeaderValue, &'static str> {
    let mut value = HeaderValue::from_str(text.expose_secret())
        .map_err(|_| "its credential holds a line break or another character that no header can carry")?;
    value.set_sensitive(true);
    Ok(value)
}
