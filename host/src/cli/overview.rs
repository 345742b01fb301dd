//! `chatplug chats`, `chatplug agents` and `chatplug stats`

use std::io::{self, Write};

use jiff::civil::Date;
use serde::Serialize;

use super::{csv, table, text};
use crate::livechat::view::{Agent, Conversation};
use crate::overview::{ChatsAsked, Numbers, Stats, StatsAsked, Window};

/// The arguments of `chats`.
#[derive(Debug, clap::Args)]
pub struct ChatsArgs {
    /// The days
    #[command(flatten)]
    pub days: DaysArgs,
    /// Only chats in which this agent was, by the e-mail address
    #[arg(long, value_name = "EMAIL")]
    pub agent: Option<String>,
    /// Only this page, from 1, of fifty chats each [default: all pages]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub page: Option<u32>,
    /// How it is printed
    #[command(flatten)]
    pub form: FormArgs,
}

/// The arguments of `stats`.
#[derive(Debug, clap::Args)]
pub struct StatsArgs {
    /// The days
    #[command(flatten)]
    pub days: DaysArgs,
    /// How it is printed
    #[command(flatten)]
    pub form: FormArgs,
}

/// Days of the account's time zone.
#[derive(Debug, clap::Args)]
pub struct DaysArgs {
    /// The first day, such as 2026-06-01 [default: yesterday for chats, six days ago for stats]
    #[arg(long, value_name = "DAY")]
    pub from: Option<Date>,
    /// The last day [default: today]
    #[arg(long, value_name = "DAY")]
    pub to: Option<Date>,
}

/// How a table is printed.
#[derive(Debug, clap::Args)]
pub struct FormArgs {
    /// Print comma-separated values, for a spreadsheet; with --json that wins
    #[arg(long)]
    pub csv: bool,
}

impl ChatsArgs {
    /// What is asked for, one page of it.
    pub fn asked(&self, page: u32) -> ChatsAsked {
        let DaysArgs { from, to } = self.days;
        ChatsAsked { date_from: from, date_to: to, page: Some(page), agent: self.agent.clone() }
    }
}

impl StatsArgs {
    /// What is asked for.
    pub fn asked(&self) -> StatsAsked {
        StatsAsked { date_from: self.days.from, date_to: self.days.to }
    }
}

/// How something is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A table for people.
    Table,
    /// For a spreadsheet.
    Csv,
    /// One JSON document.
    Json,
}

impl Form {
    /// What the arguments say.
    pub fn of(form: &FormArgs, json: bool) -> Form {
        match (json, form.csv) {
            (true, _) => Form::Json,
            (false, true) => Form::Csv,
            (false, false) => Form::Table,
        }
    }
}

/// Conversations of some days.
#[derive(Debug, Serialize)]
pub struct Listed {
    /// The days, in which time zone.
    #[serde(flatten)]
    pub window: Window,
    /// Whether there are more than can be listed.
    pub is_cut: bool,
    /// The newest first.
    pub chats: Vec<Conversation>,
}

/// Prints conversations. That there are more stands in a table and in JSON, and beside comma-separated values, which must
/// stay a table, on `err`.
///
/// # Errors
/// Those of the outputs.
pub fn print_chats(listed: &Listed, form: Form, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<()> {
    let names = [
        "ID", "THREAD", "STARTED", "ENDED", "NAME", "EMAIL", "AGENT", "RATING", "COMMENT", "MESSAGES", "TAGS",
    ];
    let row = |chat: &Conversation| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        [
            chat.id.clone(),
            chat.thread_id.clone(),
            text(&chat.started),
            text(&chat.ended),
            text(&chat.customer_name),
            text(&chat.customer_email),
            text(&chat.agent),
            text(&chat.rating),
            text(&chat.rating_comment),
            chat.message_count.to_string(),
            chat.tags.join(" "),
        ]
    };
    let rows: Vec<[String; 11]> = listed.chats.iter().map(row).collect();
    let (count, days) = (rows.len(), days(&listed.window));
    match form {
        Form::Json => text::json(out, listed),
        Form::Csv => {
            csv::write(out, names, &rows)?;
            if listed.is_cut {
                writeln!(
                    err,
                    "these are the newest {count} chats {days}; there are more: ask for fewer days"
                )?;
            }
            Ok(())
        }
        Form::Table => {
            table::write(out, names, &rows)?;
            let more = if listed.is_cut { "; there are more: ask for fewer days" } else { "" };
            writeln!(out, "\n{count} chats, {days}{more}.")
        }
    }
}

/// Prints the people of the team.
///
/// # Errors
/// Those of the output.
pub fn print_agents(agents: &[Agent], form: Form, out: &mut dyn Write) -> io::Result<()> {
    let names = ["AGENT", "NAME", "ROLE", "STATUS", "GROUPS"];
    let row = |agent: &Agent| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let groups: Vec<String> = agent.groups.iter().map(ToString::to_string).collect();
        [agent.id.clone(), text(&agent.name), text(&agent.role), text(&agent.status), groups.join(" ")]
    };
    let rows: Vec<[String; 5]> = agents.iter().map(row).collect();
    match form {
        Form::Json => text::json(out, &agents),
        Form::Csv => csv::write(out, names, &rows),
        Form::Table => table::write(out, names, &rows),
    }
}

