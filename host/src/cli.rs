//! The command line: its arguments, and one file per command. A command writes to a given output; tables
//! for people, one JSON document with `--json`.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::delivery::DeliveryId;
use crate::event::EventId;
use crate::event::person::Person;
use crate::event::types;

use audit_decisions::AuditDecisionsArgs;
use audit_list::AuditListArgs;
use doctor::DoctorArgs;
pub use plugins::PluginsCommand;
use selection::{ListArgs, ResolveArgs, SelectionArgs};
use send::SendArgs;

pub mod audit_decisions;
pub mod audit_list;
pub mod backup;
pub mod config_default;
pub mod connections_list;
pub mod connections_test;
pub mod csv;
pub mod decide;
pub mod doctor;
pub mod events_list;
pub mod events_recover;
pub mod events_replay;
pub mod events_show;
pub mod events_types;
pub mod files;
pub mod forget;
pub mod link;
pub mod overview;
mod plugins;
pub mod plugins_change;
pub mod plugins_command;
pub mod plugins_list;
pub mod plugins_show;
pub mod restore;
pub mod selection;
pub mod send;
pub mod stopped_list;
pub mod stopped_show;
pub mod table;
pub mod text;
pub mod webhooks;

/// Receives LiveChat webhooks, stores them, and hands each one to sandboxed plugins
#[derive(Debug, Parser)]
#[command(name = "chatplug", version, about)]
pub struct Args {
    /// The config; `chatplug config default` prints one to begin with
    #[arg(long, global = true, value_name = "FILE", default_value = "./chatplug.toml")]
    pub config: PathBuf,
    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// How log lines on stderr look
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Readable)]
    pub log: LogFormat,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One line of text each
    Readable,
    /// One JSON object each
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the host until it is stopped
    Serve(ServeArgs),
    /// Play a day's chats against simulated services, with the real host and plugins
    Demo(DemoArgs),
    /// Check the config, the secrets and the plugins without starting
    Check(CheckArgs),
    /// Look at all that the host depends on: credentials, registrations, clock, disk, the way in from outside
    Doctor(DoctorArgs),
    /// The config
    #[command(subcommand)]
    Config(ConfigCommand),
    /// The plugins in the folder and in the config
    #[command(subcommand)]
    Plugins(PluginsCommand),
    /// What was received
    #[command(subcommand)]
    Events(EventsCommand),
    /// Deliveries that were given up
    #[command(subcommand)]
    Dead(DeadCommand),
    /// Deliveries of which only you can say whether an action of theirs took place
    #[command(subcommand)]
    Held(HeldCommand),
    /// List chats that have ended, by default those of yesterday and today
    Chats(overview::ChatsArgs),
    /// List the people of the team, and who accepts chats
    Agents(overview::FormArgs),
    /// Show how many chats there were, how fast they were answered and how they were rated, by default for a week
    Stats(overview::StatsArgs),
    /// What operators did
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Post a sample webhook to a running host, with the configured secret
    Send(SendArgs),
    /// The outside services that plugins may reach
    #[command(subcommand)]
    Connections(ConnectionsCommand),
    /// The files that plugins have published
    #[command(subcommand)]
    Files(files::FilesCommand),
    /// What LiveChat has registered to be sent to the host
    #[command(subcommand)]
    Webhooks(webhooks::WebhooksCommand),
    /// Copy the store to a file, beside a running host or without one, and check the copy
    Backup {
        /// A file that doesn't exist yet
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Put a backup in the place of the store, which stays beside it under another name
    Restore(RestoreArgs),
    /// Take away what is stored of a person
    Forget(ForgetArgs),
    /// Compile a component from stdin to stdout; the host starts this in a process of its own
    #[command(hide = true)]
    Compile(CompileArgs),
}

/// The arguments of `serve`.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// Start with all plugins off: webhooks are stored, and wait
    #[arg(long)]
    pub safe_mode: bool,
    /// Write each webhook that is accepted into a folder, without its secret: for development, as customers' data is in it
    #[arg(long, value_name = "DIR")]
    pub capture: Option<PathBuf>,
}

