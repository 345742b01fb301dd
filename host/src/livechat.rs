//! The edge to the LiveChat platform: its webhooks and its API.

pub mod client;
pub mod client_v2;
mod notices;
pub mod registrations;
pub mod view;
pub mod webhook;
