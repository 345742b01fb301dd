use secrecy::ExposeSecret;
use serde_json::json;

use super::*;
use crate::action::Effect;

mod account;
mod grants;
mod operator;
mod parts;
mod schedules;

/// The environment of the tests: `HUBSPOT_TOKEN` and the like hold `value-of-HUBSPOT_TOKEN`.
fn env(name: &str) -> Option<String> {
    match name {
        "SLACK_WEBHOOK_URL" => Some("https://hooks.example/value-of-SLACK_WEBHOOK_URL".to_owned()),
        "LOCAL_URL" => Some("http://[::ffff:127.0.0.1]:9/value-of-LOCAL_URL".to_owned()),
        "EMAIL" => Some("smith@example.com".to_owned()),
        "SPACED" => Some("Bearer value-of-SPACED".to_owned()),
        "LINED" => Some("value-of-LINED\n".to_owned()),
        "EMPTY" => Some(String::new()),
        "LONG" => Some("value-of-LONG-0123456789".to_owned()),
        "SHORT" => Some("value-of-SHORT!".to_owned()),
        "NOT_SET" => None,
        name => Some(format!("value-of-{name}")),
    }
}

fn parse(text: &str) -> Result<Config, Problems> {
    Config::parse(text, "/etc/chatplug/chatplug.toml", &env)
}

/// Checks that a text has exactly these problems, and that none of them shows a secret.
fn check(text: &str, expected: &[&str]) {
    let problems = parse(text).map(|_| ()).unwrap_err().to_string();
    let lines: Vec<&str> =
        problems.lines().map(|line| line.strip_prefix("/etc/chatplug/chatplug.toml:").unwrap()).collect();
    assert_eq!(lines, expected, "{text}");
    assert!(!problems.contains("value-of-"), "{problems}");
}

#[test]
fn the_default_file_is_a_config_and_holds_every_default() {
    let config = parse(DEFAULT).unwrap();
    let empty = parse("").unwrap();
    assert_eq!(config.server, empty.server);
    assert_eq!(config.operator.listen, empty.operator.listen);
    assert_eq!(config.data_dir, empty.data_dir);
    assert_eq!(config.plugins_dir, Path::new("/etc/chatplug/plugins"));
    assert_eq!(config.livechat.base_url, empty.livechat.base_url);
    assert_eq!(config.livechat.join, empty.livechat.join);
    assert_eq!(config.livechat.token.unwrap().expose_secret(), "value-of-LIVECHAT_PAT");
    assert_eq!(config.livechat.webhook_secrets[0].expose_secret(), "value-of-LIVECHAT_WEBHOOK_SECRET");
    assert_eq!(
        config.connections.iter().map(|one| one.post).collect::<Vec<_>>(),
        [Effect::Unknown, Effect::Repeatable]
    );
    assert_eq!(config.livechat.webhook_limits, empty.livechat.webhook_limits);
    assert_eq!((config.loading, config.stack_bytes), (empty.loading, empty.stack_bytes));
    let plugin = &config.plugins["low-rating-alert"];
    assert_eq!(plugin.limits, crate::limits::Limits::default());
    assert_eq!(plugin.settings, json!({ "low": { "0-1": 0, "1-5": 2 } }));
}

#[test]
fn each_key_that_the_default_file_only_mentions_is_known() {
    let commented = [
        "# timezone = ",
        "# region = ",
        "# organization = ",
        "# client_id = ",
        "# agent_id = ",
        "# token = ",
        "# read_token = ",
        "# hosts = ",
        "# pin = ",
    ];
    let mut text = DEFAULT.to_owned();
    for line in commented {
        assert!(text.contains(line), "{line}");
        text = text.replace(line, &line[2..]);
    }
    let Config { livechat, operator, plugins, .. } = parse(&text).unwrap();
    let pin = plugins["low-rating-alert"].pin.as_deref().unwrap_or_default();
    assert_eq!(pin.len(), "sha256:".len() + 64, "{pin}");
    assert_eq!(operator.token.unwrap().expose_secret(), "value-of-CHATPLUG_TOKEN");
    assert_eq!(operator.read_token.unwrap().expose_secret(), "value-of-CHATPLUG_READ_TOKEN");
    assert_eq!(operator.hosts, ["chatplug.example.com"]);
    assert_eq!(livechat.agent_id.as_deref(), Some("smith@example.com"));
    assert_eq!(livechat.region.as_deref(), Some("fra"));
    assert_eq!(livechat.timezone.as_ref().and_then(|zone| zone.iana_name()), Some("Europe/Warsaw"));
    assert!(livechat.client_id.is_some() && livechat.organization.is_some());
}

