//! The `chatplug` executable: one match on the command.

use std::io::Write;
use std::process::ExitCode;

use chatplug::cli::{
    Args, Command, ConfigCommand, ConnectionsCommand, DeadCommand, EventsCommand, PluginsCommand,
};
use chatplug::config::Config;
use chatplug::{app, cli, runtime, telemetry};
use clap::Parser;

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
        Command::Compile(compile) => {
            runtime::compile::in_child(&compile.input, &compile.output).map_err(anyhow::Error::msg)?;
        }
        Command::Config(ConfigCommand::Default) => cli::config_default::run(json, out)?,
        Command::Events(EventsCommand::Types) => cli::events_types::run(json, out)?,
        Command::Serve => {
            telemetry::init(args.log, std::env::var(telemetry::FILTER_VARIABLE).ok().as_deref())?;
            block_on(app::serve(&args.config))?;
        }
        Command::Demo(demo) => return block_on(app::demo::run(demo, out)),
        command => {
            let config = Config::load(&args.config)?;
            return with_config(command, &config, json, out);
        }
    }
    Ok(true)
}

fn with_config(command: &Command, config: &Config, json: bool, out: &mut dyn Write) -> anyhow::Result<bool> {
    match command {
        Command::Check(check) => return block_on(app::check::run(config, check.online, json, out)),
        Command::Plugins(PluginsCommand::List) => block_on(app::list_plugins(config, json, out))?,
        Command::Events(EventsCommand::List(list)) => {
            cli::events_list::run(&config.data_dir, list, json, out)?
        }
        Command::Events(EventsCommand::Show { id }) => {
            return cli::events_show::run(&config.data_dir, *id, json, out);
        }
        Command::Dead(DeadCommand::List { limit }) => {
            cli::dead_list::run(&config.data_dir, *limit, json, out)?
        }
        Command::Send(send) => return block_on(cli::send::run(config, send, json, out)),
        Command::Connections(ConnectionsCommand::List) => {
            cli::connections_list::run(&config.connections, json, out)?;
        }
        Command::Connections(ConnectionsCommand::Test { name }) => {
            return block_on(app::test_connection(config, name, json, out));
        }
        Command::Serve
        | Command::Demo(_)
        | Command::Compile(_)
        | Command::Config(_)
        | Command::Events(EventsCommand::Types) => {
            unreachable!("these were taken before the config was read")
        }
    }
    Ok(true)
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
