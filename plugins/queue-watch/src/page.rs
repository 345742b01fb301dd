//! The board as a page for a screen on a wall: no scripts, large digits, and it loads itself again.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::board::{Board, Figure};
use crate::settings::Alerts;

/// People who are named on it.
const PEOPLE: usize = 15;

const STYLE: &str = "
* { box-sizing: border-box; margin: 0; }
html { background: #10151c; color: #f4f6f8; font: 2.2vmin/1.25 system-ui, sans-serif; }
body { min-height: 100vh; padding: 3vmin; display: flex; flex-direction: column; gap: 2vmin; }
header { display: flex; justify-content: space-between; align-items: baseline; gap: 3vmin; }
h1 { font-size: 5vmin; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
header p { font-size: 5vmin; white-space: nowrap; }
main { flex: 1; display: grid; grid-template-columns: repeat(4, 1fr); gap: 2vmin; }
section { background: #1b2430; border-radius: 1.5vmin; padding: 2vmin; display: flex; flex-direction: column;
  justify-content: space-between; min-width: 0; }
section.wide { grid-column: span 3; justify-content: flex-start; gap: 2vmin; }
section.over { background: #a3171f; }
h2 { font-size: 2.9vmin; font-weight: 600; }
b { font-size: 12vmin; line-height: 1; font-variant-numeric: tabular-nums; white-space: nowrap; }
b.unknown { font-size: 6vmin; color: #ffcf66; }
small { font-size: 2vmin; color: #b9c4d0; overflow-wrap: anywhere; }
ul { list-style: none; padding: 0; columns: 3; column-gap: 4vmin; font-size: 2.8vmin; }
li { display: flex; justify-content: space-between; gap: 2vmin; }
li span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
li i { font-style: normal; font-weight: 700; }
";

/// The page. It says until when it holds: if no other one has come by then, the host shows it with a notice over it.
pub fn page(board: &Board, alerts: &Alerts, zone: &TimeZone, valid_until: Option<Timestamp>) -> String {
    let [queued_over, waiting_over] = board.sample().over(alerts).map(|over| over == Some(true));
    let at: Timestamp = board.at.parse().unwrap_or_default();
    let time = at.to_zoned(zone.clone()).strftime("%H:%M:%S");
    let (title, state) = (escape(&board.title), if board.is_open { "" } else { "closed · " });
    let sections = [
        tile("Waiting in the queue", &board.queued_chats, count, queued_over),
        tile("Longest wait now", &board.waiting_longest_s, duration, waiting_over),
        tile("Average wait now", &board.waiting_average_s, duration, false),
        tile("Longest wait today", &board.waiting_longest_today_s, duration, false),
        tile("Active chats", &board.active_chats, count, false),
        tile("Accepting chats", &board.agents_accepting, count, false),
        tile("Not accepting", &board.agents_not_accepting, count, false),
        tile("First answer today", &board.first_response_today_s, duration, false),
        people(board),
        tile("Answer today", &board.response_today_s, duration, false),
    ];
    let sections = sections.concat();
    let holds = valid_until.map(|until| format!(" data-valid-until=\"{until}\"")).unwrap_or_default();
    format!(
        "<!doctype html>\n<html lang=\"en\"{holds}><head><meta charset=\"utf-8\">\n\
         <meta http-equiv=\"refresh\" content=\"30\"><meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title><style>{STYLE}</style></head><body>\n\
         <header><h1>{title}</h1><p>{state}{time}</p></header>\n<main>\n{sections}</main>\n\
         <small>Times are those of the account.</small></body></html>\n"
    )
}

fn tile(name: &str, figure: &Figure<u64>, shown: fn(u64) -> String, is_over: bool) -> String {
    let class = if is_over { " class=\"over\"" } else { "" };
    match figure.value {
        Some(value) => {
            format!("<section{class}><h2>{name}</h2><b>{}</b><small></small></section>\n", shown(value))
        }
        None => {
            let why = escape(&short(figure.unknown_because.as_deref().unwrap_or_default()));
            format!(
                "<section><h2>{name}</h2><b class=\"unknown\">unknown</b><small>{why}</small></section>\n"
            )
        }
    }
}

fn people(board: &Board) -> String {
    let shown = match &board.chats_per_agent.value {
        Some(counts) => {
            let mut rows: Vec<(&String, &u64)> = counts.iter().collect();
            rows.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
            let row = |(agent, count): &(&String, &u64)| {
                format!("<li><span>{}</span><i>{count}</i></li>", escape(agent))
            };
            let named: Vec<String> = rows.iter().take(PEOPLE).map(row).collect();
            let more = match rows.len() - named.len() {
                0 => String::new(),
                more => format!("<small>and {more} more</small>"),
            };
            format!("<ul>{}</ul>{more}", named.concat())
        }
        None => {
            let why = short(board.chats_per_agent.unknown_because.as_deref().unwrap_or_default());
            format!("<b class=\"unknown\">unknown</b><small>{}</small>", escape(&why))
        }
    };
    format!("<section class=\"wide\"><h2>Chats per agent</h2>{shown}</section>\n")
}

fn count(value: u64) -> String {
    value.to_string()
}

/// Seconds as people read them from afar.
fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{}:{:02}", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}", seconds / 3_600, seconds / 60 % 60),
    }
}

fn short(text: &str) -> String {
    let shown: String = text.chars().take(90).collect();
    if shown.len() < text.len() { shown + " …" } else { shown }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::tests::{seen, ten};

    fn shown(board: &Board) -> String {
        let zone = chatplug_sdk::clock::zone("Europe/Warsaw").expect("a zone");
        let alerts = Alerts { waiting_above_s: Some(100), queued_above: Some(3), ..Alerts::default() };
        page(board, &alerts, &zone, Some(ten()))
    }

    #[test]
    fn the_page_shows_each_figure_and_what_is_over() {
        let page = shown(&Board::of("Chat queue", &seen()));
        for part in [
            "<html lang=\"en\" data-valid-until=\"2026-06-01T10:00:00Z\">",
            "<p>12:00:00</p>",
            "<section><h2>Waiting in the queue</h2><b>3</b>",
            "<section class=\"over\"><h2>Longest wait now</h2><b>1:41</b>",
            "<h2>Longest wait today</h2><b>5:21</b>",
            "<h2>Accepting chats</h2><b>2</b>",
            "<li><span>ann@example.com</span><i>2</i></li><li><span>ben@example.com</span><i>1</i></li>",
            "<h2>First answer today</h2><b>17 s</b>",
            "<h2>Answer today</h2><b class=\"unknown\">unknown</b><small>nobody was answered yet today</small>",
            "<meta http-equiv=\"refresh\" content=\"30\">",
        ] {
            assert!(page.contains(part), "no {part} in {page}");
        }
        assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("https://"));
        assert!(shown(&Board::closed("Q", ten())).contains("<p>closed · 12:00:00</p>"));
    }

    #[test]
    fn what_others_wrote_is_only_text() {
        let mut seen = seen();
        seen.chats = Err("<script>alert(1)</script>".to_owned());
        let page = shown(&Board::of("<b onclick='x'>\"", &seen));
        assert!(!page.contains("<script") && !page.contains("<b onclick"), "{page}");
        assert!(page.contains("&lt;b onclick=&#39;x&#39;&gt;&quot;"));
    }

    #[test]
    fn seconds_are_read_from_afar() {
        let check = |seconds, expected: &str| assert_eq!(duration(seconds), expected);
        check(0, "0 s");
        check(59, "59 s");
        check(61, "1:01");
        check(3_599, "59:59");
        check(3_660, "1h01");
    }
}
