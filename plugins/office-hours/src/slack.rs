//! Telling the team in Slack.

use chatplug_sdk::prelude::*;
use chatplug_sdk::slack::{self, escape};

use crate::settings::Settings;

/// The connection's name in the manifest and in the operator's config.
pub(crate) const CONNECTION: &str = "slack";

/// What the key of the timer begins with that has a text told.
pub(crate) const TELL: &str = "tell/";

/// So long a line is at most, bytes. Two of them have to fit into a timer's payload, which by default has 16,384 bytes, where
/// a byte of text may take two; and Slack likes texts that are not much longer.
const LINE_BYTES_MAX: usize = 3_000;

/// What is told of agents, each with their timetable. Where they are too many the last ones are only counted.
pub(crate) fn text(away: &[(&str, &str)], back: &[(&str, &str)]) -> String {
    let lines = [line("Hours are over, away now", away), line("Hours have begun, back now", back)];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn line(what: &str, agents: &[(&str, &str)]) -> Option<String> {
    let mut line = format!("{what}: ");
    for (named, (id, timetable)) in agents.iter().enumerate() {
        let comma = if named == 0 { "" } else { ", " };
        let agent = format!("{comma}{} (`{}`)", shown(id), shown(timetable));
        if line.len() + agent.len() > LINE_BYTES_MAX {
            line += &format!("{comma}{} more", agents.len() - named);
            break;
        }
        line += &agent;
    }
    (!agents.is_empty()).then_some(line)
}

/// A name on one line.
fn shown(name: &str) -> String {
    escape(&name.replace(char::is_control, " "))
}

/// Tells the team. The statuses are set by then, so that a post that is refused is only told in the log.
pub(crate) fn tell(settings: &Settings, text: &str) -> Result<(), Failure> {
    if settings.dry_run || !settings.tell {
        info!("the team is not told any more, as the settings say: {text}");
        return Ok(());
    }
    let message = slack::message(CONNECTION, settings.channel.as_deref(), text).once("told");
    match message.send().and_then(|response| response.success()).map(drop) {
        Err(error) if !error.code.may_pass() => {
            warn!("the team was not told: {error}");
            Ok(())
        }
        done => Ok(done?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_team_is_told_who_is_away_and_who_is_back() {
        let away = [("ann@example.com", "support"), ("ben@example.com", "<!channel> & `co`")];
        assert_eq!(
            text(&away, &[("kim@example.com", "night")]),
            "Hours are over, away now: ann@example.com (`support`), ben@example.com (`&lt;!channel&gt; &amp; 'co'`)\n\
             Hours have begun, back now: kim@example.com (`night`)"
        );
        assert_eq!(text(&[], &away[..1]), "Hours have begun, back now: ann@example.com (`support`)");
    }

    #[test]
    fn a_text_is_bounded_whoever_it_is_about() {
        // Escaped, each of these is five bytes, and the line break in a name none.
        let (id, timetable) = ("&".repeat(60), "&\n\"\\".repeat(25));
        let all = [(id.as_str(), timetable.as_str()); 25];
        let told = text(&all, &all);
        let payload = json!(told).to_string();
        assert!(payload.len() < 16_384, "{} bytes", payload.len());
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines.len(), 2, "{told}");
        for line in lines {
            let (named, rest) = line.rsplit_once(", ").expect("several");
            assert_eq!(rest, format!("{} more", 25 - named.matches("(`").count()), "{told}");
        }
        // Who is named at all is named by most.
        let usual = [("somebody.with.a.long.name@subsidiary.example.com", "support in the morning"); 25];
        assert!(!text(&usual, &usual).contains("more"));
        let endless = "x".repeat(LINE_BYTES_MAX);
        assert_eq!(text(&[(&endless, "a")], &[]), "Hours are over, away now: 1 more");
    }
}
