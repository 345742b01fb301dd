//! `chatplug connections list`

use std::io::{self, Write};

use serde::Serialize;

use super::{table, text};
use crate::config::{Address, Connection, Credentials};

/// Prints the connections of a config, without secrets.
///
/// # Errors
/// Those of the output.
pub fn run(connections: &[Connection], json: bool, out: &mut dyn Write) -> io::Result<()> {
    let lines: Vec<Line<'_>> = connections.iter().map(line).collect();
    if json {
        return text::json(out, &lines);
    }
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

#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    kind: &'static str,
    base_url: Option<&'a str>,
    credentials: &'static str,
    post: &'static str,
}

fn line(connection: &Connection) -> Line<'_> {
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
    Line { name: &connection.name, kind: connection.kind.as_str(), base_url, credentials, post }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

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
        let env = |name: &str| Some(format!("https://secret.example/{name}"));
        let config = Config::parse(text, "chatplug.toml", &env).unwrap();
        let mut out = Vec::new();
        run(&config.connections, json, &mut out).unwrap();
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
    fn without_connections_it_says_how_to_add_one() {
        assert!(output("", false).contains("config default"));
        assert_eq!(output("", true).trim(), "[]");
    }
}
