//! A real host in a folder of its own, for tests and benchmarks.

use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};
use serde_json::Value;
use tempfile::TempDir;

pub mod arbitrary;
pub mod crash;
pub mod disk;
pub mod raw;

/// The webhook secret of every test's host.
pub const SECRET: &str = "fixture-secret";

/// How long anything may take that a test waits for, on a slow and busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The executable, the plugins and the guests, as `cargo xtask test` builds them.
fn built(variable: &str) -> PathBuf {
    match std::env::var_os(variable) {
        Some(path) => path.into(),
        None => panic!("{variable} is not set: run the tests with `cargo xtask test`"),
    }
}

/// How much of something a test does: as much as is usual, or what the environment variable says, for a long run.
pub fn amount(variable: &str, usual: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// A component of `tests/guests`, by its file's name without the ending.
pub fn guest(name: &str) -> PathBuf {
    built("CHATPLUG_GUESTS").join(format!("{name}.wasm"))
}

/// The bytes of a component as another version of the same plugin: with a section more, which nobody reads.
pub fn version(component: &Path, number: u32) -> Vec<u8> {
    let mut bytes = fs::read(component).unwrap_or_else(|error| panic!("{}: {error}", component.display()));
    // A custom section of six bytes: a name of one letter, and the number.
    bytes.extend([0, 6, 1, b'v']);
    bytes.extend(number.to_le_bytes());
    bytes
}

/// A component of `plugins`, by the plugin's name.
pub fn plugin(name: &str) -> PathBuf {
    plugins().join(format!("{}.wasm", name.replace('-', "_")))
}

/// The folder with the components of `plugins`.
pub fn plugins() -> PathBuf {
    built("CHATPLUG_PLUGINS")
}

/// The executable, without arguments.
pub fn chatplug() -> Command {
    Command::new(built("CHATPLUG_HOST"))
}

/// The same with fewer file descriptors than the test itself may have.
fn limited(files_max: u32) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -n \"$0\" && exec \"$@\"", &files_max.to_string()])
        .arg(built("CHATPLUG_HOST"));
    command
}

