//! Lines for the operator: [`info!`](crate::info!), [`warn!`](crate::warn!), [`error!`](crate::error!) and
//! [`debug!`](crate::debug!).
//!
//! ```no_run
//! # use chatplug_sdk::prelude::*;
//! # let (channel, posted) = ("C1", 2);
//! info!("posted {posted} alerts");
//! info!(channel = channel, posted = posted, "posted the alerts");
//! ```
//!
//! ```no_run
//! # use chatplug_sdk::prelude::*;
//! if let Err(error) = chats::tag("chat", "thread", "vip").send() {
//!     warn!(code = error.code.as_str(), "the thread stays without its tag: {error}");
//! }
//! ```
//!
//! Whatever a customer wrote belongs on the `debug` level at most.

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For the author.
    Debug,
    /// What was done.
    Info,
    /// Something to look at.
    Warn,
    /// Something failed.
    Error,
}

/// Writes a line; the macros are shorter. Lines beyond the limit of the attempt are discarded. Outside a
/// component (in a unit test) the line goes to standard error.
pub fn write(level: Level, message: &str, fields: &[(&str, &str)]) {
    #[cfg(target_family = "wasm")]
    {
        use crate::exported::bindings::chatplug::plugin::log as contract;
        let level = match level {
            Level::Debug => contract::Level::Debug,
            Level::Info => contract::Level::Info,
            Level::Warn => contract::Level::Warn,
            Level::Error => contract::Level::Error,
        };
        let fields: Vec<_> =
            fields.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        contract::write(level, message, &fields);
    }
    #[cfg(not(target_family = "wasm"))]
    eprintln!("{level:?}: {message} {fields:?}");
}

/// Logs something for the author; arguments as for [`info!`](crate::info).
#[macro_export]
macro_rules! debug {
    ($($line:tt)+) => { $crate::__log!(Debug, $($line)+) };
}

/// Logs what was done: a format text with its arguments, before it optionally fields, `name = value`.
#[macro_export]
macro_rules! info {
    ($($line:tt)+) => { $crate::__log!(Info, $($line)+) };
}

/// Logs something to look at; arguments as for [`info!`](crate::info).
#[macro_export]
macro_rules! warn {
    ($($line:tt)+) => { $crate::__log!(Warn, $($line)+) };
}

/// Logs that something failed; arguments as for [`info!`](crate::info).
#[macro_export]
macro_rules! error {
    ($($line:tt)+) => { $crate::__log!(Error, $($line)+) };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log {
    ($level:ident, $($name:ident = $value:expr,)* $format:literal $($arguments:tt)*) => {
        $crate::log::write(
            $crate::log::Level::$level,
            &::std::format!($format $($arguments)*),
            &[$((::std::stringify!($name), ::std::string::ToString::to_string(&$value).as_str())),*],
        )
    };
}
