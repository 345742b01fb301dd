use std::collections::BTreeSet;

use super::*;
use crate::cli::doctor::{Grade, Kind};

/// Each finding as an operator reads it, in the order of [`Kind::ALL`].
const FINDINGS: &str = include_str!("tests/findings.txt");

/// What every part of the doctor finds where something is wrong.
async fn provoked() -> Vec<Finding> {
    let mut all = machine::look(None);
    all.extend(setup::tests::provoked());
    all.extend(machine::tests::provoked());
    all.extend(reach::tests::provoked().await);
    all.extend(account::tests::provoked());
    all.extend(figures::tests::provoked());
    all.extend(webhooks::tests::provoked());
    all.extend(outside::tests::provoked().await);
    all.sort_by_key(|finding| finding.kind);
    all
}

/// The findings, each under its word.
fn written(findings: &[Finding]) -> String {
    let one = |finding: &Finding| {
        let id = finding.kind.map_or("none", Kind::id);
        let Finding { what, tried, came, means, todo, .. } = finding;
        format!("[{id}]\n{what}\ntried {tried}\ncame  {came}\nmeans {means}\ndo    {todo}\n")
    };
    findings.iter().map(one).collect::<Vec<_>>().join("\n").replace("means \ndo    \n", "")
}

#[tokio::test]
async fn each_finding_is_provoked_and_its_whole_text_is_known() {
    let findings = provoked().await;
    let provoked: BTreeSet<Kind> = findings.iter().filter_map(|finding| finding.kind).collect();
    let missing: Vec<&Kind> = Kind::ALL.iter().filter(|kind| !provoked.contains(kind)).collect();
    assert!(missing.is_empty(), "no test provokes {missing:?}");
    let written = written(&findings);
    for (line, known) in written.lines().zip(FINDINGS.lines()) {
        assert_eq!(line, known, "tests/findings.txt has another text; all of it is:\n{written}");
    }
    assert_eq!(written, FINDINGS, "tests/findings.txt has more or less; all of it is:\n{written}");
}

#[tokio::test]
async fn each_finding_says_what_was_tried_what_came_what_it_means_and_what_to_do() {
    for finding in provoked().await {
        let Finding { grade, tried, came, means, todo, .. } = &finding;
        let texts: &[&String] =
            if *grade == Grade::Skipped { &[tried, came] } else { &[tried, came, means, todo] };
        assert!(texts.iter().all(|text| !text.is_empty()), "{finding:?}");
        assert_eq!(finding.kind.map(Kind::grade), Some(*grade), "{finding:?}");
    }
}
