//! What the documents show has to be there: commands, files, configs, the version.

use chatplug::cli::Args;
use chatplug::config::Config;
use clap::Parser;
use clap::error::ErrorKind;

use super::none;
use super::source::{Source, file, files, line, root};

/// The fenced blocks of a document: what stands behind the fence, and the text.
fn blocks(text: &str) -> Vec<(&str, &str)> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("```") {
        let (info, body) = rest[at + 3..].split_once('\n').unwrap_or_default();
        let end = body.find("\n```").map_or(body.len(), |end| end + 1);
        blocks.push((info, &body[..end]));
        rest = body.get(end + 3..).unwrap_or_default();
    }
    blocks
}

/// The code spans of a document outside of its blocks, with the line.
fn spans(text: &str) -> Vec<(usize, &str)> {
    let (mut spans, mut in_block) = (Vec::new(), false);
    for (index, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            spans.extend(line.split('`').skip(1).step_by(2).map(|span| (index + 1, span)));
        }
    }
    spans
}

/// The commands that a document shows, in spans and in blocks for a shell, with the line.
fn commands(text: &str) -> Vec<(usize, String)> {
    let in_spans = spans(text).into_iter().map(|(number, span)| (number, span.to_owned()));
    let shell = blocks(text).into_iter().filter(|(info, _)| info.starts_with("sh"));
    let in_blocks = shell.flat_map(|(_, body)| {
        let begins = body.as_ptr() as usize - text.as_ptr() as usize;
        body.lines().map(move |command| (line(text, begins), command.trim_start_matches("$ ").to_owned()))
    });
    in_spans.chain(in_blocks).collect()
}

/// A command up to what the shell does with it.
fn bare(command: &str) -> &str {
    let end = [" > ", " | ", " #", " && "].iter().filter_map(|stop| command.find(stop)).min();
    command[..end.unwrap_or(command.len())].trim()
}

/// Whether a command is right as far as it goes: a document may name one without its arguments.
fn is_only_named(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::MissingRequiredArgument
            | ErrorKind::MissingSubcommand
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    )
}

fn wrong_commands(source: &Source) -> Vec<String> {
    let usage = file("xtask/src/main.rs");
    let is_wrong = |command: &str| {
        let command = bare(command);
        let words = command.split_whitespace();
        match command.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["chatplug", _, ..] => Args::try_parse_from(words).is_err_and(|error| !is_only_named(&error)),
            ["cargo", "xtask", task, ..] => !usage.contains(&format!("\ncargo xtask {task} ")),
            _ => false,
        }
    };
    let shown = commands(&source.text).into_iter().filter(|(_, command)| is_wrong(command));
    shown.map(|(line, command)| format!("{}:{line}: {command}", source.path)).collect()
}

/// Links to files and paths in code spans that lead nowhere.
fn dangling(source: &Source) -> Vec<String> {
    let folder = source.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let links = source.text.lines().enumerate().flat_map(|(index, line)| {
        let targets = line.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        targets.map(move |target| (index + 1, root().join(folder).join(target), target))
    });
    let links = links.filter(|(_, _, target)| !target.is_empty() && !target.contains(':'));
    let tops = ["docs/", "host/", "plugin-sdk/", "plugins/", "tests/", "wit/", "xtask/"];
    let is_path = |span: &str| {
        tops.iter().any(|top| span.starts_with(top)) && !span.contains([' ', '*', '<', '…', '{'])
    };
    let paths = spans(&source.text).into_iter().filter(|(_, span)| is_path(span));
    let paths = paths.map(|(number, span)| (number, root().join(span), span));
    let missing = links.chain(paths).filter(|(_, path, _)| !path.exists());
    missing.map(|(line, _, target)| format!("{}:{line}: {target}", source.path)).collect()
}

/// Blocks that say they are a config, and are none.
fn wrong_configs(source: &Source) -> Vec<String> {
    let env = |_: &str| Some("https://example.com/secret".to_owned());
    let configs = blocks(&source.text).into_iter().filter(|(info, _)| *info == "toml chatplug");
    configs
        .filter_map(|(_, text)| Config::parse(text, &source.path, &env).err())
        .map(|e| e.to_string())
        .collect()
}

fn everywhere(check: impl Fn(&Source) -> Vec<String>) -> Vec<String> {
    files(&["md"]).iter().flat_map(check).collect()
}

/// The one block of a document with this behind its fence.
fn block<'a>(text: &'a str, info: &str) -> &'a str {
    let found: Vec<&str> =
        blocks(text).into_iter().filter(|(other, _)| *other == info).map(|(_, body)| body).collect();
    assert_eq!(found.len(), 1, "blocks marked `{info}`");
    found[0]
}

#[test]
fn the_commands_that_are_shown_exist() {
    none("a command in a document can be typed", &everywhere(wrong_commands));
}

#[test]
fn links_and_paths_lead_somewhere() {
    none("a link or path in a document leads to a file", &everywhere(dangling));
}

#[test]
fn the_configs_that_are_shown_are_right() {
    none("a config in a document can be read", &everywhere(wrong_configs));
}

