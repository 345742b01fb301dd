//! A TOML document as items that know their place in the file, so that every problem has a line, and tables
//! that know which keys were asked for, so that the list of known keys is the reading code itself.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problem;
use crate::event::types::nearest;
use crate::manifest::is_kebab_case;

/// The text that is read, what it may refer to, and the problems found so far.
pub(super) struct Source<'a> {
    text: &'a str,
    /// The config file's folder: relative paths begin here.
    pub(super) folder: &'a Path,
    /// The environment variables.
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Source<'a> {
    pub(super) fn new(
        text: &'a str,
        folder: &'a Path,
        env: &'a dyn Fn(&str) -> Option<String>,
    ) -> Source<'a> {
        Source { text, folder, env, problems: RefCell::default() }
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
    value: &'a DeValue<'a>,
    span: Range<usize>,
    source: &'a Source<'a>,
}

impl<'a> Item<'a> {
    /// Notes a problem; `text` goes on after the item's path.
    pub(super) fn report(&self, text: impl AsRef<str>) {
        self.source.report(self.span.clone(), format!("`{}` {}", self.path, text.as_ref()));
    }

    pub(super) fn source(&self) -> &'a Source<'a> {
        self.source
    }

    pub(super) fn value(&self) -> &'a DeValue<'a> {
        self.value
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

/// A table that notes which keys it was asked for.
pub(super) struct Table<'a> {
    path: String,
    span: Range<usize>,
    entries: BTreeMap<&'a str, (Range<usize>, Item<'a>)>,
    known: Vec<&'static str>,
    source: &'a Source<'a>,
}

impl<'a> Table<'a> {
    /// The whole document.
    pub(super) fn root(table: &'a DeTable<'a>, source: &'a Source<'a>) -> Table<'a> {
        Table::new(String::new(), 0..0, table, source)
    }

    fn new(path: String, span: Range<usize>, table: &'a DeTable<'a>, source: &'a Source<'a>) -> Table<'a> {
        let entry = |(key, value): (&'a Spanned<_>, &'a Spanned<DeValue<'a>>)| {
            let name: &'a std::borrow::Cow<'a, str> = key.get_ref();
            let path = join(&path, name);
            (name.as_ref(), (key.span(), Item { path, value: value.get_ref(), span: value.span(), source }))
        };
        Table { entries: table.iter().map(entry).collect(), path, span, known: Vec::new(), source }
    }

    pub(super) fn source(&self) -> &'a Source<'a> {
        self.source
    }

    /// Notes a problem with the table as a whole; `text` goes on after the table's name.
    pub(super) fn report(&self, text: impl AsRef<str>) {
        self.source.report(self.span.clone(), format!("[{}] {}", self.path, text.as_ref()));
    }

    /// The value of a key; from now on the key is a known one.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Item<'a>> {
        self.known.push(key);
        self.entries.remove(key).map(|(_, item)| item)
    }

    /// Reads the table behind `key` (an empty one if it is absent) and refuses the keys in it that `read`
    /// did not ask for.
    pub(super) fn section<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Table<'a>) -> T) -> T {
        let item = self.take(key);
        let mut table = item.and_then(|item| item.table()).unwrap_or_else(|| self.empty(key));
        let value = read(&mut table);
        table.finish();
        value
    }

    /// Reads the tables whose names an operator chooses, `[key.NAME]`, ordered by name.
    pub(super) fn named<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&str, &mut Table<'a>) -> T,
    ) -> Vec<(String, T)> {
        let group = self.take(key).and_then(|item| item.table());
        let entries = group.map(|table| table.entries).unwrap_or_default();
        let each = |(name, (key_span, item)): (&str, (Range<usize>, Item<'a>))| {
            if !is_kebab_case(name) {
                let text = "is not a name in kebab-case (lower-case letters, digits and single hyphens)";
                self.source.report(key_span.clone(), format!("`{}` {text}: rename it", item.path));
            }
            let mut table = item.table()?;
            table.span = key_span;
            let value = read(name, &mut table);
            table.finish();
            Some((name.to_owned(), value))
        };
        entries.into_iter().filter_map(each).collect()
    }

    /// All keys with their values, for a table of any shape.
    pub(super) fn into_entries(self) -> impl Iterator<Item = (&'a str, Item<'a>)> {
        self.entries.into_iter().map(|(key, (_, item))| (key, item))
    }

    /// Refuses the keys that nobody asked for.
    pub(super) fn finish(self) {
        let place =
            if self.path.is_empty() { "at the top".to_owned() } else { format!("in [{}]", self.path) };
        for (key, (span, _)) in self.entries {
            let hint = match nearest(key, self.known.iter().copied()) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("known here: {}", self.known.join(", ")),
            };
            self.source.report(span, format!("unknown key `{}` {place}; {hint}", key.escape_debug()));
        }
    }

    fn empty(&self, key: &str) -> Table<'a> {
        Table {
            path: join(&self.path, key),
            span: self.span.clone(),
            entries: BTreeMap::new(),
            known: Vec::new(),
            source: self.source,
        }
    }
}

fn join(path: &str, key: &str) -> String {
    let key = key.escape_debug();
    if path.is_empty() { key.to_string() } else { format!("{path}.{key}") }
}
