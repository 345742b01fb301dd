//! Destinations that take no requests: at once if they refuse our credentials, else when it lasts.

use std::collections::BTreeMap;

use crate::destination::Standing;
use crate::destinations::{State, connection_name};
use crate::incident::{Condition, Key, Kind};

/// A service that doesn't work for so long is told of, milliseconds.
const LASTING_MS: i64 = 15 * 60_000;

/// Since when destinations don't work, by their names: an open breaker tries now and then, and opens again.
#[derive(Default)]
pub(super) struct Closed {
    since_ms: BTreeMap<String, i64>,
}

impl Closed {
    /// Takes in how the destinations are; answers what is wrong by them.
    pub(super) fn look(&mut self, states: Vec<State>, now_ms: i64) -> Vec<Condition> {
        let fails = |state: &State| matches!(state.state, Standing::Open | Standing::Probing);
        self.since_ms.retain(|name, _| states.iter().any(|state| state.name == *name && fails(state)));
        let mut wrong = Vec::new();
        for state in &states {
            let since_ms = match state.state {
                Standing::Parked => state.since_ms,
                Standing::Open | Standing::Probing => {
                    *self.since_ms.entry(state.name.clone()).or_insert(now_ms)
                }
                Standing::Working | Standing::Paused => continue,
            };
            if state.state == Standing::Parked || now_ms - since_ms >= LASTING_MS {
                wrong.push(condition(state, (now_ms - since_ms) / 60_000));
            }
        }
        wrong
    }
}

fn condition(state: &State, minutes: i64) -> Condition {
    let name = &state.name;
    let test = match connection_name(name) {
        Some(connection) => format!("chatplug connections test {connection}"),
        None => "chatplug check --online".to_owned(),
    };
    let text = match state.state {
        Standing::Parked => {
            format!("{name} refuses our credentials, and what needs it waits: `{test}` says more")
        }
        _ => format!("{name} has not worked for {minutes} min, and what needs it waits: `{test}` says more"),
    };
    let key = Key::new(Kind::Destination, name.as_str());
    Condition { key, count: minutes.max(1).unsigned_abs(), text }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn state(name: &str, state: Standing) -> State {
        State {
            name: name.to_owned(),
            state,
            cause: "the customer smith@example.com".to_owned(),
            since_ms: 0,
            until_ms: None,
            in_flight: 0,
            counts: crate::destination::Counts::default(),
            concurrency: 1,
            rate: 1.0,
        }
    }

    fn look(closed: &mut Closed, states: Vec<State>, minute: i64) -> Vec<String> {
        closed.look(states, minute * MINUTE).into_iter().map(|condition| condition.text).collect()
    }

    #[test]
    fn refused_credentials_are_told_at_once() {
        let mut closed = Closed::default();
        assert_eq!(
            look(
                &mut closed,
                vec![state("livechat", Standing::Parked), state("connections.crm", Standing::Paused)],
                0
            ),
            [
                "livechat refuses our credentials, and what needs it waits: `chatplug check --online` says more"
            ]
        );
    }

    #[test]
    fn a_service_that_fails_is_told_of_when_it_lasts_although_it_is_tried_now_and_then() {
        let mut closed = Closed::default();
        let none: [&str; 0] = [];
        for minute in 0..15 {
            let standing = if minute % 2 == 0 { Standing::Open } else { Standing::Probing };
            assert_eq!(look(&mut closed, vec![state("connections.crm", standing)], minute), none);
        }
        let expected = "connections.crm has not worked for 15 min, and what needs it waits: `chatplug connections test crm` \
                        says more";
        assert_eq!(look(&mut closed, vec![state("connections.crm", Standing::Open)], 15), [expected]);
        assert_eq!(look(&mut closed, vec![state("connections.crm", Standing::Working)], 16), none);
        assert_eq!(look(&mut closed, vec![state("connections.crm", Standing::Open)], 17), none);
        assert_eq!(look(&mut closed, Vec::new(), 18), none);
        assert!(closed.since_ms.is_empty());
    }
}
