//! What LiveChat's answers say beside their bodies: that something is going to be taken away, how long to wait, and by
//! which id its support finds a failure.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use tracing::field::display;

use crate::action::retry_after::retry_after;
use crate::event::trace_id::TraceId;

/// Actions whose retirement is logged.
const ANNOUNCED_MAX: usize = 200;

/// What was announced and logged.
pub(super) struct Notices {
    /// What to do about it.
    advice: &'static str,
    announced: Mutex<HashSet<String>>,
}

impl Notices {
    pub(super) fn new(advice: &'static str) -> Notices {
        Notices { advice, announced: Mutex::default() }
    }

    /// Tells the operator once per action that LiveChat is going to take it away.
    pub(super) fn announce(&self, action: &str, headers: &HeaderMap) {
        let Some(notice) = header(headers, "deprecation").or(header(headers, "legacy")) else { return };
        let mut announced = self.announced.lock().unwrap_or_else(PoisonError::into_inner);
        if announced.len() < ANNOUNCED_MAX && announced.insert(action.to_owned()) {
            let advice = self.advice;
            tracing::warn!(
                action,
                notice,
                "LiveChat is retiring an API action that this host uses: {advice}"
            );
        }
    }
}

/// Logs a refusal. LiveChat's support asks for the debug id of a failure that is its own. `class` is LiveChat's word for
/// the error, empty where it has none.
pub(super) fn log_refusal(
    action: &str,
    trace: Option<TraceId>,
    status: u16,
    class: &str,
    headers: &HeaderMap,
) {
    let (trace, debug_id) = (trace.map(display), header(headers, "x-debug-id"));
    if status >= 500 {
        tracing::warn!(action, trace, status, class, debug_id, "LiveChat failed a call");
    } else {
        tracing::debug!(action, trace, status, class, debug_id, "LiveChat refused a call");
    }
}

/// How long LiveChat asks to wait.
pub(super) fn wait(headers: &HeaderMap) -> Option<Duration> {
    header(headers, RETRY_AFTER.as_str()).and_then(|value| retry_after(value, Timestamp::now()))
}

/// A header's value, if it is text.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
