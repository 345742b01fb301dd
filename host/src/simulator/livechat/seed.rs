//! The account as it is at the start.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::account::{Account, Agent, Credential, Requester, RoutingStatus, Tag};
use super::{ACCOUNT_ID, BOT_ID, BOT_TOKEN, CLIENT_ID, ORGANIZATION_ID, PAT, PAT_OWNER};

/// Who works there: e-mail, name, role, groups, whether chats are accepted.
const AGENTS: [(&str, &str, &str, &[i64], bool); 4] = [
    (PAT_OWNER, "Automation", "owner", &[0, 1, 2], false),
    ("smith@example.com", "Agent Smith", "administrator", &[0, 1], true),
    ("olga@example.com", "Olga", "normal", &[0, 1], false),
    ("sam@example.com", "Sam", "normal", &[0, 2], true),
];
const GROUPS: [(i64, &str); 4] = [(0, "General"), (1, "Support"), (2, "Sales"), (3, "Billing")];
const TAGS: [(&str, &[i64]); 5] =
    [("low-rating", &[0]), ("sales", &[0]), ("support", &[0]), ("urgent", &[0]), ("billing-only", &[3])];

impl Account {
    /// Groups General (0), Support (1), Sales (2) and Billing (3, with nobody in it), four people and a bot.
    pub(super) fn seeded() -> Account {
        let mut account = Account {
            organization_id: ORGANIZATION_ID.to_owned(),
            clock_shift: SignedDuration::ZERO,
            stopped_at: None,
            history_from: None,
            agents: AGENTS.iter().enumerate().map(person).collect(),
            groups: GROUPS.map(|(id, name)| (id, name.to_owned())).into(),
            tags: Default::default(),
            namespaces: namespaces(),
            customers: Default::default(),
            bans: Default::default(),
            chats: Default::default(),
            chat_of: Default::default(),
            active: Default::default(),
            registrations: Vec::new(),
            webhooks_on: true,
            credentials: credentials(),
            issued: Vec::new(),
            scopes_lacked: Default::default(),
            work_timezone: None,
            inactive_as: "validation",
            lists_queue: true,
            unseen_for: None,
            sent: Vec::new(),
            occurrences: Vec::new(),
            count: 0,
        };
        account.agents.insert(BOT_ID.to_owned(), bot());
        for (name, group_ids) in TAGS {
            account.add_tag(name, group_ids);
        }
        account
    }

    pub(super) fn add_tag(&mut self, name: &str, group_ids: &[i64]) {
        let tag =
            Tag { group_ids: group_ids.to_vec(), author_id: PAT_OWNER.to_owned(), created_at: self.now() };
        self.tags.insert(name.to_owned(), tag);
    }
}

fn person(
    (number, &(id, name, role, groups, accepts)): (usize, &(&str, &str, &'static str, &[i64], bool)),
) -> (String, Agent) {
    let account_id = match id {
        PAT_OWNER => ACCOUNT_ID.to_owned(),
        _ => format!("{number:08x}-5a3b-4c1d-9e2f-0123456789ab"),
    };
    let status = if accepts { RoutingStatus::AcceptingChats } else { RoutingStatus::NotAcceptingChats };
    let agent =
        Agent { account_id, name: name.to_owned(), role, groups: groups.to_vec(), status, is_bot: false };
    (id.to_owned(), agent)
}

fn bot() -> Agent {
    Agent {
        account_id: BOT_ID.to_owned(),
        name: "Helping Bot".to_owned(),
        role: "normal",
        groups: vec![0],
        status: RoutingStatus::Offline,
        is_bot: true,
    }
}

fn credentials() -> Vec<Credential> {
    let requester = |id: &str| Requester { id: id.to_owned(), client_id: CLIENT_ID.to_owned() };
    let basic = format!("Basic {}", STANDARD.encode(format!("{ACCOUNT_ID}:{PAT}")));
    vec![
        Credential { header: basic, requester: requester(PAT_OWNER) },
        Credential { header: format!("Bearer {BOT_TOKEN}"), requester: requester(BOT_ID) },
    ]
}

/// The default namespaces that automations use, and one that the client has registered.
fn namespaces() -> std::collections::BTreeMap<String, Map<String, Value>> {
    let of = |names: &[(&str, &str)]| {
        let definition = |(name, kind): &(&str, &str)| ((*name).to_owned(), json!({"type": kind}));
        names.iter().map(definition).collect::<Map<String, Value>>()
    };
    let test = [
        ("string_property", "string"),
        ("int_property", "int"),
        ("bool_property", "bool"),
        ("tokenized_string_property", "tokenized_string"),
    ];
    let routing =
        [("continuous", "bool"), ("pinned", "bool"), ("start_url", "string"), ("referrer", "string")];
    let own = [("rule", "string"), ("priority", "int"), ("handled", "bool")];
    [
        ("test".to_owned(), of(&test)),
        ("routing".to_owned(), of(&routing)),
        ("rating".to_owned(), of(&[("score", "int"), ("comment", "string")])),
        (CLIENT_ID.to_owned(), of(&own)),
    ]
    .into()
}
