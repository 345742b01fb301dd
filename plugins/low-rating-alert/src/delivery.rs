//! One change of a rating, from the event to the channel.

use chatplug_sdk::payload::ChatRated;
use chatplug_sdk::prelude::*;

use crate::decision::{self, News};
use crate::message::{self, Message};
use crate::record::{Place, Post, Shown};
use crate::settings::Settings;
use crate::{follow_up, slack};

/// Attempts that wait for LiveChat before the alert goes out without the chat.
const PATIENCE: u32 = 3;

/// Tells the channel what is new, then follows up in LiveChat. Each step is remembered before the next
/// begins, so that an attempt that breaks off repeats none.
pub(crate) fn handle(event: &Event, rated: &ChatRated, settings: &Settings) -> Result<(), Failure> {
    let place = Place::of(rated);
    let known = place.load()?;
    let news = decision::news(rated, &settings.low, known.as_ref());
    let wants_follow_up =
        decision::is_low(rated, &settings.low) && known.as_ref().is_none_or(|record| !record.followed_up);
    if news.is_none() && !wants_follow_up {
        return Ok(());
    }
    let chat = read_chat(rated, event.attempt)?;
    let rated = &in_thread(rated, &chat);
    if settings.dry_run {
        say(news, rated, &chat, settings);
        return Ok(());
    }
    let mut record = known.unwrap_or_default();
    if let Some(news) = news {
        let message = message::alert(news, rated, &chat, settings.messages);
        record.post = tell(record.post, &message, settings)?;
        record.shown = Shown::from(rated);
        place.store(&record)?;
        info!(chat = rated.chat_id, thread = rated.thread_id, "told the channel: {news:?}");
    }
    if wants_follow_up {
        follow_up::leave(rated, &chat, settings);
        record.followed_up = true;
        place.store(&record)?;
    }
    Ok(())
}

/// Updates the post where that is possible, else posts.
fn tell(post: Option<Post>, message: &Message, settings: &Settings) -> Result<Option<Post>, Failure> {
    if let Some(post) = post
        && settings.channel.is_some()
        && slack::update(&post, message)?
    {
        return Ok(Some(post));
    }
    slack::post(settings.channel.as_deref(), message)
}

/// The rating with its thread: the chat's newest, where the webhook's format names none.
fn in_thread(rated: &ChatRated, chat: &Chat) -> ChatRated {
    let mut rated = rated.clone();
    if rated.thread_id.is_empty() {
        rated.thread_id.clone_from(&chat.thread.id);
    }
    rated
}

/// The chat with the rated thread. An alert without it is better than none, so only the first attempts wait
/// for a platform that doesn't answer.
fn read_chat(rated: &ChatRated, attempt: u32) -> Result<Chat, Failure> {
    let read = match rated.thread_id.as_str() {
        "" => chats::get(&rated.chat_id),
        thread_id => chats::get_thread(&rated.chat_id, thread_id),
    };
    let error = match read {
        Ok(chat) => return Ok(chat),
        Err(error) => error,
    };
    match Failure::from(error) {
        Failure::Retry(reason) if attempt <= PATIENCE => Err(Failure::Retry(reason)),
        failure => {
            warn!(chat = rated.chat_id, "the alert goes out without the chat: {failure}");
            Ok(Chat::default())
        }
    }
}

fn say(news: Option<News>, rated: &ChatRated, chat: &Chat, settings: &Settings) {
    let Some(news) = news else { return };
    info!(chat = rated.chat_id, thread = rated.thread_id, "dry run: would tell the channel: {news:?}");
    let message = message::alert(news, rated, chat, settings.messages);
    debug!("dry run: {}", message.blocks);
}
