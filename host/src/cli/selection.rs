//! Which deliveries a command is about: those with these ids, or those that a filter lets through.

use clap::{ArgGroup, Args};
use jiff::{Span, SpanRelativeTo, Timestamp};

use super::any_event_type;
use crate::delivery::DeliveryId;
use crate::store::{Decision, DeliveryFilter, Selection};

/// What lets a delivery through.
#[derive(Clone, Debug, Default, Args)]
pub struct FilterArgs {
    /// Only of this plugin
    #[arg(long, value_name = "PLUGIN")]
    pub plugin: Option<String>,
    /// Only of events of this type (older names are understood)
    #[arg(long = "type", value_name = "TYPE", value_parser = any_event_type)]
    pub event_type: Option<String>,
    /// Only with this text in the reason
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Only what stopped then or later: a time such as 2026-11-28T10:00:00Z, or how long ago, such as 24h
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<Timestamp>,
}

/// The arguments of a listing.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// Which
    #[command(flatten)]
    pub filter: FilterArgs,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
}

/// The arguments of `held resolve`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("as").required(true).args(["sent", "not_sent", "look"]))]
pub struct ResolveArgs {
    /// Which
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// It took place: the plugin gets an empty success
    #[arg(long)]
    pub sent: bool,
    /// It did not take place: it may be done again
    #[arg(long)]
    pub not_sent: bool,
    /// Let the host look once more
    #[arg(long)]
    pub look: bool,
}

impl ResolveArgs {
    /// What they say.
    pub fn decision(&self) -> Decision {
        match (self.sent, self.not_sent) {
            (true, _) => Decision::Sent,
            (_, true) => Decision::NotSent,
            _ => Decision::Look,
        }
    }
}

/// Which deliveries a change is about; nothing is changed unless one says which.
#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true)
    .args(["ids", "all", "plugin", "event_type", "reason", "since"]))]
pub struct SelectionArgs {
    /// The deliveries' ids, such as dl-42
    #[arg(value_name = "ID", conflicts_with_all = ["all", "plugin", "event_type", "reason", "since", "limit"])]
    pub ids: Vec<DeliveryId>,
    /// All that the filters let through; not needed beside a filter
    #[arg(long)]
    pub all: bool,
    /// Which
    #[command(flatten)]
    pub filter: FilterArgs,
    /// At most this many, the oldest first
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Only say how many it would be
    #[arg(long)]
    pub dry_run: bool,
}

impl FilterArgs {
    /// The filter that they mean.
    pub fn filter(&self) -> DeliveryFilter {
        DeliveryFilter {
            plugin: self.plugin.clone(),
            event_type: self.event_type.clone(),
            reason: self.reason.clone(),
            since: self.since,
        }
    }
}

impl SelectionArgs {
    /// The selection that they mean, of ids only these.
    pub(super) fn selection(&self, ids: &[DeliveryId]) -> Selection {
        Selection {
            ids: ids.to_vec(),
            all: self.ids.is_empty(),
            filter: self.filter.filter(),
            ..Selection::default()
        }
    }
}

/// A time, or how long ago.
pub(super) fn since(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let ago = text.parse::<Span>().and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
    // `24h ago` is a span of -24 hours: however it is written, the past is meant.
    ago.and_then(|ago| Timestamp::now().checked_sub(ago.unsigned_abs())).map_err(|_| {
        format!(
            "`{text}` is no time: write one such as 2026-11-28T10:00:00Z, or how long ago, such as 24h or 7d"
        )
    })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn how_long_ago_means_the_past_however_it_is_written() {
        let day = SignedDuration::from_hours(24);
        for text in ["24h", "24h ago", "-24h", "1d", "1 day ago", "-P1D", "PT24H"] {
            let found = since(text).unwrap_or_else(|error| panic!("{error}"));
            let ago = Timestamp::now().duration_since(found);
            assert!(ago >= day && ago < day + SignedDuration::from_mins(5), "{text}: {ago}");
        }
        assert_eq!(
            since("2026-11-28T10:00:00Z").map(|at| at.to_string()).as_deref(),
            Ok("2026-11-28T10:00:00Z")
        );
        for text in ["", "yesterday", "24", "99999y"] {
            assert!(since(text).is_err(), "{text}");
        }
    }
}
