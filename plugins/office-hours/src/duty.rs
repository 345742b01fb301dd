//! Who works by which timetable, and what that means for somebody's status. Nothing is called here.

use std::collections::BTreeMap;

use chatplug_sdk::objects::{RoutingStatus, Status};
use jiff::Timestamp;

use crate::settings::{Settings, Timetable};

/// What is done about an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// They accept chats outside of their hours: they are set away, which is remembered.
    Away,
    /// Their hours have begun, and the plugin had set them away: they are set back.
    Back,
    /// The plugin had set them away, and in their hours they accept chats by themselves: it is forgotten.
    Forget,
}

/// What is done about an agent: `is_ours` is whether the plugin itself had set them away. That goes on for those who aren't
/// there when their hours begin: they are set back when they have come.
pub fn change(is_open: bool, status: &Status, is_ours: bool) -> Option<Change> {
    match (is_open, status) {
        (false, Status::AcceptingChats) => Some(Change::Away),
        (true, Status::NotAcceptingChats) if is_ours => Some(Change::Back),
        (true, Status::AcceptingChats) if is_ours => Some(Change::Forget),
        _ => None,
    }
}

/// An agent who goes by a timetable.
#[derive(Clone, Debug, PartialEq)]
pub struct OnDuty<'a> {
    /// The timetable that opened, or else the first one that is closed.
    pub timetable: &'a str,
    /// Whether they work now.
    pub is_open: bool,
    /// Their status.
    pub status: Status,
}

/// Everybody who goes by a timetable, by their id.
pub type Roster<'a> = BTreeMap<String, OnDuty<'a>>;

/// Everybody who goes by a timetable, and how. `of_groups` has the people of each group that a timetable names, and
/// `of_all` everybody, if a timetable names agents. Who is named by a timetable goes by it alone; who is in several groups
/// works while one of them does. Bots have to be named.
pub fn roster<'a>(
    settings: &'a Settings,
    at: Timestamp,
    of_groups: &BTreeMap<i64, Vec<RoutingStatus>>,
    of_all: &[RoutingStatus],
) -> Roster<'a> {
    let mut roster = Roster::new();
    for timetable in &settings.timetables {
        let is_open = timetable.is_open(at);
        let people = timetable.groups.iter().flat_map(|group| of_groups.get(group).into_iter().flatten());
        for agent in people.filter(|agent| agent.agent_id.contains('@')) {
            let entry = roster.entry(agent.agent_id.clone()).or_insert_with(|| duty(timetable, false, agent));
            if is_open && !entry.is_open {
                *entry = duty(timetable, true, agent);
            }
        }
    }
    for timetable in &settings.timetables {
        for agent in of_all.iter().filter(|agent| timetable.names(&agent.agent_id)) {
            roster.insert(agent.agent_id.clone(), duty(timetable, timetable.is_open(at), agent));
        }
    }
    roster
}

fn duty<'a>(timetable: &'a Timetable, is_open: bool, agent: &RoutingStatus) -> OnDuty<'a> {
    OnDuty { timetable: &timetable.name, is_open, status: agent.status.clone() }
}

/// The agents that timetables name, and that aren't there.
pub fn unknown<'a>(settings: &'a Settings, of_all: &[RoutingStatus]) -> Vec<&'a str> {
    let named = settings.timetables.iter().flat_map(|timetable| &timetable.agents);
    let is_there = |id: &str| of_all.iter().any(|agent| agent.agent_id.eq_ignore_ascii_case(id));
    named.map(String::as_str).filter(|id| !is_there(id)).collect()
}