#[test]
fn unknown_keys_are_refused_at_every_level() {
    check("[sever]\n", &["1:2: unknown key `sever` at the top; did you mean `server`?"]);
    check(
        "[server]\nlisen = \"127.0.0.1:1\"\nzzz = 1\n",
        &[
            "2:1: unknown key `lisen` in [server]; did you mean `listen`?",
            "3:1: unknown key `zzz` in [server]; known here: listen",
        ],
    );
    check(
        "[livechat]\ntoken = { env = \"A\", fil = \"b\" }\n[livechat.webhooks]\nsecret = []\n",
        &[
            "2:22: unknown key `fil` in [livechat.token]; did you mean `file`?",
            "4:1: unknown key `secret` in [livechat.webhooks]; did you mean `secrets`?",
        ],
    );
    check(
        "[connections.a]\nkind = \"generic\"\nbase_url = \"http://a\"\nberer = { env = \"A\" }\n",
        &["4:1: unknown key `berer` in [connections.a]; did you mean `bearer`?"],
    );
    check(
        "[plugin.a]\ngrant = []\n[plugin.a.limits]\ncpu = 1\n",
        &[
            "2:1: unknown key `grant` in [plugin.a]; did you mean `grants`?",
            "4:1: unknown key `cpu` in [plugin.a.limits]; known here: cpu_ms, wall_ms, memory_bytes, hostcall_bytes, \
             host_calls, actions, actions_per_chat_minute, journal_bytes, message_expiry_s, log_bytes, http_body_bytes, kept_keys, \
             kept_value_bytes, kept_bytes, timers, timer_bytes, files, file_bytes, file_versions, \
             all_files_bytes, concurrency",
        ],
    );
}

#[test]
fn the_default_file_mentions_every_known_key() {
    let places = [
        "server",
        "data",
        "livechat",
        "livechat.webhooks",
        "operator",
        "connections.a",
        "plugins",
        "plugin.a",
        "plugin.a.limits",
    ];
    for place in places {
        let problems = parse(&format!("[{place}]\n\"?\" = 1\n")).unwrap_err().problems;
        let known: Vec<&str> = problems
            .iter()
            .filter_map(|problem| problem.text.split_once("known here: "))
            .flat_map(|(_, keys)| keys.split(", "))
            .collect();
        assert!(!known.is_empty(), "{place}: {problems:?}");
        for key in known {
            let assigned = DEFAULT.lines().any(|line| {
                let key_of = line.trim_start_matches(['#', ' ']).split_once('=').map(|(key, _)| key.trim());
                key_of == Some(key) || line.ends_with(&format!(".{key}]"))
            });
            assert!(assigned, "`{key}` of [{place}] is not in the default file");
        }
    }
}

#[test]
fn keys_of_later_versions_are_not_accepted_silently() {
    check(
        "[timers]\nevery = 1\n[plugin.a]\nshadow = true\n",
        &[
            "1:2: unknown key `timers` at the top; known here: server, data, retention, livechat, connections, operator, plugins, \
             plugin",
            "4:1: unknown key `shadow` in [plugin.a]; known here: enabled, events, own_events, grants, denies, settings, \
             limits, schedules, updates, pin",
        ],
    );
}

#[test]
fn what_runs_of_a_plugin_may_be_pinned_or_asked_for() {
    let read = |keys: &str| parse(&format!("[plugin.a]\n{keys}")).map(|config| config.plugins["a"].clone());
    assert_eq!(read("").unwrap().updates, Updates::Auto);
    assert_eq!(read("updates = \"approve\"\n").unwrap().updates, Updates::Approve);
    let pin = format!("sha256:{}", "0f".repeat(32));
    assert_eq!(read(&format!("pin = \"{pin}\"\n")).unwrap().pin, Some(pin));
    for wrong in ["updates = \"never\"", "pin = \"0f\"", "pin = \"sha256:0f\"", "pin = 1"] {
        assert_eq!(read(wrong).unwrap_err().problems.len(), 1, "{wrong}");
    }
}

