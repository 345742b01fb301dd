//! Processors that don't sleep. An idle processor of a virtual machine is given away, and until it comes back takes up to
//! some milliseconds, now and then: at a low load that is more than what is measured.

use std::process::{Child, Command, Stdio};
use std::thread::available_parallelism;
use std::time::Duration;

use super::usage::stat;

/// Keeps every processor busy with what gives way to everything else, until it is dropped.
pub(crate) struct Awake(Vec<Child>);

impl Awake {
    /// Begins. Where the system has no `chrt`, the processors sleep as they like, and this says so.
    pub(crate) fn begin() -> Awake {
        let idle = || {
            let mut command = Command::new("chrt");
            // Whatever ends the bench ends it too.
            command.args(["--idle", "0", "sh", "-c", "while kill -0 $PPID 2>&-; do :; done"]);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()
        };
        let processors = available_parallelism().map_or(1, usize::from);
        let started: Vec<Child> = (0..processors).filter_map(|_| idle().ok()).collect();
        let are_there = started.iter().all(|child| is_idle(child.id()));
        if started.len() < processors || !are_there {
            println!("(chrt can't be started: the times have those in them in which processors wake up)");
        }
        Awake(started)
    }
}

/// Whether a process has become one that gives way: soon, or it was refused.
fn is_idle(pid: u32) -> bool {
    (0..50).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        // Number 41 is the policy, 5 the idle class.
        stat(pid, 41) == Some(5)
    })
}

impl Drop for Awake {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
