//! LiveChat's customers.
//!
//! ```no_run
//! # use chatplug_sdk::prelude::*;
//! # fn handle(customer_id: &str) -> Result<(), Failure> {
//! let customer = customers::get(customer_id)?;
//! info!("{} visited {} pages", customer.id, customer.visit.last_pages.len());
//! # Ok(()) }
//! ```
//!
//! ```no_run
//! # use chatplug_sdk::prelude::*;
//! # fn handle(customer_id: &str) -> Result<(), Failure> {
//! let email = match customers::get(customer_id) {
//!     Ok(customer) => customer.email,
//!     Err(error) if error.code == ErrorCode::NotFound => None,
//!     Err(error) => return Err(error.into()),
//! };
//! # Ok(()) }
//! ```

use serde_json::Value;

use crate::exported::bindings::chatplug::plugin::customers as contract;
use crate::objects::Customer;
use crate::{Action, Error, json};

/// One customer. Grant: `customers.get`.
///
/// # Errors
/// `not-found`, or the platform did not answer.
pub fn get(customer_id: &str) -> Result<Customer, Error> {
    json::read("LiveChat's customer", &contract::get(customer_id)?)
}

/// Changes what LiveChat knows of a customer: an object with any of `name`, `email`, `phone_number`, `session_fields` …
/// Grant: `customers.update`.
pub fn update(customer_id: &str, fields: &Value) -> Action<impl FnOnce(Option<&str>) -> Result<(), Error>> {
    let text = fields.to_string();
    Action::new(move |once| Ok(contract::update(customer_id, &text, once)?))
}

/// Bans a customer from chatting for so many days. Grant: `customers.ban`.
pub fn ban(customer_id: &str, days: u32) -> Action<impl FnOnce(Option<&str>) -> Result<(), Error>> {
    Action::new(move |once| Ok(contract::ban(customer_id, days, once)?))
}
