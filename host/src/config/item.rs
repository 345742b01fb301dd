//! The values of a TOML document with their places in the file, so that every problem has a line.

use std::cell::RefCell;
use std::ops::{Range, RangeInclusive};
use std::path::Path;

use secrecy::SecretString;
use toml::Spanned;
use toml::de::DeValue;

use super::problem::Problem;
use super::secret::{Given, Missing};
use super::table::Table;

/// The text that is read, what it may refer to, and the problems found so far.
pub(super) struct Source<'a> {
    text: &'a str,
    /// The config file's folder: relative paths begin here.
    pub(super) folder: &'a Path,
    /// The environment variables.
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
    /// A secret that is not in its place yet.
    given: Option<&'a Given>,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Source<'a> {
    pub(super) fn new(
        text: &'a str,
        folder: &'a Path,
        env: &'a dyn Fn(&str) -> Option<String>,
    ) -> Source<'a> {
        Source { text, folder, env, given: None, problems: RefCell::default() }
    }

    /// The same, with a secret that is not in its place yet.
    pub(super) fn with(self, given: Option<&'a Given>) -> Source<'a> {
        Source { given, ..self }
    }

    /// The secret that belongs in a place, if it was given.
    pub(super) fn given(&self, place: &Missing) -> Option<SecretString> {
        self.given.filter(|given| given.place == *place).map(|given| given.secret.clone())
    }

    /// Notes a problem with what stands at `span`.
    pub(super) fn report(&self, span: Range<usize>, text: String) {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        self.problems.borrow_mut().push(Problem {
            line: Some(before.matches('\n').count() + 1),
            column: Some(before[line_start..].chars().count() + 1),
            text,
        });
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }
}

/// A value and where it stands.
#[derive(Clone)]
pub(super) struct Item<'a> {
    /// The keys from the top of the file, `livechat.token`.
    pub(super) path: String,
    pub(super) value: &'a DeValue<'a>,
    pub(super) span: Range<usize>,
    pub(super) source: &'a Source<'a>,
}

impl<'a> Item<'a> {
    /// Notes a problem; `text` goes on after the item's path.
    pub(super) fn report(&self, text: impl AsRef<str>) {
        self.source.report(self.span.clone(), format!("`{}` {}", self.path, text.as_ref()));
    }

    /// Whether it is a text, without a problem if it is not.
    pub(super) fn is_text(&self) -> bool {
        self.value.is_str()
    }

    /// Whether it is a table, without a problem if it is not.
    pub(super) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        self.expect(self.value.as_str(), "a text in quotes")
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        self.expect(self.value.as_bool(), "true or false")
    }

    /// A whole number within `range`.
    pub(super) fn integer(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let integer = self.expect(self.value.as_integer(), "a whole number")?;
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let allowed = number.filter(|number| range.contains(number));
        if allowed.is_none() {
            self.report(format!("must be from {} to {}", range.start(), range.end()));
        }
        allowed
    }

    /// A number, with or without decimals, within `range`.
    pub(super) fn number(&self, range: RangeInclusive<f64>) -> Option<f64> {
        let number = match self.value {
            DeValue::Integer(integer) => {
                i64::from_str_radix(integer.as_str(), integer.radix()).ok().map(|n| n as f64)
            }
            DeValue::Float(float) => float.as_str().parse().ok(),
            _ => return self.expect(None, "a number"),
        };
        let allowed = number.filter(|number| range.contains(number));
        if allowed.is_none() {
            self.report(format!("must be from {} to {}", range.start(), range.end()));
        }
        allowed
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Vec<Item<'a>> {
        let items = self.expect(self.value.as_array(), "a list in brackets");
        items.into_iter().flatten().map(|item| self.at(self.path.clone(), item)).collect()
    }

    pub(super) fn table(&self) -> Option<Table<'a>> {
        let table = self.expect(self.value.as_table(), "a table")?;
        Some(Table::new(self.path.clone(), self.span.clone(), table, self.source))
    }

    fn at(&self, path: String, value: &'a Spanned<DeValue<'a>>) -> Item<'a> {
        Item { path, value: value.get_ref(), span: value.span(), source: self.source }
    }

    fn expect<T>(&self, value: Option<T>, wanted: &str) -> Option<T> {
        if value.is_none() {
            self.report(format!("must be {wanted}, not {}", kind(self.value)));
        }
        value
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
