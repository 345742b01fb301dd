//! The table: one line for all chats, one for each agent.

use crate::report::{Report, Row, decimal, percent};

const HEADER: [&str; 18] = [
    "from",
    "to",
    "timezone",
    "provisional",
    "agent",
    "chats",
    "unanswered",
    "beyond_history",
    "first_response_s",
    "response_s",
    "duration_s",
    "rated_good",
    "rated_bad",
    "good_percent",
    "reopened",
    "resolved_percent",
    "score",
    "tags",
];

/// The report as a table after RFC 4180.
pub(crate) fn table(report: &Report) -> String {
    let rows = std::iter::once(report.all()).chain(report.agents()).map(|row| cells(report, &row));
    let header = HEADER.map(str::to_owned).to_vec();
    let lines = std::iter::once(header).chain(rows);
    lines.map(|cells| cells.iter().map(|text| cell(text)).collect::<Vec<_>>().join(",") + "\r\n").collect()
}

fn cells(report: &Report, row: &Row<'_>) -> Vec<String> {
    let figures = row.figures;
    let or_empty = |number: Option<f64>, shown: fn(f64) -> String| number.map(shown).unwrap_or_default();
    let tags: Vec<String> = figures.tags.iter().map(|(tag, count)| format!("{tag}: {count}")).collect();
    vec![
        report.range.from.to_string(),
        report.range.to.to_string(),
        report.zone.clone(),
        if report.is_provisional { "yes" } else { "no" }.to_owned(),
        row.name.to_owned(),
        figures.chats.to_string(),
        figures.unanswered.to_string(),
        figures.beyond_history.to_string(),
        or_empty(figures.first_response_s(), decimal),
        or_empty(figures.response_s(), decimal),
        or_empty(figures.duration_s(), decimal),
        figures.good.to_string(),
        figures.bad.to_string(),
        or_empty(figures.good_share(), percent),
        figures.reopened.to_string(),
        or_empty(figures.resolution(), percent),
        or_empty(row.score, decimal),
        tags.join("; "),
    ]
}

/// A cell. Programs for tables take what begins with one of these for a formula: an apostrophe in front makes it text.
fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r', ';', '\t']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula_and_never_more_than_one() {
        for (text, expected) in [
            ("refund", "refund"),
            ("=HYPERLINK(\"https://evil.example\")", "\"'=HYPERLINK(\"\"https://evil.example\"\")\""),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@ann", "'@ann"),
            ("\tx", "\"'\tx\""),
            ("\rx", "\"'\rx\""),
            ("a,b", "\"a,b\""),
            ("a\nb", "\"a\nb\""),
            ("a; b", "\"a; b\""),
            ("", ""),
        ] {
            assert_eq!(cell(text), expected, "{text:?}");
        }
    }
}
