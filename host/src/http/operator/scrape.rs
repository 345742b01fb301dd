//! `GET /metrics`. What is counted is there already; what has to be looked up is looked up now, but not more
//! often than every few seconds.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use tokio::sync::Mutex;

use super::{App, Operator};
use crate::destination::Standing;
use crate::measures::Measures;
use crate::store::{Backlog, Error, Sizes};

/// What was looked up holds this long.
const FRESH: Duration = Duration::from_secs(3);

/// How long the store may be asked: Prometheus gives up after ten seconds.
const STORE_TIME: Duration = Duration::from_secs(4);

/// What was looked up last.
#[derive(Default)]
pub(super) struct Scrape(pub(super) Mutex<Looked>);

#[derive(Default)]
pub(super) struct Looked {
    pub(super) at: Option<Instant>,
    /// The plugins that have a gauge of their own.
    plugins: BTreeSet<String>,
    /// And the destinations.
    destinations: BTreeSet<String>,
}

pub(super) async fn metrics(State(operator): App) -> Response {
    let mut looked = operator.scrape.0.lock().await;
    if looked.at.is_none_or(|at| at.elapsed() >= FRESH) {
        looked.plugins.extend(operator.shown.config.load().plugins.keys().cloned());
        for plugin in &looked.plugins {
            operator.shown.measures.deaths(plugin).increment(0);
        }
        show_parts(&operator, &mut looked.destinations);
        // What is counted is told all the same: it is wanted most when something is wrong.
        if let Err(error) = look(&operator, &looked.plugins).await {
            tracing::warn!(%error, "/metrics shows older figures of the store: it can't be asked now");
        }
        looked.at = Some(Instant::now());
    }
    drop(looked);
    let text = operator.shown.measures.render();
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// What the store tells.
async fn look(operator: &Operator, plugins: &BTreeSet<String>) -> Result<(), Error> {
    let now_ms = operator.shown.store.clock().now_ms();
    let (store, measures) = (&operator.shown.store, &operator.shown.measures);
    show_sizes(operator, store.sizes().await?);
    let uptime = store.uptime();
    let backlog = store.query(STORE_TIME, move |reader| reader.backlog(now_ms, &uptime)).await?;
    show_backlog(measures, &backlog, plugins);
    Ok(())
}

/// What the other parts tell.
fn show_parts(operator: &Operator, destinations: &mut BTreeSet<String>) {
    let (measures, now) = (&operator.shown.measures, Timestamp::now().as_millisecond() as f64 / 1000.0);
    for (name, heartbeat) in &operator.doors.health.heartbeats {
        let gauge = measures.gauge("chatplug_loop_last_progress_timestamp_seconds", &[("loop", name)]);
        gauge.set(now - heartbeat.age().as_secs_f64());
    }
    let in_doubt: u64 = operator.shown.doubts.lasting().values().map(|lasting| lasting.count).sum();
    measures.gauge("chatplug_actions_in_doubt", &[]).set(in_doubt as f64);
    show_destinations(operator, destinations);
    show_maps(operator);
    for (reason, refused) in operator.doors.webhooks.refusals.all() {
        let labels = [("source", "livechat"), ("outcome", reason)];
        measures.counter("chatplug_ingest_requests_total", &labels).absolute(refused.total);
    }
}

/// Plugins that the config never had share one gauge: what stands in the store must not make labels.
fn show_backlog(measures: &Measures, backlog: &Backlog, plugins: &BTreeSet<String>) {
    let gauge = |name, value: u64| measures.gauge(name, &[]).set(value as f64);
    gauge("chatplug_pending", backlog.pending);
    gauge("chatplug_actions_unknown", backlog.held);
    gauge("chatplug_dead_letters", backlog.dead);
    for (name, found) in [
        ("chatplug_oldest_pending_seconds", &backlog.overdue_seconds),
        ("chatplug_past_due_deliveries", &backlog.past_due),
    ] {
        let set = |plugin: &str, value: u64| measures.gauge(name, &[("plugin", plugin)]).set(value as f64);
        let most_of = |of: &dyn Fn(&str) -> bool| {
            let found = found.iter().filter(|(plugin, _)| of(plugin));
            found.map(|(_, value)| *value).max()
        };
        // Those that there was no time for keep what they had.
        let otherwise = if backlog.is_partial { None } else { Some(0) };
        for plugin in plugins {
            if let Some(value) = most_of(&|name| name == plugin).or(otherwise) {
                set(plugin, value);
            }
        }
        if let Some(value) = most_of(&|name| !plugins.contains(name)).or(otherwise) {
            set("(not configured)", value);
        }
    }
}

/// How the destinations are; `known` are those that have a gauge.
fn show_destinations(operator: &Operator, known: &mut BTreeSet<String>) {
    let (measures, destinations) = (&operator.shown.measures, &operator.shown.destinations);
    let mut gone = std::mem::take(known);
    for state in destinations.states() {
        let standing = match state.state {
            Standing::Working => 0.0,
            Standing::Probing => 1.0,
            Standing::Paused => 2.0,
            Standing::Open => 3.0,
            Standing::Parked => 4.0,
        };
        measures.gauge("chatplug_breaker_state", &[("destination", &state.name)]).set(standing);
        gone.remove(&state.name);
        known.insert(state.name);
    }
    // A gauge can't be taken back; nothing is wrong any more with what isn't there.
    for name in gone {
        measures.gauge("chatplug_breaker_state", &[("destination", &name)]).set(0.0);
    }
    for (plugin, calls) in destinations.calls().by_plugin {
        measures.counter("chatplug_livechat_calls_total", &[("plugin", &plugin)]).absolute(calls);
    }
}

fn show_maps(operator: &Operator) {
    let gauge = |map, entries: usize| {
        operator.shown.measures.gauge("chatplug_map_entries", &[("map", map)]).set(entries as f64);
    };
    gauge("shared reads", operator.shown.destinations.remembered_reads());
    gauge("refusals", operator.doors.webhooks.refusals.all().len());
    gauge("commands that are told of", operator.shown.progress.kept());
    (operator.shown.kept)().into_iter().for_each(|(map, entries)| gauge(map, entries));
}

fn show_sizes(operator: &Operator, sizes: Sizes) {
    let gauge = |name, value: u64| operator.shown.measures.gauge(name, &[]).set(value as f64);
    gauge("chatplug_db_bytes", sizes.database);
    gauge("chatplug_wal_bytes", sizes.log);
    gauge("chatplug_disk_free_bytes", sizes.disk_free);
    gauge("chatplug_disk_bytes", sizes.disk);
}
