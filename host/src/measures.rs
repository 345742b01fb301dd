//! What the host measures, in the form of Prometheus. The parts hold handles that were made once; asking for
//! one by name is for starts and scrapes, not for events. No id and no text from outside becomes a label.

use std::sync::Arc;
use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, SharedString, Unit,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tokio_util::sync::CancellationToken;

/// Histograms gather what was recorded in a list until somebody empties it: often enough that it stays short.
const UPKEEP_EVERY: Duration = Duration::from_secs(1);

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

const SECONDS: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    10.0, 30.0,
];
const AGES: &[f64] =
    &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0];
const ROWS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0];

/// The counter of deliveries that became dead letters.
const DEATHS: &str = "chatplug_deaths_total";

/// Something that is measured.
struct Measure {
    name: &'static str,
    help: &'static str,
    kind: Kind,
}

enum Kind {
    Counter,
    Gauge,
    Histogram(&'static [f64]),
}

const fn counter(name: &'static str, help: &'static str) -> Measure {
    Measure { name, help, kind: Kind::Counter }
}

const fn gauge(name: &'static str, help: &'static str) -> Measure {
    Measure { name, help, kind: Kind::Gauge }
}

const fn histogram(name: &'static str, help: &'static str, bounds: &'static [f64]) -> Measure {
    Measure { name, help, kind: Kind::Histogram(bounds) }
}

/// Everything that is measured.
const ALL: &[Measure] = &[
    gauge("chatplug_build_info", "Always 1; the version of the program is a label"),
    counter("chatplug_ingest_requests_total", "Webhooks, by what became of them"),
    histogram("chatplug_ingest_ack_seconds", "From a webhook's headers to its answer 200", SECONDS),
    counter(
        "chatplug_events_duplicate_total",
        "Repeated events: known ones, and flagged as possibly repeated",
    ),
    counter(
        "chatplug_reconcile_missing_total",
        "Events that no webhook had brought and that were recovered from LiveChat's lists, by type",
    ),
    counter(
        DEATHS,
        "Deliveries that became dead letters, by plugin; what is replayed or discarded later stays counted",
    ),
    histogram("chatplug_store_commit_seconds", "How long a commit took, its sync included", SECONDS),
    histogram(
        "chatplug_store_fsync_seconds",
        "A sync of 4 KiB in the data folder, tried once a minute: what the disk alone takes",
        SECONDS,
    ),
    histogram("chatplug_store_commit_rows", "Rows that a commit changed", ROWS),
    histogram(
        "chatplug_dispatch_lag_seconds",
        "From accepting an event to the start of its first run",
        SECONDS,
    ),
    histogram("chatplug_run_seconds", "How long a run took", SECONDS),
    counter("chatplug_runs_total", "Runs, by plugin and outcome"),
    counter(
        "chatplug_grants_refused_total",
        "Calls of plugins that their grants refused or put off, by plugin and reason",
    ),
    counter(
        "chatplug_schedule_ticks_total",
        "Times of schedules, by plugin and what became of them: run, busy (the one before had not ended), missed",
    ),
    histogram(
        "chatplug_timer_lag_seconds",
        "From the time of a timer to the acceptance of its event",
        SECONDS,
    ),
    counter("chatplug_actions_total", "Calls that change an outside service, by destination and outcome"),
    histogram(
        "chatplug_action_attempt_seconds",
        "How long a call that changes an outside service took, the wait for its turn included",
        SECONDS,
    ),
    histogram(
        "chatplug_action_age_at_success_seconds",
        "From accepting an event to when an action of it is known to be done, with all that was waited, tried and looked up",
        AGES,
    ),
    histogram(
        "chatplug_rate_limit_wait_seconds",
        "How long a call waited for its turn at a destination, whether it got one or not",
        SECONDS,
    ),
    counter("chatplug_livechat_calls_total", "Requests to LiveChat, which bills them, by plugin"),
    gauge(
        "chatplug_breaker_state",
        "Of a destination: 0 takes calls, 1 is tried, 2 asked to wait, 3 failed too often, 4 refuses our credentials",
    ),
    gauge(
        "chatplug_oldest_pending_seconds",
        "How long a plugin's most overdue delivery that could run has been due",
    ),
    gauge(
        "chatplug_past_due_deliveries",
        "Deliveries of a plugin that could run and have been due for more than a minute; the oldest 5,000 are looked at",
    ),
    gauge("chatplug_pending", "Deliveries that wait for a run; counted up to 100,000"),
    gauge(
        "chatplug_actions_unknown",
        "Held deliveries: an action of theirs is in doubt; counted up to 100,000",
    ),
    gauge(
        "chatplug_actions_in_doubt",
        "Deliveries whose doubt has lasted for five minutes: the host goes on asking, and their chats wait",
    ),
    gauge("chatplug_dead_letters", "Deliveries that were given up; counted up to 100,000"),
    gauge("chatplug_store_damaged", "1 since the daily look through the store found it damaged"),
    gauge("chatplug_wal_bytes", "The write-ahead log of the store"),
    gauge("chatplug_db_bytes", "The database of the store"),
    gauge("chatplug_disk_free_bytes", "What is left on the disk of the data folder"),
    gauge("chatplug_disk_bytes", "The size of the disk of the data folder"),
    gauge("chatplug_map_entries", "Entries of what the host keeps in memory, by what it is"),
    gauge("chatplug_loop_last_progress_timestamp_seconds", "When a loop of the host turned last"),
];

/// What is measured, and how it is shown.
pub struct Measures {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl Default for Measures {
    fn default() -> Measures {
        Measures::new()
    }
}

impl Measures {
    /// Nothing measured yet.
    pub fn new() -> Measures {
        let mut builder = PrometheusBuilder::new();
        for measure in ALL {
            if let Kind::Histogram(bounds) = measure.kind {
                let matcher = Matcher::Full(measure.name.to_owned());
                builder = builder.set_buckets_for_metric(matcher, bounds).expect("the bounds are not empty");
            }
        }
        let recorder = builder.build_recorder();
        for Measure { name, help, kind } in ALL {
            let (name, help): (KeyName, SharedString) = ((*name).into(), (*help).into());
            match kind {
                Kind::Counter => recorder.describe_counter(name, None::<Unit>, help),
                Kind::Gauge => recorder.describe_gauge(name, None::<Unit>, help),
                Kind::Histogram(_) => recorder.describe_histogram(name, None::<Unit>, help),
            }
        }
        let handle = recorder.handle();
        let measures = Measures { recorder, handle };
        measures.gauge("chatplug_build_info", &[("version", env!("CARGO_PKG_VERSION"))]).set(1.0);
        measures
    }

