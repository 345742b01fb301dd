//! What the host itself tells the operator through a connection.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;

use super::route::Route;
use super::{Connections, Kind, OWN_ANSWER, exchange, slack};
use crate::action::{Code, Error, Failure};
use crate::incident::Message;

/// How long a message may take, answer included.
const TIMEOUT: Duration = Duration::from_secs(10);

impl Connections {
    /// Tells the operator of an incident: Slack gets a text, any other service a JSON document with `incident`,
    /// `state`, `text` and `since`.
    ///
    /// # Errors
    /// `not-found` for an unknown connection, `unsupported` for one that is no place for messages; else why the
    /// service didn't take it.
    pub async fn tell(&self, name: &str, message: &Message) -> Result<(), Error> {
        let route = self.route(name)?;
        let prepared = self.clients.of(route.reach()).post(route.url()).timeout(TIMEOUT);
        let prepared =
            route.prove(prepared).header(CONTENT_TYPE, "application/json").body(body(&route, message)?);
        let response = exchange::fetch(&route, prepared, OWN_ANSWER).await.map_err(Failure::into_error)?;
        if route.kind() == Kind::Slack {
            return slack::judge(name, response).map(|_| ());
        }
        match response.status {
            200..=299 => Ok(()),
            status => {
                let message = format!("`{name}` answered HTTP {status} to a message for the operator");
                Err(Error::new(Code::Unavailable, message))
            }
        }
    }
}

fn body(route: &Route, message: &Message) -> Result<String, Error> {
    match (route.kind(), route.is_secret_url()) {
        (Kind::Slack, true) => {
            Ok(json!({ "text": format!("*Chatplug* {}", escape(&message.text)) }).to_string())
        }
        (Kind::Generic, _) => Ok(json!({
            "incident": message.key.to_string(),
            "state": message.state.as_str(),
            "text": message.text,
            "since": Timestamp::from_millisecond(message.since_ms).unwrap_or_default().to_string(),
        })
        .to_string()),
        (Kind::Slack, false) | (Kind::Hubspot, _) => {
            let message = format!("`{}` is no place for messages to the operator", route.name());
            Err(Error::new(Code::Unsupported, message))
        }
    }
}

/// Slack reads three characters as markup; all others are what they are.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
