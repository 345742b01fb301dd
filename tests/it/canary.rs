//! Every secret of the config is planted with a text of its own, everything is made to run and to fail, and then none of
//! the texts is found in anything that the host writes, says or shows: not to operators, not to plugins.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Output;

use chatplug_tests::{Host, guest};
use serde_json::{Value, json};

use crate::client::post;
use crate::echo::Echo;

mod issued;

/// The secrets: the environment variable, and the text.
const SECRETS: [(&str, &str); 10] = [
    ("CANARY_PAT", "canary-pat-7f3a91c5e2"),
    ("CANARY_HOOK_1", "canary-hook-one-1c9d4b77"),
    ("CANARY_HOOK_2", "canary-hook-two-e6a2053f"),
    ("CANARY_TOKEN", "canary-operator-5b8e6d10"),
    ("CANARY_READ_TOKEN", "canary-reader-90d7c2ab"),
    ("CANARY_BEARER", "canary-bearer-43f1b6e8"),
    ("CANARY_PASSWORD", "canary-password-d2750c9e"),
    ("CANARY_HEADER", "canary/header+8a64=e1f3"),
    ("CANARY_BROKEN", "canary-broken-6e0b93d4"),
    ("CANARY_URL", "canary-url-b15c28f7"),
];

const ACCOUNT: &str = "3f2504e0-4f89-11d3-9a0c-0305e82c3301";

fn secret(name: &str) -> &'static str {
    SECRETS.iter().find(|(known, _)| *known == name).expect("it is planted").1
}

fn config(service: &str, gone: &str) -> String {
    format!(
        r#"
[operator]
listen = "127.0.0.1:0"
token = {{ env = "CANARY_TOKEN" }}
read_token = {{ env = "CANARY_READ_TOKEN" }}
notify = "told"

[livechat]
base_url = "{service}/livechat"
allow_private = true
account_id = "{ACCOUNT}"
token = {{ env = "CANARY_PAT" }}

[connections.bearer]
kind = "hubspot"
base_url = "{service}/ok"
allow_private = true
bearer = {{ env = "CANARY_BEARER" }}

[connections.basic]
kind = "generic"
base_url = "{service}/fails"
allow_private = true
basic = {{ user = "us", password = {{ env = "CANARY_PASSWORD" }} }}

[connections.header]
kind = "generic"
base_url = "{service}/ok"
allow_private = true
header = {{ name = "X-Canary", value = {{ env = "CANARY_HEADER" }} }}

[connections.url]
kind = "slack"
url = {{ env = "CANARY_URL" }}
post = "repeatable"
allow_private = true

[connections.told]
kind = "generic"
url = {{ env = "CANARY_URL" }}
allow_private = true

[connections.broken]
kind = "generic"
base_url = "{gone}"
allow_private = true
bearer = {{ env = "CANARY_BROKEN" }}

[plugin.witness]
events = ["incoming_event"]
grants = ["chats.*", "customers.*", "http:bearer", "http:basic", "http:header", "http:url", "http:broken"]
settings = {{ word = "hello" }}
"#
    )
}

/// What may not be found: each secret as it is, in base64 at each of three offsets, and encoded for a URL.
fn forms(secrets: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut forms = Vec::new();
    for &(name, text) in secrets {
        forms.push((name.to_owned(), text.to_owned()));
        forms.push((format!("{name} in base 16"), text.bytes().map(|byte| format!("{byte:02x}")).collect()));
        let mut urls = ["", "-", "-/"].map(|kept| encoded(text, kept)).to_vec();
        urls.dedup();
        for form in urls.into_iter().filter(|form| form != text) {
            forms.push((format!("{name} encoded for a URL"), form));
        }
        for offset in 0..3 {
            forms.push((format!("{name} in base 64"), base64_within(text, offset)));
        }
    }
    forms
}

/// A text encoded for a URL, where letters, digits and `kept` stay as they are.
fn encoded(text: &str, kept: &str) -> String {
    let stays = |c: char| c.is_ascii_alphanumeric() || kept.contains(c);
    let one = |c: char| if stays(c) { c.to_string() } else { format!("%{:02X}", u32::from(c)) };
    text.chars().map(one).collect()
}

/// The digits that a text has in base 64 wherever `offset` bytes of something else, modulo 3, stand before it.
fn base64_within(text: &str, offset: usize) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = std::iter::repeat_n(0, offset).chain(text.bytes()).collect();
    let bits = |place: usize| -> usize {
        (0..6).fold(0, |sum, bit| {
            let at = place * 6 + bit;
            sum << 1 | usize::from(bytes[at / 8] >> (7 - at % 8) & 1)
        })
    };
    // Only the digits that the text alone decides.
    let (first, last) = ((offset * 8).div_ceil(6), bytes.len() * 8 / 6);
    (first..last).map(|place| char::from(DIGITS[bits(place)])).collect()
}

