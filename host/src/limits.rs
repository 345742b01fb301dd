//! What one attempt of a plugin may use, and what the host takes from outside. On by default.

use std::time::Duration;

use serde::Deserialize;

use crate::action::memory::Room;

/// The limits of one plugin. An operator changes them under `[plugin.NAME.limits]`.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// CPU time of the thread while it works on the attempt, milliseconds: the guest's own, and what the host does there
    /// for its calls. Waiting doesn't count.
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
    /// Actions in one chat within a minute, of all attempts of one version together: the fuse. See
    /// [`Subject`](crate::action::fuse::Subject) for what is about no chat.
    pub actions_per_chat_minute: u32,
    /// What the journal of one delivery may hold: the answers and actions of its runs, bytes.
    pub journal_bytes: usize,
    /// A message to a chat is not sent this long after what it answers happened, seconds.
    pub message_expiry_s: u64,
    /// Log text per attempt, bytes; what is beyond it is discarded with a note.
    pub log_bytes: usize,
    /// The body of a request to a connection, and that of its answer, bytes.
    pub http_body_bytes: usize,
    /// Keys that the plugin may keep in its memory, the key-value store.
    pub kept_keys: u32,
    /// One value of these, bytes.
    pub kept_value_bytes: usize,
    /// All keys and values of these, bytes.
    pub kept_bytes: u64,
    /// Timers that the plugin may have set.
    pub timers: u32,
    /// What comes with one of these, bytes.
    pub timer_bytes: usize,
    /// Names of files that the plugin may have published.
    pub files: u32,
    /// One version of these, bytes.
    pub file_bytes: usize,
    /// Versions of each of these that are kept.
    pub file_versions: u32,
    /// All versions of all of them, bytes; where they take more, the oldest ones that are no newest go.
    pub all_files_bytes: u64,
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
            http_body_bytes: 1 << 20,
            kept_keys: 100_000,
            kept_value_bytes: 64 << 10,
            kept_bytes: 64 << 20,
            timers: 10_000,
            timer_bytes: 16 << 10,
            files: 500,
            file_bytes: 2 << 20,
            file_versions: 30,
            all_files_bytes: 256 << 20,
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
    /// Files that plugins published.
    pub files_days: u32,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention {
            payload_days: 7,
            dead_days: 30,
            metadata_days: 30,
            dedupe_days: 7,
            audit_days: 400,
            files_days: 90,
        }
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

    /// What the plugin's memory may hold.
    pub fn room(&self) -> Room {
        Room {
            keys: self.kept_keys,
            value_bytes: self.kept_value_bytes,
            bytes: self.kept_bytes,
            timers: self.timers,
            timer_bytes: self.timer_bytes,
            files: self.files,
            file_bytes: self.file_bytes,
            file_versions: self.file_versions,
            all_files_bytes: self.all_files_bytes,
        }
    }

    /// The limits of jobs that no customer waits for: schedules, commands, and timers that belong to no chat, with
    /// which a long job does one part after the other. They may use this much, or what the operator allows if that is
    /// more.
    pub fn for_jobs(&self) -> Limits {
        Limits {
            cpu_ms: self.cpu_ms.max(10_000),
            wall_ms: self.wall_ms.max(600_000),
            host_calls: self.host_calls.max(1_000),
            journal_bytes: self.journal_bytes.max(64 << 20),
            ..*self
        }
    }
}

/// What a file of the plugin folder may be, and what compiling it may cost: before its name is known, so these are
/// the same for all plugins. An operator changes them under `[plugins]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loading {
    /// The largest component file, bytes.
    pub component_bytes: u64,
    /// The largest body of one function, bytes. Compile time grows faster than this.
    pub function_bytes: usize,
    /// Address space of the compiling child, bytes.
    pub compile_memory_bytes: u64,
    /// How much CPU time a compile may take, seconds.
    pub compile_s: u64,
}

impl Default for Loading {
    fn default() -> Loading {
        Loading {
            component_bytes: 16 << 20,
            function_bytes: 512 << 10,
            compile_memory_bytes: 1 << 30,
            compile_s: 30,
        }
    }
}

/// What a webhook may be. An operator changes it under `[livechat.webhooks]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebhookLimits {
    /// The largest body, bytes.
    pub body_bytes: usize,
    /// The deepest nesting of its JSON.
    pub json_depth: usize,
}

impl Default for WebhookLimits {
    fn default() -> WebhookLimits {
        WebhookLimits { body_bytes: 1 << 20, json_depth: 64 }
    }
}

/// The most that [`Limits::actions_per_chat_minute`] may be.
pub const ACTIONS_PER_CHAT_MINUTE_MAX: u64 = 1_000;
/// The stack of a guest, bytes, unless the operator sets `plugins.stack_bytes`: one engine has one size.
pub const STACK_BYTES: usize = 512 << 10;
/// The longest that a timer waits, milliseconds: the contract says so.
pub const TIMER_DELAY_MAX_MS: i64 = 400 * 24 * 3600 * 1000;
/// The longest name of a published file, bytes: the contract says so.
pub const FILE_NAME_BYTES_MAX: usize = 64;
/// What one attempt may publish: so many times the largest file.
pub const FILES_PER_ATTEMPT: u64 = 8;
/// Links to one published file that hold at the same time.
pub const FILE_TOKENS_MAX: u32 = 16;
/// The longest key of a plugin's memory, bytes: the contract says so.
pub const MEMORY_KEY_BYTES_MAX: usize = 512;