/// Which timetables are open: as long as that stays the same there is nothing to do.
pub fn phase(settings: &Settings, at: Timestamp) -> String {
    let words = settings.timetables.iter().map(|timetable| {
        let word = if timetable.is_open(at) { "open" } else { "closed" };
        format!("{}: {word}", timetable.name)
    });
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_was_set_away_by_the_plugin_is_set_back() {
        use Status::{AcceptingChats, NotAcceptingChats, Offline};
        for (is_open, status, is_ours, expected) in [
            (false, AcceptingChats, false, Some(Change::Away)),
            (false, AcceptingChats, true, Some(Change::Away)),
            (false, NotAcceptingChats, false, None),
            (false, NotAcceptingChats, true, None),
            (false, Offline, false, None),
            (true, AcceptingChats, false, None),
            (true, AcceptingChats, true, Some(Change::Forget)),
            (true, NotAcceptingChats, false, None),
            (true, NotAcceptingChats, true, Some(Change::Back)),
            (true, Offline, true, None),
            (true, Status::Other("asleep".into()), true, None),
            (false, Status::Other("asleep".into()), true, None),
        ] {
            assert_eq!(change(is_open, &status, is_ours), expected, "{is_open} {status} {is_ours}");
        }
    }

    /// What the account and the plugin's memory come to, minute by minute.
    fn play(steps: &[(bool, Option<Status>)]) -> Vec<Status> {
        let (mut status, mut is_ours, mut seen) = (Status::AcceptingChats, false, Vec::new());
        for (is_open, by_hand) in steps {
            status = by_hand.clone().unwrap_or(status);
            // Once more does nothing more.
            for _ in 0..2 {
                match change(*is_open, &status, is_ours) {
                    Some(Change::Away) => (status, is_ours) = (Status::NotAcceptingChats, true),
                    Some(Change::Back) => (status, is_ours) = (Status::AcceptingChats, false),
                    Some(Change::Forget) => is_ours = false,
                    None => {}
                }
            }
            assert_eq!(change(*is_open, &status, is_ours), None, "nothing is left to do");
            seen.push(status.clone());
        }
        seen
    }

    #[test]
    fn days_of_work_leave_alone_what_people_chose_themselves() {
        use Status::{AcceptingChats as On, NotAcceptingChats as Off, Offline};
        // Away at the end, back at the start.
        assert_eq!(play(&[(true, None), (false, None), (true, None)]), [On, Off, On]);
        // Away by hand before the end: not set back.
        assert_eq!(play(&[(true, Some(Off)), (false, None), (true, None)]), [Off, Off, Off]);
        // Comes in at night: away again, and back at the start.
        assert_eq!(play(&[(false, None), (false, Some(On)), (true, None)]), [Off, Off, On]);
        // Back, then away by hand in the hours, over night, and not set back.
        let steps = [(false, None), (true, None), (true, Some(Off)), (false, None), (true, None)];
        assert_eq!(play(&steps), [Off, On, Off, Off, Off]);
        // Goes home, and comes when the hours have begun long ago: back then, and away for lunch like everybody.
        let steps =
            [(false, None), (false, Some(Offline)), (true, None), (true, Some(Off)), (true, Some(Off))];
        assert_eq!(play(&steps), [Off, Offline, Offline, On, Off]);
        // Comes late, and accepts chats by themselves.
        let steps = [(false, None), (true, Some(Offline)), (true, Some(On)), (true, Some(Off))];
        assert_eq!(play(&steps), [Off, Offline, On, Off]);
        // Away by hand before the end, and comes late: not set back.
        let steps = [(true, Some(Off)), (false, None), (true, Some(Offline)), (true, Some(Off))];
        assert_eq!(play(&steps), [Off, Off, Offline, Off]);
    }

    fn agents(ids: &[&str]) -> Vec<RoutingStatus> {
        let all: Vec<_> =
            ids.iter().map(|id| serde_json::json!({ "agent_id": id, "status": "accepting chats" })).collect();
        serde_json::from_value(all.into()).expect("statuses")
    }

    #[test]
    fn a_person_goes_by_their_name_or_else_by_any_of_their_groups() {
        let settings = r#"{"timetables":[
            {"name":"early","timezone":"UTC","groups":[1],"hours":[{"from":"06:00","to":"12:00"}]},
            {"name":"late","timezone":"UTC","groups":[2],"hours":[{"from":"12:00","to":"20:00"}]},
            {"name":"kim","timezone":"UTC","agents":["Kim@example.com","bot-1","gone@example.com"],
             "hours":[{"from":"19:00","to":"24:00"}]}]}"#;
        let settings: Settings = serde_json::from_str(settings).expect("settings");
        let of_groups = BTreeMap::from([
            (1, agents(&["ann@example.com", "ben@example.com", "bot-2"])),
            (2, agents(&["ben@example.com", "kim@example.com"])),
        ]);
        let of_all = agents(&["ann@example.com", "ben@example.com", "kim@example.com", "bot-1", "bot-2"]);
        let open = |at: &str| {
            let at = at.parse().expect("a timestamp");
            let roster = roster(&settings, at, &of_groups, &of_all);
            let open = roster.iter().filter(|(_, duty)| duty.is_open);
            (open.map(|(id, _)| id.clone()).collect::<Vec<_>>(), roster.len())
        };
        assert_eq!(
            open("2026-06-01T07:00:00Z"),
            (vec!["ann@example.com".into(), "ben@example.com".into()], 4)
        );
        assert_eq!(open("2026-06-01T13:00:00Z").0, ["ben@example.com"]);
        assert_eq!(open("2026-06-01T19:30:00Z").0, ["ben@example.com", "bot-1", "kim@example.com"]);
        assert_eq!(unknown(&settings, &of_all), ["gone@example.com"]);
        let at = "2026-06-01T13:00:00Z".parse().expect("a timestamp");
        assert_eq!(phase(&settings, at), "early: closed, late: open, kim: closed");
    }
}
