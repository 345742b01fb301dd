//! Where a run writes its journal, as the run sees it.

use super::{Answered, Change, Own, Step};
use crate::action::BoxFuture;
use crate::action::memory;
use crate::delivery::DeliveryId;
use crate::event::trace_id::TraceId;

/// One run of one delivery. What an earlier run writes late can't be taken for a later one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The delivery.
    pub delivery: DeliveryId,
    /// How many runs of it were recorded before.
    pub number: u32,
    /// The number that the delivery had first: what it claims and what its actions are known by outside.
    pub root: DeliveryId,
    /// The trace of the delivery's event.
    pub trace: TraceId,
}

/// Why nothing was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The delivery is not this run's any more: an operator has decided on it meanwhile.
    Overtaken,
    /// The store can't write right now.
    Failed(String),
}

/// What a run's journal is written to.
pub trait Ledger: Send + Sync {
    /// Writes changes; when it returns they are on disk.
    fn record<'a>(&'a self, run: Run, changes: Vec<Change>) -> BoxFuture<'a, Result<(), Lost>>;

    /// Applies a call to the plugin's own store, as far as there is room, and records it as `step`, with `changes`
    /// before it, all in one transaction; answers what was recorded.
    fn own<'a>(
        &'a self,
        run: Run,
        owner: (&'a str, memory::Room),
        changes: Vec<Change>,
        step: Step,
        call: Own,
    ) -> BoxFuture<'a, Result<Answered, Lost>>;
}
