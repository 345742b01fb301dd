//! Files that plugins published: shown to operators, and each to whoever has a link to it. What they hold is the
//! plugins', so a browser gets them in a way in which they can do nothing.

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::header::{
    AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, REFRESH,
};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::asked::{Body, Problem, body, query};
use super::{Answer, App, Caller, Operator, access, outdated};
use crate::action::files::MediaType;
use crate::scheduler::account_zone;
use crate::store::{FileContent, FileSummary, FileToken, FileVersion};

/// The name of the file that is shown at `/dashboard`, whichever plugin publishes it.
const DASHBOARD: &str = "dashboard.json";

/// A page may load itself again, which counts as something that scripts do: the sandbox allows them, so that it works,
/// and `default-src` forbids them. It keeps its origin, else loading itself again would look like another site's doing.
/// No policy can say that it goes nowhere else: a page that could is not published.
const PAGE: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; \
                    frame-ancestors 'none'; sandbox allow-scripts allow-same-origin";
/// Everything else is only looked at.
const NO_PAGE: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";

/// A screen on a wall that was told to come again later does so after this many seconds by itself.
const COME_AGAIN: &str = "30";

/// A request is made by a link: it may see the newest version of this one file.
#[derive(Clone)]
pub(super) struct Linked;

/// How a file is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    version: Option<i64>,
    token: Option<String>,
}

/// Whether a request brings the token of a link: then it is let in by that or not at all.
pub(super) fn is_by_link(method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
        && file_of(uri).is_some()
        && !headers.contains_key(AUTHORIZATION)
        && query::<Asked>(uri).is_ok_and(|asked| asked.token.is_some())
}

/// Whether the link is good.
///
/// # Errors
/// What is wrong with it.
pub(super) async fn check_link(operator: &Operator, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    access::check_host(&operator.shown.config.load().operator, headers)?;
    let asked: Asked = query(uri)?;
    let (Some((plugin, name)), Some(token)) = (file_of(uri), asked.token) else {
        return Err(Problem::not_found("this is no link to a file"));
    };
    if !operator.shown.store.is_file_token(plugin, name, &token).await? {
        let text = "the link does not hold: `chatplug files token` makes another one";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", text));
    }
    if asked.version.is_some() {
        let text = "a link shows the newest version only: leave `version` out";
        return Err(Problem::new(StatusCode::FORBIDDEN, "newest-only", text));
    }
    Ok(())
}

/// Plugin and name of the file at an address.
fn file_of(uri: &Uri) -> Option<(&str, &str)> {
    let (plugin, name) = uri.path().strip_prefix("/files/")?.split_once('/')?;
    (!name.contains('/')).then_some((plugin, name))
}

/// Has a screen that can't be served now come again by itself.
pub(super) fn come_again(response: &mut Response) {
    let status = response.status();
    if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::NOT_FOUND || status.is_server_error()
    {
        response.headers_mut().insert(REFRESH, HeaderValue::from_static(COME_AGAIN));
    }
}

pub(super) async fn list(State(operator): App) -> Answer<Vec<FileSummary>> {
    Ok(Json(operator.query(|reader| reader.files(None)).await?))
}

pub(super) async fn show(
    State(operator): App,
    Path((plugin, name)): Path<(String, String)>,
    uri: Uri,
    linked: Option<Extension<Linked>>,
) -> Result<Response, Problem> {
    let Asked { version, token } = query(&uri)?;
    if token.is_some() && linked.is_none() {
        return Err(Problem::invalid("either a link's `token` or an operator's Authorization, not both"));
    }
    let missing = not_published(&plugin, &name);
    let file = operator.query(move |reader| reader.file(&plugin, &name, version)).await?;
    let mut file = file.ok_or(missing)?;
    // Who asks for an older version knows that it is one.
    if version.is_none() {
        let zone = account_zone(&operator.shown.config.load());
        let now = operator.shown.store.clock().now_ms();
        outdated::mark(&mut file, Timestamp::from_millisecond(now).unwrap_or_default(), &zone);
    }
    Ok(shown(file))
}

pub(super) async fn history(
    State(operator): App,
    Path((plugin, name)): Path<(String, String)>,
) -> Answer<Vec<FileVersion>> {
    let missing = not_published(&plugin, &name);
    let versions = operator.query(move |reader| reader.file_versions(&plugin, &name)).await?;
    if versions.is_empty() { Err(missing) } else { Ok(Json(versions)) }
}

pub(super) async fn dashboard(State(operator): App) -> Result<Response, Problem> {
    let file = operator.query(|reader| reader.newest_file(DASHBOARD)).await?;
    let missing = || Problem::not_found(format!("no plugin has published {DASHBOARD} yet; queue-watch does"));
    Ok(shown(file.ok_or_else(missing)?))
}

/// How many links there were.
#[derive(Serialize)]
pub(super) struct Revoked {
    revoked: u64,
}

/// Nothing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

pub(super) async fn make_token(
    State(operator): App,
    Extension(Caller(who)): Extension<Caller>,
    Path((plugin, name)): Path<(String, String)>,
    sent: Body,
) -> Answer<FileToken> {
    let Nothing {} = body(sent)?;
    let now_ms = operator.shown.store.clock().now_ms();
    match operator.shown.store.make_file_token(&plugin, &name, who, now_ms).await? {
        FileToken::NoFile => Err(not_published(&plugin, &name)),
        FileToken::TooMany(there) => {
            let text = format!("there are {there} links to the file: revoke them first");
            Err(Problem::new(StatusCode::CONFLICT, "conflict", text))
        }
        made => Ok(Json(made)),
    }
}

pub(super) async fn revoke(
    State(operator): App,
    Extension(Caller(who)): Extension<Caller>,
    Path((plugin, name)): Path<(String, String)>,
    sent: Body,
) -> Answer<Revoked> {
    let Nothing {} = body(sent)?;
    let now_ms = operator.shown.store.clock().now_ms();
    let revoked = operator.shown.store.revoke_file_tokens(&plugin, &name, who, now_ms).await?;
    Ok(Json(Revoked { revoked }))
}

fn not_published(plugin: &str, name: &str) -> Problem {
    let (plugin, name) = (plugin.escape_debug(), name.escape_debug());
    Problem::not_found(format!("`{plugin}` has published no `{name}`, or no such version is kept"))
}

fn shown(file: FileContent) -> Response {
    let media_type = MediaType::of(&file.name).unwrap_or(MediaType::Text);
    let (kind, policy) = match media_type {
        MediaType::Csv => ("text/csv; charset=utf-8", NO_PAGE),
        MediaType::Json => ("application/json", NO_PAGE),
        MediaType::Html => ("text/html; charset=utf-8", PAGE),
        MediaType::Text => ("text/plain; charset=utf-8", NO_PAGE),
    };
    let mut response = file.content.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    if media_type == MediaType::Csv {
        let saved = format!("attachment; filename=\"{}\"", file.name);
        let saved =
            HeaderValue::from_str(&saved).expect("names of files have letters, digits and three signs");
        headers.insert(CONTENT_DISPOSITION, saved);
    }
    response
}
