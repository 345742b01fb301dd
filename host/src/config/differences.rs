use secrecy::{ExposeSecret, SecretString};

use super::{Address, Config, Connection, Credentials, Livechat, Operator, Plugin};
use crate::limits::{Loading, Retention};

/// What is different in `new`, in words and without secrets.
pub(super) fn between(old: &Config, new: &Config) -> Vec<String> {
    let mut changes = Changes::default();
    changes.note_at_restart("server.listen", old.server.listen != new.server.listen);
    operator(&mut changes, &old.operator, &new.operator);
    changes.note_at_restart("data.dir", old.data_dir != new.data_dir);
    changes.note("plugins.dir", old.plugins_dir != new.plugins_dir);
    loading(&mut changes, &old.loading, &new.loading);
    changes.note_at_restart("plugins.stack_bytes", old.stack_bytes != new.stack_bytes);
    retention(&mut changes, &old.retention, &new.retention);
    livechat(&mut changes, &old.livechat, &new.livechat);
    changes.note("operator.notify", old.notify != new.notify);
    let named =
        |list: &[Connection]| list.iter().map(|one| (one.name.clone(), one.clone())).collect::<Vec<_>>();
    changes.named("connections", &named(&old.connections), &named(&new.connections), connection);
    let listed = |config: &Config| config.plugins.clone().into_iter().collect::<Vec<_>>();
    changes.named("plugin", &listed(old), &listed(new), plugin);
    changes.0
}

#[derive(Default)]
struct Changes(Vec<String>);

impl Changes {
    fn note(&mut self, key: &str, changed: bool) {
        if changed {
            self.0.push(format!("`{key}` changed"));
        }
    }

    fn note_at_restart(&mut self, key: &str, changed: bool) {
        if changed {
            self.0.push(format!("`{key}` changed, which takes effect only after a restart"));
        }
    }

    /// Compares sections that have names; `parts` says which keys of two sections differ.
    fn named<T>(
        &mut self,
        group: &str,
        old: &[(String, T)],
        new: &[(String, T)],
        parts: impl Fn(&T, &T) -> Vec<&'static str>,
    ) {
        for (name, before) in old {
            match new.iter().find(|(other, _)| other == name) {
                None => self.0.push(format!("[{group}.{name}] is gone")),
                Some((_, after)) => {
                    for part in parts(before, after) {
                        self.note(&format!("{group}.{name}.{part}"), true);
                    }
                }
            }
        }
        let is_new = |name: &String| old.iter().all(|(other, _)| other != name);
        let added = new.iter().filter(|(name, _)| is_new(name));
        self.0.extend(added.map(|(name, _)| format!("[{group}.{name}] is new")));
    }
}

fn operator(changes: &mut Changes, old: &Operator, new: &Operator) {
    changes.note_at_restart("operator.listen", old.listen != new.listen);
    changes.note("operator.token", text(old.token.as_ref()) != text(new.token.as_ref()));
    changes.note("operator.read_token", text(old.read_token.as_ref()) != text(new.read_token.as_ref()));
    changes.note("operator.hosts", old.hosts != new.hosts);
}

fn retention(changes: &mut Changes, old: &Retention, new: &Retention) {
    changes.note("retention.payload_days", old.payload_days != new.payload_days);
    changes.note("retention.dead_days", old.dead_days != new.dead_days);
    changes.note("retention.metadata_days", old.metadata_days != new.metadata_days);
    changes.note("retention.dedupe_days", old.dedupe_days != new.dedupe_days);
    changes.note("retention.audit_days", old.audit_days != new.audit_days);
    changes.note("retention.files_days", old.files_days != new.files_days);
}

fn loading(changes: &mut Changes, old: &Loading, new: &Loading) {
    changes.note("plugins.component_bytes", old.component_bytes != new.component_bytes);
    changes.note("plugins.function_bytes", old.function_bytes != new.function_bytes);
    changes.note("plugins.compile_memory_bytes", old.compile_memory_bytes != new.compile_memory_bytes);
    changes.note("plugins.compile_s", old.compile_s != new.compile_s);
}

