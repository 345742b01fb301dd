use serde_json::{Value, json};

use super::*;
use crate::simulator::slack;

async fn stage() -> Stage {
    let livechat = Livechat::start().await.expect("a port");
    let hubspot = Hubspot::start().await.expect("a port");
    let slack = Slack::start().await.expect("a port");
    Stage::new(livechat, hubspot, slack)
}

#[tokio::test]
async fn the_story_can_be_played_and_without_a_host_its_effects_are_missing() {
    let stage = stage().await;
    for step in steps() {
        stage.play(&step).unwrap_or_else(|error| panic!("{}: {error}", step.sentence));
    }
    let missing = stage.missing(Duration::ZERO).await;
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    for name in [
        "LiveChat: Dana's chat is in the group Sales (2)",
        "LiveChat: tag low-rating on Omar's thread",
        "Slack: alert for Dana's bad rating",
        "HubSpot: note on mallory+test@example.com",
    ] {
        assert!(names.iter().any(|missing| missing.starts_with(name)), "{name} in {names:?}");
    }
}

#[tokio::test]
async fn a_service_that_is_broken_down_answers_nothing() {
    let stage = stage().await;
    assert!(stage.break_down("hubspot") && !stage.break_down("post office"));
    let answer = reqwest::get(format!("{}/crm/v3/objects/contacts/501", stage.hubspot.base_url())).await;
    assert_eq!(answer.expect("an answer").status().as_u16(), 503);
}

#[test]
fn steps_wait_only_for_what_is_expected() {
    let known: Vec<&str> = expected::all().iter().map(|expectation| expectation.name).collect();
    for step in steps() {
        assert!(step.awaits.iter().all(|name| known.contains(name)), "{}", step.sentence);
    }
}

#[tokio::test]
async fn an_alert_and_a_note_meet_their_expectations() {
    let stage = stage().await;
    let expectations = stage.expectations();
    let is_met = |name: &str| {
        let found = expectations.iter().find(|known| known.name == name);
        found.expect("a known name").is_met(&stage)
    };
    assert!(!is_met("Slack: alert for Dana's bad rating"));
    let client = reqwest::Client::new();
    let alert = json!({"text": "Dana rated a chat as bad: <!channel>"});
    client.post(stage.slack.webhook_url()).json(&alert).send().await.expect("an answer");
    assert!(!is_met("Slack: nobody is mentioned, no limit is exceeded"));
    let alert = json!({"channel": slack::CHANNEL, "text": "Dana rated a chat as bad"});
    let url = format!("{}/api/chat.postMessage", stage.slack.base_url());
    client.post(url).bearer_auth(slack::TOKEN).json(&alert).send().await.expect("an answer");
    assert!(is_met("Slack: alert for Dana's bad rating"));
    assert!(is_met("Slack: no alert for Mia's good rating"));
}

#[test]
fn the_plugins_sections_are_toml_and_switch_on_what_the_story_needs() {
    let sections: Value = toml::from_str(plugin_config()).expect("TOML");
    let plugins = sections["plugin"].as_object().expect("a table");
    assert_eq!(plugins.len(), 3);
    for (name, plugin) in plugins {
        for event in plugin["events"].as_array().expect("events") {
            let event = event.as_str().expect("a name");
            assert_eq!(crate::event::types::resolve(event), Ok(event), "{name}");
        }
    }
}
