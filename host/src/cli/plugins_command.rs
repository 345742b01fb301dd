//! `chatplug plugins command NAME COMMAND --key value`: has a plugin do something, and follows it to its end.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::link::Link;
use super::text;
use crate::config::Config;
use crate::delivery::progress::Said;
use crate::store::Commanded;

/// How often the host is asked how it goes.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How a delivery is, as the operator API tells it.
#[derive(Debug, Default, Deserialize)]
struct Standing {
    state: String,
    #[serde(default)]
    attempts: u32,
    #[serde(default)]
    reason: Option<String>,
}

/// Gives the command, prints what the plugin says, and tells how it ended; false unless the plugin did it.
///
/// # Errors
/// If no host runs, or it refuses; those of the output.
pub async fn run(
    config: &Config,
    (name, command): (&str, &str),
    arguments: &[String],
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    let arguments = pairs(arguments)?;
    let link =
        Link::running(config)?.context("no host runs with this config: a plugin works only within one")?;
    let wanted = json!({ "arguments": arguments });
    let Commanded { event, delivery } =
        link.change_plugin(name, &format!("commands/{}", word(command)?), &wanted).await?;
    if !json {
        writeln!(out, "{event} {delivery}")?;
    }
    let (mut said, mut all) = (Said::default(), Vec::new());
    let mut told = Standing::default();
    loop {
        // First how it is, then what was said: so nothing is left out at the end.
        let standing: Standing = link.get(&format!("/api/v1/deliveries/{delivery}")).await?;
        said = link.get(&format!("/api/v1/deliveries/{delivery}/progress?from={}", said.next)).await?;
        for line in &said.lines {
            if !json {
                writeln!(out, "{}", text::escape(line))?;
            }
        }
        all.append(&mut said.lines);
        if standing.state != "pending" {
            return end(&event, &standing, &all, json, out);
        }
        if standing.attempts > told.attempts && !json {
            let reason = standing.reason.as_deref().unwrap_or_default();
            writeln!(
                out,
                "attempt {} ended, it is tried again: {}",
                standing.attempts,
                text::escape(reason)
            )?;
        }
        out.flush()?;
        told = standing;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn end(
    event: &str,
    standing: &Standing,
    lines: &[String],
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    let reason = standing.reason.as_deref().unwrap_or_default();
    if json {
        let report = json!({
            "event": event, "state": standing.state, "attempts": standing.attempts, "reason": reason, "lines": lines,
        });
        text::json(out, &report)?;
    } else {
        let colon = if reason.is_empty() { "" } else { ": " };
        writeln!(out, "{}{colon}{}", standing.state, text::escape(reason))?;
    }
    Ok(standing.state == "succeeded")
}

/// `--key value`, `--key=value`, and `--key` alone, which means that it is given.
fn pairs(arguments: &[String]) -> anyhow::Result<Map<String, Value>> {
    let mut pairs = Map::new();
    let mut rest = arguments.iter().peekable();
    while let Some(argument) = rest.next() {
        let Some(key) = argument.strip_prefix("--").filter(|key| !key.is_empty()) else {
            bail!("`{}` is no argument of a command: write --key value", argument.escape_debug());
        };
        let (key, value) = match key.split_once('=') {
            Some((key, value)) => (key, value.to_owned()),
            None => match rest.next_if(|next| !next.starts_with("--")) {
                Some(value) => (key, value.clone()),
                None => (key, "true".to_owned()),
            },
        };
        if pairs.insert(key.to_owned(), Value::String(value)).is_some() {
            bail!("`--{}` is given twice", key.escape_debug());
        }
    }
    Ok(pairs)
}

/// The name of a command as it may stand in a path.
fn word(command: &str) -> anyhow::Result<&str> {
    if !crate::manifest::is_kebab_case(command) {
        bail!("`{}` is no name of a command: these are in kebab-case", command.escape_debug());
    }
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &[&str], expected: Result<Value, &str>) {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let read = pairs(&arguments).map(Value::Object).map_err(|error| error.to_string());
        match (&read, &expected) {
            (Err(error), Err(part)) => assert!(error.contains(*part), "{error}"),
            _ => assert_eq!(read, expected.map_err(str::to_owned), "{arguments:?}"),
        }
    }

    #[test]
    fn arguments_are_pairs() {
        check(&[], Ok(json!({})));
        check(
            &["--from", "2026-01-01", "--to=2026-02-01", "--dry-run"],
            Ok(json!({ "from": "2026-01-01", "to": "2026-02-01", "dry-run": "true" })),
        );
        check(&["--offset", "-1"], Ok(json!({ "offset": "-1" })));
        check(&["--a", "--b", "c"], Ok(json!({ "a": "true", "b": "c" })));
        check(&["from"], Err("`from` is no argument"));
        check(&["--"], Err("no argument"));
        check(&["--a", "1", "--a", "2"], Err("`--a` is given twice"));
    }
}
