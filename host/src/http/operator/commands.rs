//! Commands: what operators ask of plugins.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::{StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::asked::{Body, Problem, body, id, query};
use super::{Answer, App, Caller};
use crate::delivery::DeliveryId;
use crate::delivery::progress::Said;
use crate::event::addressed;
use crate::store::{Commanded, DeedOfOperator, Made, PluginStatus};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    arguments: Map<String, Value>,
}

/// Makes the event of a command; the plugin gets it when its earlier ones of this command are done.
pub(super) async fn give(
    State(operator): App,
    Extension(Caller(who)): Extension<Caller>,
    Path((name, command)): Path<(String, String)>,
    sent: Body,
) -> Answer<Commanded> {
    let Wanted { arguments } = body(sent)?;
    check(&name, &command, &operator.statuses().await?)?;
    let store = &operator.shown.store;
    // The arguments may name customers, which the audit log must not.
    let named: Vec<&String> = arguments.keys().collect();
    let deed = DeedOfOperator {
        who,
        action: "plugins.command",
        subject: name.clone(),
        before: None,
        after: Some(json!({ "command": command, "arguments": named })),
    };
    let event = addressed::command(&command, &arguments);
    let Made { event, delivery } =
        store.command(Arc::from(name.as_str()), event, deed, store.clock().now_ms()).await?;
    Ok(Json(Commanded { event: event.to_string(), delivery }))
}

/// Whether a plugin that runs has the command.
fn check(name: &str, command: &str, statuses: &[PluginStatus]) -> Result<(), Problem> {
    let conflict = |text: String| Err(Problem::new(StatusCode::CONFLICT, "conflict", text));
    let of_plugin = || statuses.iter().filter(|status| status.name.as_deref() == Some(name));
    let Some(status) = of_plugin().find(|status| status.state == "active").or_else(|| of_plugin().next())
    else {
        return Err(Problem::not_found(format!("there is no plugin `{}`", name.escape_debug())));
    };
    let runs = status.state == "active" || status.serving.is_some();
    if !runs {
        return conflict(format!("{name} is {} and can't do anything now", status.state));
    }
    if status.commands.iter().any(|known| known.name == command) {
        return Ok(());
    }
    let known: Vec<&str> = status.commands.iter().map(|known| known.name.as_str()).collect();
    match known.is_empty() {
        true => conflict(format!("{name} has no commands")),
        false => {
            let (command, known) = (command.escape_debug(), known.join(", "));
            Err(Problem::not_found(format!("{name} has no command `{command}`; it has {known}")))
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct From {
    #[serde(default)]
    from: u64,
}

/// What the plugin has said about a command since.
pub(super) async fn progress(State(operator): App, Path(delivery): Path<String>, uri: Uri) -> Answer<Said> {
    let delivery: DeliveryId = id(&delivery)?;
    let From { from } = query(&uri)?;
    Ok(Json(operator.shown.progress.said(delivery, from)))
}
