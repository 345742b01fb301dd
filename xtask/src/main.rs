//! What people and CI run: `cargo xtask demo`, `cargo xtask test`, `cargo xtask crash`, `cargo xtask power-cut`,
//! `cargo xtask swaps`, `cargo xtask bench`, `cargo xtask fuzz`, `cargo xtask plugins`.

use std::env;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};

mod build;
mod fuzz;

const USAGE: &str = "\
cargo xtask demo [--once] [--break hubspot|slack|livechat]
                     build everything and play a day's chats against simulated services
cargo xtask test     build what the tests need and run all of them
cargo xtask crash [--cycles N] [--seed N] [--hostile [--ambiguous N]]
                     kill the host N times (1,000) under load, and count what was lost or doubled
cargo xtask power-cut [--cycles N] [--seed N]
                     cut the power under the host N times (200) while chats go on, and count what was lost or doubled
cargo xtask swaps [N] [--small]
                     swap N versions (1,000) of a plugin while webhooks come in; none may be lost, and memory must stay;
                     with --small the plugin is one of a few instructions; takes a release build of the host
cargo xtask plugins  build the plugins into target/plugins
cargo xtask bench [NAME ...] [--events N] [--plugins N] [--pending N]
                     measure, everything or what is named; takes a release build of the host
cargo xtask fuzz [NAME ...] [--seconds N]
                     look for bytes from outside that break what must hold, for N seconds (60) each; needs cargo-fuzz
";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    match run(&args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> anyhow::Result<ExitCode> {
    let (task, rest) = args.split_first().map_or(("", args), |(task, rest)| (task.as_str(), rest));
    match task {
        "demo" => demo(rest),
        "test" => test("dev", rest, &[]),
        "swaps" => swaps(rest),
        "plugins" => build::plugins().map(|_| ExitCode::SUCCESS),
        "bench" => bench(rest),
        "crash" => crash(rest),
        "power-cut" => power_cut(rest),
        "fuzz" => fuzz::run(rest),
        _ => {
            eprint!("{USAGE}");
            Ok(ExitCode::from(64))
        }
    }
}

/// Builds host and plugins, and runs the demo of the executable; its exit code is the demo's.
fn demo(args: &[String]) -> anyhow::Result<ExitCode> {
    let plugins = build::plugins()?;
    let host = build::host("dev")?;
    eprintln!("starting the demo");
    // In place of this process: Ctrl-C reaches the demo alone, and the shell waits until it has tidied up.
    let error = Command::new(host).arg("demo").arg("--plugins").arg(plugins).args(args).exec();
    Err(error).context("cannot start the demo")
}

/// Runs the tests with a host of that profile.
fn test(profile: &str, args: &[String], more: &[(&str, String)]) -> anyhow::Result<ExitCode> {
    build::guests()?;
    let plugins = build::plugins()?;
    let host = build::host(profile)?;
    let status = build::cargo()
        .arg("test")
        .args(build::NATIVE)
        .args(args)
        .env("CHATPLUG_HOST", host)
        .env("CHATPLUG_PLUGINS", plugins)
        .env("CHATPLUG_GUESTS", build::guests_dir())
        .env("CHATPLUG_DISK", build::disk()?)
        .envs(more.iter().map(|(name, value)| (name, value)))
        .status()
        .context("cannot start cargo")?;
    Ok(exit_code(status))
}

/// The test of that name with more versions than usual; it prints its figures. Most of the time goes into compiling them:
/// a release build does it in half of it, and of a small plugin there is little to compile.
fn swaps(args: &[String]) -> anyhow::Result<ExitCode> {
    let (is_small, args): (Vec<&String>, Vec<&String>) = args.iter().partition(|arg| *arg == "--small");
    if let Some(unknown) = args.get(1).or_else(|| args.iter().find(|arg| arg.starts_with('-'))) {
        bail!("swaps takes a number and --small, not {unknown:?}");
    }
    let given = args.first().map_or("1000", |given| given.as_str());
    let count: u32 = given.parse().with_context(|| format!("swaps wants a number, not {given:?}"))?;
    let mut more = vec![("CHATPLUG_SWAPS", count.to_string())];
    more.extend(is_small.first().map(|_| ("CHATPLUG_SMALL", "1".to_owned())));
    let test_args = ["--test", "it", "--", "versions_are_swapped", "--nocapture"].map(str::to_owned);
    test("release", &test_args, &more)
}

fn power_cut(args: &[String]) -> anyhow::Result<ExitCode> {
    with_host("power_cut", "dev", args, &[("CHATPLUG_DISK", build::disk()?)])
}

fn bench(args: &[String]) -> anyhow::Result<ExitCode> {
    with_host("bench", "release", args, &[])
}

/// A debug build of the host: a release build has no places to end at.
fn crash(args: &[String]) -> anyhow::Result<ExitCode> {
    with_host("crash", "dev", args, &[])
}

/// Runs an executable of the tests, built with the same profile as the host that it starts.
fn with_host(
    executable: &str,
    profile: &str,
    args: &[String],
    more: &[(&str, PathBuf)],
) -> anyhow::Result<ExitCode> {
    build::guests()?;
    let host = build::host(profile)?;
    let status = Command::new(build::executable(executable, profile)?)
        .args(args)
        .env("CHATPLUG_HOST", host)
        .env("CHATPLUG_GUESTS", build::guests_dir())
        .envs(more.iter().map(|(name, path)| (name, path)))
        .status()
        .with_context(|| format!("cannot start {executable}"))?;
    Ok(exit_code(status))
}

fn exit_code(status: std::process::ExitStatus) -> ExitCode {
    ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1))
}

/// The root of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the repository")
}

/// Copies a file so that nobody sees half of it: under another name first, then renamed.
fn put(from: &Path, to: &Path) -> anyhow::Result<()> {
    let unfinished = to.with_extension("part");
    std::fs::copy(from, &unfinished)
        .and_then(|_| std::fs::rename(&unfinished, to))
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

/// Runs a command to its end.
fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("cannot start {:?}", command.get_program()))?;
    if !status.success() {
        bail!("{:?} failed ({status})", command.get_program());
    }
    Ok(())
}

/// The folder that cargo builds into.
fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}
