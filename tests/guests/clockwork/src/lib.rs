//! Schedules, timers and commands. A message says what to do with timers, one thing a line: `set KEY MS TEXT`,
//! `cancel KEY`, `wait` (until somebody says `go`), `go`. And what to publish: `publish NAME TEXT`, or `flood NAME
//! BYTES` until it is refused; or `compute`; or `take MS READS BYTES`. What comes of schedules and timers is said in the log.

use std::time::Duration;

use chatplug_sdk::payload::{Commanded, EventInChat};
use chatplug_sdk::prelude::*;

/// What the operator wants of the schedule `slow`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// It isn't done with it.
    stuck: bool,
}

struct Clockwork;

impl Plugin for Clockwork {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest::new("clockwork", "1.0.0", "Does things when their time has come.")
            .on("incoming_event")
            .schedule(Schedule::every("second", Duration::from_secs(1)))
            .schedule(Schedule::every("slow", Duration::from_secs(1)))
            .schedule(Schedule::every("late", Duration::from_secs(1)).catch_up())
            .schedule(Schedule::cron("nightly", "0 3 * * *").timezone("Europe/Warsaw"))
            .command("greet", "Greets: --name NAME [--times N]")
            .command("fail", "Does nothing, and says so")
            .command("compute", "Counts for some time")
            .command("take", "Sleeps, and reads its memory: --ms N --reads N --bytes N")
    }

    fn handle(event: Event, settings: Settings) -> Result<(), Failure> {
        match event.payload()? {
            Payload::IncomingEvent(said) => on_message(&said),
            Payload::Schedule(due) if due.schedule == "slow" && settings.stuck => {
                Err(Failure::retry("stuck"))
            }
            Payload::Schedule(due) => {
                info!("{} at {}", due.schedule, due.at);
                Ok(())
            }
            Payload::Timer(due) => {
                info!("timer {} with {}", due.key, due.payload_as::<String>()?);
                Ok(())
            }
            Payload::Command(command) => on_command(&command),
            other => Err(Failure::reject(format!("{other:?}"))),
        }
    }
}

fn on_message(said: &EventInChat) -> Result<(), Failure> {
    for line in said.event.message().unwrap_or_default().lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["set", key, delay, text] => {
                let delay: u64 = delay.parse().map_err(|_| Failure::reject("no delay"))?;
                timers::set(key, Duration::from_millis(delay), text)?;
            }
            ["cancel", key] => info!("cancelled {key}: {}", timers::cancel(key)?),
            ["publish", name, content] => files::publish(name, media_type(name), content)?,
            ["flood", name, bytes] => flood(name, bytes)?,
            ["go"] => memory::set("go", &true)?,
            ["wait"] if memory::get::<bool>("go")?.is_none() => return Err(Failure::retry("nobody said go")),
            ["wait"] => {}
            ["compute"] => compute(),
            ["take", ms, reads, bytes] => take(number(ms)?, number(reads)?, number(bytes)?)?,
            _ => return Err(Failure::reject(format!("what is `{line}`?"))),
        }
    }
    Ok(())
}

fn media_type(name: &str) -> MediaType {
    match name.rsplit('.').next() {
        Some("csv") => MediaType::Csv,
        Some("json") => MediaType::Json,
        Some("html") => MediaType::Html,
        _ => MediaType::Text,
    }
}

/// Publishes a file again and again; says how often it could, and why it couldn't any more.
fn flood(name: &str, bytes: &str) -> Result<(), Failure> {
    let bytes: usize = bytes.parse().map_err(|_| Failure::reject("no size"))?;
    let content = "x".repeat(bytes);
    for times in 0..1_000 {
        if let Err(error) = files::publish(name, media_type(name), &content) {
            return Err(Failure::reject(format!("{times} times, then {error}")));
        }
    }
    Ok(())
}

/// Takes some dozens of milliseconds.
fn compute() {
    for round in 0..100_000_000_u64 {
        std::hint::black_box(round);
    }
}

fn number(text: &str) -> Result<u64, Failure> {
    text.parse().map_err(|_| Failure::reject("no number"))
}

/// Sleeps for so long, and reads so many bytes of its memory so often.
fn take(ms: u64, reads: u64, bytes: u64) -> Result<(), Failure> {
    std::thread::sleep(Duration::from_millis(ms));
    memory::set_bytes("taken", &vec![1; bytes as usize], None)?;
    for _ in 0..reads {
        memory::get_bytes("taken")?;
    }
    Ok(())
}

fn on_command(command: &Commanded) -> Result<(), Failure> {
    if command.command == "compute" {
        compute();
        return Ok(());
    }
    if command.command == "take" {
        let given = |name| number(command.required(name)?);
        return take(given("ms")?, given("reads")?, given("bytes")?);
    }
    if command.command == "fail" {
        warn!("about to fail");
        return Err(Failure::reject("as it was told to"));
    }
    let name = command.required("name")?;
    let times: u32 =
        command.argument("times").unwrap_or("1").parse().map_err(|_| Failure::reject("no number"))?;
    for time in 1..=times {
        info!("hello {name}, {time} of {times}");
    }
    Ok(())
}

chatplug_sdk::plugin!(Clockwork);
