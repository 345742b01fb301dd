//! Posts to a service for each message, as often as its settings say: each a journalled action.

use chatplug_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Settings {
    posts: u32,
}

struct Poster;

impl Plugin for Poster {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest::new("poster", "1.0.0", "Posts to a service for each message.")
            .on("incoming_event")
            .connection("hook")
    }

    fn handle(event: Event, settings: Settings) -> Result<(), Failure> {
        for number in 0..settings.posts {
            http::post_json("hook", "/", &json!({ "event": event.id, "number": number }))
                .send()?
                .success()?;
        }
        Ok(())
    }
}

chatplug_sdk::plugin!(Poster);
