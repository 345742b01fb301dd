//! `chatplug demo`: the real host and the real plugins against simulated services, on a day's chats.
//!
//! The host runs as a process of its own, as `serve` would: it only has another config.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;

use crate::cli::{DemoArgs, Service};
use crate::simulator::scenario::{self, Stage};
use crate::simulator::{Hubspot, Livechat, Slack};

mod home;
mod host;
mod manual;
mod screen;
mod words;

use home::Home;
use host::Host;
use screen::Screen;

/// How often the screen is brought up to date while nothing is played.
const REFRESH: Duration = Duration::from_millis(500);

/// How long to wait for what the next steps build on.
const AWAITED: Duration = Duration::from_secs(20);
/// How long to wait until the plugins have seen what a step caused.
const CALM: Duration = Duration::from_secs(10);
/// How long to wait in the end: an attempt that was interrupted is made again after up to half a minute.
const END: Duration = Duration::from_secs(45);

/// Plays the day; true if all that was expected happened. Without `--once` it goes on until Ctrl-C.
///
/// # Errors
/// What keeps the host from starting, a host that ends by itself, and those of the output.
pub async fn run(args: &DemoArgs, out: &mut dyn Write) -> anyhow::Result<bool> {
    let stage = stage().await.context("cannot start the simulated services")?;
    if let Some(service) = args.broken {
        stage.break_down(name(service));
    }
    let home = Home::furnish(&stage, &args.plugins)?;
    let mut host = Host::start(&home)?;
    let mut succeeded = false;
    let ended = tokio::select! {
        ended = show(args, &stage, &home, &mut host, out, &mut succeeded) => ended,
        () = super::stopped() => Ok(()),
    };
    host.stop().await;
    ended.map(|()| succeeded)
}

async fn stage() -> std::io::Result<Stage> {
    Ok(Stage::new(Livechat::start().await?, Hubspot::start().await?, Slack::start().await?))
}

async fn show(
    args: &DemoArgs,
    stage: &Stage,
    home: &Home,
    host: &mut Host,
    out: &mut dyn Write,
    succeeded: &mut bool,
) -> anyhow::Result<()> {
    writeln!(out, "starting the host; it compiles the plugins, which takes a moment")?;
    let address = host.listening(home).await?;
    let mut screen = Screen::new(out, stage, host, home)?;
    screen.wait_for_plugins().await?;
    stage.livechat.send_webhooks_to(&format!("http://{address}/webhooks/livechat"), home::WEBHOOK_SECRET);
    if let Some(service) = args.broken {
        screen.say(&format!("{} is broken: it answers 503 to everything", title(service)))?;
    }
    // What does not come at once does not come at all while a service is broken.
    let is_patient = args.broken.is_none();
    play(&mut screen, is_patient).await?;
    *succeeded = judge(&mut screen, is_patient).await?;
    if args.once {
        return Ok(());
    }
    screen.say(&manual::text(home, address, stage))?;
    let mut entered = manual::entered();
    loop {
        tokio::select! {
            Some(()) = entered.recv() => play(&mut screen, is_patient).await?,
            () = tokio::time::sleep(REFRESH) => screen.refresh()?,
        }
    }
}

/// Plays the story, and shows what each step led to.
async fn play(screen: &mut Screen<'_>, is_patient: bool) -> anyhow::Result<()> {
    for step in scenario::steps() {
        screen.say(&format!("\n{}", step.sentence))?;
        screen.stage.play(&step)?;
        if is_patient {
            // What does not come is named in the end.
            let _ = screen.stage.wait_for(step.awaits, AWAITED).await;
        }
        screen.calm(CALM).await?;
    }
    Ok(())
}

/// Waits for the rest, and tells what is missing.
async fn judge(screen: &mut Screen<'_>, is_patient: bool) -> anyhow::Result<bool> {
    screen.say("\nThe day is over.")?;
    if is_patient {
        screen.done(END).await?;
    }
    let missing = screen.stage.missing(Duration::ZERO).await;
    screen.refresh()?;
    let count = screen.stage.expectations().len();
    let lines: Vec<String> = match missing.is_empty() {
        true => screen.stage.expectations().iter().map(|met| format!("yes      {}", met.name)).collect(),
        false => missing.iter().map(|not_yet| format!("MISSING  {}", not_yet.what())).collect(),
    };
    screen.say(&lines.join("\n"))?;
    screen.say(&match missing.len() {
        0 => format!("All {count} things that should be true are."),
        some => format!("{some} of {count} things that should be true are not."),
    })?;
    Ok(missing.is_empty())
}

/// The name by which the stage knows a service.
fn name(service: Service) -> &'static str {
    match service {
        Service::Hubspot => "hubspot",
        Service::Slack => "slack",
        Service::Livechat => "livechat",
    }
}

fn title(service: Service) -> &'static str {
    match service {
        Service::Hubspot => "HubSpot",
        Service::Slack => "Slack",
        Service::Livechat => "LiveChat's API",
    }
}
