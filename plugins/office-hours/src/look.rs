//! A look at everybody: who is set away, and who is set back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chatplug_sdk::objects::{RoutingStatus, Status};
use chatplug_sdk::prelude::*;
use jiff::Timestamp;

use crate::duty::{self, Change, Roster};
use crate::settings::Settings;
use crate::slack;
use crate::sweep::{Outcome, Sweep, TRIES_MAX};

/// What the memory's keys begin with that say whom the plugin set away; the agent's id follows.
const AWAY: &str = "away/";

/// How long that is remembered: longer than any holiday. Who never comes back is forgotten then.
const REMEMBERED: Duration = Duration::from_secs(400 * 86_400);

/// Keys on a page, and pages at most.
const KEYS_A_PAGE: u32 = 1_000;
const PAGES_MAX: u32 = 100;

/// The memory's key of the last look that began.
const LOOKED: &str = "looked";

/// What the key of the timer begins with by which a look goes on; when it began follows.
const GO_ON: &str = "go-on/";

/// When everybody was last seen to be as the timetables say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Looked {
    /// Which timetables were open.
    phase: String,
    /// When it began, milliseconds since 1970.
    at_ms: i64,
    /// So many looks, one after the other, could not set somebody for now.
    #[serde(default)]
    failed: u32,
}

impl Looked {
    /// Whether nothing has changed since, and it isn't long ago.
    fn holds(&self, settings: &Settings, at: Timestamp) -> bool {
        const MINUTE_MS: i64 = 60_000;
        let every_ms = i64::from(settings.look_every_minutes) * MINUTE_MS;
        let wait_ms = match self.failed {
            0 => every_ms,
            // After one minute, two, four …: each look costs calls.
            failed => every_ms.min(MINUTE_MS << (failed - 1).min(10)),
        };
        // Ticks come a little early or late; half a minute makes the fifteenth one count.
        let age_ms = at.as_millisecond() - self.at_ms;
        self.phase == duty::phase(settings, at) && (0..wait_ms - MINUTE_MS / 2).contains(&age_ms)
    }

    /// The look that begins now. What failed in the one before counts as long as the same timetables are open.
    fn begin(settings: &Settings, at: Timestamp, before: Option<Looked>) -> Looked {
        let phase = duty::phase(settings, at);
        let failed = before.filter(|before| before.phase == phase).map_or(0, |before| before.failed);
        Looked { phase, at_ms: at.as_millisecond(), failed }
    }

    /// What is to be kept of it after an event in which it began or went on; nothing if that is there already.
    fn after(self, has_begun: bool, has_failed: bool) -> Option<Looked> {
        let failed = match (has_begun, has_failed) {
            (true, true) => self.failed.saturating_add(1),
            (true, false) => 0,
            (false, true) => self.failed.max(1),
            (false, false) => return None,
        };
        Some(Looked { failed, ..self })
    }
}

/// Where a look goes on, as its timer has it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Rest {
    /// When the look began: [`Looked::at_ms`].
    began_ms: i64,
    /// Who was tried last.
    behind: String,
}

/// What an event sees to.
pub(crate) struct Look<'a> {
    pub(crate) settings: &'a Settings,
    /// The time by which the timetables are read.
    pub(crate) at: Timestamp,
    /// The id of the event.
    pub(crate) event_id: &'a str,
}

impl<'a> Look<'a> {
    /// Looks if hours have begun or ended, or if the last look is long ago.
    pub(crate) fn if_due(&self) -> Result<(), Failure> {
        let looked: Option<Looked> = memory::get(LOOKED)?;
        if looked.as_ref().is_some_and(|looked| looked.holds(self.settings, self.at)) {
            return Ok(());
        }
        self.see_to(None, Looked::begin(self.settings, self.at, looked))
    }

    /// Sees to everybody.
    pub(crate) fn everybody(&self) -> Result<(), Failure> {
        let looked: Option<Looked> = memory::get(LOOKED)?;
        self.see_to(None, Looked::begin(self.settings, self.at, looked))
    }

    /// Sees to the rest, whose turn has come.
    pub(crate) fn go_on(&self, rest: Option<&Rest>) -> Result<(), Failure> {
        let looked: Option<Looked> = memory::get(LOOKED)?;
        match (rest, looked) {
            (Some(rest), Some(looked)) if looked.phase == duty::phase(self.settings, self.at) => {
                // Of two looks, the newer one sees to everybody.
                if looked.at_ms == rest.began_ms { self.see_to(Some(&rest.behind), looked) } else { Ok(()) }
            }
            // Hours have begun or ended meanwhile: also those who were seen to have to be seen to again.
            (_, looked) => self.see_to(None, Looked::begin(self.settings, self.at, looked)),
        }
    }

