use chatplug_sdk::objects::{Chat, ChatEvent, ChatEventKind, Customer, Queue, Targets, Thread, User};
use chatplug_sdk::payload::{
    AccessUpdated, ChatDeactivated, ChatRated, ChatTransferred, EventDeleted, EventInChat, EventsSeen,
    IncomingChat, PostbackInChat, PropertiesDeleted, PropertiesUpdated, SessionFieldsUpdated, SummarySet,
    Tagged, UserAdded, UserRemoved,
};

use super::line::{Line, Shown};

impl Shown for IncomingChat {
    fn show(&self, line: Line) -> Line {
        let line = self.chat.show(line).maybe("by", self.requester_id.as_ref());
        match &self.transferred_from {
            Some(from) => targets(line, from),
            None => line,
        }
    }
}

impl Shown for Chat {
    fn show(&self, line: Line) -> Line {
        let line = line.with("chat", &self.id);
        let line = self.thread.show(line);
        let line = match self.customer() {
            Some(customer) => customer.show(line),
            None => line,
        };
        line.list("agents", self.agents().filter_map(|agent| agent.name.as_ref()))
            .list("groups", &self.access.group_ids)
            .maybe("pinned", self.properties.get("routing", "pinned"))
    }
}

impl Shown for Thread {
    fn show(&self, line: Line) -> Line {
        let said = |event: &ChatEvent| format!("{}:{}", event.kind, event.visibility);
        let line = line
            .with("thread", &self.id)
            .with("active", self.active)
            .list("said", self.events.iter().map(said))
            .list("tags", &self.tags)
            .maybe("start", self.properties.text("routing", "start_url"));
        queue(line, self.queue.as_ref())
    }
}

impl Shown for Customer {
    fn show(&self, line: Line) -> Line {
        line.maybe("customer", self.name.as_ref())
            .maybe("email", self.email.as_ref())
            .maybe("order", self.session_field("order"))
            .list("pages", self.visit.last_pages.iter().map(|page| &page.url))
            .maybe("chats", self.statistics["chats_count"].as_i64())
    }
}

impl Shown for ChatDeactivated {
    fn show(&self, line: Line) -> Line {
        place(line, &self.chat_id, &self.thread_id).maybe("by", self.user_id.as_ref())
    }
}

impl Shown for ChatRated {
    fn show(&self, line: Line) -> Line {
        place(line, &self.chat_id, &self.thread_id)
            .with("change", format!("{:?}", self.change))
            .maybe("score", self.score)
            .with("scale", format!("{:?}", self.scale))
            .maybe("comment", self.comment.as_ref())
            .maybe("before", self.previous.score)
    }
}

impl Shown for ChatTransferred {
    fn show(&self, line: Line) -> Line {
        let line = in_chat(line, &self.chat_id, self.thread_id.as_deref()).with("reason", &self.reason);
        let line = targets(line, &self.transferred_to).maybe("by", self.requester_id.as_ref());
        queue(line, self.queue.as_ref())
    }
}

impl Shown for UserAdded {
    fn show(&self, line: Line) -> Line {
        let line = in_chat(line, &self.chat_id, self.thread_id.as_deref());
        let line = match &self.user {
            User::Agent(agent) => line.with("agent", &agent.id).maybe("name", agent.name.as_ref()),
            User::Customer(customer) => customer.show(line),
            other => line.with("other", format!("{other:?}")),
        };
        line.maybe("reason", self.reason.as_ref()).maybe("by", self.requester_id.as_ref())
    }
}

impl Shown for UserRemoved {
    fn show(&self, line: Line) -> Line {
        in_chat(line, &self.chat_id, self.thread_id.as_deref())
            .with("user", &self.user_id)
            .maybe("reason", self.reason.as_ref())
            .maybe("by", self.requester_id.as_ref())
    }
}

impl Shown for EventInChat {
    fn show(&self, line: Line) -> Line {
        self.event.show(place(line, &self.chat_id, &self.thread_id))
    }
}

