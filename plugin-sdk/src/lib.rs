#![doc = include_str!("../README.md")]

use serde::de::DeserializeOwned;

pub use schemars;
pub use serde;
pub use serde_json;

mod action;
pub mod agents;
pub mod chats;
#[cfg(feature = "clock")]
pub mod clock;
pub mod customers;
mod error;
mod event;
#[doc(hidden)]
pub mod exported;
pub mod files;
pub mod http;
mod json;
pub mod livechat;
pub mod log;
mod manifest;
pub mod memory;
pub mod objects;
mod pages;
pub mod payload;
mod query;
pub mod reports;
mod settings;
pub mod slack;
pub mod timers;

pub use action::Action;
pub use error::{Error, ErrorCode, Failure};
pub use event::Event;
pub use manifest::{Manifest, Schedule};
pub use payload::Payload;
pub use query::Query;

/// What nearly every plugin uses.
pub mod prelude {
    pub use crate::files::MediaType;
    pub use crate::objects::{Chat, ChatEvent, Customer, Thread, User};
    pub use crate::{Error, ErrorCode, Event, Failure, Manifest, Payload, Plugin, Query, Schedule};
    pub use crate::{agents, chats, customers, files, http, livechat, memory, reports, timers};
    pub use crate::{debug, error, info, warn};
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};
    pub use serde_json::{Value, json};
}

/// A plugin: what it says of itself, and what it does with an event. Hand it to [`plugin!`].
pub trait Plugin {
    /// The operator's settings for it; `()` if it has none. Their JSON Schema goes into the manifest, so the
    /// host refuses wrong settings before the plugin runs, and doc comments become descriptions there.
    type Settings: DeserializeOwned + schemars::JsonSchema + 'static;

    /// Name, release, description, event types and connections. Must not depend on anything but the code.
    fn manifest() -> Manifest;

    /// Handles one event. It runs in a fresh instance each time, and may run again for the same event after a
    /// failure; what it did before the failure is answered from the host's record then (see [`Action::once`]).
    ///
    /// # Errors
    /// [`Failure::Retry`] if trying again later may help, [`Failure::Reject`] if not. `?` on an [`Error`]
    /// chooses between the two.
    fn handle(event: Event, settings: Self::Settings) -> Result<(), Failure>;
}

/// Makes a type that implements [`Plugin`] the plugin of this crate. Once per crate.
#[macro_export]
macro_rules! plugin {
    ($plugin:ty) => {
        #[allow(unsafe_code, reason = "exports of a component carry attributes that count as unsafe")]
        const _: () = {
            type Exported = $crate::exported::Exported<$plugin>;
    $crate::exported::bindings::export!(Exported with_types_in $crate::exported::bindings);
        };
    };
}