/// Prints figures by day, and their sum.
///
/// # Errors
/// Those of the output.
pub fn print_stats(stats: &Stats, form: Form, out: &mut dyn Write) -> io::Result<()> {
    let names = ["DAY", "CHATS", "FIRST RESPONSE", "GOOD", "BAD"];
    let row = |day: &str, numbers: &Numbers| {
        let first = numbers.first_response_time.map(|seconds| match form {
            Form::Csv => format!("{seconds:.1}"),
            _ => format!("{seconds:.0} s"),
        });
        [
            day.to_owned(),
            numbers.total_chats.to_string(),
            first.unwrap_or_default(),
            numbers.rated_good.to_string(),
            numbers.rated_bad.to_string(),
        ]
    };
    let mut rows: Vec<[String; 5]> = stats.days.iter().map(|day| row(&day.date, &day.numbers)).collect();
    match form {
        Form::Json => text::json(out, stats),
        Form::Csv => csv::write(out, names, &rows),
        Form::Table => {
            rows.push(row("all", &stats.sum));
            table::write(out, names, &rows)?;
            writeln!(out, "\nIn {}.", stats.window.timezone)
        }
    }
}

fn days(window: &Window) -> String {
    format!("from {} to {} in {}", window.date_from, window.date_to, window.timezone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overview::Day;
    use serde_json::json;

    fn window() -> Window {
        serde_json::from_value(
            json!({"date_from": "2026-06-01", "date_to": "2026-06-02", "timezone": "Europe/Warsaw"}),
        )
        .unwrap()
    }

    fn shown(print: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        print(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn hostile() -> Conversation {
        serde_json::from_value(json!({
            "id": "C1", "thread_id": "T1", "started": "2026-06-01T10:00:00Z", "ended": null,
            "customer_name": "=cmd|' /C calc'!A1", "customer_email": "a,b@example.com", "agent": null, "rating": "bad",
            "rating_comment": "\u{1b}[2Jslow", "message_count": 3, "tags": ["a", "b"],
        }))
        .unwrap()
    }

    /// What a list of one chat prints, on both outputs.
    fn listed(is_cut: bool, form: Form) -> (String, String) {
        let listed = Listed { window: window(), is_cut, chats: vec![hostile()] };
        let mut err = Vec::new();
        let out = shown(|out| print_chats(&listed, form, out, &mut err));
        (out, String::from_utf8(err).unwrap())
    }

    #[test]
    fn a_list_that_is_cut_says_so_in_each_form() {
        for is_cut in [false, true] {
            let (table, beside) = listed(is_cut, Form::Table);
            assert_eq!((table.contains("fewer days"), beside.as_str()), (is_cut, ""), "{table}");
            let (csv, beside) = listed(is_cut, Form::Csv);
            assert_eq!(csv.lines().count(), 2, "a table and nothing else: {csv}");
            assert_eq!(
                beside.contains("newest 1 chats") && beside.contains("fewer days"),
                is_cut,
                "{beside}"
            );
            let (json, beside) = listed(is_cut, Form::Json);
            let json: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!((&json["is_cut"], beside.as_str()), (&json!(is_cut), ""));
            assert_eq!((&json["chats"][0]["id"], &json["date_to"]), (&json!("C1"), &json!("2026-06-02")));
        }
    }

    #[test]
    fn what_customers_wrote_moves_neither_a_terminal_nor_a_spreadsheet() {
        let (table, _) = listed(true, Form::Table);
        assert!(!table.contains('\u{1b}'), "{table}");
        let (csv, _) = listed(false, Form::Csv);
        let line = csv.lines().nth(1).unwrap();
        let expected =
            "C1,T1,2026-06-01T10:00:00Z,,'=cmd|' /C calc'!A1,\"a,b@example.com\",,bad,[2Jslow,3,a b";
        assert_eq!(line, expected);
    }

    #[test]
    fn figures_are_shown_by_day_with_their_sum() {
        let numbers =
            Numbers { total_chats: 3, first_response_time: Some(12.34), rated_good: 2, rated_bad: 1 };
        let day = |date: &str, numbers| Day { date: date.to_owned(), numbers };
        let days = vec![day("2026-06-01", numbers), day("2026-06-02", Numbers::default())];
        let stats = Stats { window: window(), sum: numbers, days };
        let expected = "\
DAY         CHATS  FIRST RESPONSE  GOOD  BAD
2026-06-01  3      12 s            2     1
2026-06-02  0      -               0     0
all         3      12 s            2     1

In Europe/Warsaw.
";
        assert_eq!(shown(|out| print_stats(&stats, Form::Table, out)), expected);
        let csv = shown(|out| print_stats(&stats, Form::Csv, out));
        assert!(
            csv.contains("2026-06-01,3,12.3,2,1\r\n2026-06-02,0,,0,0\r\n") && !csv.contains("all"),
            "{csv}"
        );
    }
}
