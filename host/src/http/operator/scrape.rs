//! `GET /metrics`. What is counted is there already; what has to be looked up is looked up now, but not more
//! often than every few seconds.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use tokio::sync::Mutex;

use super::asked::Problem;
use super::{App, Operator};
use crate::destination::Standing;
use crate::store::{Backlog, Sizes};

/// What was looked up holds this long.
const FRESH: Duration = Duration::from_secs(3);

/// What was looked up last.
#[derive(Default)]
pub(super) struct Scrape(Mutex<Option<Looked>>);

struct Looked {
    at: Instant,
    /// The plugins that have a gauge of their own.
    plugins: BTreeSet<String>,
}

pub(super) async fn metrics(State(operator): App) -> Result<Response, Problem> {
    let mut looked = operator.scrape.0.lock().await;
    if looked.as_ref().is_none_or(|looked| looked.at.elapsed() >= FRESH) {
        let before = looked.take().map(|looked| looked.plugins).unwrap_or_default();
        let plugins = look(&operator, before).await?;
        *looked = Some(Looked { at: Instant::now(), plugins });
    }
    drop(looked);
    let text = operator.shown.measures.render();
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

async fn look(operator: &Operator, mut plugins: BTreeSet<String>) -> Result<BTreeSet<String>, Problem> {
    let now_ms = Timestamp::now().as_millisecond();
    let backlog = operator.query(move |reader| reader.backlog(now_ms)).await?;
    plugins.extend(operator.shown.config.load().plugins.keys().cloned());
    show_backlog(operator, &backlog, &plugins);
    show_sizes(operator, operator.shown.store.sizes().await?);
    for (name, heartbeat) in &operator.doors.health.heartbeats {
        let at = now_ms as f64 / 1000.0 - heartbeat.age().as_secs_f64();
        operator
            .shown
            .measures
            .gauge("chatplug_loop_last_progress_timestamp_seconds", &[("loop", name)])
            .set(at);
    }
    show_destinations(operator);
    show_maps(operator);
    for (reason, refused) in operator.doors.webhooks.refusals.all() {
        let labels = [("source", "livechat"), ("outcome", reason)];
        operator.shown.measures.counter("chatplug_ingest_requests_total", &labels).absolute(refused.total);
    }
    Ok(plugins)
}

/// Plugins that the config never had share one gauge: what stands in the store must not make labels.
fn show_backlog(operator: &Operator, backlog: &Backlog, plugins: &BTreeSet<String>) {
    let gauge = |name, value: u64| operator.shown.measures.gauge(name, &[]).set(value as f64);
    gauge("chatplug_pending", backlog.pending);
    gauge("chatplug_actions_unknown", backlog.held);
    gauge("chatplug_dead_letters", backlog.dead);
    let overdue = |plugin: &str, seconds: u64| {
        operator
            .shown
            .measures
            .gauge("chatplug_oldest_pending_seconds", &[("plugin", plugin)])
            .set(seconds as f64);
    };
    let seconds_of = |of: &dyn Fn(&str) -> bool| {
        let found = backlog.overdue_seconds.iter().filter(|(plugin, _)| of(plugin));
        found.map(|(_, seconds)| *seconds).max().unwrap_or(0)
    };
    for plugin in plugins {
        overdue(plugin, seconds_of(&|name| name == plugin));
    }
    overdue("(not configured)", seconds_of(&|name| !plugins.contains(name)));
}

fn show_destinations(operator: &Operator) {
    let (measures, destinations) = (&operator.shown.measures, &operator.shown.destinations);
    for state in destinations.states() {
        let standing = match state.state {
            Standing::Working => 0.0,
            Standing::Probing => 1.0,
            Standing::Paused => 2.0,
            Standing::Open => 3.0,
            Standing::Parked => 4.0,
        };
        measures.gauge("chatplug_breaker_state", &[("destination", &state.name)]).set(standing);
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
}

fn show_sizes(operator: &Operator, sizes: Sizes) {
    let gauge = |name, value: u64| operator.shown.measures.gauge(name, &[]).set(value as f64);
    gauge("chatplug_db_bytes", sizes.database);
    gauge("chatplug_wal_bytes", sizes.log);
    gauge("chatplug_disk_free_bytes", sizes.disk_free);
    gauge("chatplug_disk_bytes", sizes.disk);
}
