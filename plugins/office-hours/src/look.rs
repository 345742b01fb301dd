//! A look at everybody: who is set away, and who is set back.

use std::collections::BTreeMap;
use std::time::Duration;

use chatplug_sdk::objects::{RoutingStatus, Status};
use chatplug_sdk::prelude::*;
use jiff::Timestamp;

use crate::duty::{self, Change, OnDuty};
use crate::settings::Settings;
use crate::slack;

/// So many are set in one event; the rest follows at once in the next one. The host's limit is 32 actions.
const CHANGES_MAX: usize = 25;

/// How long it is remembered whom the plugin set away: longer than any holiday.
const REMEMBERED: Duration = Duration::from_secs(400 * 86_400);

/// The memory's key of the last look that ended.
const LOOKED: &str = "looked";

/// The timer by which a look goes on.
pub(crate) const GO_ON: &str = "go-on";

/// When everybody was last seen to be as the timetables say.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Looked {
    /// Which timetables were open.
    phase: String,
    /// Milliseconds since 1970.
    at_ms: i64,
}

impl Looked {
    /// Whether nothing has changed since, and it isn't long ago.
    fn holds(&self, settings: &Settings, at: Timestamp) -> bool {
        let every_ms = i64::from(settings.look_every_minutes) * 60_000;
        // Ticks come a little early or late; half a minute makes the fifteenth one count.
        let age_ms = at.as_millisecond() - self.at_ms;
        self.phase == duty::phase(settings, at) && (0..every_ms - 30_000).contains(&age_ms)
    }
}

/// Looks if hours have begun or ended, or if the last look is long ago.
pub(crate) fn if_due(settings: &Settings, at: Timestamp) -> Result<(), Failure> {
    let looked: Option<Looked> = memory::get(LOOKED)?;
    if looked.is_some_and(|looked| looked.holds(settings, at)) {
        return Ok(());
    }
    everybody(settings, at)
}

/// Sees to everybody.
pub(crate) fn everybody(settings: &Settings, at: Timestamp) -> Result<(), Failure> {
    let (roster, unknown) = read(settings, at)?;
    for id in unknown {
        warn!(agent = id, "a timetable names `{id}`, who is no agent of the account");
    }
    if !see_to(settings, &roster)? {
        info!("{CHANGES_MAX} agents are set; the rest follows");
        return Ok(timers::set(GO_ON, Duration::ZERO, &())?);
    }
    let looked = Looked { phase: duty::phase(settings, at), at_ms: at.as_millisecond() };
    Ok(memory::set(LOOKED, &looked)?)
}

/// Sees to one agent, who has begun to accept chats.
pub(crate) fn agent(settings: &Settings, agent_id: &str, at: Timestamp) -> Result<(), Failure> {
    if settings.timetables.iter().all(|timetable| timetable.is_open(at)) {
        return Ok(());
    }
    let (mut roster, _) = read(settings, at)?;
    roster.retain(|id, _| id.eq_ignore_ascii_case(agent_id));
    see_to(settings, &roster).map(drop)
}

type Roster<'a> = BTreeMap<String, OnDuty<'a>>;

/// Everybody who goes by a timetable, and those named who aren't there.
fn read(settings: &Settings, at: Timestamp) -> Result<(Roster<'_>, Vec<&str>), Failure> {
    let mut of_groups: BTreeMap<i64, Vec<RoutingStatus>> = BTreeMap::new();
    for group in settings.timetables.iter().flat_map(|timetable| &timetable.groups) {
        of_groups.insert(*group, agents::routing_statuses(&[*group])?);
    }
    let names_agents = settings.timetables.iter().any(|timetable| !timetable.agents.is_empty());
    let of_all = if names_agents { agents::routing_statuses(&[])? } else { Vec::new() };
    Ok((duty::roster(settings, at, &of_groups, &of_all), duty::unknown(settings, &of_all)))
}

