use clap::Subcommand;

use super::event_type;

/// The commands of `plugins`.
#[derive(Debug, Subcommand)]
pub enum PluginsCommand {
    /// List every plugin with its state and the reason for it
    List,
    /// Show a plugin with what it may do and its versions
    Show {
        /// The plugin's name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Switch a plugin on for event types; without --event, for all that it handles
    Enable {
        /// The plugin's name
        #[arg(value_name = "NAME")]
        name: String,
        /// This type (older names are understood); may be given several times
        #[arg(long = "event", value_name = "TYPE", value_parser = event_type)]
        events: Vec<String>,
    },
    /// Switch a plugin off for event types; without --event, for all
    Disable {
        /// The plugin's name
        #[arg(value_name = "NAME")]
        name: String,
        /// This type (older names are understood); may be given several times
        #[arg(long = "event", value_name = "TYPE", value_parser = event_type)]
        events: Vec<String>,
    },
    /// Let a version run that waits, with what it asks for
    Approve {
        /// The plugin's name
        #[arg(value_name = "NAME")]
        name: String,
        /// Only if this version waits, by the beginning of its content hash
        #[arg(long, value_name = "HASH")]
        version: Option<String>,
        /// Something that it asks for and is not to get; may be given several times
        #[arg(long = "deny", value_name = "CAPABILITY")]
        denies: Vec<String>,
        /// Only show what it asks for
        #[arg(long)]
        dry_run: bool,
    },
    /// Go back to an older version
    Rollback {
        /// The plugin's name
        #[arg(value_name = "NAME")]
        name: String,
        /// The version, by the beginning of its content hash [default: the last good one]
        #[arg(long, value_name = "HASH")]
        to: Option<String>,
    },
    /// Have a plugin do one of its commands, and follow it to its end
    Command {
        /// The plugin's name
        #[arg(value_name = "NAME")]
        name: String,
        /// The command; `chatplug plugins show NAME` lists them
        #[arg(value_name = "COMMAND")]
        command: String,
        /// What the command takes: --key value, --key=value, or --key; arguments of chatplug itself stand before NAME
        #[arg(value_name = "ARGUMENTS", trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// List how it went with a plugin's versions, the newest change first
    History {
        /// The plugin's name
        #[arg(value_name = "NAME")]
        name: String,
    },
}