#[test]
fn days_of_retention_are_read_and_have_to_fit() {
    let keep = |text: &str| parse(text).expect("it is right").retention;
    assert_eq!(keep(""), Retention::default());
    assert_eq!(keep("[retention]\ndead_days = 90\n"), Retention { dead_days: 90, ..Retention::default() });
    let wrong = |text: &str, expected: &str| {
        let problems = parse(text).expect_err("it is wrong").problems;
        assert!(problems.iter().any(|problem| problem.text.contains(expected)), "{text}: {problems:?}");
    };
    wrong("[retention]\npayload_days = 0\n", "must be from 1 to 36500");
    wrong("[retention]\npayload_days = 40\n", "raise metadata_days or lower payload_days");
}

#[test]
fn broken_toml_is_reported_by_line() {
    let problems = parse("[server]\nlisten = \"127.0.0.1:1\n[data]\n= 1\n").unwrap_err().problems;
    assert_eq!(problems[0].line, Some(2), "{problems:?}");
    assert!(problems[0].text.starts_with("the file is no valid TOML: "), "{problems:?}");
}

#[test]
fn values_of_the_wrong_kind_are_named() {
    check(
        "server = 1\n[data]\ndir = 1\n[livechat]\njoin = \"yes\"\napi = 3.6\n[plugin.a]\nevents = \"chat_rated\"\ndenies = [1]\n\
         settings = 1\n",
        &[
            "1:10: `server` must be a table, not a whole number",
            "3:7: `data.dir` must be a text in quotes, not a whole number",
            "5:8: `livechat.join` must be true or false, not a text",
            "6:7: `livechat.api` must be a text in quotes, not a decimal number",
            "8:10: `plugin.a.events` must be a list in brackets, not a text",
            "9:11: `plugin.a.denies` must be a text in quotes, not a whole number",
            "10:12: `plugin.a.settings` must be a table, not a whole number",
        ],
    );
}

#[test]
fn a_secret_is_a_reference_to_something_usable() {
    let literal = "is a secret and must not stand in the file: write { env = \"NAME\" } with the name of an environment \
                   variable, or { file = \"PATH\" }";
    check("[livechat]\ntoken = \"value-of-me\"\n", &[&format!("2:9: `livechat.token` {literal}")]);
    check(
        "[livechat.webhooks]\nsecrets = [\n  \"value-of-me\",\n  { env = \"NOT_SET\" },\n  { env = \"value-of-me\" },\n  1,\n  {},\n]\n",
        &[
            &format!("3:3: `livechat.webhooks.secrets` {literal}"),
            "4:11: `livechat.webhooks.secrets.env` names the environment variable NOT_SET, which is not set: set it for \
             the host's process",
            "5:11: `livechat.webhooks.secrets.env` is not the name of an environment variable: letters, digits and \
             underscores",
            "6:3: `livechat.webhooks.secrets` must be a reference, { env = \"NAME\" } or { file = \"PATH\" }",
            "7:3: `livechat.webhooks.secrets` must name exactly one source, { env = \"NAME\" } or { file = \"PATH\" }",
        ],
    );
    check(
        "[livechat]\ntoken = { env = \"SPACED\" }\n[livechat.webhooks]\nsecrets = [{ env = \"LINED\" }, { env = \"EMPTY\" }]\n",
        &[
            "2:9: `livechat.token` has white space in it: store the bare secret, without spaces, line breaks or quotes \
             around it",
            "4:12: `livechat.webhooks.secrets` has a line break, a tab, or white space around it: store the bare secret",
            "4:31: `livechat.webhooks.secrets` refers to something empty: put the value there",
        ],
    );
}