#[test]
fn both_readmes_show_the_same_plugin() {
    let (readme, sdk) = (file("README.md"), file("plugin-sdk/README.md"));
    for (marked, plain) in [("toml plugin", "toml"), ("rust plugin", "rust")] {
        let first = blocks(&sdk).into_iter().find(|(info, _)| *info == plain).map(|(_, body)| body);
        assert_eq!(Some(block(&readme, marked)), first, "{marked}");
    }
}

#[test]
fn the_changelog_has_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    assert!(file("CHANGELOG.md").contains(&format!("\n## [{version}]")), "CHANGELOG.md lacks {version}");
}

#[test]
fn every_package_says_what_it_is() {
    let is_package = |source: &Source| source.text.starts_with("[package]");
    let wanted = ["description = ", "license.workspace", "repository.workspace", "rust-version.workspace"];
    let packages = files(&["toml"]).into_iter().filter(is_package);
    let lacking = packages.flat_map(|source| {
        let lacks = wanted.iter().filter(|key| !source.text.contains(*key)).copied().collect::<Vec<_>>();
        lacks.into_iter().map(move |key| format!("{} lacks {key}", source.path))
    });
    none("a package has its description, license and home", &lacking.collect::<Vec<_>>());
}

#[test]
fn ci_runs_the_command_of_the_readme() {
    let command = "cargo xtask test\n";
    assert!(file("README.md").contains(command) && file(".ci/run").contains(command));
}

#[test]
fn decisions_are_numbered_without_a_gap() {
    let paths: Vec<String> = files(&["md"]).into_iter().map(|source| source.path).collect();
    let decisions = paths.iter().filter_map(|path| path.strip_prefix("docs/decisions/"));
    for (index, name) in decisions.enumerate() {
        assert!(name.starts_with(&format!("{:04}-", index + 1)), "{name} is number {}", index + 1);
    }
}

#[test]
fn what_is_wrong_in_a_document_is_found() {
    let source = |text: &str| Source { path: "README.md".to_owned(), text: text.to_owned() };
    let text = "Run `chatplug serve`, `chatplug send` or `chatplug fly`.\n\n```sh\ncargo xtask moon --fast\nchatplug check > x\n```\n";
    assert_eq!(
        wrong_commands(&source(text)),
        ["README.md:1: chatplug fly", "README.md:4: cargo xtask moon --fast"]
    );
    let text =
        "[a](Cargo.toml) [b](docs/none.md#x) [c](https://x) `host/src/lib.rs` `host/none.rs` [d](#here)\n";
    assert_eq!(dangling(&source(text)), ["README.md:1: docs/none.md", "README.md:1: host/none.rs"]);
    let text = "```toml chatplug\n[server]\nlisten = 1\n```\n\n```toml\nanything\n```\n";
    assert_eq!(wrong_configs(&source(text)).len(), 1);
}

/// The keys of a unit for systemd, each with its section in front.
fn unit(text: &str) -> Vec<(String, &str)> {
    let mut section = "";
    let mut keys = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name;
        } else if let Some((key, value)) = line.split_once('=') {
            keys.push((format!("{section}.{key}"), value));
        }
    }
    keys
}

#[test]
fn the_unit_starts_the_host_again_however_often_it_ends() {
    let document = file("docs/operating.md");
    let keys = unit(block(&document, "ini"));
    let value = |key: &str| keys.iter().find(|(found, _)| found == key).map(|(_, value)| *value);
    assert_eq!(
        value("Unit.StartLimitIntervalSec"),
        Some("0"),
        "systemd gives up after some starts otherwise"
    );
    assert_eq!((value("Service.Restart"), value("Service.RestartSec")), (Some("always"), Some("2")));
    // The host gives its parts 35 s.
    let stop: u32 =
        value("Service.TimeoutStopSec").and_then(|stop| stop.parse().ok()).expect("a number of seconds");
    assert!(stop > 35, "{stop} s");
}

/// The `chatplug` command in a line for a shell, whatever stands in front of it.
fn inner(command: &str) -> Option<&str> {
    Some(&command[command.find("chatplug --config ")?..])
}

#[test]
fn commands_behind_others_can_be_typed_too() {
    let document = file("docs/operating.md");
    let shown: Vec<String> = blocks(&document)
        .into_iter()
        .filter(|(info, _)| info.starts_with("sh"))
        .flat_map(|(_, body)| body.replace("\\\n", " ").lines().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|line| inner(&line).map(str::to_owned))
        .collect();
    assert!(shown.len() >= 6, "{shown:#?}");
    let wrong: Vec<String> = shown
        .into_iter()
        .filter(|command| Args::try_parse_from(bare(command).split_whitespace()).is_err())
        .collect();
    none("a command in a document can be typed", &wrong);
    // Without a config they would look for one in the folder in which they happen to be run.
    let alone =
        ["\nchatplug backup ", "\nchatplug restore "].iter().filter(|line| document.contains(**line)).count();
    assert_eq!(alone, 0);
}
