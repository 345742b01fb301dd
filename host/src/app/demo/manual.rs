//! What one can do while the demo's host runs.

use std::net::SocketAddr;
use std::path::Path;

use tokio::sync::mpsc;

use super::home::{Home, component};
use crate::simulator::scenario::Stage;

/// The plugin whose rebuilding is shown.
const EXAMPLE: &str = "routing-rules";

/// Where everything is, and the commands for a rebuilt plugin and for a look around.
pub(super) fn text(home: &Home, host: SocketAddr, stage: &Stage) -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| "chatplug".into());
    let chatplug = format!("{} --config {}", quoted(&program), quoted(&home.config()));
    let file = component(EXAMPLE);
    let (livechat, hubspot, slack) =
        (stage.livechat.base_url(), stage.hubspot.base_url(), stage.slack.base_url());
    let folder = home.plugins();
    let (shown, folder) = (folder.display(), quoted(&folder));
    format!(
        "
The host runs on:
  webhooks          http://{host}/webhooks/livechat
  health            http://{host}/health
  simulated         LiveChat {livechat}, HubSpot {hubspot}, Slack {slack}
  folder to drop in {shown}

Change a plugin, build it, drop it, and see it swap:
  cargo build --release --target wasm32-wasip2 --package {EXAMPLE} && \\
    cp target/wasm32-wasip2/release/{file} {folder}/

Look around:
  {chatplug} events list
  {chatplug} plugins list

Enter plays the day once more, Ctrl-C ends the demo and removes its folder."
    )
}

/// Is told of each line that somebody enters.
pub(super) fn entered() -> mpsc::Receiver<()> {
    let (sender, entered) = mpsc::channel(1);
    // A thread of its own: nothing can interrupt the reading, and the process must end all the same.
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            if line.is_err() || sender.blocking_send(()).is_err() {
                return;
            }
        }
    });
    entered
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: &str) {
        assert_eq!(quoted(Path::new(path)), expected);
    }

    #[test]
    fn a_path_can_be_pasted_into_a_shell() {
        check("/tmp/chatplug-demo-a.b_1/plugins", "/tmp/chatplug-demo-a.b_1/plugins");
        check("/home/me/my work", "'/home/me/my work'");
        check("/it's", r"'/it'\''s'");
    }
}
