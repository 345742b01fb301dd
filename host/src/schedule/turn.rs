use super::Rule;

/// A place that lies so far ahead was noted under a wrong clock, milliseconds.
const AHEAD_MS: i64 = 24 * 3600 * 1000;
/// Missed times are counted up to here.
const MISSED_MAX: u64 = 1_000;

/// A schedule, and since when somebody watches it.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Its times.
    pub rule: Rule,
    /// Whether what was missed while nobody watched is done once.
    pub catch_up: bool,
    /// Since when it is watched, milliseconds since 1970.
    pub since_ms: i64,
}

/// A time of a schedule that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The time, milliseconds since 1970.
    pub at_ms: i64,
    /// How many times before it nothing was done; at most 1,000.
    pub missed: u64,
    /// Whether it came while nobody watched.
    pub caught_up: bool,
}

/// What is to be done about a schedule now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing before this time, milliseconds since 1970; without one, nothing at all.
    Wait(Option<i64>),
    /// Something is due. It is done up to the tick's time then, whatever comes of it.
    Run(Tick),
    /// It is done up to this time, and nothing was done of what lies before it.
    Pass {
        /// The time, milliseconds since 1970.
        to_ms: i64,
        /// How many times were missed; at most 1,000.
        missed: u64,
    },
}

/// Decides about a schedule that is done up to `done_to_ms`. Of several times that are due only the last one counts.
pub fn turn(watched: &Watched, done_to_ms: i64, now_ms: i64) -> Turn {
    let Watched { rule, catch_up, since_ms } = watched;
    if done_to_ms > now_ms.saturating_add(rule.lead_max_ms().min(AHEAD_MS)) {
        return Turn::Pass { to_ms: now_ms, missed: 0 };
    }
    match rule.next_after(done_to_ms) {
        Some(first) if first <= now_ms => {
            let at_ms = last_until(rule, first, now_ms);
            let missed = count(rule, first, at_ms);
            let is_live = at_ms > *since_ms;
            if is_live || *catch_up {
                Turn::Run(Tick { at_ms, missed, caught_up: !is_live })
            } else {
                Turn::Pass { to_ms: at_ms, missed: (missed + 1).min(MISSED_MAX) }
            }
        }
        next => Turn::Wait(next),
    }
}

/// The last time of a rule until `now_ms`; `first` is one of them.
fn last_until(rule: &Rule, first: i64, now_ms: i64) -> i64 {
    let is_more_behind = |at: i64| rule.next_after(at).is_some_and(|next| next <= now_ms);
    // There is a time behind `low`, and none behind `high`.
    let (mut low, mut high) = (first - 1, now_ms);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if is_more_behind(middle) { low = middle } else { high = middle }
    }
    high
}

/// How many times a rule has from `first` on until before `last`.
fn count(rule: &Rule, first: i64, last: i64) -> u64 {
    let times = std::iter::successors(Some(first), |at| rule.next_after(*at));
    times.take_while(|at| *at < last).take(MISSED_MAX as usize).count() as u64
}