/// The arguments of `demo`.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// End after the scenario; exit code 0 only if every expected action arrived
    #[arg(long)]
    pub once: bool,
    /// Let one of the simulated services fail
    #[arg(long = "break", value_name = "SERVICE", value_enum)]
    pub broken: Option<Service>,
    /// The folder with the built plugins; `cargo xtask plugins` fills it
    #[arg(long, value_name = "DIR", default_value = "target/plugins")]
    pub plugins: PathBuf,
}

/// The simulated services of `demo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Service {
    /// The simulated HubSpot
    Hubspot,
    /// The simulated Slack
    Slack,
    /// The simulated LiveChat API
    Livechat,
}

/// The arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// Also ask the services: credentials, tags, property namespaces
    #[arg(long)]
    pub online: bool,
}

/// The commands of `config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print a config with every key and what it means
    Default,
}

/// The commands of `events`.
#[derive(Debug, Subcommand)]
pub enum EventsCommand {
    /// List stored events, the newest first
    List(EventsListArgs),
    /// Show one event and its deliveries
    Show {
        /// The event's id, such as ev-42
        #[arg(value_name = "ID")]
        id: EventId,
    },
    /// Ask LiveChat what webhooks were missed, and store and deliver what they would have told
    Recover(events_recover::RecoverArgs),
    /// Have plugins handle an event anew, as if they never had
    Replay {
        /// The event's id, such as ev-42
        #[arg(value_name = "ID")]
        id: EventId,
        /// Only this plugin
        #[arg(long, value_name = "PLUGIN")]
        plugin: Option<String>,
    },
    /// List the event types that a plugin can be switched on for
    Types,
}

/// The arguments of `events list`.
#[derive(Debug, clap::Args)]
pub struct EventsListArgs {
    /// Only events of this type (older names are understood)
    #[arg(long = "type", value_name = "TYPE", value_parser = any_event_type)]
    pub event_type: Option<String>,
    /// Only events of this chat
    #[arg(long, value_name = "ID")]
    pub chat: Option<String>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
}

/// The commands of `dead`.
#[derive(Debug, Subcommand)]
pub enum DeadCommand {
    /// List dead letters, the newest first
    List(ListArgs),
    /// Show one with its log and what it has done
    Show {
        /// The delivery's id, such as dl-42
        #[arg(value_name = "ID")]
        id: DeliveryId,
    },
    /// Run dead letters again; what they have done is not done again
    Replay {
        /// Which
        #[command(flatten)]
        selection: SelectionArgs,
        /// Forget what they have done: every action may happen once more
        #[arg(long)]
        fresh: bool,
    },
    /// Give dead letters up for good; their events stay
    Discard(SelectionArgs),
}

/// The commands of `held`.
#[derive(Debug, Subcommand)]
pub enum HeldCommand {
    /// List held deliveries, the newest first
    List(ListArgs),
    /// Show one with what it has done, and what is in doubt
    Show {
        /// The delivery's id, such as dl-42
        #[arg(value_name = "ID")]
        id: DeliveryId,
    },
    /// Say what became of the action that is in doubt; the delivery goes on
    Resolve(ResolveArgs),
}

/// The commands of `audit`.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// List what operators changed, the newest first
    List(AuditListArgs),
    /// List which calls of plugins were refused or put off by their grants, by minute, the newest first
    Decisions(AuditDecisionsArgs),
}

/// The commands of `connections`.
#[derive(Debug, Subcommand)]
pub enum ConnectionsCommand {
    /// List the connections of the config; while a host runs, also how each stands, and LiveChat
    List,
    /// Send a harmless request to a connection and say what it answers
    Test {
        /// The connection's name
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// The arguments of `restore`.
#[derive(Debug, clap::Args)]
pub struct RestoreArgs {
    /// The backup
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Only check it: that it is whole, and what it holds
    #[arg(long)]
    pub verify: bool,
}

/// The arguments of `forget`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("person").required(true).args(["chat", "email"])))]
pub struct ForgetArgs {
    /// The person of this chat
    #[arg(long, value_name = "ID", value_parser = Person::of_chat)]
    pub chat: Option<Person>,
    /// The person with this e-mail address: their chats, and what else mentions it
    #[arg(long, value_name = "ADDRESS", value_parser = Person::with_email)]
    pub email: Option<Person>,
    /// Only say what would be taken away
    #[arg(long)]
    pub dry_run: bool,
}

/// The arguments of `compile`.
#[derive(Debug, clap::Args)]
pub struct CompileArgs {
    /// Address space that it may use
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30)]
    pub memory_bytes: u64,
    /// CPU time that it may use
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub cpu_seconds: u64,
}

