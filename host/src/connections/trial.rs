//! `chatplug connections test NAME`: a request that does no harm, and what its answer means.

use serde::Serialize;
use serde_json::Value;

use super::route::Route;
use super::{Kind, OWN_ANSWER, exchange, slack};
use crate::action::http::{Request, Response};
use crate::action::{Code, Error, Failure};

/// What came of testing a connection, in words for the operator. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// The connection's name.
    pub connection: String,
    /// Whether it can be used.
    pub works: bool,
    /// What was sent.
    pub tried: String,
    /// What came back.
    pub answer: String,
    /// What that means.
    pub meaning: String,
    /// What to do; `None` if it works.
    pub advice: Option<String>,
}

/// What an answer means: whether the connection works, what happened, what to do.
struct Verdict {
    works: bool,
    meaning: String,
    advice: Option<String>,
}

/// Tests a connection.
pub(super) async fn run(http: &reqwest::Client, route: &Route) -> Trial {
    let request = harmless(route);
    let answer = match prepared(http, route, &request) {
        Ok(prepared) => exchange::fetch(route, prepared, OWN_ANSWER).await.map_err(Failure::into_error),
        Err(error) => Err(error),
    };
    let verdict = match &answer {
        Ok(response) => verdict(route, response),
        Err(error) => broken(error.message.clone(), "check the connection's URL and the network"),
    };
    Trial {
        connection: route.name().to_owned(),
        works: verdict.works,
        tried: tried(route, &request),
        answer: answer.map_or_else(
            |error| format!("no answer ({})", error.code.as_str()),
            |response| came_back(&response),
        ),
        meaning: verdict.meaning,
        advice: verdict.advice,
    }
}

/// Whether the service takes the credentials; `None` if no harmless request would show it.
pub(super) async fn credentials(http: &reqwest::Client, route: &Route) -> Result<Option<()>, Error> {
    if route.kind() == Kind::Generic {
        return Ok(None);
    }
    let prepared = prepared(http, route, &harmless(route))?;
    let response = exchange::fetch(route, prepared, OWN_ANSWER).await.map_err(Failure::into_error)?;
    let refused = match (route.kind(), route.is_secret_url()) {
        // What the token may do is another question.
        (Kind::Hubspot, _) => matches!(response.status, 401 | 408 | 429 | 500..),
        (Kind::Slack, false) => slack::judge(route.name(), response.clone()).is_err_and(|error| {
            matches!(error.code, Code::Credentials | Code::RateLimited | Code::Unavailable)
        }),
        _ => !verdict(route, &response).works,
    };
    match refused {
        false => Ok(Some(())),
        true => Err(Error::new(Code::Credentials, verdict(route, &response).meaning)),
    }
}

fn harmless(route: &Route) -> Request {
    let (method, path, query, body) = match (route.kind(), route.is_secret_url()) {
        (Kind::Hubspot, _) => ("GET", "/crm/v3/objects/contacts", Some(("limit", "1")), None),
        (Kind::Slack, false) => ("POST", "/api/auth.test", None, None),
        // An empty message, which Slack refuses as such if it knows the URL.
        (Kind::Slack, true) => ("POST", "", None, Some("{}")),
        (Kind::Generic, _) => ("GET", "", None, None),
    };
    let json = ("content-type".to_owned(), "application/json".to_owned());
    Request {
        connection: route.name().to_owned(),
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        headers: body.map(|_| json).into_iter().collect(),
        body: body.map(|text| text.as_bytes().to_vec()),
        timeout_ms: None,
        effect: None,
    }
}

/// The one request without a path of its own below a base URL is the test of a generic connection.
fn prepared(
    http: &reqwest::Client,
    route: &Route,
    request: &Request,
) -> Result<reqwest::RequestBuilder, Error> {
    if route.kind() == Kind::Generic && !route.is_secret_url() {
        return Ok(exchange::get_base(http, route));
    }
    exchange::prepare(http, route, request, exchange::Added::default())
}

fn tried(route: &Route, request: &Request) -> String {
    let Request { method, path, query, .. } = request;
    if route.is_secret_url() {
        return format!("{method} to the secret URL");
    }
    let query = query.iter().map(|(name, value)| format!("?{name}={value}")).collect::<String>();
    format!("{method} {}{path}{query}", route.url().as_str().trim_end_matches('/'))
}

