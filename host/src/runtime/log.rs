//! What a guest says: lines through the contract's `log`, and what it prints.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::delivery::DeliveryId;
use crate::delivery::progress::Progress;
use crate::event::trace_id::TraceId;

/// Of an attempt that fails this much text is kept, its end.
const TAIL_BYTES: usize = 8 << 10;
/// A printed line that is longer is cut into several.
const LINE_BYTES_MAX: usize = 4 << 10;
/// What a line costs of the limit beside its text: it becomes a line with names and ids in the host's log.
const LINE_COST: usize = 160;
/// What a field costs at least: `="" `.
const FIELD_COST: usize = 4;
/// A guest's reason or panic message is cut to this.
const REASON_BYTES_MAX: usize = 2 << 10;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// Who speaks: goes on each line.
#[derive(Debug, Clone, Default)]
pub(super) struct Speaker {
    pub(super) plugin: Arc<str>,
    pub(super) event: String,
    pub(super) delivery: String,
    pub(super) trace: TraceId,
    pub(super) chat: Option<String>,
}

/// The log of one attempt: passes lines on to the host's log, up to a limit, and keeps the last ones.
#[derive(Debug)]
pub(super) struct Log {
    speaker: Speaker,
    bytes_max: usize,
    left: usize,
    discarded: bool,
    tail: VecDeque<String>,
    tail_bytes: usize,
    /// Where somebody waits for the lines.
    listener: Option<(Progress, DeliveryId)>,
    /// The message and place of a panic, as the standard library or the SDK report it.
    pub(super) panic: Option<String>,
}

/// A log that several streams write to.
pub(super) type SharedLog = Arc<Mutex<Log>>;

impl Log {
    pub(super) fn new(speaker: Speaker, bytes_max: usize) -> SharedLog {
        let log = Log {
            speaker,
            bytes_max,
            left: bytes_max,
            discarded: false,
            tail: VecDeque::new(),
            tail_bytes: 0,
            listener: None,
            panic: None,
        };
        Arc::new(Mutex::new(log))
    }

    /// Has the lines told to whoever waits for them.
    pub(super) fn tell(&mut self, progress: Progress, delivery: DeliveryId) {
        self.listener = Some((progress, delivery));
    }

    /// One line.
    pub(super) fn write(&mut self, level: Level, message: &str, fields: &[(String, String)]) {
        if message.contains("panicked at") {
            self.panic = Some(plain(message));
        }
        // Before any of it is copied: what is in no relation to the limit isn't worth it.
        let raw = message.len()
            + fields.iter().map(|(name, value)| FIELD_COST + name.len() + value.len()).sum::<usize>();
        let written = (!self.discarded && raw <= self.left).then(|| written(message, fields));
        let size = written.as_ref().map_or(raw, |(message, fields)| message.len() + fields.len()) + LINE_COST;
        let Some((message, fields)) = written.filter(|_| size <= self.left) else {
            if !self.discarded {
                self.discarded = true;
                let message = format!(
                    "more than {} bytes of log in one attempt (limits.log_bytes); further lines are discarded",
                    self.bytes_max
                );
                self.emit(Level::Warn, &message, "");
            }
            return;
        };
        self.left -= size;
        self.emit(level, &message, &fields);
    }

    /// Bytes of the limit that were used.
    pub(super) fn used(&self) -> usize {
        self.bytes_max - self.left
    }

