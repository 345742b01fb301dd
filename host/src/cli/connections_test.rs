//! `chatplug connections test NAME`

use std::io::{self, Write};

use super::text;
use crate::connections::Trial;

/// Prints what came of testing a connection.
///
/// # Errors
/// Those of the output.
pub fn run(trial: &Trial, json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        return text::json(out, trial);
    }
    writeln!(out, "{} {}", trial.connection, if trial.works { "works" } else { "does not work" })?;
    let lines = [
        ("tried", Some(&trial.tried)),
        ("answer", Some(&trial.answer)),
        ("meaning", Some(&trial.meaning)),
        ("advice", trial.advice.as_ref()),
    ];
    for (name, line) in lines {
        if let Some(line) = line {
            writeln!(out, "  {name:<8} {}", text::escape(line))?;
        }
    }
    Ok(())
}
