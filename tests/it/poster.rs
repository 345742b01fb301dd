//! A host whose plugin posts to a simulated Slack, whose incoming webhook knows no key: what is in doubt there is held.

use chatplug::simulator::Slack;
use chatplug_tests::{Host, guest};
use serde_json::Value;

/// The host, and the service.
pub(crate) struct Poster {
    pub(crate) host: Host,
    pub(crate) slack: Slack,
}

impl Poster {
    /// A running host. `settings` are those of the plugin, which posts `ev-1 0` first for `ev-1`, then `ev-1 1`.
    pub(crate) async fn start(settings: &str) -> Poster {
        let slack = Slack::start().await.expect("a port");
        let config = format!(
            "[connections.hook]\nkind = \"slack\"\nurl = {{ env = \"HOOK_URL\" }}\nallow_private = true\nrate = 50\n\
             [plugin.poster]\nevents = [\"incoming_event\"]\ngrants = [\"http:hook\"]\n\
             settings = {{ path = \"\", {settings} }}\n"
        );
        let mut host =
            Host::prepared(&config, &[guest("guest_poster")]).env("HOOK_URL", &slack.webhook_url());
        host.run();
        Poster { host, slack }
    }

    /// How often the service was asked to post a text.
    pub(crate) fn asked(&self, text: &str) -> usize {
        let requests = self.slack.requests().all();
        let is_it = |body: &Value| body["text"] == text;
        requests.iter().filter(|request| request.body.as_ref().is_some_and(is_it)).count()
    }

    /// How often a text stands in the channel.
    pub(crate) fn posted(&self, text: &str) -> usize {
        self.slack.posts().iter().filter(|post| post.text == text).count()
    }
}
