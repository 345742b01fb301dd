//! `chatplug doctor`: the arguments, and what is printed.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use super::text;
use crate::livechat::registrations::webhook_url;

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
    /// Worth a look.
    Warning,
    /// Something does not work because of it.
    Problem,
}

/// What was found of one matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
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
        Finding { grade: Grade::Ok, what, tried, came, means: String::new(), todo: String::new() }
    }

    /// The same with a grade, and with what it means and what to do.
    pub fn but(self, grade: Grade, means: impl Into<String>, todo: impl Into<String>) -> Finding {
        Finding { grade, means: means.into(), todo: todo.into(), ..self }
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
    for Finding { grade, what, tried, came, means, todo } in findings {
        let (tried, came) = (text::escape(tried), text::escape(came));
        match grade {
            Grade::Ok => writeln!(out, "ok       {what}: {tried}: {came}")?,
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
                Grade::Problem,
                "it is wrong",
                "set it",
            ),
        ];
        let mut out = Vec::new();
        assert!(!print(&findings, false, &mut out).unwrap());
        let expected = "ok       disk: a sync: 3 ms\nproblem  clock\n         tried  Date of LiveChat\n         \
                        came   2 h\\u{1b} later\n         means  it is wrong\n         do     set it\n\
                        1 problems, 0 warnings.\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert!(print(&findings[..1], true, &mut Vec::new()).unwrap());
    }
}