/// Everything that was written, said and shown, with where it comes from.
#[derive(Default)]
struct Heard(Vec<(String, Vec<u8>)>);

impl Heard {
    fn add(&mut self, whence: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((whence.into(), bytes.into()));
    }

    fn output(&mut self, args: &[&str], output: Output) {
        let text = [output.stdout, output.stderr].concat();
        self.add(format!("chatplug {}", args.join(" ")), text);
    }

    fn folder(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).expect("the folder can be read") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => self.folder(&path),
                // Files of the store come and go.
                false => self.add(path.display().to_string(), fs::read(&path).unwrap_or_default()),
            }
        }
    }

    /// Where which of the secrets was found.
    fn finds(&self, secrets: &[(&str, &str)]) -> String {
        let forms = forms(secrets);
        let mut finds = String::new();
        for (whence, bytes) in &self.0 {
            let text = String::from_utf8_lossy(bytes);
            for (name, _) in forms.iter().filter(|(_, form)| text.contains(form)) {
                writeln!(finds, "{name} in {whence}").expect("a text takes it");
            }
        }
        finds
    }

    fn has(&self, part: &str) -> bool {
        self.0.iter().any(|(_, bytes)| String::from_utf8_lossy(bytes).contains(part))
    }
}

fn message(chat: usize, text: &str) -> String {
    let event = json!({
        "id": "1", "type": "message", "created_at": jiff::Timestamp::now().to_string(), "visibility": "all",
        "author_id": "b7eff798", "text": text,
    });
    let own = if chat.is_multiple_of(2) { "CANARY_HOOK_1" } else { "CANARY_HOOK_2" };
    json!({
        "webhook_id": "wh_1",
        "secret_key": secret(own),
        "action": "incoming_event",
        "organization_id": "org-1",
        "payload": { "chat_id": format!("C{chat}"), "thread_id": "T", "event": event },
        // A sender who puts secrets where none belong.
        "additional_data": { "said": [secret("CANARY_HOOK_1"), secret("CANARY_HOOK_2")] },
    })
    .to_string()
}

fn commands() -> Vec<Vec<&'static str>> {
    [
        "check",
        "check --online",
        "plugins list",
        "plugins show witness",
        "plugins history witness",
        "plugins approve witness --dry-run",
        "plugins rollback witness",
        "plugins disable witness",
        "plugins enable witness",
        "events list",
        "events show ev-1",
        "events show ev-2",
        "events types",
        "events replay ev-1",
        "dead list",
        "dead show dl-1",
        "dead show dl-2",
        "dead replay --all --dry-run",
        "held list",
        "held show dl-1",
        "held show dl-3",
        "held resolve --all --look",
        "dead replay dl-2",
        "dead discard dl-1",
        "audit list",
        "audit decisions",
        "connections list",
        "connections test bearer",
        "connections test basic",
        "connections test header",
        "connections test url",
        "connections test broken",
        "connections test nobody",
        "config default",
        "webhooks list",
        "webhooks plan --url https://host.example",
        "webhooks apply --url https://host.example",
        "forget --chat C9",
        "doctor",
        "chats",
        "chats --csv",
        "agents",
        "stats",
        "files list",
        "events recover",
        "plugins command witness nothing",
    ]
    .map(|line| line.split(' ').collect())
    .into()
}

const ENDPOINTS: [&str; 17] = [
    "/metrics",
    "/api/v1/openapi.json",
    "/api/v1/status",
    "/api/v1/plugins",
    "/api/v1/audit",
    "/api/v1/audit/decisions",
    "/api/v1/events",
    "/api/v1/events/ev-1",
    "/api/v1/deliveries/dl-1",
    "/api/v1/deliveries/dl-2",
    "/api/v1/dead",
    "/api/v1/dead/count",
    "/api/v1/held",
    "/api/v1/held/count",
    "/api/v1/plugins/witness",
    "/api/v1/plugins/witness/history",
    "/files",
];

async fn endpoints(host: &Host, heard: &mut Heard) {
    let client = reqwest::Client::new();
    for path in ENDPOINTS {
        for token in ["CANARY_TOKEN", "CANARY_READ_TOKEN", ""] {
            let mut request = client.get(host.operator_url(path));
            if !token.is_empty() {
                request = request.bearer_auth(secret(token));
            }
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status().is_success(), !token.is_empty(), "{path} with {token}");
            let text = format!("{:?} {}", answer.headers().clone(), answer.text().await.expect("text"));
            heard.add(format!("GET {path}"), text);
        }
    }
    for path in ["/healthz", "/readyz"] {
        let answer = reqwest::get(host.url(path)).await.expect("an answer");
        heard.add(path, answer.text().await.expect("text"));
    }
}

