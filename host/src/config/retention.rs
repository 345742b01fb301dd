use super::table::Table;
use crate::limits::Retention;

/// Reads `[retention]`.
pub(super) fn read(table: &mut Table<'_>) -> Retention {
    let default = Retention::default();
    let mut days = |key, default: u32| {
        // Lossless: the range ends below what `u32` can hold.
        table.take(key).and_then(|item| item.integer(1..=36_500)).map_or(default, |days| days as u32)
    };
    let retention = Retention {
        payload_days: days("payload_days", default.payload_days),
        dead_days: days("dead_days", default.dead_days),
        metadata_days: days("metadata_days", default.metadata_days),
        dedupe_days: days("dedupe_days", default.dedupe_days),
        audit_days: days("audit_days", default.audit_days),
        files_days: days("files_days", default.files_days),
    };
    if retention.metadata_days < retention.payload_days {
        table.report(format!(
            "removes events after {} days (metadata_days) although their payloads are kept for {} (payload_days): \
             raise metadata_days or lower payload_days",
            retention.metadata_days, retention.payload_days
        ));
    }
    retention
}
