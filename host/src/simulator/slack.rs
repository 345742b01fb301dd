//! A Slack of one's own: an incoming webhook, and the Web API's `chat.postMessage`, `chat.update` and
//! `auth.test`.

mod message;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::server::{Reply, Request, Server, Service};
use super::{Faults, NotYet, Requests, locked};
use message::{Refused, check};

/// The bot token that the Web API knows.
pub const TOKEN: &str = "xoxb-simulated-token";
/// The one channel, which the bot is in.
pub const CHANNEL: &str = "C0123456789";
/// The path of the incoming webhook up to its secret.
const HOOK: &str = "/services/T00000001/B00000001/";
const HOOK_SECRET: &str = "simulatedsecret00000000x";

/// A message in the channel.
#[derive(Clone, Debug)]
pub struct Post {
    /// The message's id.
    pub ts: String,
    /// As it stands now.
    pub text: String,
    /// As they stand now; null without any.
    pub blocks: Value,
    /// Whether it came through the incoming webhook.
    pub by_webhook: bool,
    /// What it said before each update, text and blocks.
    pub earlier: Vec<(String, Value)>,
}

impl Post {
    /// All that the post says now: its text, and its blocks as JSON.
    pub fn content(&self) -> String {
        format!("{}\n{}", self.text, self.blocks)
    }
}

/// A running Slack. Clones are the same one; it ends with the last of them, or at [`Slack::stop`].
#[derive(Clone)]
pub struct Slack {
    state: Arc<Mutex<State>>,
    server: Server,
}

#[derive(Default)]
struct State {
    posts: Vec<Post>,
    /// Messages so far, deleted ones included.
    count: usize,
    violations: Vec<String>,
    is_archived: bool,
}

impl Slack {
    /// Starts one on a free port of this machine.
    ///
    /// # Errors
    /// No port could be opened.
    pub async fn start() -> io::Result<Slack> {
        let state = Arc::new(Mutex::new(State::default()));
        let server = Server::start(Api(state.clone()), Requests::of("Slack")).await?;
        Ok(Slack { state, server })
    }

    /// What to set as the connection's `base_url`, for the Web API: paths begin with `/api/`.
    pub fn base_url(&self) -> String {
        self.server.base_url()
    }

    /// The incoming webhook's URL, which is its own secret.
    pub fn webhook_url(&self) -> String {
        format!("{}{HOOK}{HOOK_SECRET}", self.base_url())
    }

    /// What was asked, in order. Operations: `webhook`, `chat.postMessage`, `chat.update`, `auth.test`.
    pub fn requests(&self) -> &Requests {
        &self.server.requests
    }

    /// What goes wrong, by operation.
    pub fn faults(&self) -> &Faults {
        &self.server.faults
    }

    /// From now on connections are refused.
    pub fn stop(&self) {
        self.server.stop();
    }

    /// The messages in the channel, oldest first.
    pub fn posts(&self) -> Vec<Post> {
        locked(&self.state).posts.clone()
    }

    /// What no client should ever send: unescaped mentions, too long texts. One sentence each.
    pub fn violations(&self) -> Vec<String> {
        locked(&self.state).violations.clone()
    }

    /// Archives the channel: nothing can be posted any more.
    pub fn archive(&self) {
        locked(&self.state).is_archived = true;
    }

    /// Deletes all messages, as people in the channel can.
    pub fn delete_posts(&self) {
        locked(&self.state).posts.clear();
    }

    /// Waits until `done`, which is asked again after each request.
    ///
    /// # Errors
    /// [`NotYet`] names `what` and lists the newest requests, when the time is over.
    pub async fn wait_for(
        &self,
        what: &str,
        within: Duration,
        done: impl Fn(&Slack) -> bool,
    ) -> Result<(), NotYet> {
        self.server.requests.wait_until(what, within, || done(self)).await
    }
}

struct Api(Arc<Mutex<State>>);

impl Service for Api {
    fn operation(&self, request: &Request) -> String {
        let operation = match request.path.strip_prefix("/api/") {
            Some(method) => method,
            None if request.path.starts_with("/services/") => "webhook",
            None => "unknown",
        };
        operation.to_owned()
    }

