//! The handles of what the parts measure, each made one time.

use crate::http;
use crate::livechat::webhook::{Reason, listed};
use crate::measures::Measures;
use crate::recovery::MISSING;
use crate::store;

pub(super) fn store(measures: &Measures) -> store::Meters {
    store::Meters {
        commit_seconds: measures.histogram("chatplug_store_commit_seconds"),
        commit_rows: measures.histogram("chatplug_store_commit_rows"),
    }
}

/// Begins the counters that somebody is told by (`docs/alerts.yml`) and that nothing may have been counted in for weeks.
pub(super) fn begin(measures: &Measures) {
    for event_type in listed::LISTED {
        measures.counter(MISSING, &[("type", event_type)]).increment(0);
    }
}

pub(super) fn webhooks(measures: &Measures) -> http::Meters {
    let requests = |outcome| {
        let labels = [("source", "livechat"), ("outcome", outcome)];
        measures.counter("chatplug_ingest_requests_total", &labels)
    };
    // These are counted by `Refusals`, and shown here.
    for reason in Reason::WORDS {
        requests(reason).increment(0);
    }
    let repeated = |kind| measures.counter("chatplug_events_duplicate_total", &[("kind", kind)]);
    http::Meters {
        received: requests("received"),
        disk_full: requests("disk-full"),
        store_failed: requests("store-failed"),
        ack_seconds: measures.histogram("chatplug_ingest_ack_seconds"),
        known: repeated("known"),
        flagged: repeated("flagged"),
    }
}
