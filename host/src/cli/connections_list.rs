//! `chatplug connections list`

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::link::Link;
use super::{table, text};
use crate::config::{Address, Config, Connection, Credentials};
use crate::destination::Counts;
use crate::destinations::{self, Calls};

/// Prints the connections of a config, without secrets; while a host runs with it, also how each of its destinations
/// stands.
///
/// # Errors
/// Those of the output.
pub async fn run(config: &Config, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let now = ask(config).await;
    print(&config.connections, now.as_ref().ok().and_then(Option::as_ref), json, out)?;
    // What the config says is told all the same.
    if let Err(error) = now
        && !json
    {
        let why = text::escape(&format!("{error:#}"));
        writeln!(out, "\nHow they stand can't be asked of the running host: {why}")?;
    }
    Ok(())
}

/// What the host says that runs with a config, if one does.
async fn ask(config: &Config) -> anyhow::Result<Option<Now>> {
    match Link::running(config)? {
        Some(link) => Ok(Some(link.get("/api/v1/status").await?)),
        None => Ok(None),
    }
}

fn print(connections: &[Connection], now: Option<&Now>, json: bool, out: &mut dyn Write) -> io::Result<()> {
    let lines: Vec<Line<'_>> = connections.iter().map(|connection| line(connection, now)).collect();
    if json {
        return text::json(out, &lines);
    }
    print_lines(&lines, out)?;
    match now {
        Some(now) => print_now(now, out),
        None => Ok(()),
    }
}

fn print_lines(lines: &[Line<'_>], out: &mut dyn Write) -> io::Result<()> {
    if lines.is_empty() {
        return writeln!(
            out,
            "The config has no connections; `chatplug config default` shows how to add one."
        );
    }
    let address = |line: &Line<'_>| line.base_url.unwrap_or("(the URL is the secret)").to_owned();
    let row = |line: &Line<'_>| {
        [
            line.name.to_owned(),
            line.kind.to_owned(),
            address(line),
            line.credentials.to_owned(),
            line.post.to_owned(),
        ]
    };
    let names = ["NAME", "KIND", "ADDRESS", "CREDENTIALS", "POST"];
    table::write(out, names, &lines.iter().map(row).collect::<Vec<_>>())
}

fn print_now(now: &Now, out: &mut dyn Write) -> io::Result<()> {
    let row = |one: &Destination| {
        let Counts { calls, failures, put_off, refused, turned_away } = one.counts;
        let counts = [calls, failures, put_off, refused, turned_away].map(|count| count.to_string());
        let [calls, failures, put_off, refused, turned_away] = counts;
        let until = one.until.clone().unwrap_or_default();
        let (name, state, since) = (one.name.clone(), one.state.clone(), one.since.clone());
        [name, state, since, until, calls, failures, put_off, refused, turned_away, one.cause.clone()]
    };
    let names = [
        "DESTINATION",
        "STATE",
        "SINCE",
        "ASKED AGAIN",
        "CALLS",
        "FAILED",
        "PUT OFF",
        "REFUSED",
        "TURNED AWAY",
        "CAUSE",
    ];
    writeln!(out)?;
    table::write(out, names, &now.destinations.iter().map(row).collect::<Vec<_>>())?;
    let Calls { total, by_plugin, shared } = &now.calls;
    let by: Vec<String> =
        by_plugin.iter().map(|(plugin, calls)| format!("{} {calls}", text::escape(plugin))).collect();
    let by = if by.is_empty() { String::new() } else { format!(" ({})", by.join(", ")) };
    writeln!(
        out,
        "\nRequests to LiveChat since the host started: {total}{by}; reads that were shared: {shared}."
    )
}

/// What a running host says of its destinations.
#[derive(Deserialize)]
struct Now {
    destinations: Vec<Destination>,
    calls: Calls,
}

#[derive(Deserialize, Serialize)]
struct Destination {
    name: String,
    state: String,
    cause: String,
    since: String,
    until: Option<String>,
    counts: Counts,
}

#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    kind: &'static str,
    base_url: Option<&'a str>,
    credentials: &'static str,
    post: &'static str,
    /// How it stands, while a host runs that knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<&'a Destination>,
}

