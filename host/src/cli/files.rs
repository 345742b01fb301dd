//! `chatplug files`

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use serde::Serialize;

use super::link::{Link, stored};
use super::{table, text};
use crate::config::Config;
use crate::store::{FileContent, FileSummary, FileVersion, Reader};

/// The commands of `files`.
#[derive(Debug, Subcommand)]
pub enum FilesCommand {
    /// List the files that plugins have published
    List {
        /// Only of this plugin
        #[arg(long, value_name = "PLUGIN")]
        plugin: Option<String>,
    },
    /// List the versions of a file that are kept, the newest first
    History(FileArgs),
    /// Print a file, or save it
    Show {
        /// Which
        #[command(flatten)]
        file: FileArgs,
        /// This version; by default the newest
        #[arg(long, value_name = "N")]
        version: Option<i64>,
        /// Save it here as it is, instead of printing it
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Make a link to the newest version of a file, for a screen on a wall: it shows this file and nothing else
    Token(FileArgs),
    /// Take all links to a file back
    Revoke(FileArgs),
}

/// A file.
#[derive(Debug, clap::Args)]
pub struct FileArgs {
    /// The plugin that published it
    #[arg(value_name = "PLUGIN")]
    pub plugin: String,
    /// Its name
    #[arg(value_name = "NAME")]
    pub name: String,
}

#[derive(Serialize)]
struct Shown<'a> {
    plugin: &'a str,
    name: &'a str,
    version: i64,
    content: &'a str,
}

#[derive(Serialize)]
struct Made {
    path: String,
    token: String,
}

#[derive(Serialize)]
struct Revoked {
    revoked: u64,
}

/// Does one of the commands.
///
/// # Errors
/// If there is no such file; those of the host, of the store and of the output.
pub async fn run(
    config: &Config,
    command: &FilesCommand,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match command {
        FilesCommand::List { plugin } => {
            let files = match Reader::open(&config.data_dir)? {
                Some(reader) => reader.files(plugin.as_deref())?,
                None => Vec::new(),
            };
            list(files, json, out)
        }
        FilesCommand::History(FileArgs { plugin, name }) => {
            let versions = stored(&config.data_dir)?.file_versions(plugin, name)?;
            if versions.is_empty() {
                return Err(missing(plugin, name));
            }
            history(versions, json, out)
        }
        FilesCommand::Show { file: FileArgs { plugin, name }, version, out: saved } => {
            let file = stored(&config.data_dir)?.file(plugin, name, *version)?;
            let file = file.with_context(|| missing(plugin, name))?;
            match saved {
                Some(path) => std::fs::write(path, file.content.as_bytes())
                    .with_context(|| format!("cannot write {}", path.display())),
                None => show(plugin, &file, json, out),
            }
        }
        FilesCommand::Token(FileArgs { plugin, name }) => {
            let token = Link::open(config)?.make_file_token(plugin, name).await?;
            made(config, Made { path: format!("/files/{plugin}/{name}?token={token}"), token }, json, out)
        }
        FilesCommand::Revoke(FileArgs { plugin, name }) => {
            let revoked = Link::open(config)?.revoke_file_tokens(plugin, name).await?;
            if json {
                return Ok(text::json(out, &Revoked { revoked })?);
            }
            let links = if revoked == 1 { "link holds" } else { "links hold" };
            Ok(writeln!(out, "{revoked} {links} no more.")?)
        }
    }
}

fn missing(plugin: &str, name: &str) -> anyhow::Error {
    let (plugin, name) = (text::escape(plugin), text::escape(name));
    anyhow::anyhow!(
        "`{plugin}` has published no `{name}`, or no such version is kept; `chatplug files list` lists what there is"
    )
}

fn list(files: Vec<FileSummary>, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    if json {
        return Ok(text::json(out, &files)?);
    }
    if files.is_empty() {
        return Ok(writeln!(out, "No plugin has published a file.")?);
    }
    let row = |file: FileSummary| {
        let FileSummary { plugin, name, version, at, bytes, versions, tokens, .. } = file;
        [plugin, name, version.to_string(), at, bytes.to_string(), versions.to_string(), tokens.to_string()]
    };
    let rows: Vec<[String; 7]> = files.into_iter().map(row).collect();
    Ok(table::write(out, ["PLUGIN", "NAME", "VERSION", "PUBLISHED", "BYTES", "KEPT", "LINKS"], &rows)?)
}

fn history(versions: Vec<FileVersion>, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    if json {
        return Ok(text::json(out, &versions)?);
    }
    let row =
        |one: FileVersion| [one.version.to_string(), one.at, one.bytes.to_string(), one.delivery.to_string()];
    let rows: Vec<[String; 4]> = versions.into_iter().map(row).collect();
    Ok(table::write(out, ["VERSION", "PUBLISHED", "BYTES", "BY"], &rows)?)
}

fn show(plugin: &str, file: &FileContent, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let FileContent { name, version, content, .. } = file;
    if json {
        return Ok(text::json(out, &Shown { plugin, name, version: *version, content })?);
    }
    for line in content.lines() {
        writeln!(out, "{}", text::escape(line))?;
    }
    Ok(())
}

fn made(config: &Config, made: Made, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    if json {
        return Ok(text::json(out, &made)?);
    }
    writeln!(out, "http://{}{}", config.operator.listen, made.path)?;
    writeln!(
        out,
        "Whoever has this link sees the newest version of the file, and nothing else. It is shown this one time; the \
         host keeps only a digest of it. Where the operator's listener is reached by another address, put that in the \
         place of the first part."
    )?;
    Ok(())
}