    /// Sees to one agent, who has begun to accept chats.
    pub(crate) fn agent(&self, agent_id: &str) -> Result<(), Failure> {
        if self.settings.timetables.iter().all(|timetable| timetable.is_open(self.at)) {
            // It is theirs from now on: if they go away before the next look, that is not taken for the plugin's doing.
            if !self.settings.dry_run && is_ours(agent_id)? {
                memory::delete(&key(agent_id))?;
            }
            return Ok(());
        }
        let (mut roster, _) = self.read()?;
        roster.retain(|id, _| id.eq_ignore_ascii_case(agent_id));
        let mut ours = BTreeSet::new();
        for id in roster.keys() {
            if is_ours(id)? {
                ours.insert(id.clone());
            }
        }
        let sweep = self.sweep(&roster, &ours, None)?;
        if sweep.has_failed {
            return Err(Failure::retry(format!(
                "the status of {agent_id} could not be set; the log says why"
            )));
        }
        self.tell(&sweep);
        Ok(())
    }

    /// Sees to those who come behind `behind`; to all if that is nobody. A status that can't be set is tried again in a later
    /// look: if this event was, it would have to tell apart what it has told already.
    fn see_to(&self, behind: Option<&str>, looked: Looked) -> Result<(), Failure> {
        let (roster, unknown) = self.read()?;
        for id in unknown.iter().filter(|_| behind.is_none()) {
            warn!(agent = id, "a timetable names `{id}`, who is no agent of the account");
        }
        let sweep = self.sweep(&roster, &ours()?, behind)?;
        let began_ms = looked.at_ms;
        if let Some(looked) = looked.after(behind.is_none(), sweep.has_failed) {
            memory::set(LOOKED, &looked)?;
        }
        if let Some((behind, wait)) = sweep.rest() {
            info!("{TRIES_MAX} agents are seen to; the rest follows");
            let rest = Rest { began_ms, behind: behind.to_owned() };
            timers::set(&format!("{GO_ON}{began_ms}"), wait, &rest)?;
        }
        self.tell(&sweep);
        Ok(())
    }

    /// Everybody who goes by a timetable, and those named who aren't there.
    fn read(&self) -> Result<(Roster<'a>, Vec<&'a str>), Failure> {
        let settings = self.settings;
        let mut of_groups: BTreeMap<i64, Vec<RoutingStatus>> = BTreeMap::new();
        for group in settings.timetables.iter().flat_map(|timetable| &timetable.groups) {
            of_groups.insert(*group, agents::routing_statuses(&[*group])?);
        }
        let names_agents = settings.timetables.iter().any(|timetable| !timetable.agents.is_empty());
        let of_all = if names_agents { agents::routing_statuses(&[])? } else { Vec::new() };
        Ok((duty::roster(settings, self.at, &of_groups, &of_all), duty::unknown(settings, &of_all)))
    }

    /// Does what is to be done, in a dry run nothing.
    fn sweep<'r>(
        &self,
        roster: &'r Roster<'_>,
        ours: &BTreeSet<String>,
        behind: Option<&str>,
    ) -> Result<Sweep<'r>, Failure> {
        if self.settings.dry_run {
            // All at once: nothing changes, so that the next event would find the same.
            return Ok(Sweep::of(roster, ours, behind, usize::MAX, |_, _| Outcome::Set));
        }
        let sweep = Sweep::of(roster, ours, behind, TRIES_MAX, set);
        // Behind the last action. If this event has to be run again, what is refused now may be done then, and a change of
        // the memory in between would not be made a second time.
        for id in &sweep.forgotten {
            memory::delete(&key(id))?;
        }
        Ok(sweep)
    }

    /// Writes to the log what was done, and has the team told in an event of its own: telling may have to wait for Slack, and
    /// while this event waits, so does the schedule.
    fn tell(&self, sweep: &Sweep<'_>) {
        let would = if self.settings.dry_run { "dry run: would have " } else { "" };
        for (id, timetable) in &sweep.away {
            info!(agent = id, timetable = timetable, "{would}set away by the timetable `{timetable}`: {id}");
        }
        for (id, timetable) in &sweep.back {
            info!(agent = id, timetable = timetable, "{would}set back by the timetable `{timetable}`: {id}");
        }
        if self.settings.dry_run || !self.settings.tell || (sweep.away.is_empty() && sweep.back.is_empty()) {
            return;
        }
        // One timer for each event that did something. A repeated attempt has the same time, so that it is the same timer;
        // if the event itself is replayed it is another one, which doesn't take the place of one that waits.
        let key = format!("{}{}/{}", slack::TELL, self.event_id, self.at.as_millisecond());
        if let Err(error) = timers::set(&key, Duration::ZERO, &slack::text(&sweep.away, &sweep.back)) {
            warn!("the team is not told: {error}");
        }
    }
}

fn key(agent_id: &str) -> String {
    format!("{AWAY}{agent_id}")
}

