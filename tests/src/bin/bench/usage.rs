//! What a process uses, as the kernel counts it. CPU time says more than a rate on a machine that others use too.

use std::time::{Duration, Instant};

/// What Linux counts CPU time in, on every machine, where programs read it.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time and wall time that a process takes for something.
pub(crate) struct Usage {
    pid: u32,
    cpu: Duration,
    began: Instant,
}

impl Usage {
    /// Begins to count.
    pub(crate) fn begin(pid: u32) -> Usage {
        Usage { pid, cpu: cpu(pid), began: Instant::now() }
    }

    /// What each of `count` took since.
    pub(crate) fn per(&self, count: usize) -> String {
        let count = count as f64;
        let cpu = (cpu(self.pid) - self.cpu).as_secs_f64() * 1e6 / count;
        format!(
            "{:.0}/s, {cpu:.1} µs of the host's CPU time each",
            count / self.began.elapsed().as_secs_f64()
        )
    }
}

/// CPU time of a process so far, its ended threads included, in the kernel and outside.
pub(crate) fn cpu(pid: u32) -> Duration {
    let ticks = |number| stat(pid, number).unwrap_or(0);
    Duration::from_secs_f64((ticks(14) + ticks(15)) as f64 / TICKS_PER_SECOND)
}

/// A number of `/proc/PID/stat`, by its place there, from 3 on.
pub(crate) fn stat(pid: u32, number: usize) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; behind it field 3 begins.
    text.rsplit(')').next()?.split_whitespace().nth(number - 3)?.parse().ok()
}

/// Memory of a process, KiB, by the name of its line in `/proc/PID/status`: `VmRSS` is resident now, `VmHWM` was at
/// the most, `RssAnon` is the part that is no file's.
pub(crate) fn memory_kib(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
