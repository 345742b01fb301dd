use super::table::Table;
use crate::limits::{Loading, STACK_BYTES};

/// Reads what plugins may be before they run, and the stack that each of them gets, bytes.
pub(super) fn read(table: &mut Table<'_>) -> (Loading, usize) {
    let default = Loading::default();
    let mut limit =
        |key, range, default| table.take(key).and_then(|item| item.integer(range)).unwrap_or(default);
    // Lossless: the ranges end below what `usize` can hold.
    let loading = Loading {
        component_bytes: limit("component_bytes", 1 << 10..=256 << 20, default.component_bytes),
        function_bytes: limit("function_bytes", 1 << 10..=64 << 20, default.function_bytes as u64) as usize,
        // Below, the compiler itself doesn't start.
        compile_memory_bytes: limit(
            "compile_memory_bytes",
            128 << 20..=64 << 30,
            default.compile_memory_bytes,
        ),
        compile_s: limit("compile_s", 1..=600, default.compile_s),
    };
    let stack_bytes = limit("stack_bytes", 64 << 10..=8 << 20, STACK_BYTES as u64) as usize;
    (loading, stack_bytes)
}