/// A file of `tests/payloads`.
pub fn payload(path: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("payloads").join(path);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A folder with config, data and plugins, and the host that runs in it.
pub struct Host {
    folder: TempDir,
    env: Vec<(String, String)>,
    child: Option<Child>,
    address: Option<SocketAddr>,
    files_max: Option<u32>,
}

impl Host {
    /// A folder with this config (its `[server]`, `[operator]`, `[livechat.webhooks]` and folders are added) and these
    /// components in the plugin folder; not started yet.
    pub fn prepared(config: &str, components: &[PathBuf]) -> Host {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let env = vec![("TEST_WEBHOOK_SECRET".to_owned(), SECRET.to_owned())];
        let host = Host { folder, env, child: None, address: None, files_max: None };
        fs::create_dir(host.plugins()).expect("the plugin folder");
        for component in components {
            host.drop_file(
                component,
                component.file_name().and_then(|name| name.to_str()).expect("a file name"),
            );
        }
        host.set_config(config);
        host
    }

    /// The same, started.
    pub fn start(config: &str, components: &[PathBuf]) -> Host {
        let mut host = Host::prepared(config, components);
        host.run();
        host
    }

    /// An environment variable of the host and of the commands.
    pub fn env(mut self, name: &str, value: &str) -> Host {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The host and the commands may have so many file descriptors open.
    pub fn files_max(mut self, count: u32) -> Host {
        self.files_max = Some(count);
        self
    }

    /// Changes an environment variable for the next start; without a value it is taken away.
    pub fn set_env(&mut self, name: &str, value: Option<&str>) {
        self.env.retain(|(known, _)| known != name);
        self.env.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    }

    /// Writes the config.
    pub fn set_config(&self, config: &str) {
        let webhooks = "[livechat.webhooks]\nsecrets = [{ env = \"TEST_WEBHOOK_SECRET\" }]\n";
        // A test that has an [operator] section of its own chooses its address itself.
        let operator = match config.contains("[operator]") {
            true => "",
            false => "[operator]\nlisten = \"127.0.0.1:0\"\n",
        };
        let text = format!("[server]\nlisten = \"127.0.0.1:0\"\n{operator}{webhooks}{config}");
        let unfinished = self.folder.path().join("chatplug.toml.part");
        fs::write(&unfinished, text)
            .and_then(|()| fs::rename(&unfinished, self.config_path()))
            .expect("the config can be written");
    }

    /// Starts the host and waits until it listens.
    pub fn run(&mut self) {
        self.try_run().expect("the host starts");
    }

    /// The same with arguments for `serve`.
    pub fn run_with(&mut self, args: &[&str]) {
        self.try_run_with(args).expect("the host starts");
    }

    /// Starts the host and waits until it listens.
    ///
    /// # Errors
    /// If it ends instead; with its log.
    pub fn try_run(&mut self) -> anyhow::Result<()> {
        self.try_run_with(&[])
    }

    /// The same with arguments for `serve`.
    ///
    /// # Errors
    /// If it ends instead; with its log.
    pub fn try_run_with(&mut self, args: &[&str]) -> anyhow::Result<()> {
        let listening = self.data().join("listening");
        // Left over from a host that was killed.
        let _ = fs::remove_file(&listening);
        let log = fs::File::options().create(true).append(true).open(self.log_path())?;
        let mut child = self
            .command()
            .arg("serve")
            .args(args)
            .stderr(log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let began = Instant::now();
        self.address = loop {
            if let Ok(text) = fs::read_to_string(&listening) {
                break Some(text.trim().parse().context("the host wrote its address")?);
            }
            if let Some(status) = child.try_wait()? {
                bail!("the host ended ({status}):\n{}", self.log());
            }
            if began.elapsed() > PATIENCE {
                bail!("the host does not listen:\n{}", self.log());
            }
            pause();
        };
        self.child = Some(child);
        Ok(())
    }

    /// Kills the host the hard way; answers how it ended, unless it doesn't run.
    pub fn kill(&mut self) -> Option<ExitStatus> {
        let mut child = self.child.take()?;
        Some(child.kill().and_then(|()| child.wait()).expect("the host can be killed"))
    }

    /// How the host has ended by itself; `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let child = self.child.as_mut()?;
        let status = child.try_wait().expect("the host can be asked");
        if status.is_some() {
            self.child = None;
        }
        status
    }

    /// Waits until the host has ended by itself; answers how.
    pub fn wait_for_end(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "the host does not end; the log:\n{}", self.log());
            pause();
        }
    }

    /// Asks the host to stop, waits until it has, and answers whether it said that all is well.
    ///
    /// # Panics
    /// If it doesn't end for [`PATIENCE`]; with its log.
    pub fn stop(&mut self) -> bool {
        let Some(child) = &self.child else { return true };
        signal(child, Signal::TERM);
        self.wait_for_end().success()
    }

    /// The process id of the running host.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the host runs").id()
    }

    /// Puts a component into the plugin folder, in one step.
    pub fn drop_file(&self, component: &Path, name: &str) {
        let unfinished = self.plugins().join(format!("{name}.part"));
        fs::copy(component, &unfinished)
            .and_then(|_| fs::rename(&unfinished, self.plugins().join(name)))
            .unwrap_or_else(|error| panic!("{}: {error}", component.display()));
    }

    /// The same with the bytes of a component.
    pub fn drop_bytes(&self, component: &[u8], name: &str) {
        let unfinished = self.plugins().join(format!("{name}.part"));
        fs::write(&unfinished, component)
            .and_then(|()| fs::rename(&unfinished, self.plugins().join(name)))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// The plugin folder.
    pub fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The config file.
    pub fn config_path(&self) -> PathBuf {
        self.folder.path().join("chatplug.toml")
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// What the host has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// The last lines of it.
    pub fn log_end(&self) -> String {
        const LINES: usize = 30;
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }

    /// `http://ADDRESS` and a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// `http://ADDRESS` of the operator listener and a path.
    pub fn operator_url(&self, path: &str) -> String {
        let address = fs::read_to_string(self.data().join("operator")).expect("the host says where it is");
        format!("http://{}{path}", address.trim())
    }

    /// Where the host listens.
    pub fn address(&self) -> SocketAddr {
        self.address.expect("the host runs")
    }

    /// The executable with the test's config and environment.
    pub fn command(&self) -> Command {
        let mut command = match self.files_max {
            Some(count) => limited(count),
            None => chatplug(),
        };
        command
            .arg("--config")
            .arg(self.config_path())
            .env("CHATPLUG_LOG", "info,chatplug=debug")
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.folder.path());
        command
    }

    /// Runs a command to its end.
    pub fn cli(&self, args: &[&str]) -> Output {
        self.command().args(args).output().expect("the command starts")
    }

    /// What a command prints that has to succeed.
    pub fn printed(&self, args: &[&str]) -> String {
        let output = self.cli(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Runs a command with `--json` that has to succeed.
    pub fn json(&self, args: &[&str]) -> Value {
        let output = self.command().arg("--json").args(args).output().expect("the command starts");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{args:?}: {}{text}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}: {text}"))
    }

    /// All stored events, the oldest first, as `events list` shows them.
    pub fn events(&self) -> Vec<Value> {
        let Value::Array(mut events) = self.json(&["events", "list", "--limit", "10000"]) else {
            panic!("events are a list")
        };
        events.reverse();
        events
    }

    /// The states of the deliveries, in the order of their events.
    pub fn states(&self) -> Vec<Value> {
        self.events().iter().flat_map(deliveries).map(|delivery| delivery["state"].clone()).collect()
    }

    /// What operators did by commands, the newest first, as `audit list` shows it. Changes of the config are left out: a
    /// host takes each when it looks.
    pub fn deeds(&self) -> Vec<Value> {
        let Value::Array(mut deeds) = self.json(&["audit", "list"]) else {
            panic!("the audit log is a list")
        };
        deeds.retain(|deed| deed["action"] != "config.changed");
        deeds
    }

    /// Waits until the stored events are as they should be; answers them.
    pub fn wait_for_events(&self, what: &str, mut is_so: impl FnMut(&[Value]) -> bool) -> Vec<Value> {
        self.wait_for(what, || Some(self.events()).filter(|events| is_so(events)))
    }

    /// Waits until every delivery of every event is final; answers the events.
    pub fn wait_until_done(&self, events: usize) -> Vec<Value> {
        self.wait_for_events(&format!("{events} events, all delivered"), |all| {
            all.len() >= events
                && all.iter().all(|event| deliveries(event).all(|delivery| delivery["state"] != "pending"))
        })
    }

    /// The status of a plugin or, where it has no name, of a file.
    pub fn plugin(&self, name: &str) -> Option<Value> {
        let Value::Array(all) = self.json(&["plugins", "list"]) else { panic!("plugins are a list") };
        all.into_iter().find(|status| status["name"] == name || status["file"] == name)
    }

    /// Waits until a plugin or a file has a state; answers its status.
    pub fn wait_for_plugin(&self, name: &str, state: &str) -> Value {
        let is_so = |status: &Value| status["state"] == state;
        self.wait_for(&format!("{name} to be {state}"), || self.plugin(name).filter(is_so))
    }

    /// Waits until there is an answer.
    ///
    /// # Panics
    /// If there is none for [`PATIENCE`]; with the host's log.
    pub fn wait_for<T>(&self, what: &str, answer: impl FnMut() -> Option<T>) -> T {
        self.wait_within(PATIENCE, what, answer)
    }

    /// The same with another patience, for what takes minutes.
    pub fn wait_within<T>(&self, patience: Duration, what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(answer) = answer() {
                return answer;
            }
            assert!(began.elapsed() < patience, "waited for {what} in vain; the log:\n{}", self.log());
            pause();
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the host's log:\n{}", self.log());
        }
        self.kill();
    }
}

/// The deliveries of an event as `events list` shows them.
pub fn deliveries(event: &Value) -> impl Iterator<Item = &Value> {
    event["deliveries"].as_array().into_iter().flatten()
}

/// Sends a signal to a child process that has not ended.
pub fn signal(child: &Child, signal: Signal) {
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(id, signal).expect("the process can be signalled");
}

/// All that a child process printed on a pipe.
pub fn read_all(pipe: Option<impl Read>) -> String {
    let mut text = String::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_string(&mut text).expect("the output is text");
    }
    text
}

/// Between two looks at another process, which can't tell us when something has changed.
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}
