use crate::Error;

/// An action that is ready to be sent. Nothing happens before [`Action::send`].
#[must_use = "an action does nothing until it is sent"]
pub struct Action<F> {
    once: Option<String>,
    call: F,
}

impl<T, F> Action<F>
where
    F: FnOnce(Option<&str>) -> Result<T, Error>,
{
    pub(crate) fn new(call: F) -> Self {
        Action { once: None, call }
    }

    /// Names the action within the event. The name is part of the id that goes to the service with a message,
    /// a note, or a keyed request, and so is the same in each attempt at the event. Without a name the number
    /// of the host call takes its place. The host itself doesn't remember actions from attempt to attempt.
    pub fn once(self, name: impl Into<String>) -> Self {
        Action { once: Some(name.into()), ..self }
    }

    /// Has the host do it.
    ///
    /// # Errors
    /// What the host or the service answered; see [`ErrorCode`](crate::ErrorCode).
    pub fn send(self) -> Result<T, Error> {
        (self.call)(self.once.as_deref())
    }
}
