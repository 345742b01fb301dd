//! A payload in the v3.6 shape with the objects that several look into, each read once.

use super::json::Object;

/// Objects that the payload lacks have no fields.
pub(super) struct Payload<'a> {
    /// The payload itself.
    pub(super) text: &'a str,
    pub(super) root: Object<'a>,
    /// The chat event.
    pub(super) event: Object<'a>,
    pub(super) chat: Object<'a>,
    /// The thread inside of the chat.
    pub(super) thread: Object<'a>,
}

impl<'a> Payload<'a> {
    pub(super) fn read(text: &'a str) -> Payload<'a> {
        let root = Object::read(text);
        let (event, chat) = (root.object("event"), root.object("chat"));
        Payload { text, thread: chat.object("thread"), root, event, chat }
    }
}
