//! Tells a Slack channel of bad ratings, tags the thread and leaves a note for the agents. See README.md.

use chatplug_sdk::prelude::*;

mod decision;
mod delivery;
mod follow_up;
mod message;
mod record;
mod settings;
mod slack;
mod text;

use settings::Settings;

const RATED: &str = "chat_rated";

struct LowRatingAlert;

impl Plugin for LowRatingAlert {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest::new(
            "low-rating-alert",
            env!("CARGO_PKG_VERSION"),
            "Posts bad ratings to Slack, tags the thread and leaves a note.",
        )
        .on(RATED)
        .connection(slack::CONNECTION)
    }

    fn handle(event: Event, settings: Settings) -> Result<(), Failure> {
        if event.event_type != RATED {
            return Err(Failure::reject(format!(
                "{} is not for this plugin: leave it out of `events`",
                event.event_type
            )));
        }
        delivery::handle(&event, &event.payload_as()?, &settings)
    }
}

chatplug_sdk::plugin!(LowRatingAlert);
