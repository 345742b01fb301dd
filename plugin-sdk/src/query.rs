use serde_json::{Map, Value, json};

/// What to look for in [`chats::list`](crate::chats::list), [`chats::archives`](crate::chats::archives) and
/// [`reports`](crate::reports).
///
/// ```no_run
/// # use chatplug_sdk::prelude::*;
/// let of_ann = Query::new().days("2026-06-01", "2026-06-07").filter("agents", json!({ "values": ["ann@example.com"] }));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    filters: Map<String, Value>,
    others: Map<String, Value>,
}

impl Query {
    /// Everything; of reports the last seven days.
    pub fn new() -> Self {
        Query::default()
    }

    /// From the beginning of a day to the end of one, `2026-06-01` …: days in the account's time zone. Times of RFC 3339
    /// work as well.
    pub fn days(self, from: &str, to: &str) -> Self {
        self.filter("from", from).filter("to", to)
    }

    /// One of LiveChat's filters: `group_ids`, `query`, `agents`, `tags`, `active` …
    pub fn filter(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.filters.insert(name.to_owned(), value.into());
        self
    }

    /// At most so many on a page, 1 to 100. Not for reports.
    pub fn limit(self, limit: u32) -> Self {
        self.with("limit", limit.into())
    }

    /// The oldest first. Not for reports.
    pub fn oldest_first(self) -> Self {
        self.with("sort_order", "asc".into())
    }

    /// What a bucket of a report is: `hour`, `day`, `day-hours`, `month` or `year`.
    pub fn distribution(self, distribution: &str) -> Self {
        self.with("distribution", distribution.into())
    }

    /// The time zone of a report's days, an IANA name; by default the account's.
    pub fn timezone(self, name: &str) -> Self {
        self.with("timezone", name.into())
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        self.others.insert(name.to_owned(), value);
        self
    }

    pub(crate) fn to_json(&self) -> String {
        let mut query = self.others.clone();
        if !self.filters.is_empty() {
            query.insert("filters".to_owned(), json!(self.filters));
        }
        Value::Object(query).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_what_livechat_calls_one() {
        assert_eq!(Query::new().to_json(), "{}");
        let query =
            Query::new().days("2026-06-01", "2026-06-02").filter("active", true).limit(5).oldest_first();
        let json: Value = serde_json::from_str(&query.to_json()).expect("JSON");
        let filters = json!({ "from": "2026-06-01", "to": "2026-06-02", "active": true });
        assert_eq!(json, json!({ "filters": filters, "limit": 5, "sort_order": "asc" }));
    }
}
