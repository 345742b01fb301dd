//! Does what its settings say, and none of it is nice.

use chatplug_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct Settings {
    r#do: String,
}

struct Hostile;

impl Plugin for Hostile {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest::new("hostile", "1.0.0", "Misbehaves as told.").on("incoming_event")
    }

    fn handle(event: Event, settings: Settings) -> Result<(), Failure> {
        match settings.r#do.as_str() {
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
            "tag" => {
                chats::tag(event.chat_id.as_deref().unwrap_or_default(), "T", "tag").send()?;
                Ok(())
            }
            other => Err(Failure::reject(format!("no such misdeed: {other}"))),
        }
    }
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
