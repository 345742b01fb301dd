//! What is read of the account by day: its time zone, reports and archives.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::identity::Identity;
use crate::action::{Code, Error};
use crate::app::services::Way;
use crate::cli::doctor::{Finding, Kind};
use crate::config::Livechat;
use crate::overview::{ChatsAsked, Overview, StatsAsked};

/// Asks LiveChat. `way` has credentials that it takes.
pub(super) async fn look(livechat: &Livechat, way: &Way) -> Vec<Finding> {
    let zones = match way {
        Way::Current(client) => client.agent_timezones().await.ok(),
        // Its agents have no schedules.
        Way::Older(_) => None,
    };
    let zones = zones.unwrap_or_default();
    let Some(zone) = &livechat.timezone else { return vec![no_zone(&zones)] };
    let now = Timestamp::now();
    let counted = Days(Overview::new(way.clone().into_livechat()), zone);
    let reports = counted.reports().await;
    let archives = counted.archives(now, 0).await;
    let beside = match &archives {
        Ok(0) => counted.archives(now, 1).await.unwrap_or(0),
        _ => 0,
    };
    let identity = Identity::of(livechat);
    vec![
        of_zone(zone, &zones, now),
        of_reports(identity, &reports),
        of_archives(identity, zone, &reports, &archives, beside),
    ]
}

/// Days of a time zone, with what there was in them.
struct Days<'a>(Overview, &'a TimeZone);

impl Days<'_> {
    /// How many chats the reports count in the last seven days.
    async fn reports(&self) -> Result<u64, Error> {
        let asked = StatsAsked { date_from: None, date_to: None };
        Ok(self.0.stats(&asked, Some(self.1)).await?.sum.total_chats)
    }

    /// How many chats the first page of the archives has, of the last seven days and so many more on both sides.
    async fn archives(&self, now: Timestamp, more_days: i64) -> Result<usize, Error> {
        let today = now.to_zoned(self.1.clone()).date();
        let date_from = today.checked_sub((6 + more_days).days()).ok();
        let date_to = today.checked_add(more_days.days()).ok();
        let asked = ChatsAsked { date_from, date_to, page: None, agent: None };
        Ok(self.0.chats(&asked, Some(self.1)).await?.chats.len())
    }
}

