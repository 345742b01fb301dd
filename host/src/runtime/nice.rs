//! Threads that give way to others. Only on Linux is this a property of a thread; elsewhere it would be one of the whole
//! process.

/// Makes the calling thread, and those that it starts from now on, this much nicer. Five steps leave it a third of what
/// others get where they compete with it, ten steps a tenth.
pub(super) fn be_nice(steps: i32) {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(steps) {
        tracing::warn!(%error, steps, "a thread for long computations can't be made nicer than the others");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = steps;
}
