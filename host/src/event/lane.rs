//! Lane keys: the events of one plugin that share a key run one at a time, in the order of acceptance.

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
