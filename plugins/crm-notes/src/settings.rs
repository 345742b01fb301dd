//! What an operator sets.

use schemars::JsonSchema;
use serde::Deserialize;

/// The settings of crm-notes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Look everything up, but write to the log what would be written to HubSpot.
    pub dry_run: bool,
    /// Create a contact for an e-mail address that HubSpot doesn't know.
    pub create_contact: bool,
    /// What happens for a customer without e-mail address.
    pub without_email: WithoutEmail,
    /// Where an external id stands; needed by `without_email = "external_id"`.
    pub external_id: Option<ExternalId>,
    /// Put the agents' internal notes into the transcript too.
    pub include_internal: bool,
    /// The address of a chat, for the note's link: `{chat_id}` and `{thread_id}` are filled in.
    #[schemars(extend("pattern" = "^https?://"))]
    pub chat_link: String,
    /// The HubSpot id of the user who is shown as the notes' author.
    #[schemars(extend("pattern" = "^[0-9]+$"))]
    pub owner_id: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            dry_run: false,
            create_contact: false,
            without_email: WithoutEmail::Skip,
            external_id: None,
            include_internal: false,
            chat_link: "https://my.livechatinc.com/archives/{thread_id}".to_owned(),
            owner_id: None,
        }
    }
}

impl Settings {
    /// What the schema can't say.
    pub fn check(&self) -> Result<(), String> {
        if self.without_email == WithoutEmail::ExternalId && self.external_id.is_none() {
            return Err("settings: without_email is \"external_id\", but external_id is missing; add \
                        external_id = { session_field = \"…\", property = \"…\" }"
                .to_owned());
        }
        Ok(())
    }
}

/// How a customer without e-mail address is found in HubSpot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WithoutEmail {
    /// Not at all: no note is written.
    Skip,
    /// By phone number.
    Phone,
    /// By an id of your own, see `external_id`.
    ExternalId,
}

impl WithoutEmail {
    /// What else a customer lacks who can't be found, for the log.
    pub fn also(self) -> &'static str {
        match self {
            WithoutEmail::Skip => "",
            WithoutEmail::Phone => " and no phone number",
            WithoutEmail::ExternalId => " and no external id in its session field",
        }
    }
}

/// Where an id of your own stands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExternalId {
    /// The customer's session field in LiveChat.
    pub session_field: String,
    /// The contact's property in HubSpot.
    pub property: String,
}
