//! Incidents: what the operator is told of, once when it begins and once when it is over.
//!
//! What is wrong is looked at again and again ([`Incidents::observe`]); what the operator does not know yet comes
//! out one message at a time ([`Incidents::next`]), and is known once it was delivered ([`Incidents::told`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// An incident is over when it has been quiet for this long; what returns earlier is the same one. Milliseconds.
pub const CALM_MS: i64 = 5 * 60_000;
/// Of an incident that is open the operator hears again at most this often, and only if it became worse or
/// came back. Milliseconds.
pub const AGAIN_MS: i64 = 3_600_000;
/// The end of an incident that nobody could be told of for so long is forgotten. Milliseconds.
pub const UNTOLD_MS: i64 = 24 * 3_600_000;
/// Incidents at the same time; what comes beside them waits until one is over.
pub const INCIDENTS_MAX: usize = 256;
/// How many times as much it has to be, before it is worse.
const WORSE: u64 = 10;

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A plugin's deliveries were given up.
    DeadLetters,
    /// A plugin's deliveries are in doubt and wait for the operator.
    Held,
    /// A plugin's deliveries could run, and don't.
    PastDue,
    /// A new version of a plugin failed, and the host went back to the one before it.
    RolledBack,
    /// The LiveChat API or a connection takes no requests.
    Destination,
    /// Webhooks are refused, for one reason.
    Refused,
    /// No webhook comes, at a time when there usually are some.
    Silence,
    /// LiveChat doesn't send what the plugins need.
    Registrations,
    /// Webhooks were missed while the host was down.
    Missed,
    /// The disk of the data folder is full, or nearly.
    Disk,
    /// The store doesn't commit.
    Store,
    /// A loop of the host doesn't turn.
    Loop,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 12] = [
        Kind::DeadLetters,
        Kind::Held,
        Kind::PastDue,
        Kind::RolledBack,
        Kind::Destination,
        Kind::Refused,
        Kind::Silence,
        Kind::Registrations,
        Kind::Missed,
        Kind::Disk,
        Kind::Store,
        Kind::Loop,
    ];

    /// The word in messages for programs, in the store, and in the title of a section of `docs/operating.md`.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::DeadLetters => "dead-letters",
            Kind::Held => "held",
            Kind::PastDue => "past-due",
            Kind::RolledBack => "rolled-back",
            Kind::Destination => "destination",
            Kind::Refused => "refused-webhooks",
            Kind::Silence => "silence",
            Kind::Registrations => "registrations",
            Kind::Missed => "missed-webhooks",
            Kind::Disk => "disk",
            Kind::Store => "store",
            Kind::Loop => "loop",
        }
    }
}

/// Which incident: a kind, and the plugin, reason or part that it is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// What is wrong.
    pub kind: Kind,
    /// With what: a configured name or a word of a fixed list; empty where there is only one.
    pub subject: String,
}

impl Key {
    /// The key of a kind that is about something.
    pub fn new(kind: Kind, subject: impl Into<String>) -> Key {
        Key { kind, subject: subject.into() }
    }

    /// Reads what [`fmt::Display`] wrote.
    pub fn parse(text: &str) -> Option<Key> {
        let (word, subject) = text.split_once(':').unwrap_or((text, ""));
        let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == word)?;
        Some(Key::new(kind, subject))
    }

    /// What it is, for people.
    fn title(&self) -> String {
        let subject = &self.subject;
        match self.kind {
            Kind::DeadLetters => format!("dead letters of {subject}"),
            Kind::Held => format!("held deliveries of {subject}"),
            Kind::PastDue => format!("past-due work of {subject}"),
            Kind::RolledBack => format!("a version of {subject} was taken back"),
            Kind::Destination => format!("{subject} takes no requests"),
            Kind::Refused => format!("refused webhooks ({subject})"),
            Kind::Silence => "no webhooks".to_owned(),
            Kind::Registrations => "webhooks that LiveChat does not send".to_owned(),
            Kind::Missed => "webhooks that were missed".to_owned(),
            Kind::Disk => "little room on the disk".to_owned(),
            Kind::Store => "the store does not commit".to_owned(),
            Kind::Loop => format!("the {subject} does not turn"),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.subject.as_str() {
            "" => f.write_str(self.kind.as_str()),
            subject => write!(f, "{}:{subject}", self.kind.as_str()),
        }
    }
}

/// Something that is wrong at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Which incident it belongs to.
    pub key: Key,
    /// How much of it there is.
    pub count: u64,
    /// What is wrong and what to do, for people: names, numbers and commands, no customer's data and no secret.
    pub text: String,
}

/// What was seen in one look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// All that is wrong.
    pub conditions: Vec<Condition>,
    /// What could not be looked at: its incidents neither begin nor end.
    pub blind: BTreeSet<Kind>,
}

/// An incident, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// When it began, milliseconds since 1970.
    pub since_ms: i64,
    /// Since when nothing is wrong any more.
    quiet_ms: Option<i64>,
    /// Whether it has been quiet for long enough; the operator is still to be told.
    is_over: bool,
    /// How often it came (back).
    times: u32,
    /// How much of it there was at the last look.
    pub count: u64,
    /// What was said of it at the last look.
    pub text: String,
    /// What the operator knows.
    told: Option<Told>,
}

/// What the operator knows of an open incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    at_ms: i64,
    times: u32,
    count: u64,
}

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It begins.
    Open,
    /// It became worse, or came back.
    Again,
    /// It is over.
    Over,
}

impl State {
    /// The word in messages for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Again => "again",
            State::Over => "over",
        }
    }
}

