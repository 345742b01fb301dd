//! The engine's settings, and the thread that interrupts guests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails,
};

use crate::limits::STACK_BYTES;

/// How often running guests are interrupted, so that others get their turn and the CPU limit is looked at.
const TICK: Duration = Duration::from_millis(5);

/// Instances that can exist at the same time.
pub(super) const INSTANCES_MAX: u32 = 256;

// What one component may have. The pool holds as much for each instance: one plugin's components must not
// use up what others need.
pub(super) const CORE_INSTANCES_MAX: u32 = 20;
pub(super) const MEMORIES_MAX: u32 = 2;
pub(super) const TABLES_MAX: u32 = 4;
pub(super) const TABLE_ELEMENTS_MAX: usize = 20_000;
/// The host's own record of one instance; grows with what the component has.
const INSTANCE_BYTES_MAX: usize = 16 << 20;
/// What a call into the host may need of the stack, beyond what the guest has.
const HOST_STACK_BYTES: usize = 512 << 10;

/// The engine that the host runs plugins on, each with a stack of so many bytes.
pub(super) fn for_running(stack_bytes: usize) -> wasmtime::Result<Engine> {
    let mut config = settings(stack_bytes);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    match Engine::new(&config) {
        Ok(engine) => Ok(engine),
        Err(error) => {
            // Small machines and some containers can't reserve the address space.
            tracing::warn!(%error, "no room for the pool of instances; each attempt will allocate its own");
            Engine::new(&settings(stack_bytes))
        }
    }
}

/// The engine that the compiling child uses: the same code comes out, without a pool. The size of the stack isn't in
/// the code.
pub(super) fn for_compiling() -> wasmtime::Result<Engine> {
    Engine::new(&settings(STACK_BYTES))
}

/// What decides the compiled code, and what every guest is subject to.
fn settings(stack_bytes: usize) -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .epoch_interruption(true)
        // Lines and files of a component that has them: kept beside the code, and read only where a guest traps.
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .max_wasm_stack(stack_bytes)
        .async_stack_size(stack_bytes + HOST_STACK_BYTES)
        .wasm_memory64(false)
        .wasm_multi_memory(true)
        .wasm_relaxed_simd(false);
    config
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    // A component made by Rust's toolchain has one main module and a few small adapters.
    pool.total_component_instances(INSTANCES_MAX)
        .total_core_instances(INSTANCES_MAX * CORE_INSTANCES_MAX)
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .total_memories(INSTANCES_MAX * MEMORIES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_memories_per_module(MEMORIES_MAX)
        .total_tables(INSTANCES_MAX * TABLES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_tables_per_module(TABLES_MAX)
        .table_elements(TABLE_ELEMENTS_MAX)
        .total_stacks(INSTANCES_MAX)
        .max_component_instance_size(INSTANCE_BYTES_MAX)
        .max_unused_warm_slots(64)
        // What a small plugin touches stays mapped and is cleared by writing zeroes, which is cheaper than
        // giving it back to the kernel and faulting it in again.
        .linear_memory_keep_resident(512 << 10)
        .table_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// A plain thread that advances the engine's epoch: not a task, because a guest that never yields could keep
/// the async runtime's timers from firing. Ends when it is dropped.
pub(super) struct Ticker {
    stop: Arc<AtomicBool>,
}

impl Ticker {
    pub(super) fn start(engine: &Engine) -> Ticker {
        let stop = Arc::new(AtomicBool::new(false));
        let (engine, stopped) = (engine.weak(), stop.clone());
        thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                thread::sleep(TICK);
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => return,
                }
            }
        });
        Ticker { stop }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
