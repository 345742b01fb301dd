//! Does what its settings say, or else what the message says, and none of it is nice.

use std::io::Read;

use chatplug_sdk::payload::EventInChat;
use chatplug_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Settings {
    r#do: Option<String>,
}

struct Hostile;

impl Plugin for Hostile {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest::new("hostile", "1.0.0", "Misbehaves as told.").on("incoming_event")
    }

    fn handle(event: Event, settings: Settings) -> Result<(), Failure> {
        let said: EventInChat = event.payload_as()?;
        let said = said.event.message().unwrap_or_default();
        match settings.r#do.as_deref().unwrap_or(said) {
            "loop" => loop {
                std::hint::black_box(0);
            },
            "memory" => {
                let mut hoard = Vec::new();
                loop {
                    hoard.push(vec![1_u8; 1 << 20]);
                }
            }
            "recursion" => {
                recurse(0);
                Ok(())
            }
            "calls" => loop {
                memory::get_bytes("key")?;
            },
            "remember" => {
                memory::set_bytes("key", &[1; 60 << 10], None)?;
                loop {
                    memory::get_bytes("key")?;
                }
            }
            "sleep" => {
                std::thread::sleep(std::time::Duration::from_secs(3600));
                Ok(())
            }
            "exit" => exit(),
            "log" => {
                for number in 0..100_000 {
                    println!("line {number} of a flood");
                }
                Ok(())
            }
            "panic" => panic!("told to panic in {}", event.chat_id.as_deref().unwrap_or_default()),
            "giant" => {
                memory::set_bytes("giant", &vec![1; GIANT_BYTES], None)?;
                Ok(())
            }
            "giant-answer" => Err(Failure::reject("x".repeat(GIANT_BYTES))),
            "look" => Err(Failure::reject(look_around())),
            "outside" => Err(Failure::reject(outside())),
            "tag" => {
                chats::tag(event.chat_id.as_deref().unwrap_or_default(), "T", "tag").send()?;
                Ok(())
            }
            other => Err(Failure::reject(format!("no such misdeed: {other}"))),
        }
    }
}

/// More than may cross between plugin and host in one call.
const GIANT_BYTES: usize = 5 << 20;

/// What can be seen of the host's process.
fn look_around() -> String {
    let variables = std::env::vars().count();
    let arguments = std::env::args().count();
    let mut input = Vec::new();
    let read = std::io::stdin().read_to_end(&mut input).map_err(|error| error.kind());
    format!("{variables} variables, {arguments} arguments, input: {read:?}")
}

#[cfg(feature = "outside")]
fn outside() -> String {
    let file = std::fs::read_to_string("/etc/passwd").map_err(|error| error.kind());
    let stream = std::net::TcpStream::connect("127.0.0.1:80").map_err(|error| error.kind());
    format!("{file:?} {stream:?}")
}

#[cfg(not(feature = "outside"))]
fn outside() -> String {
    "there is no way out".to_owned()
}

#[expect(clippy::disallowed_methods, reason = "that is the misbehaviour")]
fn exit() -> ! {
    std::process::exit(0)
}

#[expect(unconditional_recursion, reason = "the stack is to run out")]
fn recurse(depth: u64) -> u64 {
    std::hint::black_box([depth; 64]).iter().sum::<u64>() + recurse(std::hint::black_box(depth + 1))
}

chatplug_sdk::plugin!(Hostile);