/// Does what is to be done; false if some of it is left.
fn see_to(settings: &Settings, roster: &Roster<'_>) -> Result<bool, Failure> {
    let (mut away, mut back, mut is_all) = (Vec::new(), Vec::new(), true);
    for (id, duty) in roster {
        let key = format!("away/{id}");
        let is_ours = memory::get::<bool>(&key)?.is_some();
        let Some(change) = duty::change(duty.is_open, &duty.status, is_ours) else { continue };
        if away.len() + back.len() == CHANGES_MAX {
            is_all = false;
            break;
        }
        match change {
            Change::Forget if !settings.dry_run => memory::delete(&key)?,
            Change::Forget => {}
            Change::Away if set(settings, id, &key, change)? => away.push((id.as_str(), duty.timetable)),
            Change::Back if set(settings, id, &key, change)? => back.push((id.as_str(), duty.timetable)),
            Change::Away | Change::Back => {}
        }
    }
    tell(settings, &away, &back)?;
    Ok(is_all)
}

/// Sets somebody's status and remembers it; false if LiveChat refuses.
fn set(settings: &Settings, id: &str, key: &str, change: Change) -> Result<bool, Failure> {
    if settings.dry_run {
        return Ok(true);
    }
    let status = match change {
        Change::Away => Status::NotAcceptingChats,
        Change::Back | Change::Forget => Status::AcceptingChats,
    };
    if change == Change::Away {
        // Before it is done: a plugin that is stopped in between sets them back all the same.
        memory::set_for(key, &true, REMEMBERED)?;
    }
    let done = agents::set_routing_status(id, &status).once(format!("{change:?} {id}")).send();
    match done.map_err(|error| (error.to_string(), Failure::from(error))) {
        Err((_, again @ Failure::Retry(_))) => return Err(again),
        Err((problem, _)) => {
            warn!(agent = id, "the agent's status can't be set: {problem}");
            memory::delete(key)?;
            return Ok(false);
        }
        Ok(()) => {}
    }
    if change == Change::Back {
        memory::delete(key)?;
    }
    Ok(true)
}

fn tell(settings: &Settings, away: &[(&str, &str)], back: &[(&str, &str)]) -> Result<(), Failure> {
    let would = if settings.dry_run { "dry run: would have " } else { "" };
    for (id, timetable) in away {
        info!(agent = id, timetable = timetable, "{would}set away by the timetable `{timetable}`: {id}");
    }
    for (id, timetable) in back {
        info!(agent = id, timetable = timetable, "{would}set back by the timetable `{timetable}`: {id}");
    }
    if settings.tell && !settings.dry_run && !(away.is_empty() && back.is_empty()) {
        slack::post(settings.channel.as_deref(), &slack::text(away, back))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_holds_until_hours_begin_or_end_or_it_is_old() {
        let settings = r#"{"timetables":[
            {"name":"a","timezone":"UTC","groups":[1],"hours":[{"from":"09:00","to":"17:00"}]}]}"#;
        let settings: Settings = serde_json::from_str(settings).expect("settings");
        let at = |text: &str| text.parse::<Timestamp>().expect("a timestamp");
        let looked =
            |from: &str| Looked { phase: duty::phase(&settings, at(from)), at_ms: at(from).as_millisecond() };
        let check = |from: &str, to: &str, expected| {
            assert_eq!(looked(from).holds(&settings, at(to)), expected, "{from} to {to}");
        };
        check("2026-06-01T08:50:00Z", "2026-06-01T08:59:59Z", true);
        check("2026-06-01T08:50:00Z", "2026-06-01T09:00:00Z", false);
        check("2026-06-01T10:00:00Z", "2026-06-01T10:14:00Z", true);
        check("2026-06-01T10:00:00Z", "2026-06-01T10:14:59Z", false);
        // The clock was set back.
        check("2026-06-01T10:00:00Z", "2026-06-01T09:59:59Z", false);
    }
}
