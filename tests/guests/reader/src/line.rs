//! A line that says what was read.

use std::any::type_name;
use std::fmt::Display;

/// What can be written on a line.
pub(crate) trait Shown {
    /// Adds what it holds.
    fn show(&self, line: Line) -> Line;
}

/// A line in the making.
pub(crate) struct Line(String);

impl Line {
    /// Adds a field, unless it is empty.
    pub(crate) fn with(mut self, name: &str, value: impl Display) -> Line {
        let value = value.to_string();
        if !value.is_empty() {
            self.0.push_str(&format!(" {name}={value}"));
        }
        self
    }

    /// Adds a field if it is there.
    pub(crate) fn maybe<T: Display>(self, name: &str, value: Option<T>) -> Line {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Adds a list, unless it is empty.
    pub(crate) fn list<T: Display>(self, name: &str, values: impl IntoIterator<Item = T>) -> Line {
        let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
        self.with(name, values.join(","))
    }
}

/// The name of a value's type, without its path, and what it holds.
pub(crate) fn line<T: Shown>(value: &T) -> String {
    let name = type_name::<T>().rsplit("::").next().unwrap_or_default().trim_end_matches('>');
    value.show(Line(name.to_owned())).0
}
