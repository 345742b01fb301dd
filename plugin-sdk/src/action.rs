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

    /// Names the action within the event. An attempt that takes another way than the one before it is answered
    /// from the host's record by this name, so that nothing is done twice. Name what must not be done twice where
    /// its arguments can differ between attempts; without a name an action is known by its arguments.
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
