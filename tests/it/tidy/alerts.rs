//! The alerts that are shipped: each says what is wrong and leads to what to do about it.

use std::collections::BTreeSet;

use super::none;
use super::source::file;

/// One alert of `docs/alerts.yml`.
struct Alert {
    name: String,
    text: String,
}

impl Alert {
    /// What stands behind a key, on its line or on the indented lines below it.
    fn value(&self, key: &str) -> String {
        let mut lines =
            self.text.lines().skip_while(|line| !line.trim_start().starts_with(&format!("{key}:")));
        let Some(first) = lines.next() else { return String::new() };
        let indent = first.len() - first.trim_start().len();
        let below = lines.take_while(|line| line.len() - line.trim_start().len() > indent);
        let own = first.split_once(':').map_or("", |(_, value)| value.trim()).trim_start_matches(">-");
        [own].into_iter().chain(below.map(str::trim)).collect::<Vec<_>>().join(" ").trim().to_owned()
    }
}

fn alerts(text: &str) -> Vec<Alert> {
    let each = text.split("- alert: ").skip(1);
    each.map(|text| Alert { name: text.lines().next().unwrap_or_default().to_owned(), text: text.to_owned() })
        .collect()
}

/// The anchors of a document's headings, as its readers' browsers make them.
fn anchors(document: &str) -> BTreeSet<String> {
    let headings =
        document.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#'));
    let kept =
        |c: char| (c.is_alphanumeric() || c == '-' || c == ' ').then_some(if c == ' ' { '-' } else { c });
    headings.map(|heading| heading.trim().to_lowercase().chars().filter_map(kept).collect()).collect()
}

/// What an alert lacks.
fn lacks(alert: &Alert, document: &str) -> Option<String> {
    let runbook = alert.value("runbook");
    let section = runbook.strip_prefix("docs/operating.md#").unwrap_or_default();
    let what = if !alert.value("expr").contains("chatplug_") {
        "no metric of ours in its `expr`"
    } else if alert.value("summary").is_empty() {
        "no summary"
    } else if !anchors(document).contains(section) {
        "no section of docs/operating.md in its `runbook`"
    } else {
        return None;
    };
    Some(format!("{}: {what}", alert.name))
}

#[test]
fn every_alert_says_what_is_wrong_and_leads_to_what_to_do() {
    let (text, document) = (file("docs/alerts.yml"), file("docs/operating.md"));
    let alerts = alerts(&text);
    assert!(alerts.len() >= 10, "{} alerts", alerts.len());
    let broken: Vec<String> = alerts.iter().filter_map(|alert| lacks(alert, &document)).collect();
    none("an alert has a metric, a summary and a section", &broken);
}

/// The metrics of ours that an expression names, as they are registered.
fn metrics(expression: &str) -> Vec<&str> {
    let words = expression.split(|c: char| !c.is_alphanumeric() && c != '_');
    let ours = words.filter(|word| word.starts_with("chatplug_"));
    ours.map(|name| name.strip_suffix("_bucket").unwrap_or(name)).collect()
}

#[test]
fn every_alert_goes_by_what_is_measured() {
    let known: BTreeSet<&str> = chatplug::measures::Measures::names().collect();
    let unknown = |alert: &Alert| -> Vec<String> {
        let expression = alert.value("expr");
        let unknown = metrics(&expression).into_iter().filter(|name| !known.contains(name));
        unknown.map(|name| format!("{}: {name}", alert.name)).collect()
    };
    let alerts = alerts(&file("docs/alerts.yml"));
    none("a metric of an alert is exported", &alerts.iter().flat_map(unknown).collect::<Vec<_>>());
    assert_eq!(
        metrics("rate(chatplug_a_seconds_bucket[5m]) > chatplug_b"),
        ["chatplug_a_seconds", "chatplug_b"]
    );
}

/// A series that an alert goes by: its name, and the label and values that are named of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// `outcome` and `disk-full`, `store-failed`; empty where all are meant.
    pub(crate) label: String,
    pub(crate) values: Vec<String>,
}

/// What the functions of an expression go over: each of their names with the series in its brackets. Ours are simple:
/// a function's range has at most one label, and no function stands in another one's range.
fn ranges(expression: &str) -> Vec<(String, Series)> {
    let mut found = Vec::new();
    for (at, _) in expression.match_indices('(') {
        let before = &expression[..at];
        let word = before.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |end| end + 1);
        let inside = &expression[at + 1..];
        let end = inside.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(inside.len());
        let name = &inside[..end];
        if !name.starts_with("chatplug_") || word == at {
            continue;
        }
        let selector = inside[end..].strip_prefix('{').and_then(|rest| rest.split('}').next());
        let (label, values) = selector.and_then(|selector| selector.split_once('=')).unwrap_or_default();
        let values =
            values.trim_matches(|c| c == '~' || c == '"').split('|').filter(|value| !value.is_empty());
        let series = Series {
            name: name.to_owned(),
            label: label.to_owned(),
            values: values.map(str::to_owned).collect(),
        };
        found.push((before[word..].to_owned(), series));
    }
    found
}