fn came_back(response: &Response) -> String {
    match slack::code(response) {
        Some(code) => format!("HTTP {} {code}", response.status),
        None => format!("HTTP {}, {} bytes", response.status, response.body.len()),
    }
}

fn verdict(route: &Route, response: &Response) -> Verdict {
    match (route.kind(), route.is_secret_url()) {
        (Kind::Hubspot, _) => hubspot(response),
        (Kind::Slack, false) => slack_token(route, response),
        (Kind::Slack, true) => slack_url(route, response),
        (Kind::Generic, _) => generic(response),
    }
}

fn hubspot(response: &Response) -> Verdict {
    match response.status {
        200 => works("HubSpot knows the token, and it may read contacts"),
        401 => broken(
            "HubSpot doesn't know the token",
            "put a valid token of a private app or a service key where `bearer` points",
        ),
        403 => broken(
            "HubSpot knows the token, but it may not read contacts",
            "give the app the scopes crm.objects.contacts.read and crm.objects.contacts.write",
        ),
        404 => broken("this is not HubSpot's API", "set base_url to https://api.hubapi.com"),
        status => by_status(status),
    }
}

fn slack_token(route: &Route, response: &Response) -> Verdict {
    let error = match slack::judge(route.name(), response.clone()) {
        Ok(_) => {
            let json: Value = serde_json::from_slice(&response.body).unwrap_or_default();
            let named = |key: &str| json[key].as_str().unwrap_or("?").escape_debug().to_string();
            return works(format!("Slack knows the token: user {} of {}", named("user"), named("team")));
        }
        Err(error) => error,
    };
    match error.code {
        Code::Denied | Code::Credentials => {
            broken(error.message, "put a valid bot token (xoxb-…) where `bearer` points")
        }
        Code::NotFound => broken("this is not Slack's Web API", "set base_url to https://slack.com"),
        Code::RateLimited | Code::Unavailable if !(200..400).contains(&response.status) => {
            by_status(response.status)
        }
        _ => broken(error.message, "check that base_url is https://slack.com"),
    }
}

fn slack_url(route: &Route, response: &Response) -> Verdict {
    match slack::code(response).as_deref() {
        Some("no_text" | "invalid_payload" | "missing_text_or_fallback_or_attachments") => {
            return works("Slack knows the URL; it refused the empty message, as it should");
        }
        _ if response.status == 200 && slack::judge(route.name(), response.clone()).is_ok() => {
            return works("Slack knows the URL and took the empty message");
        }
        _ => {}
    }
    match response.status {
        400 | 401 | 403 | 404 | 410 => broken(
            "Slack doesn't take messages at this URL: it was revoked, mistyped, or its channel is gone",
            "make a new incoming webhook in Slack and put its URL where `url` points",
        ),
        200..=399 => broken("this is not Slack", "put the URL of an incoming webhook where `url` points"),
        status => by_status(status),
    }
}

fn generic(response: &Response) -> Verdict {
    match response.status {
        200..=299 => works("the service can be reached"),
        300..=399 => broken(
            "the service redirects, which is not followed: credentials must not travel on",
            "set base_url to where it redirects to",
        ),
        401 | 403 => broken(
            "the service can be reached, but refuses the credentials, at least at its root",
            "check that the credential is valid and of the right kind",
        ),
        404 | 405 => {
            works("the service can be reached; it has nothing to read at its root, which is no fault")
        }
        status => by_status(status),
    }
}

fn by_status(status: u16) -> Verdict {
    match status {
        429 => broken("the service can be reached, but asks to wait", "try again in some minutes"),
        500.. => {
            broken("the service can be reached, but has a problem of its own", "try again in some minutes")
        }
        _ => broken(
            "the service can be reached, but did not like the request",
            "check kind and URL of the connection",
        ),
    }
}

fn works(meaning: impl Into<String>) -> Verdict {
    Verdict { works: true, meaning: meaning.into(), advice: None }
}

fn broken(meaning: impl Into<String>, advice: &str) -> Verdict {
    Verdict { works: false, meaning: meaning.into(), advice: Some(advice.to_owned()) }
}