/// What was to be seen is there: the plugin saw the answers, and the answers had the secrets in them.
fn check_heard(heard: &Heard, service: &Echo) {
    assert!(heard.has("saw Event") && heard.has("Bearer [secret removed]") && heard.has("/whoami"));
    let is_read = |(whence, bytes): &(String, Vec<u8>)| {
        whence.contains("/chatplug.db") && String::from_utf8_lossy(bytes).contains("incoming_event")
    };
    assert!(heard.0.iter().any(is_read), "the store was looked into");
    let is_captured = |(whence, bytes): &&(String, Vec<u8>)| {
        whence.contains("/captured/") && String::from_utf8_lossy(bytes).contains("[secret removed]")
    };
    assert_eq!(heard.0.iter().filter(is_captured).count(), 3, "what was accepted was captured");
    for name in ["CANARY_PAT", "CANARY_BEARER", "CANARY_PASSWORD", "CANARY_HEADER", "CANARY_URL"] {
        assert!(service.was_told(secret(name)), "{name} reaches its service");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_the_config_is_found_anywhere() {
    let (service, gone) = (Echo::start(), Echo::gone());
    let mut host = Host::prepared("", &[guest("guest_witness")]).env("CHATPLUG_LOG", "trace");
    for (name, text) in SECRETS {
        let value = if name == "CANARY_URL" { format!("{}/{text}", service.url) } else { text.to_owned() };
        host = host.env(name, &value);
    }
    let secrets = "secrets = [{ env = \"CANARY_HOOK_1\" }, { env = \"CANARY_HOOK_2\" }]";
    host.set_config(&config(&service.url, &gone));
    let text = fs::read_to_string(host.config_path()).expect("the config");
    fs::write(host.config_path(), text.replace("secrets = [{ env = \"TEST_WEBHOOK_SECRET\" }]", secrets))
        .expect("the config");
    let captured = host.plugins().with_file_name("captured");
    host.run_with(&["--capture", captured.to_str().expect("a path")]);
    let mut heard = Heard::default();

    for (chat, text) in ["work", "reject", "panic"].into_iter().enumerate() {
        let (status, answer) = post(&host, message(chat, text)).await;
        assert_eq!(status, 200, "{answer}");
        heard.add("the door", answer);
    }
    // Refused: a secret that is none, one that is almost one, and what is no webhook.
    for body in [message(7, "x").replace("canary-hook", "canary-hock"), "{".to_owned(), "[1]".to_owned()] {
        let (status, answer) = post(&host, body).await;
        assert!(status.is_client_error(), "{status}");
        heard.add("the door", answer);
    }
    let is_over = |event: &Value| {
        let delivery = &event["deliveries"][0];
        delivery["state"] != "pending" || delivery["reason"].as_str().is_some_and(|reason| !reason.is_empty())
    };
    host.wait_for_events("the runs to be over", |events| {
        events.len() >= 3 && events[..3].iter().all(is_over)
    });
    endpoints(&host, &mut heard).await;
    // The host runs for some of them and not for the others.
    for is_running in [true, false] {
        if !is_running {
            heard.folder(&host.data());
            assert!(host.stop(), "{}", host.log());
        }
        for args in commands() {
            heard.output(&args, host.cli(&args));
            heard.output(&[&["--json"], &args[..]].concat(), host.cli(&[&["--json"], &args[..]].concat()));
        }
        let sample = host.data().join("sample.json");
        fs::write(&sample, message(8, "sent").replace("canary-hook", "not-the-hook")).expect("a file");
        let args = ["send", sample.to_str().expect("a path")];
        heard.output(&args, host.cli(&args));
        heard.output(&["send", "--signed"], host.cli(&["send", "--signed", args[1]]));
        let file = host.data().join(format!("backup-{is_running}.db"));
        let args = ["backup", file.to_str().expect("a path")];
        heard.output(&args, host.cli(&args));
        heard.output(&["restore"], host.cli(&["restore", "--verify", args[1]]));
        assert!(file.is_file());
    }
    host.set_config(
        "[livechat]\ntoken = \"canary-pat-7f3a91c5e2\"\n[operator]\ntoken = { env = \"canary-operator\" }",
    );
    heard.output(&["check"], host.cli(&["check"]));
    heard.folder(&host.data());
    heard.folder(&captured);
    heard.add("the log", host.log());

    check_heard(&heard, &service);
    let finds = heard.finds(&SECRETS);
    assert!(finds.is_empty(), "{finds}");
}

#[test]
fn what_is_hidden_in_base_64_is_found() {
    let text = secret("CANARY_PAT");
    // `us:canary-pat-7f3a91c5e2` in base 64
    let mut heard = Heard::default();
    heard.add("a file", "dXM6Y2FuYXJ5LXBhdC03ZjNhOTFjNWUy");
    heard.add("another", format!("x {text} y"));
    let finds = heard.finds(&SECRETS);
    assert_eq!(finds, "CANARY_PAT in base 64 in a file\nCANARY_PAT in another\n");
}
