//! Posts to a service for each message, as often as its settings say: each a journalled action. Before that it changes its
//! memory, as often as they say.

use std::time::Duration;

use chatplug_sdk::prelude::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

#[derive(Deserialize, JsonSchema)]
struct Settings {
    posts: u32,
    #[serde(default)]
    changes: u32,
    /// Empty for a connection that is a whole URL; by default `/`.
    path: Option<String>,
    /// Whether it claims each event first, and leaves alone what is claimed already.
    #[serde(default)]
    claims: bool,
    /// Whether it posts again at once what failed, a few times.
    #[serde(default)]
    insists: bool,
    /// Whether it rejects each event once it has posted.
    #[serde(default)]
    rejects: bool,
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
        if settings.claims && !memory::claim(&format!("event/{}", event.id), DAY)? {
            return Ok(());
        }
        for number in 0..settings.changes {
            memory::set(&format!("last/{number}"), &event.id)?;
        }
        let path = settings.path.as_deref().unwrap_or("/");
        for number in 0..settings.posts {
            let body = json!({ "text": format!("{} {number}", event.id) });
            post(path, &body, if settings.insists { 5 } else { 1 })?;
        }
        match settings.rejects {
            true => Err(Failure::reject("told to reject")),
            false => Ok(()),
        }
    }
}

/// What authors write who think that they have to: whatever went wrong, do it again.
fn post(path: &str, body: &Value, times: u32) -> Result<(), Error> {
    let mut last = Ok(());
    for _ in 0..times {
        last = http::post_json("hook", path, body).send().and_then(http::Response::success).map(drop);
        if last.is_ok() {
            break;
        }
    }
    last
}

chatplug_sdk::plugin!(Poster);
