//! Telling the team in Slack.

use chatplug_sdk::prelude::*;
use chatplug_sdk::slack::{self, escape};

/// The connection's name in the manifest and in the operator's config.
pub(crate) const CONNECTION: &str = "slack";

/// What is told of agents, each with their timetable.
pub(crate) fn text(away: &[(&str, &str)], back: &[(&str, &str)]) -> String {
    let line = |what: &str, agents: &[(&str, &str)]| {
        let named = agents.iter().map(|(id, timetable)| format!("{} (`{}`)", escape(id), escape(timetable)));
        let named: Vec<String> = named.collect();
        (!named.is_empty()).then(|| format!("{what}: {}", named.join(", ")))
    };
    let lines = [line("Hours are over, away now", away), line("Hours have begun, back now", back)];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// Posts a message: to `channel` by the Web API, without one by the incoming webhook. The statuses are set by then, so
/// that a post that is refused is only told in the log.
pub(crate) fn post(channel: Option<&str>, text: &str) -> Result<(), Failure> {
    let posted = slack::message(CONNECTION, channel, text).once("told").send();
    match posted.and_then(|response| response.success()).map(drop) {
        Err(error) if matches!(error.clone().into(), Failure::Reject(_)) => {
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
}
