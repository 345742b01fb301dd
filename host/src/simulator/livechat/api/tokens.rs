//! Issuing tokens: to a bot that knows its secret, and to an app for its refresh token.

use serde_json::{Map, Value, json};

use super::super::account::{Account, Credential, Requester};
use super::super::fields::Fields;
use super::super::refusal::Refusal;
use super::super::{BOT_ID, BOT_SECRET, CLIENT_ID, CLIENT_SECRET, ORGANIZATION_ID, PAT_OWNER, REFRESH_TOKEN};
use super::Answer;
use crate::simulator::server::Request;

/// Where access tokens are issued.
pub(super) const PATH: &str = "/v2/token";

pub(super) fn issue_bot_token(account: &mut Account, body: &Map<String, Value>) -> Answer {
    let mut fields = Fields::of(body);
    let known = [
        (fields.text("bot_id")?, BOT_ID),
        (fields.text("client_id")?, CLIENT_ID),
        (fields.text("bot_secret")?, BOT_SECRET),
        (fields.text("organization_id")?, ORGANIZATION_ID),
    ];
    fields.end()?;
    if known.iter().any(|(given, known)| given != known) {
        return Err(Refusal::authentication());
    }
    Ok(json!({ "token": issue(account, BOT_ID) }))
}

pub(super) fn refresh(account: &mut Account, request: &Request) -> Answer {
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let mut given: Vec<&str> = body.split('&').collect();
    given.sort_unstable();
    let expected = [
        format!("client_id={CLIENT_ID}"),
        format!("client_secret={CLIENT_SECRET}"),
        "grant_type=refresh_token".to_owned(),
        format!("refresh_token={REFRESH_TOKEN}"),
    ];
    if given != expected {
        return Err(Refusal::new(401, "invalid_grant", "the refresh token is not valid"));
    }
    let token = issue(account, PAT_OWNER);
    Ok(
        json!({"access_token": token, "expires_in": 28_800, "refresh_token": REFRESH_TOKEN, "token_type": "Bearer"}),
    )
}

fn issue(account: &mut Account, id: &str) -> String {
    account.count += 1;
    let token = format!("dal:issued-{}", account.count);
    let requester = Requester { id: id.to_owned(), client_id: CLIENT_ID.to_owned() };
    account.issued.push(Credential { header: format!("Bearer {token}"), requester });
    token
}
