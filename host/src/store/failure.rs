//! What ends the store for good: the disk or the file is at fault, or another host has taken it over.

use rusqlite::ErrorCode;
use tokio::sync::watch;

use super::{Error, Store};

/// Holds the error after which nothing may be called stored any more; cheap to clone.
#[derive(Clone)]
pub(super) struct Failure(watch::Sender<Option<Error>>);

impl Failure {
    pub(super) fn none() -> Failure {
        Failure(watch::channel(None).0)
    }

    /// Ends the store. The first reason stays.
    pub(super) fn report(&self, error: Error) {
        self.0.send_if_modified(|reason| {
            let is_first = reason.is_none();
            if is_first {
                tracing::error!(%error, "the store failed and takes no more writes");
                *reason = Some(error);
            }
            is_first
        });
    }

    /// Why the store has ended, if it has.
    pub(super) fn get(&self) -> Option<Error> {
        self.0.borrow().clone()
    }
}

/// Ends the store if one of its threads panics.
pub(super) struct Watch(pub(super) Failure);

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.report(Error::Closed);
        }
    }
}

impl Store {
    /// Returns when the store has failed for good (a disk error other than a full disk, or another host took
    /// over). The process should end then: a later sync may report success without the data.
    pub async fn failed(&self) -> Error {
        let mut failed = self.failure.0.subscribe();
        match failed.wait_for(Option::is_some).await {
            Ok(error) => error.clone().unwrap_or(Error::Closed),
            Err(_) => Error::Closed,
        }
    }
}

/// Whether a write that failed like this is the fault of the disk, the file or another host, not of the command.
pub(super) fn is_final(error: &Error) -> bool {
    matches!(error, Error::TakenOver) || is_damage(error) || code(error) == Some(ErrorCode::CannotOpen)
}

/// Whether what was read can't be trusted, or can't be read.
pub(super) fn is_damage(error: &Error) -> bool {
    matches!(
        code(error),
        Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

fn code(error: &Error) -> Option<ErrorCode> {
    let Error::Sqlite(error) = error else { return None };
    error.sqlite_error_code()
}
