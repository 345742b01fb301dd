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
