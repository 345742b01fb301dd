//! The trace of an event: the word that stands on every log line of its way, from the webhook to the last action.

use std::fmt;

use super::EventId;

/// The traces of a store. Each store has a random number of its own; so traces of two stores differ, and none has to
/// be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceIds {
    salt: u64,
}

impl TraceIds {
    /// The traces of the store with this random number.
    pub fn new(salt: u64) -> TraceIds {
        // A trace of zeros would be none to others.
        TraceIds { salt: salt.max(1) }
    }

    /// The trace of one event.
    pub fn of(self, event: EventId) -> TraceId {
        TraceId { salt: self.salt, event: scattered(event.0.cast_unsigned() ^ self.salt) }
    }
}

/// A trace: 32 hexadecimal digits, as the W3C's Trace Context has them. The first half is of the store, the second of
/// the event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceId {
    salt: u64,
    event: u64,
}

impl TraceId {
    /// A short name of the store, 8 hexadecimal digits: it tells apart what two stores number alike, a new data folder
    /// and the one before it, or staging and production.
    pub fn store(self) -> String {
        format!("{:08x}", self.salt >> 32)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.salt, self.event)
    }
}

/// Another number for each number, far from those of its neighbours (the finalizer of SplitMix64).
fn scattered(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_event_has_a_trace_of_its_own_and_keeps_it() {
        let of = |salt: u64, event: i64| TraceIds::new(salt).of(EventId(event)).to_string();
        assert_eq!(of(7, 42), of(7, 42));
        assert_ne!(of(7, 42), of(8, 42));
        let all: BTreeSet<String> = (0..10_000).map(|event| of(7, event)).collect();
        assert_eq!(all.len(), 10_000);
        assert!(all.iter().all(|trace| trace.len() == 32 && !trace.starts_with("0000000000000000")));
        assert!(of(0, 0).contains('1'));
    }
}
