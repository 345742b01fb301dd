//! `chatplug doctor`: the arguments, and what is printed.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use super::text;
use crate::livechat::registrations::webhook_url;

mod kind;

pub use kind::Kind;

/// The arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Where LiveChat reaches the host; an address without a path gets the host's own path
    #[arg(long, value_name = "URL", value_parser = webhook_url)]
    pub url: Option<String>,
}

/// How a matter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// Well.
    Ok,
    /// It was not looked at.
    Skipped,
    /// Worth a look.
    Warning,
    /// Something does not work because of it.
    Problem,
}

/// What was found of one matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What is not well, for scripts; `None` where all is.
    #[serde(rename = "id")]
    pub kind: Option<Kind>,
    /// How it stands.
    pub grade: Grade,
    /// What was looked at.
    pub what: &'static str,
    /// What was tried.
    pub tried: String,
    /// What came back.
    pub came: String,
    /// What that means; empty where it is plain.
    pub means: String,
    /// What to do; empty where nothing is.
    pub todo: String,
}

impl Finding {
    /// All is well.
    pub fn ok(what: &'static str, tried: impl Into<String>, came: impl Into<String>) -> Finding {
        let (tried, came) = (tried.into(), came.into());
        Finding { kind: None, grade: Grade::Ok, what, tried, came, means: String::new(), todo: String::new() }
    }

    /// Nobody looked, and why.
    pub fn skipped(what: &'static str, why: impl Into<String>) -> Finding {
        let kind = Kind::NotLookedAt;
        Finding { kind: Some(kind), grade: kind.grade(), ..Finding::ok(what, "not looked at", why) }
    }

    /// The same, but not well: what of all that can be found it is, what it means and what to do.
    pub fn but(self, kind: Kind, means: impl Into<String>, todo: impl Into<String>) -> Finding {
        Finding { kind: Some(kind), grade: kind.grade(), means: means.into(), todo: todo.into(), ..self }
    }
}

/// Prints the findings; false if there is a problem among them.
///
/// # Errors
/// Those of the output.
pub fn print(findings: &[Finding], json: bool, out: &mut dyn Write) -> io::Result<bool> {
    let count = |grade| findings.iter().filter(|finding| finding.grade == grade).count();
    let (problems, warnings) = (count(Grade::Problem), count(Grade::Warning));
    if json {
        text::json(out, &findings)?;
        return Ok(problems == 0);
    }
    for Finding { grade, what, tried, came, means, todo, .. } in findings {
        let (tried, came) = (text::escape(tried), text::escape(came));
        match grade {
            Grade::Ok => writeln!(out, "ok       {what}: {tried}: {came}")?,
            Grade::Skipped => writeln!(out, "skipped  {what}: {tried}: {came}")?,
            Grade::Warning | Grade::Problem => {
                let word = if *grade == Grade::Problem { "problem" } else { "warning" };
                writeln!(out, "{word:8} {what}")?;
                for (name, line) in [("tried", &tried), ("came", &came), ("means", means), ("do", todo)] {
                    if !line.is_empty() {
                        writeln!(out, "         {name:6} {}", text::escape(line))?;
                    }
                }
            }
        }
    }
    writeln!(out, "{problems} problems, {warnings} warnings.")?;
    Ok(problems == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_well_takes_a_line_and_what_is_not_says_what_to_do() {
        let findings = [
            Finding::ok("disk", "a sync", "3 ms"),
            Finding::ok("clock", "Date of LiveChat", "2 h\u{1b} later").but(
                Kind::ClockOff,
                "it is wrong",
                "set it",
            ),
            Finding::skipped("webhooks", "there are none"),
        ];
        let mut out = Vec::new();
        assert!(!print(&findings, false, &mut out).unwrap());
        let expected = "ok       disk: a sync: 3 ms\nproblem  clock\n         tried  Date of LiveChat\n         \
                        came   2 h\\u{1b} later\n         means  it is wrong\n         do     set it\n\
                        skipped  webhooks: not looked at: there are none\n1 problems, 0 warnings.\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        let mut out = Vec::new();
        assert!(print(&[findings[0].clone(), findings[2].clone()], true, &mut out).unwrap());
        let said: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert!(said[0]["id"].is_null(), "{said}");
        assert_eq!(said[1]["id"].as_str(), Some("not-looked-at"), "{said}");
    }

    #[test]
    fn each_kind_has_a_word_of_its_own() {
        let mut ids: Vec<&str> = Kind::ALL.iter().map(|kind| kind.id()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), Kind::ALL.len());
        assert!(Kind::ALL.iter().all(|kind| kind.grade() != Grade::Ok));
    }
}