impl Shown for ChatEvent {
    fn show(&self, line: Line) -> Line {
        let line = line
            .with("event", &self.id)
            .with("kind", &self.kind)
            .with("seen", &self.visibility)
            .maybe("by", self.author_id.as_ref());
        match &self.kind {
            ChatEventKind::Message => line.maybe("text", self.text.as_ref()),
            ChatEventKind::File => line.maybe("name", self.name.as_ref()).maybe("url", self.url.as_ref()),
            ChatEventKind::Form => line.list("asks", self.fields.iter().map(|field| &field.label)),
            ChatEventKind::FilledForm => {
                line.list("answers", self.fields.iter().map(|field| field.answer_text()))
            }
            ChatEventKind::RichMessage => line
                .maybe("template", self.template_id.as_ref())
                .maybe("title", self.elements[0]["title"].as_str()),
            ChatEventKind::Custom => line.with("content", &self.content),
            ChatEventKind::SystemMessage => line.maybe("says", self.system_message_type.as_ref()),
            ChatEventKind::System => {
                line.maybe("about", self.subtype.as_ref()).maybe("details", self.details.as_ref())
            }
            other => line.with("other", format!("{other:?}")),
        }
    }
}

impl Shown for PostbackInChat {
    fn show(&self, line: Line) -> Line {
        place(line, &self.chat_id, &self.thread_id)
            .with("event", &self.event_id)
            .with("by", &self.user_id)
            .with("button", &self.postback.id)
            .with("on", self.postback.toggled)
            .maybe("kind", self.postback.button_type.as_ref())
            .maybe("says", self.postback.button_value.as_ref())
    }
}

impl Shown for Tagged {
    fn show(&self, line: Line) -> Line {
        place(line, &self.chat_id, &self.thread_id).with("tag", &self.tag)
    }
}

impl Shown for PropertiesUpdated {
    fn show(&self, line: Line) -> Line {
        let line = in_chat(line, &self.chat_id, self.thread_id.as_deref());
        let all = self.properties.0.iter().flat_map(|(namespace, properties)| {
            properties.iter().map(move |(name, value)| format!("{namespace}.{name}:{value}"))
        });
        line.maybe("event", self.event_id.as_ref()).list("set", all)
    }
}

impl Shown for PropertiesDeleted {
    fn show(&self, line: Line) -> Line {
        let line = in_chat(line, &self.chat_id, self.thread_id.as_deref());
        let all = self
            .properties
            .iter()
            .flat_map(|(namespace, names)| names.iter().map(move |name| format!("{namespace}.{name}")));
        line.maybe("event", self.event_id.as_ref()).list("gone", all)
    }
}

impl Shown for AccessUpdated {
    fn show(&self, line: Line) -> Line {
        line.with("chat", &self.chat_id).list("groups", &self.access.group_ids)
    }
}

impl Shown for EventDeleted {
    fn show(&self, line: Line) -> Line {
        place(line, &self.chat_id, &self.thread_id).with("event", &self.event_id)
    }
}

impl Shown for EventsSeen {
    fn show(&self, line: Line) -> Line {
        line.with("chat", &self.chat_id).with("by", &self.user_id).maybe("to", self.seen_up_to.as_ref())
    }
}

impl Shown for SessionFieldsUpdated {
    fn show(&self, line: Line) -> Line {
        place(line, &self.active_chat.chat_id, &self.active_chat.thread_id)
            .with("customer", &self.customer_id)
            .maybe("order", self.session_field("order"))
    }
}

impl Shown for SummarySet {
    fn show(&self, line: Line) -> Line {
        place(line, &self.chat_id, &self.thread_id)
            .with("status", format!("{:?}", self.summary.status))
            .maybe("text", self.summary.text.as_ref())
            .maybe("at", self.summary.updated_at.as_ref())
    }
}

fn place(line: Line, chat: &str, thread: &str) -> Line {
    line.with("chat", chat).with("thread", thread)
}

fn in_chat(line: Line, chat: &str, thread: Option<&str>) -> Line {
    place(line, chat, thread.unwrap_or_default())
}

fn queue(line: Line, queue: Option<&Queue>) -> Line {
    match queue {
        Some(queue) => line
            .with("queue", queue.position)
            .with("wait", queue.wait_time)
            .maybe("since", queue.queued_at.as_ref()),
        None => line,
    }
}

fn targets(line: Line, targets: &Targets) -> Line {
    line.list("groups", &targets.group_ids).list("agents", &targets.agent_ids)
}
