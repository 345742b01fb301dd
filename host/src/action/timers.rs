//! Calls to a plugin's timers, as the contract's interface `timers` names them.

use serde::Serialize;

/// One call; see `wit/timers.wit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Call {
    /// The chat that the timer belongs to; `None` if it belongs to the plugin.
    pub chat_id: Option<String>,
    /// The plugin's name for it.
    pub key: String,
    /// What is done with it.
    pub change: Change,
}

/// What is done with a timer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Change {
    /// It is set, in the place of one with this key.
    Set {
        /// How long from now, milliseconds.
        delay_ms: u64,
        /// JSON text.
        payload: String,
        /// The thread of the event in which it is set.
        thread_id: Option<String>,
    },
    /// It is taken back.
    Cancel,
}

impl Call {
    /// The function of the contract.
    pub fn function(&self) -> &'static str {
        match self.change {
            Change::Set { .. } => "timers.set",
            Change::Cancel => "timers.cancel",
        }
    }

    /// The timer, for people: keys of one plugin in two chats are two.
    pub fn about(&self) -> String {
        match &self.chat_id {
            Some(chat_id) => format!("{} of chat {chat_id}", self.key),
            None => self.key.clone(),
        }
    }
}
