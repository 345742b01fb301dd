//! Webhooks as files, for those who write plugins: `chatplug serve --capture DIR`. What the door accepts is written by a
//! part of its own behind a queue: no answer waits for a file, and none depends on it.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

mod folder;
mod name;

use folder::Folder;
pub use name::SIGNED;

/// The most files of captured webhooks in a folder, those of earlier starts included.
pub const FILES_MAX: usize = 10_000;
/// How many webhooks wait to be written.
const WAITING_MAX: usize = 256;
/// And how much they may be, KiB in all.
const WAITING_KIB_MAX: usize = 16 << 10;

/// Takes webhooks from the door.
pub struct Capture {
    waiting: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
    taken: AtomicU64,
    dropped: Arc<AtomicU64>,
    /// Cancelled when no webhook comes any more.
    closed: CancellationToken,
}

/// A webhook to be written.
pub struct Sample<'a> {
    /// When it came, milliseconds since 1970.
    pub received_at_ms: i64,
    /// The type of the event that it made; whatever a sender called it.
    pub event_type: &'a str,
    /// Whether it came with a signature.
    pub signed: bool,
    /// Its body, which has no secret in it any more.
    pub body: String,
}

struct Waiting {
    name: String,
    body: String,
    _room: OwnedSemaphorePermit,
}

/// Writes what was taken.
pub struct Writer {
    waiting: mpsc::Receiver<Waiting>,
    folder: Folder,
    dropped: Arc<AtomicU64>,
    closed: CancellationToken,
}

/// Begins to capture into a folder, which is made for its owner only if it isn't there yet.
///
/// # Errors
/// A sentence, if nothing can be written into the folder.
pub fn open(folder: &Path) -> Result<(Capture, Writer), String> {
    let is_ready =
        DirBuilder::new().recursive(true).mode(0o700).create(folder).and_then(|()| try_out(folder));
    let folder = is_ready.and_then(|()| Folder::open(folder, FILES_MAX)).map_err(|error| {
        format!(
            "cannot capture webhooks in {}: {error}; name a folder that the host may write",
            folder.display()
        )
    })?;
    Ok(connected(folder))
}

/// Whether files can be written, before any webhook has come.
fn try_out(folder: &Path) -> io::Result<()> {
    folder::unnamed(folder).map(drop)
}

fn connected(folder: Folder) -> (Capture, Writer) {
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    let (dropped, closed) = (Arc::<AtomicU64>::default(), CancellationToken::new());
    let capture = Capture {
        waiting: sender,
        room: Arc::new(Semaphore::new(WAITING_KIB_MAX)),
        taken: AtomicU64::new(0),
        dropped: dropped.clone(),
        closed: closed.clone(),
    };
    (capture, Writer { waiting: receiver, folder, dropped, closed })
}

impl Capture {
    /// Hands a webhook over to be written. Doesn't wait: where too much waits already it is dropped, and counted.
    pub fn take(&self, sample: Sample<'_>) {
        let number = self.taken.fetch_add(1, Ordering::Relaxed) + 1;
        let name = name::name(sample.received_at_ms, number, sample.event_type, sample.signed);
        let kib = (sample.body.len() / 1024 + 1).min(WAITING_KIB_MAX);
        let kib = u32::try_from(kib).expect("the room has fewer KiB");
        let room = self.room.clone().try_acquire_many_owned(kib).ok();
        let waits = room.is_some_and(|room| {
            self.waiting.try_send(Waiting { name, body: sample.body, _room: room }).is_ok()
        });
        if !waits {
            let count = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            if count.is_power_of_two() {
                tracing::warn!(
                    count,
                    "a webhook was not captured: they come faster than they can be written; {count} since the start"
                );
            }
        }
    }

    /// To be held as long as webhooks may come. When it is dropped the writer writes what waits, and ends.
    pub fn while_open(&self) -> DropGuard {
        self.closed.clone().drop_guard()
    }
}

impl Writer {
    /// Runs until no webhook comes any more and all that wait are written.
    pub async fn run(self) {
        let Writer { mut waiting, mut folder, dropped, closed } = self;
        loop {
            let next = tokio::select! {
                biased;
                next = waiting.recv() => next,
                () = closed.cancelled(), if !waiting.is_closed() => {
                    waiting.close();
                    continue;
                }
            };
            let Some(next) = next else { break };
            let write = move || {
                folder.keep(&next.name, &next.body);
                folder
            };
            folder = tokio::task::spawn_blocking(write).await.expect("writing a file does not panic");
        }
        let dropped = dropped.load(Ordering::Relaxed);
        tracing::info!(written = folder.written, failed = folder.failed, dropped, "captured webhooks");
    }
}

#[cfg(test)]
mod tests;
