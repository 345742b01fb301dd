//! Asks for everything that it can ask for, remembers under `saw/EVENT` all that it got to see, and ends as the message
//! says.

use chatplug_sdk::payload::EventInChat;
use chatplug_sdk::prelude::*;

const CONNECTIONS: [&str; 5] = ["bearer", "basic", "header", "url", "broken"];

#[derive(Debug, Deserialize, JsonSchema)]
struct Settings {
    #[expect(dead_code, reason = "it is only seen")]
    word: String,
}

struct Witness;

impl Plugin for Witness {
    type Settings = Settings;

    fn manifest() -> Manifest {
        let manifest = Manifest::new("witness", "1.0.0", "Remembers all that it sees.").on("incoming_event");
        CONNECTIONS.into_iter().fold(manifest, Manifest::connection)
    }

    fn handle(event: Event, settings: Settings) -> Result<(), Failure> {
        let said: EventInChat = event.payload_as()?;
        let (chat, thread) = (&said.chat_id, &said.thread_id);
        let mut saw = vec![
            format!("{event:?} {settings:?}"),
            format!("{:?}", std::env::vars().collect::<Vec<_>>()),
            format!("{:?}", std::env::args().collect::<Vec<_>>()),
        ];
        for connection in CONNECTIONS {
            let path = if connection == "url" { "" } else { "/whoami" };
            saw.push(shown(http::request("GET", connection, path).send()));
            if connection != "basic" {
                let request = http::request("POST", connection, path).json(&json!({ "a": 1 }));
                saw.push(shown(request.once(connection).send()));
            }
        }
        saw.push(format!("{:?}", chats::get(chat)));
        saw.push(format!("{:?}", chats::note(chat, "a note").send()));
        saw.push(format!("{:?}", chats::tag(chat, thread, "a tag").send()));
        saw.push(format!("{:?}", customers::get("C")));
        let text = saw.join("\n");
        memory::set(&format!("saw/{}", event.id), &text)?;
        warn!("saw {text}");
        match said.event.message().unwrap_or_default() {
            "panic" => panic!("saw {text}"),
            "reject" => Err(Failure::reject(text)),
            // It answers 500: nobody knows whether that took place.
            _ => http::request("POST", "basic", "/whoami").send().map(|_| ()).map_err(Failure::from),
        }
    }
}

fn shown(answer: Result<http::Response, Error>) -> String {
    match answer {
        Ok(answer) => format!("{} {:?} {}", answer.status, answer.headers, answer.text()),
        Err(error) => format!("{error:?}"),
    }
}

chatplug_sdk::plugin!(Witness);
