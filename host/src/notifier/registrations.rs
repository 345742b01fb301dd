//! Whether LiveChat sends the webhooks that the plugins need, as somebody found out who asked it.

use std::sync::{Mutex, PoisonError};

use crate::incident::{Condition, Key, Kind, Seen};

/// What is known of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Known {
    /// Nobody could ask.
    #[default]
    Nothing,
    /// It does.
    Well,
    /// It doesn't: what is wrong and what to do, and how many types are concerned.
    Wrong(String, u64),
}

/// What was found out last.
#[derive(Debug, Default)]
pub struct Registrations(Mutex<Known>);

impl Registrations {
    /// Takes in what was found out.
    pub fn found(&self, known: Known) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }

    pub(super) fn look(&self, seen: &mut Seen) {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            Known::Nothing => {
                seen.blind.insert(Kind::Registrations);
            }
            Known::Well => {}
            Known::Wrong(text, count) => {
                seen.conditions.push(Condition { key: Key::new(Kind::Registrations, ""), count, text });
            }
        }
    }
}
