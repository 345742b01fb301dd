//! Logs: lines on stderr, readable or JSON.
//!
//! `docs/logging.md` has the names of fields and what is never logged.

use std::io::IsTerminal;

use anyhow::Context;
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

pub use crate::cli::LogFormat;

/// The environment variable in which an operator may write a filter for [`init`].
pub const FILTER_VARIABLE: &str = "CHATPLUG_LOG";

const FILTER_DEFAULT: &str = "info";

/// Sends the process's log lines to stderr. `filter` is in the form of `tracing`'s `EnvFilter`, such as
/// `info,chatplug::store=debug`; `None` means `info`.
///
/// # Errors
/// The filter can't be understood, or log lines go somewhere already.
pub fn init(format: LogFormat, filter: Option<&str>) -> anyhow::Result<()> {
    let subscriber = subscriber(format, filter, std::io::stderr, std::io::stderr().is_terminal())?;
    tracing::subscriber::set_global_default(subscriber).context("log lines go somewhere already")
}

fn subscriber<W>(
    format: LogFormat,
    filter: Option<&str>,
    writer: W,
    ansi: bool,
) -> anyhow::Result<Box<dyn Subscriber + Send + Sync>>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = filter.unwrap_or(FILTER_DEFAULT);
    let filter = EnvFilter::try_new(filter).with_context(|| {
        format!("the log filter `{filter}` can't be understood: write one such as `info`")
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(ansi)
        // A full disk behind stderr must cost log lines, not the tasks that write them.
        .log_internal_errors(false);
    Ok(match format {
        LogFormat::Readable => Box::new(builder.finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).with_span_list(false).finish()),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn lines(format: LogFormat, filter: Option<&str>) -> String {
        let captured = Captured::default();
        let writer = captured.clone();
        let subscriber = subscriber(format, filter, move || writer.clone(), false).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(plugin = "crm-notes", event = "ev-42", "delivered");
            tracing::debug!("details");
        });
        let bytes = captured.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn json_lines_are_objects_with_the_fields_at_the_top() {
        let line = lines(LogFormat::Json, None);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["plugin"], "crm-notes");
        assert_eq!(value["event"], "ev-42");
        assert_eq!(value["message"], "delivered");
        assert_eq!(value["level"], "INFO");
    }

    #[test]
    fn readable_lines_have_no_colour_codes_outside_of_a_terminal() {
        let line = lines(LogFormat::Readable, None);
        assert!(line.contains("delivered") && line.contains("plugin=\"crm-notes\""), "{line:?}");
        assert!(!line.contains('\u{1b}'), "{line:?}");
    }

    #[test]
    fn the_filter_decides_what_is_shown() {
        assert!(!lines(LogFormat::Readable, None).contains("details"));
        assert!(lines(LogFormat::Readable, Some("debug")).contains("details"));
        assert_eq!(lines(LogFormat::Readable, Some("off")), "");
        assert!(init(LogFormat::Readable, Some("chatplug=loud")).is_err());
    }
}
