//! Between the generated code and the author: not part of the public API.

use std::marker::PhantomData;
use std::panic::{self, PanicHookInfo};

use self::bindings::exports::chatplug::plugin::plugin::{self as contract, Guest};
use crate::log::{self, Level};
use crate::{Event, Failure, Plugin, settings};

#[allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    clippy::all,
    clippy::allow_attributes_without_reason,
    reason = "generated from the contract"
)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit",
        world: "component",
        pub_export_macro: true,
        default_bindings_module: "chatplug_sdk::exported::bindings",
    });
}

/// The contract's side of a [`Plugin`].
pub struct Exported<P>(PhantomData<P>);

impl<P: Plugin> Guest for Exported<P> {
    fn describe() -> String {
        panic::set_hook(Box::new(report_panic));
        manifest::<P>()
    }

    fn handle(event: contract::Event) -> Result<(), contract::Failure> {
        panic::set_hook(Box::new(report_panic));
        settings::read().and_then(|settings| P::handle(Event::from(event), settings)).map_err(Into::into)
    }
}

fn manifest<P: Plugin>() -> String {
    P::manifest().with_settings_schema(settings::schema::<P::Settings>()).to_json()
}

impl From<Failure> for contract::Failure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Retry(reason) => contract::Failure::Retry(reason),
            Failure::Reject(reason) => contract::Failure::Reject(reason),
        }
    }
}

/// The trap that follows a panic says neither what nor where.
fn report_panic(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("the panic has no message");
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    log::write(Level::Error, &format!("panicked at {place}: {message}"), &[("place", &place)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    struct Hello;

    impl Plugin for Hello {
        type Settings = ();

        fn manifest() -> Manifest {
            Manifest::new("hello", "1.0.0", "Greets.")
                .on("incoming_chat")
                .on("chat_rated")
                .connection("slack")
        }

        fn handle(_: Event, (): ()) -> Result<(), Failure> {
            Ok(())
        }
    }

    #[test]
    fn the_manifest_is_as_the_contract_has_it() {
        let manifest: Value = serde_json::from_str(&manifest::<Hello>()).expect("JSON");
        let expected = json!({
            "name": "hello", "release": "1.0.0", "description": "Greets.",
            "events": ["incoming_chat", "chat_rated"], "connections": ["slack"],
            "wants_own_events": false, "settings_schema": { "type": "object", "additionalProperties": false },
        });
        assert_eq!(manifest, expected);
    }

    #[test]
    fn schedules_and_commands_are_as_the_contract_has_them() {
        let manifest = Manifest::new("a", "1", "d")
            .schedule(Schedule::cron("nightly", "0 3 * * *").timezone("Europe/Warsaw").catch_up())
            .schedule(Schedule::every("poll", std::time::Duration::from_secs(30)))
            .command("report", "Makes the report: --from DAY --to DAY");
        let manifest: Value = serde_json::from_str(&manifest.to_json()).expect("JSON");
        let nightly =
            json!({ "name": "nightly", "cron": "0 3 * * *", "timezone": "Europe/Warsaw", "catch_up": true });
        assert_eq!(
            manifest["schedules"],
            json!([nightly, { "name": "poll", "every_s": 30, "catch_up": false }])
        );
        let report = json!([{ "name": "report", "description": "Makes the report: --from DAY --to DAY" }]);
        assert_eq!(manifest["commands"], report);
    }
}