    /// The last lines.
    pub(super) fn tail(&self) -> String {
        self.tail.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    fn emit(&mut self, level: Level, message: &str, fields: &str) {
        let Speaker { plugin, event, delivery, trace, chat } = &self.speaker;
        let chat = chat.as_deref().unwrap_or_default();
        let (plugin, event, delivery) = (&**plugin, event.as_str(), delivery.as_str());
        match level {
            Level::Debug => {
                tracing::debug!(target: "plugin", plugin, event, delivery, %trace, chat, fields, "{message}")
            }
            Level::Info => {
                tracing::info!(target: "plugin", plugin, event, delivery, %trace, chat, fields, "{message}")
            }
            Level::Warn => {
                tracing::warn!(target: "plugin", plugin, event, delivery, %trace, chat, fields, "{message}")
            }
            Level::Error => {
                tracing::error!(target: "plugin", plugin, event, delivery, %trace, chat, fields, "{message}")
            }
        }
        let line = cut(format!("{level:?} {message} {fields}").trim_end(), TAIL_BYTES).to_owned();
        if let Some((progress, delivery)) = &self.listener {
            progress.say(*delivery, line.clone());
        }
        self.tail_bytes += line.len();
        self.tail.push_back(line);
        while self.tail_bytes > TAIL_BYTES && self.tail.len() > 1 {
            self.tail_bytes -= self.tail.pop_front().map_or(0, |line| line.len());
        }
    }
}

/// A line as it is written: its message, and its fields.
fn written(message: &str, fields: &[(String, String)]) -> (String, String) {
    let fields: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={value:?}", one_line(name))).collect();
    (one_line(message), fields.join(" "))
}

/// The beginning of a text, at most so many bytes.
fn cut(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

/// A guest's text as it may go into the store and the host's log: on one line, and not too long.
pub(super) fn plain(text: &str) -> String {
    one_line(cut(text, REASON_BYTES_MAX))
}

/// The text without what would end the line or act on a terminal: a guest must not forge lines of the host.
fn one_line(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// Standard output or standard error of a guest: each line becomes a line of the log. Beyond the limit it
/// swallows what comes: a pipe that closed would make a guest trap that only wanted to print.
#[derive(Clone)]
pub(super) struct Printed {
    log: SharedLog,
    level: Level,
    line: Arc<Mutex<Vec<u8>>>,
}

impl Printed {
    pub(super) fn new(log: SharedLog, level: Level) -> Printed {
        Printed { log, level, line: Arc::default() }
    }

    fn take(&self, bytes: &[u8]) {
        let mut line = self.line.lock().expect("nothing panics while it holds the line");
        for byte in bytes {
            if *byte == b'\n' || line.len() >= LINE_BYTES_MAX {
                self.end_line(&mut line);
            }
            if *byte != b'\n' {
                line.push(*byte);
            }
        }
    }

    fn end_line(&self, line: &mut Vec<u8>) {
        if !line.is_empty() {
            let text = String::from_utf8_lossy(line).into_owned();
            self.log.lock().expect("nothing panics while it holds the log").write(self.level, &text, &[]);
            line.clear();
        }
    }
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Printed {
    fn poll_write(
        self: Pin<&mut Self>,
        _context: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        self.take(bytes);
        std::task::Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(
        self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

impl Pollable for Printed {
    fn ready<'a, 'b>(&'a mut self) -> Pin<Box<dyn Future<Output = ()> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(std::future::ready(()))
    }
}

impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(LINE_BYTES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_text_becomes_lines_and_ends_at_the_limit() {
        let log = Log::new(Speaker::default(), 2 * LINE_COST + 10);
        let out = Printed::new(log.clone(), Level::Info);
        out.take(b"one\ntw");
        out.take(b"o\nthirteen\nfour\n");
        let tail = log.lock().map(|log| log.tail()).unwrap_or_default();
        let lines: Vec<&str> = tail.lines().collect();
        assert_eq!(lines[..2], ["Info one", "Info two"]);
        assert!(lines[2].contains("discarded"), "{tail}");
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn empty_lines_cost_too_and_none_can_forge_another() {
        let log = Log::new(Speaker::default(), 10 * LINE_COST);
        let mut log = log.lock().unwrap();
        log.write(Level::Info, "a\nERROR forged \u{1b}[2J", &[]);
        for _ in 0..100 {
            log.write(Level::Info, "", &[]);
        }
        let tail = log.tail();
        assert!(tail.starts_with("Info a\\nERROR forged \\u{1b}[2J"), "{tail}");
        assert_eq!(tail.lines().count(), 10, "{tail}");
    }

    #[test]
    fn a_panic_is_remembered() {
        let log = Log::new(Speaker::default(), 1000);
        Printed::new(log.clone(), Level::Error).take(b"thread 'main' panicked at src/lib.rs:3:5: no\n");
        let panic = log.lock().map(|log| log.panic.clone()).unwrap_or_default();
        assert_eq!(panic.as_deref(), Some("thread 'main' panicked at src/lib.rs:3:5: no"));
    }
}
