//! Times as programs read them.

use jiff::Timestamp;

/// Milliseconds since 1970 as RFC 3339. With milliseconds always, so that times line up and sort as text.
pub fn rfc3339(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |time| format!("{time:.3}"))
}
