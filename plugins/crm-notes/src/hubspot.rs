//! HubSpot's CRM, as far as a note needs it: contacts and notes.

pub mod answer;
pub mod contacts;
pub mod notes;

use chatplug_sdk::http::Request;

use self::answer::{Answer, Trouble};

/// The connection's name in the operator's config.
pub const CONNECTION: &str = "hubspot";

/// Where the CRM's objects are. HubSpot's newer paths carry a date in place of the version.
const OBJECTS: &str = "/crm/v3/objects";

/// Where their associations are.
const ASSOCIATIONS: &str = "/crm/v4/objects";

/// Sends a request; `doing` says what for, in errors.
fn send(doing: &str, request: Request) -> Result<Answer, Trouble> {
    let response = request.send().map_err(|error| Trouble::no_answer(doing, error))?;
    answer::judge(doing, response.status, &response.body)
}
