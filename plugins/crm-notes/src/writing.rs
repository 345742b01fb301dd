//! Writing the note about one thread: once, and later changes into the same note.

use std::time::Duration;

use chatplug_sdk::prelude::*;
use jiff::Timestamp;

use crate::conversation::{Conversation, Rating};
use crate::hubspot::contacts::{self, Found, Key};
use crate::hubspot::notes;
use crate::note;
use crate::settings::Settings;
use crate::text::units;

/// How long it is remembered which note is about a thread.
const REMEMBERED: Duration = Duration::from_secs(30 * 86_400);

/// How long a note whose fate isn't known may take to appear, in milliseconds: HubSpot may still be saving.
const SETTLING_MS: u64 = 10_000;

/// What is known of a thread's note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum Progress {
    /// It was sent off, and no answer is known.
    Sent {
        /// The contact that it is about.
        contact_id: String,
        /// When, in milliseconds since 1970.
        at_ms: u64,
    },
    /// It is there.
    Written {
        /// Its id.
        note_id: String,
    },
}

/// The note about one thread.
pub struct Writing<'a> {
    /// The operator's settings.
    pub settings: &'a Settings,
    /// The chat.
    pub chat_id: &'a str,
    /// The thread.
    pub thread_id: &'a str,
    /// The time now, in milliseconds since 1970.
    pub now_ms: u64,
}

impl Writing<'_> {
    /// Remembers a rating, so that a note that is written later tells it.
    pub fn remember(&self, rating: &Rating) -> Result<(), Failure> {
        Ok(memory::set_for(&self.key("rating"), rating, REMEMBERED)?)
    }

    /// Writes the note, or brings the one that is there up to date.
    pub fn write(&self, chat: &Chat) -> Result<(), Failure> {
        let conversation = Conversation::of(chat, memory::get(&self.key("rating"))?);
        let body = note::body(&conversation, self.settings);
        match memory::get(&self.key("note"))? {
            Some(Progress::Written { note_id }) => self.update(&note_id, &body),
            Some(Progress::Sent { contact_id, at_ms }) => {
                self.resume(&conversation, &contact_id, at_ms, &body)
            }
            None => match self.contact(&conversation)? {
                Some(contact_id) => self.create(&conversation, &contact_id, &body),
                None => Ok(()),
            },
        }
    }

    /// The contact that the note will be about; `None` if there is none, which the log then tells.
    fn contact(&self, conversation: &Conversation) -> Result<Option<String>, Failure> {
        let customer = &conversation.customer;
        let Some(key) = Key::of(customer, self.settings) else {
            self.skip(&format!("the customer has no e-mail address{}", self.settings.without_email.also()));
            return Ok(None);
        };
        match contacts::find(&key)? {
            Found::One(id) => return Ok(Some(id)),
            Found::Several(count) => {
                self.skip(&format!("{count} contacts have the customer's {}", key.name()))
            }
            Found::Nobody => match &key {
                Key::Email(email) if self.settings.create_contact => {
                    return self.create_contact(email, customer.name.as_deref());
                }
                Key::Email(_) => self.skip(
                    "HubSpot has no contact with the customer's e-mail address, and \
                                            create_contact is off",
                ),
                _ => self.skip(&format!("HubSpot has no contact with the customer's {}", key.name())),
            },
        }
        Ok(None)
    }

    fn create_contact(&self, email: &str, name: Option<&str>) -> Result<Option<String>, Failure> {
        if self.settings.dry_run {
            self.skip("dry run: would have created a contact and written a note");
            return Ok(None);
        }
        let id = contacts::create(email, name)?;
        if id.is_none() {
            self.skip("HubSpot doesn't take what the customer gave for an e-mail address");
        }
        Ok(id)
    }

    fn create(&self, conversation: &Conversation, contact_id: &str, body: &str) -> Result<(), Failure> {
        if self.settings.dry_run {
            let size = units(body);
            self.skip(&format!(
                "dry run: would have written a note of {size} characters on contact {contact_id}"
            ));
            return Ok(());
        }
        let sent = Progress::Sent { contact_id: contact_id.to_owned(), at_ms: self.now_ms };
        memory::set_for(&self.key("note"), &sent, REMEMBERED)?;
        let at = conversation.ended.or(conversation.started).unwrap_or_else(|| self.now());
        match notes::create(contact_id, body, at, self.settings.owner_id.as_deref()) {
            Ok(note_id) => self.written(note_id, contact_id),
            Err(trouble) => {
                if !trouble.unknown {
                    memory::delete(&self.key("note"))?;
                }
                Err(trouble.failure)
            }
        }
    }

    /// Goes on after an attempt that doesn't know whether its note was saved.
    fn resume(
        &self,
        conversation: &Conversation,
        contact_id: &str,
        sent_ms: u64,
        body: &str,
    ) -> Result<(), Failure> {
        if let Some(note_id) = notes::find(contact_id, self.thread_id)? {
            self.written(note_id.clone(), contact_id)?;
            return self.update(&note_id, body);
        }
        if self.now_ms.saturating_sub(sent_ms) < SETTLING_MS {
            return Err(Failure::retry(
                "an earlier attempt sent the note without an answer; waiting to see whether \
                                       it appears",
            ));
        }
        self.create(conversation, contact_id, body)
    }

    fn update(&self, note_id: &str, body: &str) -> Result<(), Failure> {
        if self.settings.dry_run {
            self.skip(&format!("dry run: would have updated note {note_id}"));
        } else if notes::update(note_id, body)? {
            info!(chat = self.chat_id, thread = self.thread_id, note = note_id, "updated note {note_id}");
        } else {
            self.skip(&format!("note {note_id} was deleted in HubSpot; it is not written again"));
        }
        Ok(())
    }

    fn written(&self, note_id: String, contact_id: &str) -> Result<(), Failure> {
        info!(
            chat = self.chat_id,
            thread = self.thread_id,
            note = note_id,
            contact = contact_id,
            "wrote note {note_id} on contact {contact_id}"
        );
        Ok(memory::set_for(&self.key("note"), &Progress::Written { note_id }, REMEMBERED)?)
    }

    fn skip(&self, reason: &str) {
        info!(chat = self.chat_id, thread = self.thread_id, "no note was written: {reason}");
    }

    fn now(&self) -> Timestamp {
        let now = i64::try_from(self.now_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        now.unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn key(&self, what: &str) -> String {
        format!("{what}/{}/{}", self.chat_id, self.thread_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an older version stored is read by newer ones.
    #[test]
    fn progress_keeps_its_form() {
        let sent = Progress::Sent { contact_id: "501".into(), at_ms: 7 };
        let written = Progress::Written { note_id: "9001".into() };
        for (progress, stored) in [
            (sent, r#"{"state":"sent","contact_id":"501","at_ms":7}"#),
            (written, r#"{"state":"written","note_id":"9001"}"#),
        ] {
            assert_eq!(serde_json::to_string(&progress).expect("JSON"), stored);
            assert_eq!(serde_json::from_str::<Progress>(stored).expect("progress"), progress);
        }
    }
}
