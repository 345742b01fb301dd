//! LiveChat: the only module that knows its JSON.

pub mod client;
