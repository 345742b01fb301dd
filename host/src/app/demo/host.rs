//! The demo's host: this executable once more, as `serve`.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::home::Home;
use crate::app::LISTENING;
use crate::cli::text;
use crate::telemetry::FILTER_VARIABLE;

/// How long it may take to listen.
const START: Duration = Duration::from_secs(60);
/// How long it may take to end what it does.
const STOP: Duration = Duration::from_secs(10);
/// Between two looks at what the other process does.
const LOOK: Duration = Duration::from_millis(20);
/// Log lines that nobody has read yet; more are left out.
const LINES: usize = 1_000;
/// What the demo does not tell itself: which versions run, changes of the config, and any trouble of the
/// host's own.
const FILTER: &str = "warn,chatplug::watcher=info,chatplug::app=info,chatplug::dispatcher=off,\
                      chatplug::connections=off,chatplug::livechat=off";

/// The process; it is killed with the value.
pub(super) struct Host {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Host {
    /// Starts it. The filter of its log lines may be set as for `serve`.
    pub(super) fn start(home: &Home) -> anyhow::Result<Host> {
        let program = std::env::current_exe().context("cannot find the path of this program")?;
        let filter = std::env::var(FILTER_VARIABLE).unwrap_or_else(|_| FILTER.to_owned());
        let mut child = Command::new(program)
            .arg("--config")
            .arg(home.config())
            .args(["--log", "json", "serve"])
            .env(FILTER_VARIABLE, filter)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the host")?;
        let (sender, lines) = mpsc::channel(LINES);
        if let Some(log) = child.stderr.take() {
            tokio::spawn(read(log, sender));
        }
        Ok(Host { child, lines })
    }

    /// Waits until it listens; answers where.
    pub(super) async fn listening(&mut self, home: &Home) -> anyhow::Result<SocketAddr> {
        let path = home.data().join(LISTENING);
        let began = Instant::now();
        loop {
            self.check()?;
            if let Ok(address) = std::fs::read_to_string(&path) {
                return address.trim().parse().context("the host wrote no address");
            }
            if began.elapsed() > START {
                bail!("the host does not listen after {} s", START.as_secs());
            }
            sleep(LOOK).await;
        }
    }

    /// Fails if it has ended, with its last words.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        let Some(status) = self.child.try_wait().context("cannot watch the host")? else { return Ok(()) };
        let words: Vec<String> = self.lines().collect();
        bail!("the host has ended ({status})\n{}", words.join("\n"))
    }

    /// What it has logged since this was asked last, safe to show.
    pub(super) fn lines(&mut self) -> impl Iterator<Item = String> {
        std::iter::from_fn(|| self.lines.try_recv().ok())
    }

    /// Asks it to stop, and kills it if it doesn't.
    pub(super) async fn stop(mut self) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = id.and_then(rustix::process::Pid::from_raw) {
            // It fails if the process has ended just now.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        if timeout(STOP, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

/// Reads to the end, so that the host never waits for somebody to read its log.
async fn read(log: impl AsyncRead + Unpin, lines: mpsc::Sender<String>) {
    let mut log = BufReader::new(log).lines();
    while let Ok(Some(line)) = log.next_line().await {
        let _ = lines.try_send(shown(&line));
    }
}

/// A line of the log in short. What is no JSON was not written by the log: a panic.
fn shown(line: &str) -> String {
    let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(line) else { return text::escape(line) };
    let field = |name: &str| fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let mut shown = String::new();
    if let Some(level) = field("level").filter(|level| *level != "INFO") {
        shown.push_str(&level.to_lowercase());
        shown.push_str(": ");
    }
    shown.push_str(field("message").unwrap_or_default());
    for (name, before, after) in [("version", " (version ", ")"), ("error", ": ", "")] {
        if let Some(value) = field(name) {
            let hash = value.strip_prefix("sha256:").and_then(|hash| hash.get(..12));
            shown.extend([before, hash.unwrap_or(value), after]);
        }
    }
    text::escape(&shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        assert_eq!(shown(line), expected);
    }

    #[test]
    fn a_line_of_the_log_is_shown_in_short_and_escaped() {
        check(
            r#"{"timestamp":"2026-06-01T12:00:00Z","level":"INFO","message":"crm-notes is active","plugin":"crm-notes","version":"sha256:0123456789abcdef"}"#,
            "crm-notes is active (version 0123456789ab)",
        );
        check(
            r#"{"level":"WARN","message":"cannot read the folder","error":"no\u001b such"}"#,
            "warn: cannot read the folder: no\\u{1b} such",
        );
        check("thread 'main' panicked\u{7}", "thread 'main' panicked\\u{7}");
    }
}