/// For looking at events: also a type that can't be switched on.
fn any_event_type(name: &str) -> Result<String, String> {
    types::resolve_any(name).map(str::to_owned)
}

fn event_type(name: &str) -> Result<String, String> {
    types::resolve(name).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_well_formed() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    fn check(line: &str, accepted: bool) {
        let result = Args::try_parse_from(line.split(' '));
        assert_eq!(result.is_ok(), accepted, "{line}: {result:?}");
    }

    #[test]
    fn global_arguments_stand_before_or_after_the_command() {
        check("chatplug serve", true);
        check("chatplug serve --safe-mode", true);
        check("chatplug serve --capture webhooks --safe-mode", true);
        check("chatplug serve --capture", false);
        check("chatplug --config a.toml --json --log json events types", true);
        check("chatplug events list --config a.toml --json --type rating_added --chat C1 --limit 5", true);
        check("chatplug events show ev-42", true);
        check("chatplug events show 42", true);
        check("chatplug events replay ev-42 --plugin crm-notes", true);
        check("chatplug events recover", true);
        check("chatplug events recover --from 6h --to 2026-11-28T10:00:00Z", true);
        check("chatplug events recover --from yesterday", false);
        check("chatplug dead list --plugin crm-notes --type chat_ended --reason timeout --since 24h", true);
        check("chatplug dead replay dl-1 dl-2 --fresh", true);
        check("chatplug dead replay --all --dry-run --limit 5", true);
        check("chatplug dead discard --plugin crm-notes --since 2026-11-28T10:00:00Z", true);
        check("chatplug held resolve dl-1 --sent", true);
        check("chatplug held resolve --all --look", true);
        check("chatplug audit list --since 7d --limit 5", true);
        check("chatplug audit decisions --plugin crm-notes --since 7d --limit 5", true);
        check("chatplug dead replay", false);
        check("chatplug dead replay --fresh", false);
        check("chatplug dead replay dl-1 --all", false);
        check("chatplug dead discard --since yesterday", false);
        check("chatplug held resolve dl-1", false);
        check("chatplug held resolve dl-1 --sent --look", false);
        check("chatplug held resolve --sent", false);
        check("chatplug demo --once --break slack --plugins dir", true);
        check("chatplug plugins enable p --event rating_added --event incoming_chat", true);
        check("chatplug plugins disable p", true);
        check("chatplug plugins disable p --event chat_deactived", false);
        check("chatplug plugins approve p --deny http:slack --dry-run", true);
        check("chatplug plugins rollback p --to 5891b5", true);
        check("chatplug plugins history p --json", true);
        check("chatplug --json plugins command p report --from 2026-01-01 --to=2026-02-01 --dry-run", true);
        check("chatplug plugins command p", false);
        check("chatplug plugins show", false);
        check("chatplug compile", true);
        check("chatplug backup copy.db", true);
        check("chatplug restore copy.db --verify", true);
        check("chatplug forget --chat C1 --dry-run", true);
        check("chatplug files list --plugin p --json", true);
        check("chatplug files show p a.csv --version 3 --out a.csv", true);
        check("chatplug files history p a.csv", true);
        check("chatplug files token p a.csv", true);
        check("chatplug files revoke p", false);
        check("chatplug forget --email mary@example.com", true);
        check("chatplug forget", false);
        check("chatplug forget --email mary", false);
        check("chatplug forget --email mary@", false);
        check("chatplug forget --email=", false);
        check("chatplug forget --chat=", false);
        check("chatplug forget --chat C1 --email mary@example.com", false);
        check("chatplug events show first", false);
        check("chatplug events list --limit 0", false);
        check("chatplug events list --type chat_deactived", false);
        check("chatplug demo --break postgres", false);
        check("chatplug", false);
    }

    #[test]
    fn older_names_of_event_types_are_understood() {
        let args = Args::try_parse_from(["chatplug", "events", "list", "--type", "rating_added"]).unwrap();
        let Command::Events(EventsCommand::List(list)) = args.command else { panic!("{args:?}") };
        assert_eq!(list.event_type.as_deref(), Some("chat_rated"));
    }
}
