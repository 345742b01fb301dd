//! What the plugin remembers of a thread: whether its rating was posted, where, and what the post says.

use std::time::Duration;

use chatplug_sdk::payload::ChatRated;
use chatplug_sdk::prelude::*;

const LIFETIME: Duration = Duration::from_secs(60 * 24 * 60 * 60);

/// What was posted of a thread's rating.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Record {
    /// The rating that the last post shows.
    pub(crate) shown: Shown,
    /// The post, where it can be updated.
    pub(crate) post: Option<Post>,
    /// Whether tag and note had their turn.
    #[serde(default)]
    pub(crate) followed_up: bool,
}

/// A rating as a post shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Shown {
    pub(crate) score: Option<i64>,
    pub(crate) comment: Option<String>,
}

/// A post of Slack's Web API.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Post {
    pub(crate) channel: String,
    /// Slack's id for it. Looks like a number, but is text.
    pub(crate) ts: String,
}

impl From<&ChatRated> for Shown {
    fn from(rated: &ChatRated) -> Self {
        // Clipped as in the post, so that a record never outgrows the memory's limit on values.
        let comment = rated.comment.as_deref().map(|comment| comment.chars().take(2_000).collect());
        Shown { score: rated.score, comment }
    }
}

/// Where the record of a thread is kept. Of some webhooks nobody knows the thread: theirs is the chat's.
#[derive(Debug)]
pub(crate) struct Place(String);

impl Place {
    /// The place for the thread that was rated.
    pub(crate) fn of(rated: &ChatRated) -> Place {
        Place(format!("alert/{}/{}", rated.chat_id, rated.thread_id))
    }

    /// The record, if there is one.
    pub(crate) fn load(&self) -> Result<Option<Record>, Error> {
        memory::get(&self.0)
    }

    /// Stores the record for two months.
    pub(crate) fn store(&self, record: &Record) -> Result<(), Error> {
        memory::set_for(&self.0, record, LIFETIME)
    }
}
