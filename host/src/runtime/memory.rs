//! The memory limit of an instance: all its linear memories and tables, summed.

use wasmtime::{ResourceLimiter, Result};

/// What an element of a table costs.
const TABLE_ELEMENT_BYTES: usize = size_of::<usize>();

/// Counts what one instance has, and refuses to let it grow beyond the limit.
#[derive(Debug)]
pub(super) struct MemoryLimit {
    max: usize,
    used: usize,
    /// Whether growth was refused: what the guest did then (it usually aborts) was for want of memory.
    pub(super) refused: bool,
}

impl MemoryLimit {
    pub(super) fn new(max: usize) -> MemoryLimit {
        MemoryLimit { max, used: 0, refused: false }
    }

    fn grow(&mut self, current: usize, desired: usize) -> bool {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        if used > self.max {
            self.refused = true;
            return false;
        }
        self.used = used;
        true
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(self.grow(current, desired))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let bytes = |elements: usize| elements.saturating_mul(TABLE_ELEMENT_BYTES);
        Ok(self.grow(bytes(current), bytes(desired)))
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
        assert!(!limit.refused);
        assert!(!limit.table_growing(25, 26, None)?);
        assert!(limit.refused);
        Ok(())
    }
}
