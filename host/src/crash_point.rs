//! Places at which the crash tests end the process, as `kill -9` would: no destructor runs, nothing is flushed.
//!
//! Only a debug build has them. In a release build [`CrashPoint::reached`] is an empty function, and nothing
//! reads the variable. A debug build reads it once, at the first place that it passes.

#[cfg(debug_assertions)]
use std::sync::OnceLock;
#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicU32, Ordering};

/// The environment variable that names the place: `after-commit`, or `after-commit:3` for the third time that it
/// is passed.
pub const VARIABLE: &str = "CHATPLUG_CRASH_AT";

/// A place in the host's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CrashPoint {
    /// A webhook was received and authenticated; nothing of it is stored.
    AfterReceive,
    /// A group of commands was carried out and is not committed.
    BeforeCommit,
    /// A group is on disk; nobody has been told.
    AfterCommit,
    /// The intent of an action is on disk; its request has not left.
    AfterIntent,
    /// The request of an action was answered; the answer is not on disk.
    AfterRequest,
    /// While the log is moved into the database.
    InCheckpoint,
    /// While the writer begins a long log anew.
    InShortening,
    /// While what is old is deleted.
    InRetention,
}

impl CrashPoint {
    /// All of them.
    pub const ALL: [CrashPoint; 8] = [
        CrashPoint::AfterReceive,
        CrashPoint::BeforeCommit,
        CrashPoint::AfterCommit,
        CrashPoint::AfterIntent,
        CrashPoint::AfterRequest,
        CrashPoint::InCheckpoint,
        CrashPoint::InShortening,
        CrashPoint::InRetention,
    ];

    /// The name in [`VARIABLE`] and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            CrashPoint::AfterReceive => "after-receive",
            CrashPoint::BeforeCommit => "before-commit",
            CrashPoint::AfterCommit => "after-commit",
            CrashPoint::AfterIntent => "after-intent",
            CrashPoint::AfterRequest => "after-request",
            CrashPoint::InCheckpoint => "in-checkpoint",
            CrashPoint::InShortening => "in-shortening",
            CrashPoint::InRetention => "in-retention",
        }
    }

    /// Says that the process is at this place: it ends here if that was asked for.
    #[cfg(debug_assertions)]
    pub fn reached(self) {
        if self.is_due() {
            std::process::abort();
        }
    }

    /// Says that the process is at this place: nothing, in a release build.
    #[cfg(not(debug_assertions))]
    #[inline(always)]
    pub fn reached(self) {}

    /// Does the work; if that was asked for, the process ends while it is done, at no certain point of it.
    pub fn during<T>(self, work: impl FnOnce() -> T) -> T {
        #[cfg(debug_assertions)]
        if self.is_due() {
            std::thread::spawn(std::process::abort);
        }
        work()
    }

    #[cfg(debug_assertions)]
    fn is_due(self) -> bool {
        // The environment is the process's own, and a place is no part of what is handed from one function to the
        // next: the one state of the program that is not handed over.
        static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
        let plan = PLAN.get_or_init(|| Plan::parse(&std::env::var(VARIABLE).ok()?));
        plan.as_ref().is_some_and(|plan| plan.is_due(self))
    }
}

/// Where to end.
#[cfg(debug_assertions)]
#[derive(Debug)]
struct Plan {
    point: CrashPoint,
    /// How often the place is still to be passed, this time included.
    left: AtomicU32,
}

#[cfg(debug_assertions)]
impl Plan {
    /// `None` for what is no plan: the test that asked for it notices that the process goes on.
    fn parse(text: &str) -> Option<Plan> {
        let (name, time) = text.split_once(':').unwrap_or((text, "1"));
        let point = CrashPoint::ALL.into_iter().find(|point| point.as_str() == name)?;
        Some(Plan { point, left: AtomicU32::new(time.parse().ok().filter(|time| *time > 0)?) })
    }

    fn is_due(&self, point: CrashPoint) -> bool {
        point == self.point && self.left.fetch_sub(1, Ordering::Relaxed) == 1
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_due_at_its_place_the_time_it_says() {
        let check = |text: &str, due_at: Option<usize>| {
            let plan = Plan::parse(text);
            let due = |_: &usize| plan.as_ref().is_some_and(|plan| plan.is_due(CrashPoint::AfterCommit));
            assert_eq!((1..10).filter(due).collect::<Vec<_>>(), Vec::from_iter(due_at), "{text}");
        };
        check("after-commit", Some(1));
        check("after-commit:3", Some(3));
        check("before-commit", None);
        check("after-commit:0", None);
        check("after-commit:often", None);
        check("nowhere", None);
    }
}
