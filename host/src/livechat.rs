//! The edge to the LiveChat platform: its webhooks and its API.

pub mod client;
pub mod registrations;
pub mod webhook;