/// What the operator is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Of which incident.
    pub key: Key,
    /// Where it stands.
    pub state: State,
    /// For people.
    pub text: String,
    /// When the incident began, milliseconds since 1970.
    pub since_ms: i64,
    times: u32,
    count: u64,
}

/// All incidents that are open, or whose end the operator doesn't know yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incidents {
    all: BTreeMap<Key, Incident>,
    /// What is to be kept anew.
    changed: BTreeSet<Key>,
}

impl Incidents {
    /// The incidents as they were kept; whether they go on shows at the next looks.
    pub fn restore(kept: impl IntoIterator<Item = (Key, Incident)>) -> Incidents {
        let restored = |(key, incident)| (key, Incident { quiet_ms: None, ..incident });
        Incidents {
            all: kept.into_iter().map(restored).take(INCIDENTS_MAX).collect(),
            changed: BTreeSet::new(),
        }
    }

    /// Takes in what was seen. Answers the incidents whose end is forgotten, because it could not be told.
    pub fn observe(&mut self, seen: Seen, now_ms: i64) -> Vec<Key> {
        let mut quiet: BTreeSet<Key> = self.all.keys().cloned().collect();
        for condition in seen.conditions {
            quiet.remove(&condition.key);
            self.see(condition, now_ms);
        }
        for key in quiet.into_iter().filter(|key| !seen.blind.contains(&key.kind)) {
            self.miss(key, now_ms);
        }
        let untold = |incident: &Incident| {
            incident.is_over && incident.quiet_ms.is_some_and(|quiet| now_ms - quiet >= UNTOLD_MS)
        };
        let forgotten: Vec<Key> =
            self.all.iter().filter(|(_, one)| untold(one)).map(|(key, _)| key.clone()).collect();
        forgotten.iter().for_each(|key| self.remove(key));
        forgotten
    }

    fn see(&mut self, condition: Condition, now_ms: i64) {
        let Condition { key, count, text } = condition;
        if let Some(incident) = self.all.get_mut(&key) {
            if incident.quiet_ms.take().is_some() {
                incident.times = incident.times.saturating_add(1);
                incident.is_over = false;
                self.changed.insert(key);
            }
            (incident.count, incident.text) = (count, text);
        } else if self.all.len() < INCIDENTS_MAX {
            let incident = Incident {
                since_ms: now_ms,
                quiet_ms: None,
                is_over: false,
                times: 1,
                count,
                text,
                told: None,
            };
            self.changed.insert(key.clone());
            self.all.insert(key, incident);
        }
    }

    fn miss(&mut self, key: Key, now_ms: i64) {
        let Some(incident) = self.all.get_mut(&key) else { return };
        // The clock may have been set back.
        let quiet_ms = incident.quiet_ms.map_or(now_ms, |quiet| quiet.min(now_ms));
        incident.quiet_ms = Some(quiet_ms);
        if !incident.is_over && now_ms - quiet_ms >= CALM_MS {
            incident.is_over = true;
            self.changed.insert(key);
        }
    }

    /// What the operator is to be told next; the longest-standing incident first.
    pub fn next(&self, now_ms: i64) -> Option<Message> {
        let due =
            |(key, incident): (&Key, &Incident)| Some((incident.since_ms, incident.message(key, now_ms)?));
        self.all.iter().filter_map(due).min_by_key(|(since_ms, _)| *since_ms).map(|(_, message)| message)
    }

    /// A message has reached the operator.
    pub fn told(&mut self, message: &Message, now_ms: i64) {
        let Some(incident) = self.all.get_mut(&message.key) else { return };
        match message.state {
            State::Over if incident.is_over => self.remove(&message.key),
            // It came back while the message was on its way: to the operator that is another one.
            State::Over => incident.told = None,
            State::Open | State::Again => {
                let Message { times, count, .. } = *message;
                incident.told = Some(Told { at_ms: now_ms, times, count });
            }
        }
        self.changed.insert(message.key.clone());
    }

    /// What has to be kept since this was asked last; `None` for what is over and told.
    pub fn take_changes(&mut self) -> Vec<(Key, Option<Incident>)> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|key| (key.clone(), self.all.get(&key).cloned())).collect()
    }

    /// These changes could not be kept: they are to be taken again.
    pub fn not_kept(&mut self, keys: impl IntoIterator<Item = Key>) {
        self.changed.extend(keys);
    }

    /// All incidents that are not told as over, by their keys.
    pub fn all(&self) -> &BTreeMap<Key, Incident> {
        &self.all
    }

    fn remove(&mut self, key: &Key) {
        self.all.remove(key);
        self.changed.insert(key.clone());
    }
}

impl Incident {
    /// What the operator doesn't know yet.
    fn message(&self, key: &Key, now_ms: i64) -> Option<Message> {
        let Incident { since_ms, times, count, .. } = *self;
        let age = |until_ms: i64| duration(until_ms - since_ms);
        let (state, text) = match self.told {
            _ if self.is_over => {
                let ended = self.quiet_ms.unwrap_or(now_ms);
                (State::Over, format!("over after {}: {}", age(ended), key.title()))
            }
            None => (State::Open, self.text.clone()),
            Some(told) if self.is_worse(told) && now_ms - told.at_ms >= AGAIN_MS => {
                let text = format!("{} (for {} now, came {times} times)", self.text, age(now_ms));
                (State::Again, text)
            }
            Some(_) => return None,
        };
        Some(Message { key: key.clone(), state, text, since_ms, times, count })
    }

    fn is_worse(&self, told: Told) -> bool {
        self.times > told.times || self.count >= told.count.max(1).saturating_mul(WORSE)
    }
}

/// A time span for people, in its largest unit.
fn duration(ms: i64) -> String {
    match ms.max(0) / 1_000 {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}
