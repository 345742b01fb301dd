//! Whatever else LiveChat's API offers, by its own names. The manifest declares each call
//! ([`Manifest::livechat_call`](crate::Manifest::livechat_call)). Grant: `livechat:API.ACTION`, such as
//! `livechat:configuration.create_tag`.
//!
//! ```no_run
//! # use chatplug_sdk::prelude::*;
//! # fn handle() -> Result<(), Failure> {
//! let tag = json!({ "name": "vip", "group_ids": [0] });
//! match livechat::call("configuration", "create_tag", &tag).once("tag").send() {
//!     Err(error) if error.code == ErrorCode::Conflict => info!("the tag is there already"),
//!     created => drop(created?),
//! }
//! # Ok(()) }
//! ```
//!
//! ```no_run
//! # use chatplug_sdk::prelude::*;
//! # fn handle() -> Result<(), Failure> {
//! let bots = livechat::read("configuration", "list_bots", &json!({ "all": true }))?;
//! # Ok(()) }
//! ```

use serde_json::Value;

use crate::exported::bindings::chatplug::plugin::livechat as contract;
use crate::{Action, Error, json};

/// A call that changes something; answers LiveChat's JSON. If it's in doubt whether it took place, it is held for the
/// operator: say [`repeatable`] where doing it twice does no harm.
pub fn call(
    api: &str,
    action: &str,
    body: &Value,
) -> Action<impl FnOnce(Option<&str>) -> Result<Value, Error>> {
    change(api, action, body, None)
}

/// A call that has the same result when it is made twice.
pub fn repeatable(
    api: &str,
    action: &str,
    body: &Value,
) -> Action<impl FnOnce(Option<&str>) -> Result<Value, Error>> {
    change(api, action, body, Some("repeatable"))
}

/// A call that only reads: one whose name begins with `list_` or `get_`, or a report.
///
/// # Errors
/// What LiveChat answered.
pub fn read(api: &str, action: &str, body: &Value) -> Result<Value, Error> {
    let text = contract::call(api, action, &body.to_string(), Some("read"), None)?;
    json::read("LiveChat's answer", &text)
}

fn change(
    api: &str,
    action: &str,
    body: &Value,
    effect: Option<&'static str>,
) -> Action<impl FnOnce(Option<&str>) -> Result<Value, Error>> {
    let text = body.to_string();
    Action::new(move |once| {
        let answer = contract::call(api, action, &text, effect, once)?;
        json::read("LiveChat's answer", &answer)
    })
}
