//! Lane keys: the events of one plugin that share a key run one at a time, in the order of acceptance.

const SCHEDULE: &str = "schedule/";

/// The lane of an event of a chat.
pub fn of_chat(chat_id: &str) -> String {
    format!("chat/{chat_id}")
}

/// The lane of an event about an agent, where no chat is involved.
pub fn of_agent(agent_id: &str) -> String {
    format!("agent/{agent_id}")
}

/// The lane of an event about a customer, where no chat is involved.
pub fn of_customer(customer_id: &str) -> String {
    format!("customer/{customer_id}")
}

/// The lane of a schedule's times.
pub fn of_schedule(name: &str) -> String {
    format!("{SCHEDULE}{name}")
}

/// The schedule whose lane this is.
pub fn schedule(lane: &str) -> Option<&str> {
    lane.strip_prefix(SCHEDULE)
}

/// The lane of a timer that belongs to no chat.
pub fn of_timer(key: &str) -> String {
    format!("timer/{key}")
}

/// The lane of a command.
pub fn of_command(name: &str) -> String {
    format!("command/{name}")
}
