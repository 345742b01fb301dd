//! The memory limit of an instance: all its linear memories and tables, summed.

use wasmtime::{Error, ResourceLimiter, Result};

use super::engine::{CORE_INSTANCES_MAX, MEMORIES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX};

/// What an element of a table costs.
const TABLE_ELEMENT_BYTES: usize = size_of::<usize>();

/// Counts what one instance has, and refuses to let it grow beyond the limit.
#[derive(Debug)]
pub(super) struct MemoryLimit {
    max: usize,
    used: usize,
    /// What was allowed last: it comes back if the engine can't do it.
    last: usize,
    /// Why growth was refused: what the guest did then (it usually aborts) was for want of memory.
    refused: Option<String>,
}

impl MemoryLimit {
    pub(super) fn new(max: usize) -> MemoryLimit {
        MemoryLimit { max, used: 0, last: 0, refused: None }
    }

    /// What the instance has, bytes.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// Why growth was refused, if it was.
    pub(super) fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    fn grow(&mut self, current: usize, desired: usize) -> bool {
        let more = desired.saturating_sub(current);
        let used = self.used.saturating_add(more);
        if used > self.max {
            self.refused = Some(format!("more than {} bytes of memory (limits.memory_bytes)", self.max));
            return false;
        }
        (self.used, self.last) = (used, more);
        true
    }

    /// The engine's own bounds: a table is small, a memory ends at its own maximum.
    fn failed(&mut self, what: &str, error: &Error) {
        self.used -= std::mem::take(&mut self.last);
        self.refused = Some(format!("{what} can't grow further: {error}"));
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(self.grow(current, desired))
    }

    fn memory_grow_failed(&mut self, error: Error) -> Result<()> {
        self.failed("its memory", &error);
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let bytes = |elements: usize| elements.saturating_mul(TABLE_ELEMENT_BYTES);
        Ok(self.grow(bytes(current), bytes(desired)))
    }

    fn table_grow_failed(&mut self, error: Error) -> Result<()> {
        self.failed(
            &format!("a table of it (no plugin may have more than {TABLE_ELEMENTS_MAX} elements)"),
            &error,
        );
        Ok(())
    }

    // The pool has these bounds by itself; they hold where there is none, too.

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX as usize
    }

    fn tables(&self) -> usize {
        TABLES_MAX as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_and_tables_are_summed() -> Result<()> {
        let mut limit = MemoryLimit::new(1000);
        assert!(limit.memory_growing(0, 400, None)?);
        assert!(limit.memory_growing(0, 400, None)?);
        assert!(limit.table_growing(0, 25, None)?);
        assert_eq!((limit.used(), limit.refused()), (1000, None));
        assert!(!limit.table_growing(25, 26, None)?);
        assert_eq!(limit.refused(), Some("more than 1000 bytes of memory (limits.memory_bytes)"));
        Ok(())
    }

    #[test]
    fn what_the_engine_could_not_do_is_not_counted() -> Result<()> {
        let mut limit = MemoryLimit::new(1000);
        assert!(limit.memory_growing(0, 400, None)?);
        assert!(limit.table_growing(0, 50, None)?);
        limit.table_grow_failed(Error::msg("it is full"))?;
        assert_eq!(
            (limit.used(), limit.refused()),
            (
                400,
                Some(
                    "a table of it (no plugin may have more than 20000 elements) can't grow further: it is full"
                )
            )
        );
        Ok(())
    }
}