fn list(zones: &BTreeSet<String>) -> String {
    zones.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn name(zone: &TimeZone) -> &str {
    zone.iana_name().unwrap_or("that of the config")
}

fn no_zone(zones: &BTreeSet<String>) -> Finding {
    let example = zones.first().map_or("Europe/Warsaw", String::as_str);
    let came = match zones.is_empty() {
        true => "it is not set".to_owned(),
        false => format!("it is not set; the agents' schedules are in {}", list(zones)),
    };
    Finding::ok("time zone", "livechat.timezone", came).but(
        Kind::TimeZoneUnset,
        "archives and reports by day can't be asked for: a day there is one of the account's zone",
        format!("write the account's zone under [livechat], such as timezone = \"{example}\""),
    )
}

/// Half a year: where it is winter in one look, it is summer in the other.
const HALF_A_YEAR_S: i64 = 182 * 86_400;

/// Whether two zones have the same clocks, now and half a year later.
fn are_alike(one: &TimeZone, other: &TimeZone, now: Timestamp) -> bool {
    let later = Timestamp::from_second(now.as_second() + HALF_A_YEAR_S).unwrap_or(now);
    [now, later].into_iter().all(|at| one.to_offset(at) == other.to_offset(at))
}

/// Compares the zone of the config with those in which agents work.
fn of_zone(zone: &TimeZone, zones: &BTreeSet<String>, now: Timestamp) -> Finding {
    let tried = "livechat.timezone beside the schedules of the agents";
    let known: Vec<TimeZone> = zones.iter().filter_map(|name| TimeZone::get(name).ok()).collect();
    if known.is_empty() {
        let came = format!("{}; no schedule says in which zone it is", name(zone));
        return Finding::ok("time zone", tried, came);
    }
    let finding =
        Finding::ok("time zone", tried, format!("{}; the schedules are in {}", name(zone), list(zones)));
    if known.iter().any(|other| are_alike(zone, other, now)) {
        return finding;
    }
    finding.but(
        Kind::TimeZoneDiffers,
        "no agent works by the clock of livechat.timezone: days begin at another hour than the account's, so that archives \
         and reports of a day lack chats, have others, or are empty",
        "look into LiveChat's settings for the account's time zone, and write that one",
    )
}

fn is_refusal(error: &Error) -> bool {
    matches!(error.code, Code::Denied | Code::Credentials)
}

fn of_reports(identity: Identity, reports: &Result<u64, Error>) -> Finding {
    let tried = "reports of the last seven days";
    let means = "`chatplug stats` and plugins that ask for reports get no figures";
    match reports {
        Ok(count) => Finding::ok("reports", tried, format!("{count} chats")),
        Err(error) if is_refusal(error) => Finding::ok("reports", tried, error.message.clone()).but(
            Kind::ReportsRefused,
            means,
            identity.needs("reports_read"),
        ),
        Err(error) => Finding::ok("reports", tried, error.message.clone()).but(
            Kind::ReportsUnreadable,
            means,
            "it is not the credentials: see what LiveChat said, and look again in some minutes",
        ),
    }
}

/// Archives that are empty were asked for days of another zone, or by somebody who sees none, or there was nothing.
fn of_archives(
    identity: Identity,
    zone: &TimeZone,
    reports: &Result<u64, Error>,
    archives: &Result<usize, Error>,
    beside: usize,
) -> Finding {
    let tried = format!("archives of the last seven days in {}", name(zone));
    let means = "`chatplug chats` and plugins that ask for archives get nothing";
    let count = match archives {
        Ok(count) => *count,
        Err(error) if is_refusal(error) => {
            let todo = identity.needs("chats--all:ro or chats--access:ro");
            return Finding::ok("archives", tried, error.message.clone()).but(
                Kind::ArchivesRefused,
                means,
                todo,
            );
        }
        Err(error) => {
            return Finding::ok("archives", tried, error.message.clone()).but(
                Kind::ArchivesUnreadable,
                means,
                "it is not the credentials: see what LiveChat said, and look again in some minutes",
            );
        }
    };
    let finding = Finding::ok("archives", tried, format!("{count} chats on the first page"));
    let groups = "a token with chats--access sees only the chats of its user's groups";
    match reports {
        _ if count > 0 => finding,
        _ if beside > 0 => Finding { came: format!("none; {beside} if one asks for a day more on both sides"), ..finding }
            .but(
                Kind::ArchivesBeside,
                "the chats lie just outside of these days: they are older than the account's week, or the days are cut in \
                 another zone than the account's",
                "compare livechat.timezone with the account's time zone in LiveChat's settings",
            ),
        Ok(0) => finding,
        Ok(counted) => finding.but(
            Kind::ArchivesEmpty,
            format!("the reports count {counted} chats in these days: the token sees none of them, or they still go on"),
            format!("{groups}: give it chats--all:ro, or its user the groups; compare livechat.timezone, too"),
        ),
        Err(_) => finding.but(
            Kind::ArchivesUnknown,
            "nothing tells whether there were chats: the reports, which count them, can't be read",
            format!("if there were some, the token does not see them ({groups}), or livechat.timezone is not the account's"),
        ),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn warsaw() -> TimeZone {
        TimeZone::get("Europe/Warsaw").expect("a zone")
    }

    fn june() -> Timestamp {
        "2026-06-01T10:00:00Z".parse().expect("a time")
    }

    fn zones(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn error<T>(code: Code, said: &str) -> Result<T, Error> {
        Err(Error::new(code, format!("LiveChat says {said}")))
    }

    pub(in crate::app::doctor) fn provoked() -> Vec<Finding> {
        let identities = [Identity::Pat, Identity::Bearer, Identity::OAuth, Identity::Bot, Identity::Older];
        let mut all = vec![
            no_zone(&zones(&[])),
            no_zone(&zones(&["America/New_York", "America/Chicago"])),
            of_zone(&warsaw(), &zones(&["America/New_York", "Europe/London"]), june()),
        ];
        all.extend(identities.map(|identity| of_reports(identity, &error(Code::Denied, "`authorization`"))));
        all.push(of_reports(Identity::Pat, &error(Code::Unavailable, "`internal`")));
        let archives =
            |reports, archives, beside| of_archives(Identity::Pat, &warsaw(), &reports, &archives, beside);
        all.extend([
            archives(Ok(7), error(Code::Denied, "`authorization`"), 0),
            archives(Ok(7), error(Code::Unavailable, "`internal`"), 0),
            archives(Ok(7), Ok(0), 0),
            archives(Ok(0), Ok(0), 2),
            archives(error(Code::Denied, "`authorization`"), Ok(0), 0),
        ]);
        all
    }

    #[test]
    fn a_zone_is_well_if_an_agent_works_by_its_clock() {
        let check = |zone: &str, others: &[&str], expected| {
            let zone = TimeZone::get(zone).expect("a zone");
            assert_eq!(of_zone(&zone, &zones(others), june()).kind, expected, "{others:?}");
        };
        check("Europe/Warsaw", &[], None);
        check("Europe/Warsaw", &["not a zone"], None);
        check("Europe/Warsaw", &["America/New_York", "Europe/Berlin"], None);
        // The same clock in summer only.
        check("Europe/Warsaw", &["Africa/Johannesburg"], Some(Kind::TimeZoneDiffers));
        check("UTC", &["Europe/London"], Some(Kind::TimeZoneDiffers));
    }

    #[test]
    fn figures_that_can_be_read_and_agree_are_well() {
        let pat = Identity::Pat;
        assert_eq!(of_reports(pat, &Ok(0)).kind, None);
        let check = |reports, archives, expected| {
            let found = of_archives(pat, &warsaw(), &reports, &Ok(archives), 0);
            assert_eq!(found.kind, expected, "{found:?}");
        };
        check(Ok(0), 0, None);
        check(Ok(3), 3, None);
        check(error(Code::Denied, "no"), 3, None);
        check(error(Code::Denied, "no"), 0, Some(Kind::ArchivesUnknown));
    }
}
