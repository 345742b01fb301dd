//! The `chatplug` executable: one match on the command.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use chatplug::cli::{
    Args, AuditCommand, Command, ConfigCommand, ConnectionsCommand, DeadCommand, EventsCommand, HeldCommand,
};
use chatplug::config::Config;
use chatplug::delivery::State;
use chatplug::store::Decision;
use chatplug::{app, cli, runtime, telemetry};
use clap::Parser;
use tikv_jemallocator::Jemalloc;

/// Each event is some large futures and buffers that live for a moment; the C library's allocator merges and splits their
/// pieces each time, which was a fifth of the processor's time. See docs/performance.md.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    let args = Args::parse();
    let out = &mut std::io::stdout().lock();
    match run(&args, out).and_then(|succeeded| Ok(out.flush().map(|()| succeeded)?)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a command; false if it ran but what it looked at isn't well.
fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<bool> {
    let json = args.json;
    match &args.command {
        Command::Compile(limits) => {
            let source = &mut std::io::stdin().lock();
            runtime::compile::in_child(source, out, limits.memory_bytes, limits.cpu_seconds)
                .map_err(anyhow::Error::msg)?;
        }
        Command::Config(ConfigCommand::Default) => cli::config_default::run(json, out)?,
        Command::Events(EventsCommand::Types) => cli::events_types::run(json, out)?,
        Command::Serve(serve) => {
            telemetry::init(args.log, std::env::var(telemetry::FILTER_VARIABLE).ok().as_deref())?;
            block_on(app::serve(&args.config, serve))?;
        }
        Command::Demo(demo) => return block_on(app::demo::run(demo, out)),
        // These have to work in a timer, and on a machine that has nothing but the file and the data.
        Command::Backup { file } => {
            cli::backup::run(&Config::data_dir_of(&args.config)?, file, json, out)?;
        }
        Command::Restore(restore) => {
            cli::restore::run(&Config::data_dir_of(&args.config)?, restore, json, out)?;
        }
        Command::Webhooks(command) => {
            return block_on(app::webhooks::run(&args.config, command, json, out));
        }
        // A config that is refused is one of the things that it finds.
        Command::Doctor(doctor) => {
            return block_on(app::doctor::run(&args.config, doctor, json, out));
        }
        Command::Forget(forget) => block_on(cli::forget::run(&args.config, forget, json, out))?,
        command => {
            let config = Config::load(&args.config)?;
            return with_config(command, (&args.config, &config), json, out);
        }
    }
    Ok(true)
}

fn with_config(
    command: &Command,
    (config_path, config): (&Path, &Config),
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    match command {
        Command::Check(check) => return block_on(app::check::run(config, check.online, json, out)),
        Command::Plugins(command) => {
            return block_on(app::plugins::run(command, (config_path, config), json, out));
        }
        Command::Events(EventsCommand::List(list)) => {
            cli::events_list::run(&config.data_dir, list, json, out)?
        }
        Command::Events(EventsCommand::Show { id }) => {
            return cli::events_show::run(&config.data_dir, *id, json, out);
        }
        Command::Events(EventsCommand::Replay { id, plugin }) => {
            return block_on(cli::events_replay::run(config, *id, plugin.as_deref(), json, out));
        }
        Command::Events(EventsCommand::Recover(args)) => {
            return block_on(cli::events_recover::run(config, args, json, out));
        }
        Command::Dead(command) => return dead(command, config, json, out),
        Command::Held(command) => return held(command, config, json, out),
        Command::Audit(AuditCommand::List(list)) => {
            cli::audit_list::run(&config.data_dir, list, json, out)?;
        }
        Command::Audit(AuditCommand::Decisions(list)) => {
            cli::audit_decisions::run(&config.data_dir, list, json, out)?;
        }
        Command::Send(send) => return block_on(cli::send::run(config, send, json, out)),
        Command::Connections(ConnectionsCommand::List) => {
            block_on(cli::connections_list::run(config, json, out))?;
        }
        Command::Connections(ConnectionsCommand::Test { name }) => {
            return block_on(app::test_connection(config, name, json, out));
        }
        Command::Chats(chats) => {
            block_on(app::overview::chats(config, chats, json, out, &mut std::io::stderr()))?;
        }
        Command::Agents(form) => block_on(app::overview::agents(config, form, json, out))?,
        Command::Stats(stats) => block_on(app::overview::stats(config, stats, json, out))?,
        Command::Files(command) => block_on(cli::files::run(config, command, json, out))?,
        Command::Serve(_)
        | Command::Demo(_)
        | Command::Compile(_)
        | Command::Backup { .. }
        | Command::Restore(_)
        | Command::Forget(_)
        | Command::Webhooks(_)
        | Command::Doctor(_)
        | Command::Config(_)
        | Command::Events(EventsCommand::Types) => {
            unreachable!("these were taken before the config was read")
        }
    }
    Ok(true)
}

fn dead(command: &DeadCommand, config: &Config, json: bool, out: &mut dyn Write) -> anyhow::Result<bool> {
    match command {
        DeadCommand::List(list) => {
            cli::stopped_list::run(&config.data_dir, State::Dead, list, json, out)?;
        }
        DeadCommand::Show { id } => {
            cli::stopped_show::run(&config.data_dir, State::Dead, *id, json, out)?;
        }
        DeadCommand::Replay { selection, fresh } => {
            let decision = Decision::Replay { fresh: *fresh };
            return block_on(cli::decide::run(config, decision, selection, json, out));
        }
        DeadCommand::Discard(selection) => {
            return block_on(cli::decide::run(config, Decision::Discard, selection, json, out));
        }
    }
    Ok(true)
}

fn held(command: &HeldCommand, config: &Config, json: bool, out: &mut dyn Write) -> anyhow::Result<bool> {
    match command {
        HeldCommand::List(list) => {
            cli::stopped_list::run(&config.data_dir, State::Held, list, json, out)?;
        }
        HeldCommand::Show { id } => {
            cli::stopped_show::run(&config.data_dir, State::Held, *id, json, out)?;
        }
        HeldCommand::Resolve(resolve) => {
            let decision = resolve.decision();
            return block_on(cli::decide::run(config, decision, &resolve.selection, json, out));
        }
    }
    Ok(true)
}

/// How long threads that are blocked, such as by a disk that hangs, are waited for at the end.
const BLOCKED_TIME: Duration = Duration::from_secs(5);

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(BLOCKED_TIME);
    done
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
