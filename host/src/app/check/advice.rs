//! What plugins themselves say of their settings. A plugin that has something to say offers the command `check`: it is
//! run with the settings, with nothing granted and nothing that it could reach, and its log is shown.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Map;

use crate::config::{Config, Plugin};
use crate::delivery::{DeliveryId, Outcome};
use crate::event::trace_id::TraceId;
use crate::event::{Event, EventId, addressed};
use crate::grant::Policy;
use crate::journal::Run;
use crate::registry::is_switched_off;
use crate::runtime::{Attempt, Runtime, Terms, Version};

/// The command's name.
const COMMAND: &str = "check";

/// What a plugin says: lines, or why it won't work.
pub(super) type Advice = Result<Vec<String>, String>;

/// Asks the version of a plugin that is switched on; `None` if it has no such command.
pub(super) async fn of(runtime: &Runtime, config: &Config, version: &Arc<Version>) -> Option<Advice> {
    let is_on = |plugin: &&Plugin| !is_switched_off(&version.manifest, plugin);
    let plugin = config.plugins.get(&version.manifest.name).filter(is_on)?;
    if !version.manifest.commands.iter().any(|command| command.name == COMMAND) {
        return None;
    }
    let report = runtime.run(attempt(plugin, version.clone())).await;
    let lines = report.log.lines().filter_map(|line| line.strip_prefix("Info "));
    Some(match report.outcome {
        Outcome::Handled => Ok(lines.map(|line| line.trim_end().to_owned()).collect()),
        outcome => Err(outcome.reason().to_owned()),
    })
}

fn attempt(plugin: &Plugin, version: Arc<Version>) -> Attempt {
    let terms =
        Terms { policy: Policy::default(), settings: plugin.settings.to_string(), limits: plugin.limits };
    let made = addressed::command(COMMAND, &Map::new());
    let nobody = DeliveryId(0);
    let event = Event {
        id: EventId(0),
        event_type: made.event_type,
        source: made.source.as_str().to_owned(),
        organization: None,
        occurred_at_ms: None,
        received_at_ms: Timestamp::now().as_millisecond(),
        chat_id: None,
        thread_id: None,
        possible_duplicate: false,
        recovered: false,
        own: None,
        payload: made.payload,
        extra: made.extra,
    };
    Attempt {
        version,
        terms: Arc::new(terms),
        event: Arc::new(event),
        run: Run { delivery: nobody, number: 0, root: nobody, trace: TraceId::default() },
        journal: None,
        waited: Duration::ZERO,
        late: false,
        number: 1,
    }
}
