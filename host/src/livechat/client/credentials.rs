//! Whose calls the client makes.

use reqwest::header::HeaderValue;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::SetupError;
use crate::egress::secret::{Known, basic_pair, joined};

/// What LiveChat takes for an identity.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A personal access token; it acts with the role of the agent who made it.
    Pat {
        /// The account's id, shown beside the token: not an e-mail address, not the licence's number.
        account_id: String,
        /// The token.
        token: SecretString,
    },
    /// An OAuth access token or a bot's token.
    Bearer {
        /// The token.
        token: SecretString,
    },
    /// An OAuth app's: the host has access tokens issued.
    OAuth(OAuth),
    /// A bot's: the host has tokens issued, each for less than a day.
    Bot(Bot),
}

/// What access tokens are issued for.
#[derive(Clone, Debug)]
pub struct OAuth {
    /// The app's client id.
    pub client_id: String,
    /// The app's secret.
    pub client_secret: SecretString,
    /// A refresh token of a server-side app, which stays the same.
    pub refresh_token: SecretString,
    /// Where tokens are issued; [`TOKEN_URL`], but for a simulator.
    pub token_url: String,
}

/// What tokens are issued for.
#[derive(Clone, Copy)]
pub(super) enum Issuer<'a> {
    OAuth(&'a OAuth),
    Bot(&'a Bot),
}

/// Where the platform issues access tokens.
pub const TOKEN_URL: &str = "https://accounts.livechat.com/v2/token";

/// What a bot's tokens are issued for.
#[derive(Clone, Debug)]
pub struct Bot {
    /// The bot's id.
    pub id: String,
    /// The bot's secret, which LiveChat showed when it was created.
    pub secret: SecretString,
    /// The client id of the app that owns the bot.
    pub client_id: String,
    /// LiveChat's id of the organization.
    pub organization: String,
}

impl Credentials {
    /// What LiveChat knows of us and must not tell a plugin; `issued` is the token that was issued last.
    pub(super) fn known(&self, issued: Option<&SecretString>) -> Known {
        let issued = issued.map(ExposeSecret::expose_secret);
        match self {
            Credentials::OAuth(OAuth { client_secret, refresh_token, .. }) => {
                let fixed = [client_secret, refresh_token].map(ExposeSecret::expose_secret);
                Known::new(fixed.into_iter().chain(issued))
            }
            Credentials::Bot(Bot { secret, .. }) => {
                Known::new([secret.expose_secret()].into_iter().chain(issued))
            }
            Credentials::Pat { account_id, token } => {
                let pair = basic_pair(account_id, token.expose_secret());
                Known::new([token.expose_secret(), pair.expose_secret()])
            }
            Credentials::Bearer { token } => Known::new([token.expose_secret()]),
        }
    }

    /// The value of the header `Authorization`, marked as sensitive. It is made for each request: what is kept is
    /// wiped in the end, which this can't be.
    pub(super) fn header(&self) -> Result<HeaderValue, SetupError> {
        match self {
            Credentials::Pat { account_id, token } => value(&basic(account_id, token)?),
            Credentials::Bearer { token } => bearer_header(token),
            Credentials::OAuth(_) | Credentials::Bot(_) => Err(token_problem("is not issued yet")),
        }
    }

    /// What the host has tokens issued for, if it has.
    pub(super) fn issuer(&self) -> Option<Issuer<'_>> {
        match self {
            Credentials::OAuth(oauth) => Some(Issuer::OAuth(oauth)),
            Credentials::Bot(bot) => Some(Issuer::Bot(bot)),
            Credentials::Pat { .. } | Credentials::Bearer { .. } => None,
        }
    }

    /// Whether a request can be made with them, as far as that can be known before.
    pub(super) fn check(&self) -> Result<(), SetupError> {
        let problem = |key, problem| Err(SetupError::Credential { key, problem });
        match self {
            Credentials::OAuth(OAuth { client_secret, refresh_token, .. })
                if client_secret.expose_secret().is_empty() || refresh_token.expose_secret().is_empty() =>
            {
                problem("oauth", "has an empty secret")
            }
            Credentials::Bot(Bot { secret, .. }) if secret.expose_secret().is_empty() => {
                problem("bot", "has an empty secret")
            }
            Credentials::OAuth(_) | Credentials::Bot(_) => Ok(()),
            Credentials::Pat { .. } | Credentials::Bearer { .. } => self.header().map(|_| ()),
        }
    }

    /// The region that an OAuth token names in front of its first colon.
    pub(super) fn region(&self) -> Option<&'static str> {
        let Credentials::Bearer { token } = self else { return None };
        region_of(token)
    }

    /// What to check when LiveChat doesn't know who we are.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Credentials::Pat { .. } => {
                "check that livechat.account_id is the account's id (not its e-mail address) and that \
                 livechat.token is a personal access token of that account which has not been revoked"
            }
            Credentials::Bearer { .. } => {
                "the token has expired or was revoked: put a new one where livechat.token points"
            }
            Credentials::OAuth(_) => {
                "LiveChat refused a token that it had just issued: check livechat.oauth, and whether the app is still \
                 installed"
            }
            Credentials::Bot(_) => {
                "LiveChat refused a token that it had just issued: check whether the bot of livechat.bot still exists"
            }
        }
    }
}