/// Counters of which an alert goes by the increase: whoever looks has to see them before they count.
pub(crate) fn counted() -> Vec<Series> {
    let alerts = alerts(&file("docs/alerts.yml"));
    let ranges = alerts.iter().flat_map(|alert| ranges(&alert.value("expr")));
    let of_counters =
        ranges.filter(|(function, _)| ["increase", "rate", "irate"].contains(&function.as_str()));
    of_counters.map(|(_, series)| series).filter(|series| series.name.ends_with("_total")).collect()
}

/// A function that does not fit what it goes over: increases are of what only grows, `delta` is of what goes up and down, and
/// of that it tells nothing that has gone up and down again.
fn misused(alert: &Alert) -> Vec<String> {
    let is_wrong = |(function, series): &(String, Series)| {
        let grows =
            ["_total", "_bucket", "_count", "_sum"].iter().any(|ending| series.name.ends_with(ending));
        match function.as_str() {
            "increase" | "rate" | "irate" | "resets" => !grows,
            "delta" | "idelta" => true,
            "deriv" | "predict_linear" => grows,
            _ => false,
        }
    };
    let wrong = ranges(&alert.value("expr")).into_iter().filter(is_wrong);
    wrong.map(|(function, series)| format!("{}: {function} of {}", alert.name, series.name)).collect()
}

#[test]
fn every_alert_takes_increases_of_what_only_grows() {
    let all = alerts(&file("docs/alerts.yml"));
    none("a function fits its metric", &all.iter().flat_map(misused).collect::<Vec<_>>());
    assert!(counted().len() >= 5, "{:?}", counted());
    let check = |expr: &str, expected: &[&str]| {
        let alert = Alert { name: "A".to_owned(), text: format!("A\n  expr: {expr}\n") };
        assert_eq!(misused(&alert), expected, "{expr}");
    };
    check("sum(increase(chatplug_a_total{x=~\"b|c\"}[5m])) > 0", &[]);
    check("histogram_quantile(0.99, sum by (le) (rate(chatplug_a_seconds_bucket[5m]))) > 1", &[]);
    check("increase(chatplug_a[5m]) > 0", &["A: increase of chatplug_a"]);
    check("delta(chatplug_a[1h]) > 0", &["A: delta of chatplug_a"]);
    check(
        "predict_linear(chatplug_a_total[1h], 60) < 0 or rate(chatplug_b[1m]) > 1",
        &["A: predict_linear of chatplug_a_total", "A: rate of chatplug_b"],
    );
    let series = |label: &str, values: &[&str]| Series {
        name: "chatplug_a_total".to_owned(),
        label: label.to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    for (expr, expected) in [
        ("rate(chatplug_a_total[5m])", series("", &[])),
        ("rate(chatplug_a_total{x=\"b\"}[5m])", series("x", &["b"])),
        ("sum(rate(chatplug_a_total{x=~\"b|c-d\"}[5m]))", series("x", &["b", "c-d"])),
    ] {
        assert_eq!(ranges(expr), [("rate".to_owned(), expected)], "{expr}");
    }
}

#[test]
fn every_kind_of_incident_is_explained() {
    use chatplug::incident::Kind;
    let document = file("docs/operating.md");
    let row = |kind: Kind| format!("| `{}", kind.as_str());
    let missing: Vec<&str> =
        Kind::ALL.into_iter().filter(|kind| !document.contains(&row(*kind))).map(Kind::as_str).collect();
    assert!(missing.is_empty(), "docs/operating.md says nothing of {missing:?}");
}

#[test]
fn links_within_a_document_lead_to_its_sections() {
    for path in ["docs/operating.md", "docs/logging.md"] {
        let document = file(path);
        let anchors = anchors(&document);
        let links = document.split("](#").skip(1).filter_map(|rest| rest.split(')').next());
        let dangling: Vec<String> =
            links.filter(|link| !anchors.contains(*link)).map(str::to_owned).collect();
        none(path, &dangling);
    }
}

#[test]
fn an_alert_that_lacks_something_is_found() {
    let check = |text: &str, expected: Option<&str>| {
        let alert = &alerts(text)[0];
        assert_eq!(lacks(alert, "# Host\n## The disk's full, at last\n").as_deref(), expected, "{text}");
    };
    let with = |expr: &str, summary: &str, anchor: &str| {
        format!(
            "- alert: A\n  expr: {expr}\n  annotations:\n    summary: {summary}\n    runbook: docs/operating.md#{anchor}\n"
        )
    };
    let anchor = "the-disks-full-at-last";
    check(&with("chatplug_a > 1", "Full.", anchor), None);
    check(&with(">-\n    chatplug_a > 1\n    or x", "Full.", anchor), None);
    check(&with("up == 0", "Full.", anchor), Some("A: no metric of ours in its `expr`"));
    check(&with("chatplug_a > 1", "", anchor), Some("A: no summary"));
    check(
        &with("chatplug_a > 1", "Full.", "nothing"),
        Some("A: no section of docs/operating.md in its `runbook`"),
    );
}
