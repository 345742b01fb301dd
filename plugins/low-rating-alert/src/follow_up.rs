//! What is left in LiveChat: a tag and a note. Neither may stop an alert.

use chatplug_sdk::payload::ChatRated;
use chatplug_sdk::prelude::*;

use crate::message;
use crate::settings::Settings;

/// Tags the thread and leaves a note, as far as the settings want it and the thread is still active.
pub(crate) fn leave(rated: &ChatRated, chat: &Chat, settings: &Settings) {
    if settings.tag().is_none() && !settings.note {
        return;
    }
    if chat.thread.id != rated.thread_id || !chat.thread.active {
        info!(
            chat = rated.chat_id,
            thread = rated.thread_id,
            "the thread isn't active: skipped tag and note"
        );
        return;
    }
    if let Some(tag) = settings.tag() {
        report("tag", chats::tag(&rated.chat_id, &rated.thread_id, tag).once("tag").send());
    }
    if settings.note {
        report("note", chats::note(&rated.chat_id, message::note(rated)).once("note").send());
    }
}

fn report<T>(what: &str, result: Result<T, Error>) {
    match result {
        Ok(_) => info!("left the {what}"),
        Err(error) => warn!(code = error.code.as_str(), "the thread goes without its {what}: {error}"),
    }
}
