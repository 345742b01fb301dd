//! What one attempt of a plugin may use, and what the host takes from outside. On by default.

use std::time::Duration;

use serde::Deserialize;

/// The limits of one plugin. An operator changes them under `[plugin.NAME.limits]`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// CPU time of the thread while the guest runs, milliseconds per attempt.
    pub cpu_ms: u64,
    /// Wall time per attempt, host calls included, milliseconds.
    pub wall_ms: u64,
    /// All linear memories and tables of the instance, summed, bytes.
    pub memory_bytes: usize,
    /// Bytes that cross into the host in one call.
    pub hostcall_bytes: usize,
    /// Host calls per attempt.
    pub host_calls: u32,
    /// Of these, calls that change something outside, per attempt.
    pub actions: u32,
    /// Actions in one chat within a minute, of all attempts together: the fuse.
    pub actions_per_chat_minute: u32,
    /// What the journal of one delivery may hold: the answers and actions of its runs, bytes.
    pub journal_bytes: usize,
    /// A message to a chat is not sent this long after what it answers happened, seconds.
    pub message_expiry_s: u64,
    /// Log text per attempt, bytes; what is beyond it is discarded with a note.
    pub log_bytes: usize,
    /// Attempts of the plugin that run at the same time.
    pub concurrency: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            cpu_ms: 250,
            wall_ms: 30_000,
            memory_bytes: 64 << 20,
            hostcall_bytes: 4 << 20,
            host_calls: 256,
            actions: 32,
            actions_per_chat_minute: 20,
            journal_bytes: 4 << 20,
            message_expiry_s: 600,
            log_bytes: 64 << 10,
            concurrency: 16,
        }
    }
}

/// How long the store keeps what, in days. An operator changes it under `[retention]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// What events say, and the journals of what was done about them, from their receipt.
    pub payload_days: u32,
    /// Dead letters, with what their events say and their journals, from their death.
    pub dead_days: u32,
    /// That there was an event and what became of it, from its receipt; what is known of ratings.
    pub metadata_days: u32,
    /// What repeated webhooks are recognised by.
    pub dedupe_days: u32,
    /// What operators did.
    pub audit_days: u32,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention { payload_days: 7, dead_days: 30, metadata_days: 30, dedupe_days: 7, audit_days: 400 }
    }
}

impl Limits {
    /// [`Limits::cpu_ms`] as a duration.
    pub fn cpu(&self) -> Duration {
        Duration::from_millis(self.cpu_ms)
    }

    /// [`Limits::wall_ms`] as a duration.
    pub fn wall(&self) -> Duration {
        Duration::from_millis(self.wall_ms)
    }
}

/// The most that [`Limits::actions_per_chat_minute`] may be.
pub const ACTIONS_PER_CHAT_MINUTE_MAX: u64 = 1_000;
/// The largest webhook body, bytes.
pub const WEBHOOK_BYTES_MAX: usize = 1 << 20;
/// The deepest nesting of a webhook's JSON.
pub const JSON_DEPTH_MAX: usize = 64;
/// The largest body of a request to a connection and of its answer, bytes.
pub const HTTP_BODY_BYTES_MAX: usize = 1 << 20;
/// The largest component file, bytes.
pub const COMPONENT_BYTES_MAX: u64 = 16 << 20;
/// Address space of the compiling child, bytes.
pub const COMPILE_MEMORY_BYTES: u64 = 1 << 30;
/// How long a compile may take.
pub const COMPILE_TIME: Duration = Duration::from_secs(30);
/// The stack of a guest, bytes.
pub const STACK_BYTES: usize = 512 << 10;
/// Keys that one plugin may keep in its memory.
pub const MEMORY_KEYS_MAX: i64 = 100_000;
/// The longest key of a plugin's memory, bytes.
pub const MEMORY_KEY_BYTES_MAX: usize = 512;
/// The largest value of a plugin's memory, bytes.
pub const MEMORY_VALUE_BYTES_MAX: usize = 64 << 10;
/// All values of one plugin's memory, bytes.
pub const MEMORY_TOTAL_BYTES_MAX: i64 = 64 << 20;