    /// The names of everything that is measured.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ALL.iter().map(|measure| measure.name)
    }

    /// The handle of a counter; from now on it is shown, as 0. Whoever is told by its increase sees none in a counter that
    /// appears with what it has counted already.
    pub fn counter(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Counter {
        self.recorder.register_counter(&key(name, labels), &METADATA)
    }

    /// What counts the deliveries of a plugin that became dead letters.
    pub fn deaths(&self, plugin: &str) -> Counter {
        self.counter(DEATHS, &[("plugin", plugin)])
    }

    /// The handle of a gauge.
    pub fn gauge(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Gauge {
        self.recorder.register_gauge(&key(name, labels), &METADATA)
    }

    /// The handle of a histogram.
    pub fn histogram(&self, name: &'static str) -> Histogram {
        self.recorder.register_histogram(&key(name, &[]), &METADATA)
    }

    /// Everything as Prometheus reads it.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Keeps the lists of the histograms short, until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(UPKEEP_EVERY) => self.handle.run_upkeep(),
            }
        }
    }
}

fn key(name: &'static str, labels: &[(&'static str, &str)]) -> Key {
    debug_assert!(ALL.iter().any(|measure| measure.name == name), "{name} is not described");
    let labels: Vec<Label> =
        labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
    Key::from_parts(name, labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_host_s_own_and_each_is_explained_where_it_is_shown() {
        let measures = Measures::new();
        for Measure { name, kind, .. } in ALL {
            assert!(name.starts_with("chatplug_"), "{name}");
            assert_eq!(matches!(kind, Kind::Counter), name.ends_with("_total"), "{name}");
            match kind {
                Kind::Counter => measures.counter(name, &[("plugin", "a\"b")]).increment(2),
                Kind::Gauge => measures.gauge(name, &[]).set(2.0),
                Kind::Histogram(_) => measures.histogram(name).record(0.003),
            }
        }
        let text = measures.render();
        for Measure { name, help, .. } in ALL {
            assert!(text.contains(&format!("# HELP {name} {help}")), "{name}: {text}");
        }
        assert!(text.contains("chatplug_runs_total{plugin=\"a\\\"b\"} 2"), "{text}");
        assert!(text.contains("chatplug_run_seconds_bucket{le=\"0.005\"} 1"), "{text}");
        assert!(text.contains("chatplug_run_seconds_bucket{le=\"0.0025\"} 0"), "{text}");
    }
}
