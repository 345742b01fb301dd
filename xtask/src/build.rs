//! Building: the target for plugins, the plugins, the guests of the tests, the host.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::{put, root, succeed, target_dir};

const TARGET: &str = "wasm32-wasip2";

/// Builds the plugins of the repository; answers the folder that holds them.
pub(super) fn plugins() -> anyhow::Result<PathBuf> {
    let names = packages(&root().join("plugins"))?;
    components("plugins", &names, &[], &target_dir().join("plugins"))
}

/// Those of the tests' guests that are built again with a feature, which is put behind the file's name, too.
const AGAIN: [(&str, &str); 6] = [
    ("guest-recorder", "v2"),
    ("guest-recorder", "panics"),
    ("guest-recorder", "asks"),
    ("guest-answerer", "other"),
    ("guest-no-op", "numbered"),
    ("guest-hostile", "outside"),
];

/// Builds the guests of the tests into [`guests_dir`]; some of them as two plugins or versions.
pub(super) fn guests() -> anyhow::Result<()> {
    let names = packages(&root().join("tests/guests"))?;
    let guests: Vec<String> = names.iter().map(|name| format!("guest-{name}")).collect();
    components("the tests' guests", &guests, &[], &guests_dir())?;
    for (package, feature) in AGAIN {
        let name = package.replace('-', "_");
        let again = target_dir().join("guests-again");
        components(
            &format!("{package} with `{feature}`"),
            &[package.to_owned()],
            &["--features", feature],
            &again,
        )?;
        put(&again.join(format!("{name}.wasm")), &guests_dir().join(format!("{name}_{feature}.wasm")))?;
    }
    Ok(())
}

/// Where the guests of the tests are.
pub(super) fn guests_dir() -> PathBuf {
    target_dir().join("guests")
}

/// Builds the library that stands between the host and a faulty disk; answers its file.
pub(super) fn disk() -> anyhow::Result<PathBuf> {
    let library = target_dir().join("faulty_disk.so");
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-O1", "-Wall", "-o"]).arg(&library);
    succeed(compile.arg(root().join("tests/disk/faulty_disk.c")).arg("-ldl"))?;
    Ok(library)
}

/// Builds the host with a profile of cargo's; answers the executable.
pub(super) fn host(profile: &str) -> anyhow::Result<PathBuf> {
    eprintln!("building the host ({profile}; the first time this takes some ten minutes on two cores)");
    executable("chatplug", profile)
}

/// What is built and tested natively. Always all of it: for some of it alone, cargo would choose other features of the
/// dependencies, and build those for each choice.
pub(super) const NATIVE: [&str; 3] = ["--workspace", "--exclude", "guest-*"];

/// Builds an executable of the workspace.
pub(super) fn executable(name: &str, profile: &str) -> anyhow::Result<PathBuf> {
    let mut build = cargo();
    succeed(build.args(["build", "--quiet"]).args(NATIVE).args(["--bin", name, "--profile", profile]))?;
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(target_dir().join(folder).join(name))
}

/// Cargo, as it was called.
pub(super) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root());
    cargo
}

/// Builds packages to components and gathers them in a folder.
fn components(what: &str, packages: &[String], more: &[&str], into: &Path) -> anyhow::Result<PathBuf> {
    add_target()?;
    eprintln!("building {what} for {TARGET} (the first time this takes a minute or two)");
    let mut build = cargo();
    build.args(["build", "--quiet", "--release", "--target", TARGET]).args(more);
    for package in packages {
        build.args(["--package", package]);
    }
    succeed(&mut build)?;
    fs::create_dir_all(into).with_context(|| format!("cannot make {}", into.display()))?;
    for package in packages {
        let file = format!("{}.wasm", package.replace('-', "_"));
        put(&target_dir().join(TARGET).join("release").join(&file), &into.join(&file))?;
    }
    Ok(into.to_owned())
}

/// Installs the target if it is missing. Without rustup it has to be there already: cargo will say.
fn add_target() -> anyhow::Result<()> {
    let Ok(installed) =
        Command::new("rustup").args(["target", "list", "--installed"]).current_dir(root()).output()
    else {
        return Ok(());
    };
    if !String::from_utf8_lossy(&installed.stdout).lines().any(|line| line == TARGET) {
        eprintln!("installing the target {TARGET}");
        succeed(Command::new("rustup").args(["target", "add", TARGET]).current_dir(root()))?;
    }
    Ok(())
}

/// The names of the folders that hold a package.
fn packages(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.join("Cargo.toml").is_file()
            && let Some(name) = path.file_name().and_then(|name| name.to_str())
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}
