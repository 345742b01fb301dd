//! `chatplug events types`

use std::io::{self, Write};

use serde::Serialize;

use super::{table, text};
use crate::event::Source;
use crate::event::types;

/// Prints the event types with who makes them and their older names.
///
/// # Errors
/// Those of the output.
pub fn run(json: bool, out: &mut dyn Write) -> io::Result<()> {
    let types: Vec<EventType> = types::all().map(event_type).collect();
    if json {
        return text::json(out, &types);
    }
    let row = |one: &EventType| [one.name.to_owned(), one.source.to_owned(), one.aliases.join(", ")];
    table::write(out, ["TYPE", "FROM", "OLDER NAMES"], &types.iter().map(row).collect::<Vec<_>>())
}

#[derive(Serialize)]
struct EventType {
    #[serde(rename = "type")]
    name: &'static str,
    source: &'static str,
    aliases: Vec<&'static str>,
}

fn event_type(name: &'static str) -> EventType {
    let source = if types::OWN.contains(&name) { Source::Chatplug } else { Source::Livechat };
    let aliases =
        types::ALIASES.iter().filter(|(_, meant)| *meant == name).map(|(alias, _)| *alias).collect();
    EventType { name, source: source.as_str(), aliases }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_a_line_and_an_object() {
        let mut plain = Vec::new();
        run(false, &mut plain).unwrap();
        let plain = String::from_utf8(plain).unwrap();
        assert_eq!(plain.lines().count(), 1 + types::all().count());
        assert!(plain.lines().any(|line| line.split_whitespace().eq([
            "chat_rated",
            "chatplug",
            "rating_added"
        ])));
        let mut document = Vec::new();
        run(true, &mut document).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&document).unwrap();
        let deactivated =
            value.as_array().unwrap().iter().find(|one| one["type"] == "chat_deactivated").unwrap();
        assert_eq!(deactivated["aliases"], serde_json::json!(["chat_ended", "thread_closed"]));
        assert_eq!(deactivated["source"], "livechat");
    }
}
