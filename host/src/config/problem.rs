use std::fmt;
use std::path::Path;

use serde::Serialize;

/// One thing that is wrong with a config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The line, beginning with 1; `None` if it is about the file as a whole.
    pub line: Option<usize>,
    /// The character within the line, beginning with 1.
    pub column: Option<usize>,
    /// What is wrong and what to do. Never holds a secret.
    pub text: String,
}

/// Everything that is wrong with a config, in the order of the file. One line each as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problems {
    /// The file's path, as it was given.
    pub origin: String,
    /// The problems; at least one.
    pub problems: Vec<Problem>,
}

impl Problems {
    pub(super) fn new(origin: &Path, mut problems: Vec<Problem>) -> Problems {
        problems.sort_by_key(|problem| (problem.line, problem.column));
        Problems { origin: origin.display().to_string(), problems }
    }

    pub(super) fn unreadable(origin: &Path, text: String) -> Problems {
        Problems::new(origin, vec![Problem { line: None, column: None, text }])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:", self.origin)?;
            if let (Some(line), Some(column)) = (problem.line, problem.column) {
                write!(f, "{line}:{column}:")?;
            }
            write!(f, " {}", problem.text)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
