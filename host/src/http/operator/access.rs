//! Who may do what. A page in a browser on the operator's machine can send requests here, too: it is told by
//! the name that it called, by its origin, and by what it can't add without being asked first.

use std::net::IpAddr;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::asked::Problem;
use crate::config::Operator;

/// What a caller without a token adds to a change, with its name; no page of another site can.
const CLIENT: &str = "x-chatplug-client";
const CLIENT_CHARS_MAX: usize = 64;

/// How a caller proved itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    Token,
    ReadToken,
    Loopback,
}

/// Whether a request may be made; answers who makes it, for the audit log.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(
    operator: &Operator,
    peer: IpAddr,
    method: &Method,
    headers: &HeaderMap,
) -> Result<String, Problem> {
    check_site(operator, headers)?;
    let proof = prove(operator, peer, headers)?;
    if !matches!(*method, Method::GET | Method::HEAD) {
        check_change(proof, headers)?;
    }
    let proof = match proof {
        Proof::Token => "token",
        Proof::ReadToken => "read token",
        Proof::Loopback => "loopback",
    };
    Ok(match client(headers) {
        Some(client) => format!("api:{proof} {peer} ({client})"),
        None => format!("api:{proof} {peer}"),
    })
}

fn cross_site(text: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "cross-site", text)
}

/// Refuses what calls the listener by a name that isn't its own; answers the name.
pub(super) fn check_host(operator: &Operator, headers: &HeaderMap) -> Result<Authority, Problem> {
    let host = only(headers, HOST.as_str()).and_then(|host| host.parse::<Authority>().ok());
    let host = host.ok_or_else(|| cross_site("the request has no usable Host header"))?;
    let name = host.host().to_ascii_lowercase();
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok() || name == "localhost" || operator.hosts.contains(&name) {
        return Ok(host);
    }
    Err(cross_site("the Host header has a name that is neither localhost nor in `hosts` of [operator]"))
}

/// Refuses what a page of another site makes a browser send.
fn check_site(operator: &Operator, headers: &HeaderMap) -> Result<(), Problem> {
    let refuse = |text: &str| Err(cross_site(text));
    let host = check_host(operator, headers)?;
    if headers.contains_key(ORIGIN) {
        let origin = only(headers, ORIGIN.as_str()).unwrap_or_default();
        let own = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        if !own.is_some_and(|own| own.eq_ignore_ascii_case(host.as_str())) {
            return refuse("the request comes from a page of another site");
        }
    }
    if headers.contains_key("sec-fetch-site") {
        let site = only(headers, "sec-fetch-site").unwrap_or_default();
        if !matches!(site, "same-origin" | "none") {
            return refuse("the request comes from a page of another site");
        }
    }
    Ok(())
}

fn prove(operator: &Operator, peer: IpAddr, headers: &HeaderMap) -> Result<Proof, Problem> {
    let refuse = |text: &str| Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", text));
    if headers.contains_key(AUTHORIZATION) {
        let given = only(headers, AUTHORIZATION.as_str()).and_then(|value| value.strip_prefix("Bearer "));
        // Both are compared in any case: the time that it takes says nothing.
        let is = |token: &Option<SecretString>| is_same(given.unwrap_or_default(), token.as_ref());
        return match (is(&operator.token), is(&operator.read_token)) {
            (true, _) => Ok(Proof::Token),
            (_, true) => Ok(Proof::ReadToken),
            _ => refuse("the token is none of [operator]"),
        };
    }
    if operator.token.is_some() || operator.read_token.is_some() {
        return refuse(
            "a token is needed: Authorization: Bearer …, with `token` or `read_token` of [operator]",
        );
    }
    let is_forwarded = headers.contains_key("x-forwarded-for") || headers.contains_key("forwarded");
    if !peer.to_canonical().is_loopback() || is_forwarded {
        return refuse("without a token only this machine itself is let in: set `token` under [operator]");
    }
    Ok(Proof::Loopback)
}

fn check_change(proof: Proof, headers: &HeaderMap) -> Result<(), Problem> {
    if proof == Proof::ReadToken {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "read-only",
            "the read token may not change anything",
        ));
    }
    let kind = only(headers, CONTENT_TYPE.as_str()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let text = "a change has a body with Content-Type: application/json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "no-json", text));
    }
    if proof == Proof::Loopback && client(headers).is_none() {
        let text = "a change without a token needs the header X-Chatplug-Client with the name of the client";
        return Err(Problem::new(StatusCode::FORBIDDEN, "no-client", text));
    }
    Ok(())
}

/// What the caller calls itself.
fn client(headers: &HeaderMap) -> Option<&str> {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.' | '/' | '@');
    only(headers, CLIENT)
        .filter(|name| !name.is_empty() && name.len() <= CLIENT_CHARS_MAX && name.chars().all(word))
}

/// The value of a header that is there and only one time.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn is_same(given: &str, token: Option<&SecretString>) -> bool {
    let Some(token) = token else { return false };
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    digest(given).ct_eq(&digest(token.expose_secret())).into()
}