#[test]
fn a_secret_file_is_relative_to_the_config_and_its_last_line_break_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pat"), "value-of-pat\r\n").unwrap();
    let origin = folder.path().join("chatplug.toml");
    let text = "[livechat]\ntoken = { file = \"pat\" }\n";
    let config = Config::parse(text, &origin, &env).unwrap();
    assert_eq!(config.livechat.token.unwrap().expose_secret(), "value-of-pat");
    assert_eq!(config.data_dir, folder.path().join("data"));

    let problems = Config::parse(&text.replace("pat", "pta"), &origin, &env).unwrap_err().problems;
    let expected = format!(
        "`livechat.token.file` names the file {}, which can't be read: ",
        folder.path().join("pta").display()
    );
    assert!(problems[0].text.starts_with(&expected), "{problems:?}");
    let problems = Config::parse(&text.replace("pat", "."), &origin, &env).unwrap_err().problems;
    assert!(problems[0].text.ends_with("it must be an ordinary file of at most 65536 bytes"), "{problems:?}");
}

#[test]
fn addresses_are_checked() {
    check(
        "[server]\nlisten = \"localhost\"\n[data]\ndir = \"\"\n",
        &[
            "2:10: `server.listen` is no address to listen on: write an IP address and a port, such as \
             \"127.0.0.1:8080\"",
            "4:7: `data.dir` is empty: name a folder",
        ],
    );
    let base_url = |url: &str, problem: &str| {
        let text = format!("[connections.a]\nkind = \"generic\"\nbase_url = \"{url}\"\n");
        check(&text, &[&format!("3:12: `connections.a.base_url` {problem}")]);
    };
    base_url("ftp://a", "is no URL: write one with http or https, such as \"https://api.example.com\"");
    base_url(
        "api.example.com",
        "is no URL: write one with http or https, such as \"https://api.example.com\"",
    );
    base_url("https://me:value-of-me@a", "has credentials in it: use bearer, basic or header instead");
    base_url("https://a/?key=value-of-me", "has a query or a fragment: write only scheme, host and path");
    let local = "base_url = \"http://127.0.0.1:9000/\"\n";
    let problem = "leads to this machine or into a private network: add allow_private = true beside it if that is meant";
    base_url("http://localhost", problem);
    base_url("http://0x7f.1", problem);
    let nowhere = "leads to an address that is not public (link-local, metadata, multicast, reserved)";
    base_url(
        "http://2852039166/latest\"\nallow_private = true\nbearer = { env = \"A\" }\npost = \"unknown",
        nowhere,
    );
    let secret = "[connections.a]\nkind = \"slack\"\nurl = { env = \"LOCAL_URL\" }\n";
    check(secret, &[&format!("3:7: `connections.a.url` {problem}")]);
    parse(&format!("{secret}allow_private = true\n")).unwrap();
    check(&format!("[livechat]\n{local}"), &[&format!("2:12: `livechat.base_url` {problem}")]);
    let config = parse(&format!("[livechat]\n{local}allow_private = true\n")).unwrap();
    assert_eq!(config.livechat.base_url, "http://127.0.0.1:9000");
}

#[test]
fn connections_are_checked() {
    check(
        "[connections.My_Crm]\nkind = \"crm\"\nbase_url = \"https://a\"\n\
         [connections.both]\nkind = \"slack\"\nbase_url = \"https://a\"\nurl = { env = \"SLACK_WEBHOOK_URL\" }\n\
         [connections.none]\npost = \"read\"\n\
         [connections.open]\nkind = \"hubspot\"\nbase_url = \"https://a\"\n\
         [connections.url]\nkind = \"slack\"\nurl = { env = \"HUBSPOT_TOKEN\" }\n",
        &[
            "1:14: `connections.My_Crm` is not a name in kebab-case (lower-case letters, digits and single hyphens): \
             rename it",
            "2:8: `connections.My_Crm.kind` must be \"hubspot\", \"slack\" or \"generic\"",
            "4:14: [connections.both] needs either base_url = \"https://…\", or url = { env = \"…\" } if the URL itself is \
             the secret",
            "8:14: [connections.none] needs a kind: add kind = \"hubspot\", \"slack\" or \"generic\"",
            "8:14: [connections.none] needs either base_url = \"https://…\", or url = { env = \"…\" } if the URL itself is \
             the secret",
            "9:8: `connections.none.post` must be \"repeatable\", \"keyed\" or \"unknown\"",
            "10:14: [connections.open] needs credentials: add bearer = { env = \"…\" }",
            "15:7: `connections.url.url` refers to something that is no URL with http or https",
        ],
    );
    let generic = "[connections.a]\nkind = \"generic\"\nbase_url = \"https://a\"\n";
    check(
        &format!(
            "{generic}bearer = {{ env = \"A\" }}\nbasic = {{ user = \"me\", password = {{ env = \"B\" }} }}\n"
        ),
        &["1:14: [connections.a] has more than one of bearer, basic and header: keep one"],
    );
    check(
        &format!("{generic}basic = {{ user = \"me\" }}\n"),
        &["4:9: [connections.a.basic] needs user = \"…\" and password = { env = \"…\" }"],
    );
    check(
        &format!("{generic}header = {{ name = \"Host\", value = {{ env = \"A\" }} }}\n"),
        &[
            "4:19: `connections.a.header.name` is a header that the host sets itself: name the one that the service \
           reads a key from",
        ],
    );
}