    fn answer(&self, operation: &str, request: &Request) -> Reply {
        let mut state = locked(&self.0);
        match operation {
            "webhook" => match state.webhook(request) {
                Ok(()) => Reply::text(200, "ok"),
                Err((status, code)) => Reply::text(status, code),
            },
            "unknown" => Reply::text(404, "no such path"),
            // A failure is a 200 too.
            method => Reply::json(200, &state.api(method, request).unwrap_or_else(failed)),
        }
    }

    fn failure(&self, operation: &str, status: u16) -> Reply {
        match (operation, status) {
            ("webhook", 401) => Reply::text(403, "invalid_token"),
            ("webhook", 429) => Reply::json(429, &json!({"ok": false, "error": "rate_limited"})),
            ("webhook", 500) => Reply::text(500, "rollup_error"),
            (_, 503) => Reply::text(503, "upstream connect error"),
            (_, 401) => Reply::json(200, &failed("invalid_auth")),
            (_, 429) => Reply::json(429, &failed("ratelimited")),
            (_, _) => Reply::json(200, &failed("internal_error")),
        }
    }

    fn shown_path(&self, path: &str) -> String {
        if path.starts_with("/services/") { "/services/T…/B…/…".to_owned() } else { path.to_owned() }
    }
}

fn failed(code: &'static str) -> Value {
    json!({"ok": false, "error": code})
}

impl State {
    fn webhook(&mut self, request: &Request) -> Result<(), (u16, &'static str)> {
        if request.method != "POST" {
            return Err((400, "invalid_payload"));
        }
        if request.path.strip_prefix(HOOK) != Some(HOOK_SECRET) {
            return Err((403, "invalid_token"));
        }
        let body = request.json().filter(Value::is_object).ok_or((400, "invalid_payload"))?;
        if self.is_archived {
            return Err((410, "channel_is_archived"));
        }
        self.check(&body).map_err(|code| (400, code))?;
        self.post(&body, true);
        Ok(())
    }

    fn api(&mut self, method: &str, request: &Request) -> Result<Value, &'static str> {
        match request.bearer() {
            None => return Err("not_authed"),
            Some(token) if token != TOKEN => return Err("invalid_auth"),
            Some(_) => {}
        }
        if method == "auth.test" {
            return Ok(json!({
                "ok": true, "team": "Shop", "team_id": "T00000001", "user": "chatplug", "bot_id": "B01",
            }));
        }
        let body = request.json().filter(Value::is_object).ok_or("invalid_json")?;
        if body["channel"] != CHANNEL {
            return Err("channel_not_found");
        }
        if self.is_archived {
            return Err("is_archived");
        }
        match method {
            "chat.postMessage" => {
                self.check(&body)?;
                Ok(answer(&self.post(&body, false)))
            }
            "chat.update" => self.update(&body),
            _ => Err("unknown_method"),
        }
    }

    /// A text without blocks takes the old blocks away.
    fn update(&mut self, body: &Value) -> Result<Value, &'static str> {
        let place = self.posts.iter().position(|post| body["ts"] == post.ts.as_str());
        let place = place.ok_or("message_not_found")?;
        if self.posts[place].by_webhook {
            return Err("cant_update_message");
        }
        self.check(body)?;
        let post = &mut self.posts[place];
        let text = body["text"].as_str().unwrap_or_default().to_owned();
        let before = std::mem::replace(&mut post.text, text);
        let blocks = std::mem::replace(&mut post.blocks, body["blocks"].clone());
        post.earlier.push((before, blocks));
        Ok(answer(post))
    }

    fn post(&mut self, body: &Value, by_webhook: bool) -> Post {
        self.count += 1;
        let post = Post {
            ts: format!("{}.{:06}", jiff::Timestamp::now().as_second(), self.count),
            text: body["text"].as_str().unwrap_or_default().to_owned(),
            blocks: body["blocks"].clone(),
            by_webhook,
            earlier: Vec::new(),
        };
        self.posts.push(post.clone());
        post
    }

    fn check(&mut self, body: &Value) -> Result<(), &'static str> {
        check(body).map_err(|Refused { code, violation }| {
            self.violations.extend(violation);
            code
        })
    }
}

fn answer(post: &Post) -> Value {
    json!({
        "ok": true, "channel": CHANNEL, "ts": post.ts,
        "message": {"type": "message", "text": post.text, "bot_id": "B01", "ts": post.ts},
    })
}
