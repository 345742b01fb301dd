//! What a token must be allowed for a call. The tokens here have every scope, but for those that were taken away.

use super::super::account::Account;
use super::super::refusal::Refusal;

const READ_CHATS: &[&str] = &["chats--all:ro", "chats--access:ro"];
const WRITE_CHATS: &[&str] = &["chats--all:rw", "chats--access:rw"];

/// The scopes of which a call needs one; empty where it needs none.
fn of_call(api: &str, action: &str) -> &'static [&'static str] {
    if api == "reports" {
        return &["reports_read"];
    }
    match action {
        "list_chats" | "get_chat" | "list_archives" => READ_CHATS,
        "deactivate_chat"
        | "transfer_chat"
        | "add_user_to_chat"
        | "remove_user_from_chat"
        | "send_event"
        | "update_chat_properties"
        | "tag_thread"
        | "untag_thread" => WRITE_CHATS,
        "get_customer" => &["customers:ro"],
        "update_customer" => &["customers:rw"],
        "ban_customer" => &["customers.ban:rw"],
        "list_agents" | "list_routing_statuses" => &["agents--all:ro"],
        "set_routing_status" => {
            &["agents--my:rw", "agents--all:rw", "agents-bot--my:rw", "agents-bot--all:rw"]
        }
        "get_agent" => &["agents--my:ro", "agents--all:ro"],
        "list_groups" => &["groups--all:ro"],
        "list_tags" => &["tags--all:ro", "tags--groups:ro"],
        "create_tag" => &["tags--all:rw", "tags--groups:rw"],
        "list_properties" => &["properties.configuration:rw"],
        "register_webhook" | "list_webhooks" | "unregister_webhook" => &["webhooks.configuration:rw"],
        "get_license_webhooks_state" => &["webhooks.state:ro"],
        "enable_license_webhooks" | "disable_license_webhooks" => &["webhooks.state:rw"],
        _ => &[],
    }
}

/// Refuses a call for which all scopes were taken away that would do.
pub(super) fn check(account: &Account, api: &str, action: &str) -> Result<(), Refusal> {
    let enough = of_call(api, action);
    if enough.is_empty() || enough.iter().any(|scope| !account.scopes_lacked.contains(*scope)) {
        return Ok(());
    }
    Err(Refusal::authorization("Missing scope"))
}
