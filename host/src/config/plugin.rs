use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};
use toml::de::DeValue;

use super::grants;
use super::item::Item;
use super::schedules::{self, Change};
use super::table::Table;
use crate::event::types;
use crate::grant::Policy;
use crate::limits::{ACTIONS_PER_CHAT_MINUTE_MAX, Limits};

/// `[plugin.NAME]`: what the operator wants of one plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct Plugin {
    /// Whether it may do anything.
    pub enabled: bool,
    /// The event types that it gets, by their own names, each once; none while it isn't enabled.
    pub events: Vec<String>,
    /// While it isn't enabled: the types that it gets when it is again.
    pub resting: Vec<String>,
    /// Whether it gets what it causes itself; `None` if the operator hasn't said.
    pub own_events: Option<bool>,
    /// What it may and may not do.
    pub policy: Policy,
    /// Its settings, an object; the plugin's own schema checks them.
    pub settings: Value,
    /// What one of its attempts may use.
    pub limits: Limits,
    /// What is other with its schedules, by their names.
    pub schedules: BTreeMap<String, Change>,
    /// What happens when a newer version is dropped.
    pub updates: Updates,
    /// The content hash of the only version that may run.
    pub pin: Option<String>,
}

/// What happens when a newer version is dropped that could run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Updates {
    /// It runs.
    #[default]
    Auto,
    /// It waits for the operator.
    Approve,
}

/// Reads one plugin; `connections` are those that the config defines.
pub(super) fn read(table: &mut Table<'_>, connections: &grants::Connections) -> Plugin {
    let enabled = table.take("enabled").and_then(|item| item.boolean()).unwrap_or(true);
    let events = list(table.take("events"), |name| types::resolve(name).map(str::to_owned));
    let (events, resting) = if enabled { (events, Vec::new()) } else { (Vec::new(), events) };
    Plugin {
        enabled,
        events,
        resting,
        own_events: table.take("own_events").and_then(|item| item.boolean()),
        policy: grants::policy(table, connections),
        settings: table
            .take("settings")
            .map(|item| settings(&item))
            .unwrap_or_else(|| Value::Object(Map::new())),
        limits: table.section("limits", limits),
        schedules: schedules::read(table),
        updates: table.take("updates").and_then(|item| updates(&item)).unwrap_or_default(),
        pin: table.take("pin").and_then(|item| pin(&item)),
    }
}

fn updates(item: &Item<'_>) -> Option<Updates> {
    match item.text()? {
        "auto" => Some(Updates::Auto),
        "approve" => Some(Updates::Approve),
        _ => {
            item.report("must be \"auto\" or \"approve\"");
            None
        }
    }
}

fn pin(item: &Item<'_>) -> Option<String> {
    let text = item.text()?;
    let is_hex = |hex: &str| hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if text.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && is_hex(hex)) {
        return Some(text.to_owned());
    }
    item.report(
        "is no content hash, sha256: and 64 hex digits; `chatplug plugins history NAME` shows those of a plugin",
    );
    None
}

fn list(item: Option<Item<'_>>, read: impl Fn(&str) -> Result<String, String>) -> Vec<String> {
    let mut entries = Vec::new();
    for item in item.map(|item| item.items()).unwrap_or_default() {
        match item.text().map(&read) {
            Some(Ok(entry)) if !entries.contains(&entry) => entries.push(entry),
            Some(Err(error)) => item.report(format!("has a wrong entry: {error}")),
            _ => {}
        }
    }
    entries
}

fn limits(table: &mut Table<'_>) -> Limits {
    let default = Limits::default();
    let mut limit =
        |key, range, default| table.take(key).and_then(|item| item.integer(range)).unwrap_or(default);
    // Lossless: the ranges end below what `u32`, and `usize` on a 64-bit machine, can hold.
    Limits {
        cpu_ms: limit("cpu_ms", 1..=600_000, default.cpu_ms),
        wall_ms: limit("wall_ms", 1..=3_600_000, default.wall_ms),
        memory_bytes: limit("memory_bytes", 1 << 20..=1 << 30, default.memory_bytes as u64) as usize,
        hostcall_bytes: limit("hostcall_bytes", 1 << 10..=64 << 20, default.hostcall_bytes as u64) as usize,
        host_calls: limit("host_calls", 0..=100_000, default.host_calls.into()) as u32,
        actions: limit("actions", 0..=10_000, default.actions.into()) as u32,
        actions_per_chat_minute: limit(
            "actions_per_chat_minute",
            1..=ACTIONS_PER_CHAT_MINUTE_MAX,
            default.actions_per_chat_minute.into(),
        ) as u32,
        journal_bytes: limit("journal_bytes", 64 << 10..=1 << 30, default.journal_bytes as u64) as usize,
        message_expiry_s: limit("message_expiry_s", 1..=7 * 86_400, default.message_expiry_s),
        log_bytes: limit("log_bytes", 0..=16 << 20, default.log_bytes as u64) as usize,
        http_body_bytes: limit("http_body_bytes", 0..=64 << 20, default.http_body_bytes as u64) as usize,
        kept_keys: limit("kept_keys", 0..=10_000_000, default.kept_keys.into()) as u32,
        kept_value_bytes: limit("kept_value_bytes", 0..=16 << 20, default.kept_value_bytes as u64) as usize,
        kept_bytes: limit("kept_bytes", 0..=64 << 30, default.kept_bytes),
        timers: limit("timers", 0..=1_000_000, default.timers.into()) as u32,
        timer_bytes: limit("timer_bytes", 0..=1 << 20, default.timer_bytes as u64) as usize,
        files: limit("files", 0..=10_000, default.files.into()) as u32,
        file_bytes: limit("file_bytes", 0..=16 << 20, default.file_bytes as u64) as usize,
        file_versions: limit("file_versions", 1..=1_000, default.file_versions.into()) as u32,
        all_files_bytes: limit("all_files_bytes", 0..=64 << 30, default.all_files_bytes),
        concurrency: limit("concurrency", 1..=1024, default.concurrency as u64) as usize,
    }
}

fn settings(item: &Item<'_>) -> Value {
    if item.table().is_some() { json(item) } else { Value::Null }
}

fn json(item: &Item<'_>) -> Value {
    match item.value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(boolean) => Value::Bool(*boolean),
        DeValue::Datetime(datetime) => Value::String(datetime.to_string()),
        DeValue::Array(_) => item.items().iter().map(json).collect(),
        DeValue::Table(_) => {
            let entries = item.table().into_iter().flat_map(Table::into_entries);
            entries.map(|(key, item)| (key.to_owned(), json(&item))).collect()
        }
        DeValue::Integer(integer) => {
            let number = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
            number_or_problem(item, number.map(Number::from))
        }
        DeValue::Float(float) => {
            let number = float.as_str().parse().ok();
            number_or_problem(item, number.and_then(Number::from_f64))
        }
    }
}

fn number_or_problem(item: &Item<'_>, number: Option<Number>) -> Value {
    if number.is_none() {
        item.report("is no number that settings can hold: it must be finite and fit into 64 bits");
    }
    number.map_or(Value::Null, Value::Number)
}
