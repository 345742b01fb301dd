//! The fuzz targets: `fuzz/`.

use std::process::{Command, ExitCode};

use anyhow::{Context, bail};

use crate::{root, succeed};

/// What can be fuzzed. Each begins with what is in `fuzz/corpus`: samples, and what was found, under names that people
/// gave them. What a run comes upon on its way stays in `fuzz/grown` on this machine, for the next one.
const TARGETS: [&str; 6] = ["door", "signature", "component", "config", "retry_after", "path"];

/// Runs the targets that are named, or all, one after the other. Of what has grown the least is kept that reaches the same
/// code.
pub(crate) fn run(args: &[String]) -> anyhow::Result<ExitCode> {
    let (named, seconds) = read(args)?;
    let is_there =
        Command::new("cargo").args(["fuzz", "--version"]).output().is_ok_and(|out| out.status.success());
    if !is_there {
        bail!("cargo-fuzz is not installed: cargo install --locked cargo-fuzz");
    }
    for target in TARGETS.iter().filter(|target| named.is_empty() || named.iter().any(|name| name == *target))
    {
        eprintln!("fuzzing {target} for {seconds} s (the first time it is built, with all dependencies)");
        let limits =
            [format!("-max_total_time={seconds}"), "-rss_limit_mb=4096".to_owned(), "-timeout=20".to_owned()];
        let grown = root().join("fuzz/grown").join(target);
        std::fs::create_dir_all(&grown).with_context(|| format!("cannot make {}", grown.display()))?;
        let kept = root().join("fuzz/corpus").join(target);
        succeed(fuzz("run", target).args([&grown, &kept]).arg("--").args(limits))?;
        succeed(fuzz("cmin", target).arg(&grown))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Without a sanitizer it builds with the toolchain of the repository.
fn fuzz(task: &str, target: &str) -> Command {
    let mut command = Command::new("cargo");
    command.args(["fuzz", task, "--sanitizer", "none", target]).current_dir(root());
    command
}

/// The targets that are named, and the seconds.
fn read(args: &[String]) -> anyhow::Result<(Vec<String>, u32)> {
    let (mut named, mut seconds) = (Vec::new(), 60);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--seconds" {
            let given = args.next().context("--seconds wants a number")?;
            seconds = given.parse().with_context(|| format!("--seconds wants a number, not {given:?}"))?;
        } else if TARGETS.contains(&arg.as_str()) {
            named.push(arg.clone());
        } else {
            bail!("no such target: {arg:?}; there are {}", TARGETS.join(", "));
        }
    }
    Ok((named, seconds))
}
