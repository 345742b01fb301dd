//! The handles of what the parts measure, each made one time.

use crate::http;
use crate::measures::Measures;
use crate::store;

pub(super) fn store(measures: &Measures) -> store::Meters {
    store::Meters {
        commit_seconds: measures.histogram("chatplug_store_commit_seconds"),
        commit_rows: measures.histogram("chatplug_store_commit_rows"),
    }
}

pub(super) fn webhooks(measures: &Measures) -> http::Meters {
    let requests = |outcome| {
        let labels = [("source", "livechat"), ("outcome", outcome)];
        measures.counter("chatplug_ingest_requests_total", &labels)
    };
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