/// Whether the plugin had set an agent away.
fn is_ours(agent_id: &str) -> Result<bool, Failure> {
    Ok(memory::get::<bool>(&key(agent_id))?.is_some())
}

/// All whom the plugin had set away: a call for each agent would be more than an event may make.
fn ours() -> Result<BTreeSet<String>, Failure> {
    let (mut ours, mut after) = (BTreeSet::new(), None::<String>);
    for _ in 0..PAGES_MAX {
        let page = memory::keys(AWAY, after.as_deref(), KEYS_A_PAGE)?;
        ours.extend(page.iter().filter_map(|key| key.strip_prefix(AWAY)).map(str::to_owned));
        match page.into_iter().nth(KEYS_A_PAGE as usize - 1) {
            Some(last) => after = Some(last),
            None => break,
        }
    }
    Ok(ours)
}

/// Tries to set somebody's status.
fn set(id: &str, change: Change) -> Outcome {
    let (status, remembered) = match change {
        // Before it is done: a plugin that is stopped in between sets them back all the same.
        Change::Away => (Status::NotAcceptingChats, memory::set_for(&key(id), &true, REMEMBERED)),
        Change::Back | Change::Forget => (Status::AcceptingChats, Ok(())),
    };
    let done = remembered
        .and_then(|()| agents::set_routing_status(id, &status).once(format!("{change:?} {id}")).send());
    let Err(error) = done else { return Outcome::Set };
    if error.code.may_pass() {
        warn!(agent = id, "the agent's status can't be set now; it is tried again soon: {error}");
        return Outcome::Failed;
    }
    warn!(agent = id, "the agent's status can't be set: {error}");
    Outcome::Refused
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_look_holds_until_hours_begin_or_end_or_it_is_old() {
        let settings = r#"{"timetables":[
            {"name":"a","timezone":"UTC","groups":[1],"hours":[{"from":"09:00","to":"17:00"}]}]}"#;
        let settings: Settings = serde_json::from_str(settings).expect("settings");
        let at = |text: &str| text.parse::<Timestamp>().expect("a timestamp");
        let check = |from: &str, to: &str, expected| {
            let looked = Looked::begin(&settings, at(from), None);
            assert_eq!(looked.holds(&settings, at(to)), expected, "{from} to {to}");
        };
        check("2026-06-01T08:50:00Z", "2026-06-01T08:59:59Z", true);
        check("2026-06-01T08:50:00Z", "2026-06-01T09:00:00Z", false);
        check("2026-06-01T10:00:00Z", "2026-06-01T10:14:00Z", true);
        check("2026-06-01T10:00:00Z", "2026-06-01T10:14:59Z", false);
        // The clock was set back.
        check("2026-06-01T10:00:00Z", "2026-06-01T09:59:59Z", false);
    }

    #[test]
    fn who_could_not_be_set_is_tried_again_after_ever_longer_times() {
        let settings = r#"{"timetables":[
            {"name":"a","timezone":"UTC","groups":[1],"hours":[{"from":"09:00","to":"17:00"}]}]}"#;
        let settings: Settings = serde_json::from_str(settings).expect("settings");
        let mut at: Timestamp = "2026-06-01T17:00:00Z".parse().expect("a timestamp");
        let (mut looked, mut waits) = (None, Vec::new());
        for _ in 0..6 {
            let begun = Looked::begin(&settings, at, looked).after(true, true).expect("a look");
            let minutes =
                (1..).find(|minutes| !begun.holds(&settings, at + SignedDuration::from_mins(*minutes)));
            waits.extend(minutes);
            at += SignedDuration::from_mins(waits[waits.len() - 1]);
            looked = Some(begun);
        }
        assert_eq!(waits, [1, 2, 4, 8, 15, 15]);
        let failed = |looked: Option<Looked>| looked.map(|looked| looked.failed);
        let well = Looked::begin(&settings, at, looked.clone()).after(true, false);
        assert_eq!(failed(well.clone()), Some(0));
        // The rest of a look counts, too.
        assert_eq!(failed(well.clone().and_then(|looked| looked.after(false, true))), Some(1));
        assert_eq!(well.and_then(|looked| looked.after(false, false)), None);
        // Hours that begin are a beginning.
        let morning = "2026-06-02T09:00:00Z".parse().expect("a timestamp");
        assert_eq!(Looked::begin(&settings, morning, looked).failed, 0);
    }

    #[test]
    fn what_an_earlier_version_remembers_can_be_read() {
        let looked: Looked = serde_json::from_str(r#"{"phase":"a: open","at_ms":7}"#).expect("a look");
        assert_eq!(looked, Looked { phase: "a: open".to_owned(), at_ms: 7, failed: 0 });
        assert!(serde_json::from_value::<Option<Rest>>(json!(null)).expect("a timer's payload").is_none());
    }
}
