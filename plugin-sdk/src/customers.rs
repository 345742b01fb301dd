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

use crate::exported::bindings::chatplug::plugin::customers as contract;
use crate::objects::Customer;
use crate::{Error, json};

/// One customer. Grant: `customers.get`.
///
/// # Errors
/// `not-found`, or the platform did not answer.
pub fn get(customer_id: &str) -> Result<Customer, Error> {
    json::read("LiveChat's customer", &contract::get(customer_id)?)
}
