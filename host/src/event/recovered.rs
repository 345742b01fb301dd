//! What was missed of a conversation, put together from what LiveChat lists of it.

use super::NewEvent;
use super::rating::Signal;

/// A conversation as the events that webhooks would have brought, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recovered {
    /// One after the other.
    pub told: Vec<Told>,
    /// What its properties say of its rating: at no known time, and perhaps known for long.
    pub rating: Option<Signal>,
    /// When something happened last in it, milliseconds since 1970.
    pub last_ms: i64,
}

/// What one webhook would have told.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The event; `None` where only what it says of the rating is wanted.
    pub event: Option<NewEvent>,
    /// What it says of the rating.
    pub rating: Option<Signal>,
}
