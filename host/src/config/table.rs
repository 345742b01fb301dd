//! Tables that know which keys they were asked for: the list of known keys is the reading code itself.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::item::{Item, Source};
use crate::event::types::nearest;
use crate::manifest::is_kebab_case;

/// A table that notes which keys it was asked for.
pub(super) struct Table<'a> {
    path: String,
    span: Range<usize>,
    entries: BTreeMap<&'a str, (Range<usize>, Item<'a>)>,
    known: Vec<&'static str>,
    pub(super) source: &'a Source<'a>,
}

impl<'a> Table<'a> {
    /// The whole document.
    pub(super) fn root(table: &'a DeTable<'a>, source: &'a Source<'a>) -> Table<'a> {
        Table::new(String::new(), 0..0, table, source)
    }

    pub(super) fn new(
        path: String,
        span: Range<usize>,
        table: &'a DeTable<'a>,
        source: &'a Source<'a>,
    ) -> Table<'a> {
        let entry = |(key, value): (&'a Spanned<_>, &'a Spanned<DeValue<'a>>)| {
            let name: &'a Cow<'a, str> = key.get_ref();
            let path = join(&path, name);
            (name.as_ref(), (key.span(), Item { path, value: value.get_ref(), span: value.span(), source }))
        };
        Table { entries: table.iter().map(entry).collect(), path, span, known: Vec::new(), source }
    }

    /// Notes a problem with the table as a whole; `text` goes on after the table's name.
    pub(super) fn report(&self, text: impl AsRef<str>) {
        self.source.report(self.span.clone(), format!("[{}] {}", self.path, text.as_ref()));
    }

    /// Whether a key is there that was not taken yet.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
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

    /// A table that isn't there.
    pub(super) fn empty(&self, key: &str) -> Table<'a> {
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