/// The data centre that an OAuth token names in front of its first colon.
pub(super) fn region_of(token: &SecretString) -> Option<&'static str> {
    let token = token.expose_secret();
    ["dal", "fra"].into_iter().find(|region| {
        token.strip_prefix(region).is_some_and(|rest| rest.starts_with(':') || rest.starts_with("%3A"))
    })
}

/// The header for a token.
pub(super) fn bearer_header(token: &SecretString) -> Result<HeaderValue, SetupError> {
    value(&bearer(token)?)
}

fn value(text: &SecretString) -> Result<HeaderValue, SetupError> {
    let mut value = HeaderValue::from_str(text.expose_secret())
        .map_err(|_| token_problem("holds a line break or another character that no token has"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn basic(account_id: &str, token: &SecretString) -> Result<SecretString, SetupError> {
    if account_id.is_empty() || account_id.contains(':') {
        return Err(SetupError::Credential {
            key: "account_id",
            problem: "is empty or holds a colon; it is the account's id, shown beside the token",
        });
    }
    let token = present(token)?;
    if token.contains(|c: char| c.is_ascii_control()) {
        return Err(token_problem("holds a line break or another character that no token has"));
    }
    Ok(joined(["Basic ", basic_pair(account_id, token).expose_secret()]))
}

fn bearer(token: &SecretString) -> Result<SecretString, SetupError> {
    // Tokens that were copied out of a redirect's URL still have their colon encoded.
    let token = Zeroizing::new(present(token)?.replace("%3A", ":"));
    Ok(joined(["Bearer ", &token]))
}

fn present(token: &SecretString) -> Result<&str, SetupError> {
    match token.expose_secret() {
        "" => Err(token_problem("is empty")),
        token => Ok(token),
    }
}

fn token_problem(problem: &'static str) -> SetupError {
    SetupError::Credential { key: "token", problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pat(account_id: &str, token: &str) -> Credentials {
        Credentials::Pat { account_id: account_id.to_owned(), token: token.into() }
    }

    fn bearer(token: &str) -> Credentials {
        Credentials::Bearer { token: token.into() }
    }

    #[test]
    fn a_token_becomes_the_header_that_its_kind_needs() {
        let check = |credentials: Credentials, expected: &str| {
            let header = credentials.header().expect("a header");
            assert!(header.is_sensitive());
            assert_eq!(header.to_str().expect("text"), expected);
        };
        check(pat("acc", "s3cret"), "Basic YWNjOnMzY3JldA==");
        check(bearer("fra:abc"), "Bearer fra:abc");
        check(bearer("fra%3Aabc"), "Bearer fra:abc");
    }

    #[test]
    fn what_cannot_be_sent_is_refused_without_showing_it() {
        for credentials in [
            pat("", "s3cret"),
            pat("a:b", "s3cret"),
            pat("acc", ""),
            pat("acc", "s3cret\n"),
            bearer(""),
            bearer("s3cret\r\nX: y"),
        ] {
            let error = credentials.header().expect_err("refused");
            assert!(!error.to_string().contains("s3cret"), "{error}");
            assert!(!format!("{credentials:?}").contains("s3cret"));
        }
    }

    #[test]
    fn the_region_stands_in_front_of_an_oauth_token() {
        assert_eq!(bearer("fra:abc").region(), Some("fra"));
        assert_eq!(bearer("dal%3Aabc").region(), Some("dal"));
        assert_eq!(bearer("frankly").region(), None);
        assert_eq!(pat("acc", "fra:abc").region(), None);
    }
}