fn livechat(changes: &mut Changes, old: &Livechat, new: &Livechat) {
    changes.note("livechat.api", old.api != new.api);
    changes.note("livechat.base_url", old.base_url != new.base_url);
    changes.note("livechat.allow_private", old.reach != new.reach);
    changes.note("livechat.region", old.region != new.region);
    changes.note("livechat.account_id", old.account_id != new.account_id);
    changes.note("livechat.token", text(old.token.as_ref()) != text(new.token.as_ref()));
    let oauth = |livechat: &Livechat| {
        let known = livechat.oauth.as_ref()?;
        let secrets = [&known.client_secret, &known.refresh_token].map(|secret| text(Some(secret)));
        Some((known.token_url.clone(), secrets.map(|text| text.map(str::to_owned))))
    };
    changes.note("livechat.oauth", oauth(old) != oauth(new));
    let bot = |livechat: &Livechat| {
        let known = livechat.bot.as_ref()?;
        Some((known.id.clone(), text(Some(&known.secret)).map(str::to_owned)))
    };
    changes.note("livechat.bot", bot(old) != bot(new));
    changes.note("livechat.login", old.login != new.login);
    changes.note("livechat.api_key", text(old.api_key.as_ref()) != text(new.api_key.as_ref()));
    changes.note("livechat.timezone", old.timezone != new.timezone);
    changes.note("livechat.organization", old.organization != new.organization);
    changes.note("livechat.client_id", old.client_id != new.client_id);
    changes.note("livechat.agent_id", old.agent_id != new.agent_id);
    changes.note("livechat.join", old.join != new.join);
    changes.note("livechat.concurrency", old.terms.concurrency != new.terms.concurrency);
    changes.note("livechat.rate", old.terms.rate != new.terms.rate);
    changes.note("livechat.webhooks.secrets", texts(&old.webhook_secrets) != texts(&new.webhook_secrets));
    let (before, after) = (&old.webhook_limits, &new.webhook_limits);
    changes.note("livechat.webhooks.body_bytes", before.body_bytes != after.body_bytes);
    changes.note("livechat.webhooks.json_depth", before.json_depth != after.json_depth);
}

fn connection(old: &Connection, new: &Connection) -> Vec<&'static str> {
    let parts = [
        ("kind", old.kind != new.kind),
        ("address", address(&old.address) != address(&new.address)),
        ("allow_private", old.reach != new.reach),
        ("credentials", credentials(&old.credentials) != credentials(&new.credentials)),
        ("post", old.post != new.post),
        ("concurrency", old.terms.concurrency != new.terms.concurrency),
        ("rate", old.terms.rate != new.terms.rate),
    ];
    changed(parts)
}

fn plugin(old: &Plugin, new: &Plugin) -> Vec<&'static str> {
    let parts = [
        ("enabled", old.enabled != new.enabled),
        ("events", old.events != new.events),
        ("own_events", old.own_events != new.own_events),
        ("grants", old.policy.grants != new.policy.grants),
        ("denies", old.policy.denies != new.policy.denies),
        ("settings", old.settings != new.settings),
        ("limits", old.limits != new.limits),
        ("schedules", old.schedules != new.schedules),
        ("updates", old.updates != new.updates),
        ("pin", old.pin != new.pin),
    ];
    changed(parts)
}

fn changed<const N: usize>(parts: [(&'static str, bool); N]) -> Vec<&'static str> {
    parts.into_iter().filter(|(_, changed)| *changed).map(|(part, _)| part).collect()
}

fn text(secret: Option<&SecretString>) -> Option<&str> {
    secret.map(|secret| secret.expose_secret())
}

fn texts(secrets: &[SecretString]) -> Vec<&str> {
    secrets.iter().map(|secret| secret.expose_secret()).collect()
}

fn address(address: &Address) -> (&str, &str) {
    match address {
        Address::Base(url) => ("base_url", url),
        Address::Secret(url) => ("url", url.expose_secret()),
    }
}

fn credentials(credentials: &Credentials) -> (&str, &str, &str) {
    match credentials {
        Credentials::None => ("none", "", ""),
        Credentials::Bearer(token) => ("bearer", "", token.expose_secret()),
        Credentials::Basic { user, password } => ("basic", user, password.expose_secret()),
        Credentials::Header { name, value } => ("header", name, value.expose_secret()),
    }
}
