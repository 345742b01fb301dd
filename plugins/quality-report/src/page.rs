//! The page: numbers, charts as pictures of lines and boxes, a table. No scripts; it prints.

use std::cmp::Reverse;
use std::fmt::Write;

use crate::compare::Compared;
use crate::figures::Figures;
use crate::report::{Report, Row, decimal, difference, percent};

mod chart;

use chart::{Bar, bars};

const STYLE: &str = include_str!("page/style.css");

/// So many tags have a bar, the most frequent first.
const TAGS_IN_CHART: usize = 15;

/// So many stand in a line: with all tags of an account it would be longer than a sheet of paper. The CSV has all.
const TAGS_IN_LINE: usize = 5;

/// The report as a page.
pub(crate) fn page(report: &Report) -> String {
    let title = format!("Quality report, {}", report.range.title());
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width\">\n<title>{0}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{0}</h1>\n",
        escape(&title)
    );
    let notice = match report.is_provisional {
        true => " Provisional: ratings and re-openings still come; it is published again.",
        false => "",
    };
    line(&mut html, "p", &format!("Days in {}.{notice}", report.zone));
    for notice in report.notices() {
        let _ = writeln!(html, "<p class=\"notice\">{}</p>", escape(&notice));
    }
    html.push_str(&tiles(&report.all()));
    html.push_str("<section class=\"charts\">\n");
    charts(&mut html, report);
    html.push_str("</section>\n");
    html.push_str(&table(report));
    html.push_str(&comparison(&report.compared, &report.not_compared));
    line(&mut html, "p", &report.score.described());
    html.push_str("</body>\n</html>\n");
    html
}

/// The numbers of all chats, large.
fn tiles(all: &Row<'_>) -> String {
    let figures = all.figures;
    let tiles = [
        ("score", all.score.map(decimal)),
        ("chats", Some(figures.chats.to_string())),
        ("unanswered", Some(figures.unanswered.to_string())),
        ("first response", figures.first_response_s().map(span)),
        ("response", figures.response_s().map(span)),
        ("duration", figures.duration_s().map(span)),
        ("rated good", figures.good_share().map(|share| percent(share) + " %")),
        ("resolved", figures.resolution().map(|share| percent(share) + " %")),
    ];
    let mut html = String::from("<section class=\"tiles\">\n");
    for (name, value) in tiles {
        let value = value.unwrap_or_else(|| NONE.to_owned());
        let _ = writeln!(html, "<div><b>{}</b><span>{}</span></div>", escape(&value), escape(name));
    }
    html + "</section>\n"
}

/// What isn't known.
const NONE: &str = "–";

fn charts(html: &mut String, report: &Report) {
    let of_agents = |value: fn(&Row<'_>) -> Option<f64>, shown: fn(f64) -> String| -> Vec<Bar> {
        let rows = report.agents().filter_map(|row| value(&row).map(|value| (row.name.to_owned(), value)));
        rows.map(|(name, value)| Bar { name, value, label: shown(value) }).collect()
    };
    html.push_str(&bars("Score", &of_agents(|row| row.score, decimal)));
    html.push_str(&bars(
        "Chats",
        &of_agents(|row| Some(row.figures.chats as f64), |chats| format!("{chats:.0}")),
    ));
    html.push_str(&bars("First response", &of_agents(|row| row.figures.first_response_s(), span)));
    html.push_str(&bars("Good ratings, %", &of_agents(|row| row.figures.good_share(), percent)));
    let tags = most_frequent(&report.tally.all, TAGS_IN_CHART);
    let tags = tags.map(|(name, count)| Bar {
        name: name.to_owned(),
        value: count as f64,
        label: count.to_string(),
    });
    html.push_str(&bars("Tags", &tags.collect::<Vec<_>>()));
}

fn most_frequent(figures: &Figures, at_most: usize) -> impl Iterator<Item = (&str, u64)> {
    let mut tags: Vec<(&str, u64)> =
        figures.tags.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    tags.sort_by_key(|(_, count)| Reverse(*count));
    tags.into_iter().take(at_most)
}

