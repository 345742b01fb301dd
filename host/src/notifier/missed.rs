//! Webhooks that did not come, as somebody found out who asked LiveChat.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::incident::{Condition, Key, Kind, Seen};

/// It is told of until nothing was found for this long, milliseconds.
const TOLD_FOR_MS: i64 = 3_600_000;

/// What was found out last.
#[derive(Debug, Default)]
pub struct Missed(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    missed: Option<Found>,
    /// Why LiveChat must be silent without reason.
    silent: Option<String>,
}

#[derive(Debug)]
struct Found {
    at_ms: i64,
    count: u64,
    text: String,
}

impl Missed {
    /// So many events were missed, or it could not be seen how many; what was found, for people.
    pub fn found(&self, count: u64, text: String, at_ms: i64) {
        self.known().missed = Some(Found { at_ms, count, text });
    }

    /// No webhook comes, and there should be some; why, for people.
    pub fn is_silent(&self, text: String) {
        self.known().silent = Some(text);
    }

    /// Webhooks come again.
    pub fn is_heard(&self) {
        self.known().silent = None;
    }

    /// What of it is an incident now.
    pub fn look(&self, seen: &mut Seen, now_ms: i64) {
        let mut known = self.known();
        known.missed.take_if(|found| now_ms - found.at_ms >= TOLD_FOR_MS);
        if let Some(Found { count, text, .. }) = &known.missed {
            let key = Key::new(Kind::Missed, "");
            seen.conditions.push(Condition { key, count: (*count).max(1), text: text.clone() });
        }
        if let Some(text) = &known.silent {
            let key = Key::new(Kind::Silence, "");
            seen.conditions.push(Condition { key, count: 1, text: text.clone() });
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_missed_is_told_for_an_hour_and_silence_until_it_ends() {
        let missed = Missed::default();
        let check = |now_ms: i64, expected: &[(&str, u64)]| {
            let mut seen = Seen::default();
            missed.look(&mut seen, now_ms);
            let told: Vec<(String, u64)> =
                seen.conditions.iter().map(|one| (one.key.to_string(), one.count)).collect();
            let told: Vec<(&str, u64)> = told.iter().map(|(key, count)| (&**key, *count)).collect();
            assert_eq!(told, expected, "at {now_ms}");
        };
        check(0, &[]);
        missed.found(7, "seven".to_owned(), 1_000);
        missed.is_silent("nothing".to_owned());
        check(1_000 + TOLD_FOR_MS - 1, &[("missed-webhooks", 7), ("silence", 1)]);
        check(1_000 + TOLD_FOR_MS, &[("silence", 1)]);
        missed.is_heard();
        check(2 * TOLD_FOR_MS, &[]);
    }
}
