//! Processors that don't sleep. An idle processor of a virtual machine is given away, and until it comes back takes up to
//! some milliseconds, now and then: at a low load that is more than what is measured.

use std::process::{Child, Command, Stdio};
use std::thread::available_parallelism;

/// Keeps every processor busy with what gives way to everything else, until it is dropped.
pub(crate) struct Awake(Vec<Child>);

impl Awake {
    /// Begins. Where the system has no `chrt`, the processors sleep as they like, and this says so.
    pub(crate) fn begin() -> Awake {
        let idle = || {
            let mut command = Command::new("chrt");
            command.args(["--idle", "0", "sh", "-c", "while :; do :; done"]);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()
        };
        let processors = available_parallelism().map_or(1, usize::from);
        let started: Vec<Child> = (0..processors).filter_map(|_| idle().ok()).collect();
        if started.len() < processors {
            println!("(chrt can't be started: the times have those in them in which processors wake up)");
        }
        Awake(started)
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