/// The tags of a line.
fn tags(figures: &Figures) -> String {
    let mut shown: Vec<String> =
        most_frequent(figures, TAGS_IN_LINE).map(|(name, count)| format!("{name} {count}")).collect();
    let more = figures.tags.len().saturating_sub(TAGS_IN_LINE);
    shown.extend((more > 0).then(|| format!("and {more} more")));
    shown.join(", ")
}

fn table(report: &Report) -> String {
    const HEADS: [&str; 13] = [
        "Agent",
        "Score",
        "Chats",
        "Unanswered",
        "First response",
        "Response",
        "Duration",
        "Good",
        "Bad",
        "Good, %",
        "Reopened",
        "Resolved, %",
        "Tags",
    ];
    let mut html = String::from("<table class=\"lines\">\n<thead><tr>");
    HEADS.iter().for_each(|head| line(&mut html, "th", head));
    html.push_str("</tr></thead>\n<tbody>\n");
    for row in std::iter::once(report.all()).chain(report.agents()) {
        let figures = row.figures;
        let cells = [
            row.name.to_owned(),
            or_none(row.score, decimal),
            figures.chats.to_string(),
            figures.unanswered.to_string(),
            or_none(figures.first_response_s(), span),
            or_none(figures.response_s(), span),
            or_none(figures.duration_s(), span),
            figures.good.to_string(),
            figures.bad.to_string(),
            or_none(figures.good_share(), percent),
            figures.reopened.to_string(),
            or_none(figures.resolution(), percent),
            tags(figures),
        ];
        html.push_str("<tr>");
        cells.iter().for_each(|cell| line(&mut html, "td", cell));
        html.push_str("</tr>\n");
    }
    html + "</tbody>\n</table>\n"
}

/// What LiveChat's reports say beside it.
fn comparison(compared: &[Compared], not_compared: &[&str]) -> String {
    let mut html = String::from(
        "<h2>Compared with LiveChat's reports</h2>\n<table class=\"narrow\">\n<thead><tr><th>Total</th><th>Here</th>\
         <th>LiveChat</th><th>Difference</th></tr></thead>\n<tbody>\n",
    );
    for one in compared {
        let shown = one.difference().map(difference);
        let differs = shown.as_ref().is_some_and(|shown| *shown != difference(0.0));
        html.push_str(if differs { "<tr class=\"differs\">" } else { "<tr>" });
        for cell in [
            one.name.to_owned(),
            or_none(one.ours, decimal),
            or_none(one.theirs, decimal),
            shown.unwrap_or_else(|| NONE.to_owned()),
        ] {
            line(&mut html, "td", &cell);
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table>\n");
    if !not_compared.is_empty() {
        let text = format!(
            "Not compared: {}. LiveChat's reports could not be asked; the log says why.",
            not_compared.join(", ")
        );
        line(&mut html, "p", &text);
    }
    line(
        &mut html,
        "p",
        "LiveChat also counts chats that go on, and it may measure other spans; what is counted here ended.",
    );
    html
}

fn or_none(number: Option<f64>, shown: impl Fn(f64) -> String) -> String {
    number.map_or_else(|| NONE.to_owned(), shown)
}

/// Seconds as people say them.
fn span(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3_600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3_600, whole % 3_600 / 60),
    }
}

/// An element with a text in it.
fn line(html: &mut String, name: &str, text: &str) {
    let _ = writeln!(html, "<{name}>{}</{name}>", escape(text));
}

/// Tags and names are what people typed.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_as_people_say_them() {
        let told = [0.0, 29.4, 59.6, 61.0, 3_599.4, 3_600.0, 93_784.0].map(span);
        assert_eq!(
            told,
            ["0 s", "29 s", "1 min 00 s", "1 min 01 s", "59 min 59 s", "1 h 00 min", "26 h 03 min"]
        );
    }
}