fn line<'a>(connection: &'a Connection, now: Option<&'a Now>) -> Line<'a> {
    let (base_url, in_url) = match &connection.address {
        Address::Base(url) => (Some(url.as_str()), "none"),
        Address::Secret(_) => (None, "url"),
    };
    let credentials = match &connection.credentials {
        Credentials::None => in_url,
        Credentials::Bearer(_) => "bearer",
        Credentials::Basic { .. } => "basic",
        Credentials::Header { .. } => "header",
    };
    let post = connection.post.as_str();
    let destination = destinations::connection(&connection.name);
    let now = now.and_then(|now| now.destinations.iter().find(|one| one.name == destination));
    Line { name: &connection.name, kind: connection.kind.as_str(), base_url, credentials, post, now }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
[connections.hubspot]
kind = "hubspot"
base_url = "https://api.hubapi.com/"
bearer = { env = "ONE" }
[connections.slack]
kind = "slack"
url = { env = "TWO" }
post = "repeatable"
"#;

    fn output(text: &str, json: bool) -> String {
        output_with(text, None, json)
    }

    fn output_with(text: &str, now: Option<&Now>, json: bool) -> String {
        let env = |name: &str| Some(format!("https://secret.example/{name}"));
        let config = Config::parse(text, "chatplug.toml", &env).unwrap();
        let mut out = Vec::new();
        print(&config.connections, now, json, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_connection_is_shown_without_its_secrets() {
        let expected = "\
NAME     KIND     ADDRESS                  CREDENTIALS  POST
hubspot  hubspot  https://api.hubapi.com   bearer       unknown
slack    slack    (the URL is the secret)  url          repeatable
";
        assert_eq!(output(TEXT, false), expected);
        let document = output(TEXT, true);
        assert!(!document.contains("secret.example"), "{document}");
        let value: serde_json::Value = serde_json::from_str(&document).unwrap();
        assert_eq!(value[0]["base_url"], "https://api.hubapi.com");
        assert_eq!(value[1]["base_url"], serde_json::Value::Null);
    }

    #[test]
    fn while_a_host_runs_it_is_shown_how_its_destinations_stand() {
        let counts =
            serde_json::json!({ "calls": 5, "failures": 1, "put_off": 0, "refused": 2, "turned_away": 3 });
        let destination = |name: &str, state: &str, cause: &str, until: Option<&str>| {
            serde_json::json!({
                "name": name, "state": state, "cause": cause, "since": "2026-06-01T12:00:00.000Z",
                "until": until, "in_flight": 0, "counts": counts, "concurrency": 4, "rate": 10.0,
            })
        };
        let status = serde_json::json!({
            "destinations": [
                destination("connections.slack", "parked", "401\u{1b}", Some("2026-06-01T12:01:00.000Z")),
                destination("livechat", "working", "", None),
            ],
            "calls": { "total": 7, "by_plugin": { "(host)": 2, "notes": 5 }, "shared": 1 },
        });
        let now: Now = serde_json::from_value(status).unwrap();
        let shown = output_with(TEXT, Some(&now), false);
        let expected = "
DESTINATION        STATE    SINCE                     ASKED AGAIN               CALLS  FAILED  PUT OFF  REFUSED  TURNED AWAY  CAUSE
connections.slack  parked   2026-06-01T12:00:00.000Z  2026-06-01T12:01:00.000Z  5      1       0        2        3            401\\u{1b}
livechat           working  2026-06-01T12:00:00.000Z  -                         5      1       0        2        3            -

Requests to LiveChat since the host started: 7 ((host) 2, notes 5); reads that were shared: 1.
";
        assert_eq!(shown.strip_prefix(&output(TEXT, false)), Some(expected));
        let document: serde_json::Value = serde_json::from_str(&output_with(TEXT, Some(&now), true)).unwrap();
        assert_eq!(document[0].get("now"), None, "the host has another config");
        assert_eq!(
            (&document[1]["now"]["state"], &document[1]["now"]["counts"]["calls"]),
            (&"parked".into(), &5.into())
        );
    }

    #[test]
    fn without_connections_it_says_how_to_add_one() {
        assert!(output("", false).contains("config default"));
        assert_eq!(output("", true).trim(), "[]");
    }
}
