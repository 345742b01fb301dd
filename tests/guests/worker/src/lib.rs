//! For each message: a note, a keyed request, a tag, a count in memory, and a second note, which says how far the
//! count has come. Each text names the message, so that one can count what was doubled and what is missing. What
//! fails is tried again, unless it is denied.

use chatplug_sdk::http::Effect;
use chatplug_sdk::payload::EventInChat;
use chatplug_sdk::prelude::*;

struct Worker;

impl Plugin for Worker {
    type Settings = ();

    fn manifest() -> Manifest {
        Manifest::new("worker", "1.0.0", "Does one of each kind of action for each message.")
            .on("incoming_event")
            .connection("ledger")
    }

    fn handle(event: Event, (): ()) -> Result<(), Failure> {
        let said: EventInChat = event.payload_as()?;
        let work = said.event.message().unwrap_or_default();
        // The webhooks of its own notes come back to it.
        if !work.starts_with("work ") {
            return Ok(());
        }
        act(&said.chat_id, &said.thread_id, work).map_err(|error| match error.code {
            ErrorCode::Denied => Failure::reject(error.to_string()),
            _ => Failure::retry(error.to_string()),
        })
    }
}

fn act(chat: &str, thread: &str, work: &str) -> Result<(), Error> {
    chats::note(chat, format!("first {work}")).once("first").send()?;
    let entry = json!({ "text": work });
    let request = http::post_json("ledger", "/entries", &entry).effect(Effect::Keyed);
    request.once("entry").send()?.success()?;
    chats::tag(chat, thread, "urgent").once("tag").send()?;
    let count = memory::increment(&format!("count/{chat}"), 1)?;
    chats::note(chat, format!("second {work} count {count}")).once("second").send()?;
    Ok(())
}

chatplug_sdk::plugin!(Worker);
