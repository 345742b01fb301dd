//! Customers who write, and LiveChat, which posts each message of a chat until it is taken, or gives it up.

use std::time::Duration;

use anyhow::bail;
use chatplug::simulator::Livechat;
use fastrand::Rng;
use serde_json::Value;
use tokio::task::JoinSet;

use super::stage::Stage;
use crate::SECRET;

/// One of so many webhooks that were not taken at once is not sent again.
const GIVEN_UP: u32 = 8;

/// A chat and what its customer has said in it.
pub(super) struct Talk {
    pub(super) chat_id: String,
    /// Whether the host's user was in the chat from the start.
    pub(super) is_member: bool,
    /// The texts whose webhooks were answered 200.
    pub(super) answered: Vec<String>,
    number: usize,
    said: usize,
    /// The webhook that was posted and not answered 200 yet.
    open: Option<(String, Value)>,
    is_over: bool,
    rng: Rng,
}

impl Talk {
    pub(super) fn new(number: usize, chat_id: String, is_member: bool, rng: Rng) -> Talk {
        let (answered, open) = (Vec::new(), None);
        Talk { chat_id, is_member, answered, number, said: 0, open, is_over: false, rng }
    }

    /// Nothing more is said.
    pub(super) fn end(&mut self) {
        self.is_over = true;
    }

    /// Says some messages, each when the one before it was taken; until the host is gone.
    async fn say(&mut self, livechat: &Livechat, url: &str, messages: usize, span: Duration) {
        let pause = span / u32::try_from(messages.max(1)).unwrap_or(u32::MAX);
        for _ in 0..messages {
            if self.is_over && self.open.is_none() {
                return;
            }
            if !self.say_one(livechat, url).await {
                return;
            }
            // Messages come when they come: that of the host's end must fall anywhere in between.
            tokio::time::sleep(pause.mul_f64(self.rng.f64() * 2.0)).await;
        }
    }

    async fn say_one(&mut self, livechat: &Livechat, url: &str) -> bool {
        let open = self.open.take();
        let Some((text, body)) = open.or_else(|| self.next(livechat)) else { return false };
        if livechat.post(url, &body).await == Ok(200) {
            self.answered.push(text);
            return true;
        }
        if self.rng.u32(..GIVEN_UP) > 0 {
            self.open = Some((text, body));
        }
        false
    }

    fn next(&mut self, livechat: &Livechat) -> Option<(String, Value)> {
        self.said += 1;
        let text = format!("work {}-{}", self.number, self.said);
        let told = livechat.customer_says(&self.chat_id, &text).ok()?;
        let mut body = told.webhooks.into_iter().next()?;
        body["secret_key"] = SECRET.into();
        Some((text, body))
    }

    /// Posts what is left over.
    pub(super) async fn say_rest(&mut self, stage: &Stage) -> anyhow::Result<()> {
        self.end();
        let Some((text, body)) = self.open.take() else { return Ok(()) };
        match stage.livechat.post(&stage.host.url("/webhooks/livechat"), &body).await {
            Ok(200) => self.answered.push(text),
            other => bail!("{text} was answered {other:?}"),
        }
        Ok(())
    }
}

/// How many messages were said in all.
pub(super) fn said(talks: &[Talk]) -> usize {
    talks.iter().map(|talk| talk.said).sum()
}

/// Chats that go on while the host lives.
pub(super) struct Load(JoinSet<Talk>);

/// Has the chats go on: about `messages` each, within about `span`.
pub(super) fn start(talks: &mut Vec<Talk>, stage: &Stage, messages: usize, span: Duration) -> Load {
    let url = stage.host.url("/webhooks/livechat");
    let mut running = JoinSet::new();
    for mut talk in talks.drain(..) {
        let (livechat, url) = (stage.livechat.clone(), url.clone());
        running.spawn(async move {
            talk.say(&livechat, &url, messages, span).await;
            talk
        });
    }
    Load(running)
}

impl Load {
    /// Waits until the chats have noticed that the host is gone, or have said everything.
    pub(super) async fn stopped(mut self) -> anyhow::Result<Vec<Talk>> {
        let mut talks = Vec::new();
        while let Some(talk) = self.0.join_next().await {
            talks.push(talk?);
        }
        Ok(talks)
    }
}