#[test]
fn each_kind_of_credentials_is_read() {
    let read = |credentials: &str| {
        let text =
            format!("[connections.a]\nkind = \"generic\"\nbase_url = \"https://a/v1/\"\n{credentials}\n");
        parse(&text).unwrap().connections.remove(0)
    };
    let bearer = read("bearer = { env = \"A\" }");
    assert!(matches!(&bearer.address, Address::Base(url) if url == "https://a/v1"));
    assert!(
        matches!(bearer.credentials, Credentials::Bearer(token) if token.expose_secret() == "value-of-A")
    );
    let basic = read("basic = { user = \"me\", password = { env = \"SPACED\" } }");
    assert!(matches!(basic.credentials, Credentials::Basic { user, password }
        if user == "me" && password.expose_secret() == "Bearer value-of-SPACED"));
    let header = read("header = { name = \"X-Api-Key\", value = { env = \"A\" } }");
    assert!(matches!(header.credentials, Credentials::Header { name, value }
        if name == "x-api-key" && value.expose_secret() == "value-of-A"));
    assert!(matches!(read("").credentials, Credentials::None));
}

#[test]
fn plugins_are_checked() {
    check(
        "[plugin.Bad]\n[plugin.a]\nevents = [\"chat_ended\", \"chat_deactived\"]\ngrants = [\"chats.tagg\", \"http:crm\"]\n\
         [plugin.a.limits]\ncpu_ms = 0\nconcurrency = 1025\nactions = -1\nmemory_bytes = 99999999999999999999\n",
        &[
            "1:9: `plugin.Bad` is not a name in kebab-case (lower-case letters, digits and single hyphens): rename it",
            "3:25: `plugin.a.events` has a wrong entry: `chat_deactived` is no event type; did you mean \
             `chat_deactivated`?",
            "4:11: `plugin.a.grants` has a wrong entry: `chats.tagg` is no capability; did you mean `chats.tag`?",
            "4:25: `plugin.a.grants` has a wrong entry: `http:crm` names a connection that the config does not define: \
             add [connections.crm]",
            "6:10: `plugin.a.limits.cpu_ms` must be from 1 to 600000",
            "7:15: `plugin.a.limits.concurrency` must be from 1 to 1024",
            "8:11: `plugin.a.limits.actions` must be from 0 to 10000",
            "9:16: `plugin.a.limits.memory_bytes` must be from 1048576 to 1073741824",
        ],
    );
    check(
        "[plugin.a.settings]\nlow = [1, nan]\nhigh = { x = 9999999999999999999 }\n",
        &[
            "2:11: `plugin.a.settings.low` is no number that settings can hold: it must be finite and fit into 64 bits",
            "3:14: `plugin.a.settings.high.x` is no number that settings can hold: it must be finite and fit into 64 bits",
        ],
    );
}

#[test]
fn older_names_of_event_types_are_resolved_once() {
    let text = "[plugin.a]\nevents = [\"rating_added\", \"chat_rated\", \"chat_ended\"]\nlimits = { wall_ms = 1_000 }\n";
    let plugin = parse(text).unwrap().plugins.remove("a").unwrap();
    assert_eq!(plugin.events, ["chat_rated", "chat_deactivated"]);
    assert_eq!(plugin.limits.wall_ms, 1000);
    assert_eq!(plugin.settings, json!({}));
}

