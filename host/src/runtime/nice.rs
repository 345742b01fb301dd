//! Threads that give way to others. Only on Linux is this a property of a thread; elsewhere it would be one of the whole
//! process.

/// Makes the calling thread give way: it gets a tenth of what others get where they compete with it, in turns that are
/// short, so that one who wakes up hardly waits for it.
#[cfg(not(target_os = "linux"))]
pub(super) fn be_nice() {}

/// Makes the calling thread give way: it gets a tenth of what others get where they compete with it, in turns that are
/// short, so that one who wakes up hardly waits for it.
#[cfg(target_os = "linux")]
pub(super) fn be_nice() {
    if let Err(error) = linux::be_nice() {
        tracing::warn!(%error, "a thread for long computations can't be made nicer than the others");
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;

    /// Ten steps of niceness are a tenth of the weight.
    const NICE: i32 = 10;
    /// The shortest turn that the kernel has, nanoseconds; else it's one to three milliseconds. Before Linux 6.12 this is
    /// not looked at.
    const TURN_NS: u64 = 100_000;

    /// `struct sched_attr` of `sched_setattr(2)`, in its first version.
    #[repr(C)]
    struct Attributes {
        size: u32,
        policy: u32,
        flags: u64,
        nice: i32,
        priority: u32,
        runtime: u64,
        deadline: u64,
        period: u64,
    }

    #[expect(unsafe_code, reason = "no library that is kept well has this call")]
    pub(super) fn be_nice() -> io::Result<()> {
        let attributes = Attributes {
            size: u32::try_from(size_of::<Attributes>()).expect("it has 48 bytes"),
            policy: libc::SCHED_OTHER.unsigned_abs(),
            flags: 0,
            nice: NICE,
            priority: 0,
            runtime: TURN_NS,
            deadline: 0,
            period: 0,
        };
        // SAFETY: the kernel reads `size` bytes of what is pointed to, which lives until the call has returned; thread 0
        // is the calling one.
        let done = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_gives_way_is_nicer_than_the_others() {
        let nice = || {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("it is there");
            let behind_the_name = stat.rsplit(')').next().expect("there is always one").to_owned();
            behind_the_name.split_whitespace().nth(16).map(str::to_owned)
        };
        let before = nice();
        let (during, turn) = std::thread::spawn(move || {
            linux::be_nice().expect("the kernel has the call");
            (nice(), std::fs::read_to_string("/proc/thread-self/sched").unwrap_or_default())
        })
        .join()
        .expect("it does not panic");
        assert_eq!((before, during), (Some("0".to_owned()), Some("10".to_owned())));
        // Kernels that look at the turn and can be asked about it.
        if let Some(turn) = turn.lines().find_map(|line| line.strip_prefix("se.slice")) {
            assert_eq!(turn.trim_start_matches([' ', ':']), "100000");
        }
    }
}
