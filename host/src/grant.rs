//! Grants: what an operator lets a plugin do. The one place where it is decided.

use std::collections::BTreeSet;

/// Capabilities that need a grant: host functions as `interface.function`. `settings`, `log` and `memory`
/// need none.
pub const CAPABILITIES: &[&str] = &[
    "agents.list-routing-statuses",
    "chats.assign",
    "chats.deactivate",
    "chats.get-chat",
    "chats.remove-user",
    "chats.send-message",
    "chats.send-note",
    "chats.set-properties",
    "chats.tag",
    "chats.transfer",
    "chats.untag",
    "customers.get",
];

/// The capability of sending requests to a connection.
pub fn http(connection: &str) -> String {
    format!("http:{connection}")
}

/// What an operator wrote under `grants` and `denies` of a plugin. An entry is a capability
/// (`chats.send-note`, `http:hubspot`) or all functions of an interface (`chats.*`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What it may do.
    pub grants: Vec<String>,
    /// What it may not do. Wins over `grants`.
    pub denies: Vec<String>,
}

/// Whether a version may run, by what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Each ask was granted or denied: the operator has decided.
    Decided,
    /// Nobody has decided on these asks yet: the version waits.
    Undecided(Vec<String>),
}

impl Policy {
    /// Whether the operator has decided on everything that a version asks for.
    pub fn standing(&self, asks: &BTreeSet<String>) -> Standing {
        let decided = |ask: &String| covers(&self.grants, ask) || covers(&self.denies, ask);
        let open: Vec<String> = asks.iter().filter(|ask| !decided(ask)).cloned().collect();
        if open.is_empty() { Standing::Decided } else { Standing::Undecided(open) }
    }

    /// Whether a call may be made. `asks` is what the running version asked for: what it did not ask for is
    /// denied even where it is granted.
    ///
    /// # Errors
    /// A sentence for the operator that says what to grant, or for the author what to declare.
    pub fn allows(&self, plugin: &str, asks: &BTreeSet<String>, capability: &str) -> Result<(), String> {
        if !asks.contains(capability) {
            return Err(format!(
                "`{capability}` is not declared by the plugin: name the connection in its manifest"
            ));
        }
        if covers(&self.denies, capability) {
            return Err(format!("`{capability}` is denied by the operator (`denies` of [plugin.{plugin}])"));
        }
        if !covers(&self.grants, capability) {
            return Err(format!(
                "`{capability}` is not granted: add \"{capability}\" to `grants` of [plugin.{plugin}]"
            ));
        }
        Ok(())
    }
}

fn covers(entries: &[String], capability: &str) -> bool {
    entries.iter().any(|entry| match entry.strip_suffix('*') {
        Some(prefix) => prefix.ends_with('.') && capability.starts_with(prefix),
        None => entry == capability,
    })
}

/// Checks one entry of `grants` or `denies`; `connections` are the names that the config defines.
///
/// # Errors
/// A sentence that names the nearest known entry.
pub fn check_entry(entry: &str, connections: &[String]) -> Result<(), String> {
    let known = CAPABILITIES.iter().map(|capability| (*capability).to_owned());
    let interfaces = ["agents.*", "chats.*", "customers.*"].map(str::to_owned);
    let all: Vec<String> = known.chain(interfaces).chain(connections.iter().map(|name| http(name))).collect();
    if all.iter().any(|candidate| candidate == entry) {
        return Ok(());
    }
    let nearest = crate::event::types::nearest(entry, all.iter().map(String::as_str));
    Err(match nearest {
        Some(nearest) => format!("`{entry}` is no capability; did you mean `{nearest}`?"),
        None if entry.starts_with("http:") => {
            format!(
                "`{entry}` names a connection that the config does not define: add [connections.{}]",
                &entry[5..]
            )
        }
        None => {
            format!("`{entry}` is no capability; `chatplug plugins list` shows what each plugin asks for")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(grants: &[&str], denies: &[&str]) -> Policy {
        let own = |entries: &[&str]| entries.iter().map(|entry| (*entry).to_owned()).collect();
        Policy { grants: own(grants), denies: own(denies) }
    }

    fn asks(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_version_waits_until_each_ask_is_decided() {
        let asked = asks(&["chats.tag", "http:slack"]);
        assert_eq!(policy(&["chats.tag"], &["http:slack"]).standing(&asked), Standing::Decided);
        assert_eq!(
            policy(&["chats.*"], &[]).standing(&asked),
            Standing::Undecided(vec!["http:slack".into()])
        );
        assert_eq!(policy(&[], &[]).standing(&asks(&[])), Standing::Decided);
    }

    fn check(grants: &[&str], denies: &[&str], capability: &str, allowed: bool) {
        let asked = asks(&["chats.tag", "http:slack"]);
        let decision = policy(grants, denies).allows("p", &asked, capability);
        assert_eq!(decision.is_ok(), allowed, "{capability} with {grants:?} and {denies:?}: {decision:?}");
    }

    #[test]
    fn a_call_needs_ask_and_grant_and_no_deny() {
        check(&["chats.tag"], &[], "chats.tag", true);
        check(&["chats.*"], &[], "chats.tag", true);
        check(&["chats.*"], &["chats.tag"], "chats.tag", false);
        check(&["chats.tag"], &["chats.*"], "chats.tag", false);
        check(&[], &[], "chats.tag", false);
        check(&["chats.untag"], &[], "chats.untag", false);
        check(&["http:slack"], &[], "http:slack", true);
        check(&["http:*"], &[], "http:slack", false);
        check(&["*"], &[], "chats.tag", false);
        check(&["http:slackers"], &[], "http:slack", false);
    }

    #[test]
    fn a_misspelt_entry_is_answered_with_the_nearest() {
        let connections = ["slack".to_owned()];
        assert_eq!(check_entry("chats.*", &connections), Ok(()));
        assert_eq!(check_entry("http:slack", &connections), Ok(()));
        let error = check_entry("chats.send_note", &connections).unwrap_err();
        assert_eq!(error, "`chats.send_note` is no capability; did you mean `chats.send-note`?");
        let error = check_entry("http:warehouse", &connections).unwrap_err();
        assert!(error.contains("[connections.warehouse]"), "{error}");
    }
}