#[test]
fn settings_become_json() {
    let text = "[plugin.a.settings]\nhours = [{ from = 09:00:00, open = true }]\nshare = 0.5\nhex = 0xff\n";
    let settings = json!({ "hours": [{ "from": "09:00:00", "open": true }], "share": 0.5, "hex": 255 });
    assert_eq!(parse(text).unwrap().plugins["a"].settings, settings);
}

#[test]
fn debug_text_shows_no_secret() {
    let more = "[connections.basic]\nkind = \"generic\"\nbase_url = \"https://a\"\n\
                basic = { user = \"me\", password = { env = \"PASSWORD\" } }\n\
                [connections.header]\nkind = \"generic\"\nbase_url = \"https://a\"\n\
                header = { name = \"x-key\", value = { env = \"KEY\" } }\n";
    let text = format!("{DEFAULT}\n{more}").replace("account_id = { env", "organization = { env");
    let debug = format!("{:?}", parse(&text).unwrap());
    let shown = debug.matches("value-of-").count();
    // The organization, read from the environment here, is no secret.
    assert_eq!((shown, debug.contains("value-of-LIVECHAT_ACCOUNT_ID")), (1, true), "{debug}");
}

#[test]
fn what_will_not_work_is_warned_of() {
    let warnings = |text: &str| parse(text).unwrap().warnings();
    assert!(warnings(DEFAULT).is_empty());
    let empty = warnings("");
    assert!(empty.len() == 1 && empty[0].contains("every webhook is refused"), "{empty:?}");
    let without_token =
        warnings("[livechat.webhooks]\nsecrets = [{ env = \"A\" }]\n[plugin.a]\ngrants = [\"chats.tag\"]\n");
    assert!(without_token.len() == 1 && without_token[0].contains("[plugin.a]"), "{without_token:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_one_problem_without_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing.toml");
    let text = Config::load(&path).unwrap_err().to_string();
    assert!(text.starts_with(&format!("{}: can't read the config: ", path.display())), "{text}");
    assert!(text.contains("chatplug config default"), "{text}");
    std::fs::write(&path, "[server]\nlisten = \"127.0.0.1:0\"\n").unwrap();
    assert_eq!(Config::load(&path).unwrap().server.listen.port(), 0);
}

#[test]
fn differences_are_named_without_secrets() {
    let old = parse(DEFAULT).unwrap();
    let text = DEFAULT
        .replace("127.0.0.1:8080", "127.0.0.1:8090")
        .replace("LIVECHAT_PAT", "OTHER_PAT")
        .replace(
            "env = \"LIVECHAT_WEBHOOK_SECRET\" }",
            "env = \"LIVECHAT_WEBHOOK_SECRET\" }, { env = \"NEXT\" }",
        )
        .replace("HUBSPOT_TOKEN", "OTHER_TOKEN")
        .replace("[connections.slack]", "[connections.chat]")
        .replace("http:slack", "http:chat")
        .replace("events = [\"chat_rated\"]", "events = []")
        .replace("body_bytes = 1048576\njson_depth", "body_bytes = 2048\njson_depth")
        .replace("compile_s = 30", "compile_s = 60")
        .replace("stack_bytes = 524288", "stack_bytes = 1048576")
        .replace("cpu_ms = 250", "cpu_ms = 500");
    let expected = [
        "`server.listen` changed, which takes effect only after a restart",
        "`plugins.compile_s` changed",
        "`plugins.stack_bytes` changed, which takes effect only after a restart",
        "`livechat.token` changed",
        "`livechat.webhooks.secrets` changed",
        "`livechat.webhooks.body_bytes` changed",
        "`connections.hubspot.credentials` changed",
        "[connections.slack] is gone",
        "[connections.chat] is new",
        "`plugin.low-rating-alert.events` changed",
        "`plugin.low-rating-alert.grants` changed",
        "`plugin.low-rating-alert.limits` changed",
    ];
    assert_eq!(old.differences(&parse(&text).unwrap()), expected);
    assert!(old.differences(&old.clone()).is_empty());
}
