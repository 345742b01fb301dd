//! Strict reading of a call's JSON object: what is missing, of the wrong type or unknown is refused.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::refusal::Refusal;

/// One object of a body. Each field that is read counts as known; [`Fields::end`] refuses the others.
pub(super) struct Fields<'a> {
    /// `None` where the object itself is absent.
    object: Option<&'a Map<String, Value>>,
    place: String,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(object: &'a Map<String, Value>) -> Fields<'a> {
        Fields { object: Some(object), place: String::new(), known: Vec::new() }
    }

    /// A text that must be there and not be empty.
    pub(super) fn text(&mut self, name: &'static str) -> Result<&'a str, Refusal> {
        match self.optional_text(name)? {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(self.required(name)),
        }
    }

    pub(super) fn optional_text(&mut self, name: &'static str) -> Result<Option<&'a str>, Refusal> {
        self.typed(name, "a string", Value::as_str)
    }

    /// One of these words; the first if the field is absent.
    pub(super) fn word(
        &mut self,
        name: &'static str,
        words: &[&'static str],
    ) -> Result<&'static str, Refusal> {
        let Some(text) = self.optional_text(name)? else { return Ok(words[0]) };
        let known = words.iter().find(|word| **word == text);
        known.copied().ok_or_else(|| self.refuse(name, &format!("must be one of {}", words.join(", "))))
    }

    /// A boolean, false if absent.
    pub(super) fn flag(&mut self, name: &'static str) -> Result<bool, Refusal> {
        Ok(self.typed(name, "a boolean", Value::as_bool)?.unwrap_or(false))
    }

    pub(super) fn optional_flag(&mut self, name: &'static str) -> Result<Option<bool>, Refusal> {
        if self.get(name).is_some_and(Value::is_null) {
            self.known.push(name);
            return Ok(None);
        }
        self.typed(name, "a boolean", Value::as_bool)
    }

    pub(super) fn number(&mut self, name: &'static str) -> Result<Option<i64>, Refusal> {
        self.typed(name, "an integer", Value::as_i64)
    }

    pub(super) fn object(&mut self, name: &'static str) -> Result<Option<&'a Map<String, Value>>, Refusal> {
        self.typed(name, "an object", Value::as_object)
    }

    pub(super) fn required_object(&mut self, name: &'static str) -> Result<&'a Map<String, Value>, Refusal> {
        self.object(name)?.ok_or_else(|| self.required(name))
    }

    /// The fields of an object inside this one, empty if it is absent.
    pub(super) fn within(&mut self, name: &'static str) -> Result<Fields<'a>, Refusal> {
        let object = self.object(name)?;
        Ok(Fields { object, place: format!("{}{name}.", self.place), known: Vec::new() })
    }

    pub(super) fn array(&mut self, name: &'static str) -> Result<Option<&'a Vec<Value>>, Refusal> {
        self.typed(name, "an array", Value::as_array)
    }

    /// An array of integers, empty if absent.
    pub(super) fn numbers(&mut self, name: &'static str) -> Result<Vec<i64>, Refusal> {
        let items = self.array(name)?.map(Vec::as_slice).unwrap_or_default();
        let numbers: Option<Vec<i64>> = items.iter().map(Value::as_i64).collect();
        numbers.ok_or_else(|| self.refuse(name, "must hold integers"))
    }

    /// An array of texts, empty if absent.
    pub(super) fn texts(&mut self, name: &'static str) -> Result<Vec<String>, Refusal> {
        let items = self.array(name)?.map(Vec::as_slice).unwrap_or_default();
        let texts: Option<Vec<String>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
        texts.ok_or_else(|| self.refuse(name, "must hold strings"))
    }

    /// The texts of a filter such as `{"agents": {"values": [...]}}`, empty if absent.
    pub(super) fn values(&mut self, name: &'static str) -> Result<Vec<String>, Refusal> {
        let mut filter = self.within(name)?;
        let values = filter.texts("values")?;
        filter.end()?;
        Ok(values)
    }

    /// The same with integers.
    pub(super) fn number_values(&mut self, name: &'static str) -> Result<Vec<i64>, Refusal> {
        let mut filter = self.within(name)?;
        let values = filter.numbers("values")?;
        filter.end()?;
        Ok(values)
    }

    /// A time as filters want it: with six digits behind the seconds, and an offset.
    pub(super) fn time(&mut self, name: &'static str) -> Result<Option<Timestamp>, Refusal> {
        let Some(text) = self.optional_text(name)? else { return Ok(None) };
        let has_microseconds = text
            .get(19..26)
            .is_some_and(|rest| rest.starts_with('.') && rest[1..].bytes().all(|byte| byte.is_ascii_digit()));
        let has_offset = text.get(26..).is_some_and(|rest| rest.len() == 6 && rest.starts_with(['+', '-']));
        let time = text.parse().ok().filter(|_| has_microseconds && has_offset);
        time.map(Some).ok_or_else(|| self.refuse(name, "must look like YYYY-MM-DDTHH:MM:SS.ssssss+HH:MM"))
    }

    /// How many fields there are.
    pub(super) fn len(&self) -> usize {
        self.object.map_or(0, Map::len)
    }

    /// Whether the field is there at all.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Refuses fields that nobody asked for.
    pub(super) fn end(self) -> Result<(), Refusal> {
        let mut names = self.object.into_iter().flat_map(Map::keys);
        match names.find(|name| !self.known.contains(&name.as_str())) {
            Some(name) => Err(Refusal::validation(format!("unknown field `{}{name}`", self.place))),
            None => Ok(()),
        }
    }

    pub(super) fn refuse(&self, name: &str, problem: &str) -> Refusal {
        Refusal::validation(format!("`{}{name}` {problem}", self.place))
    }

    fn required(&self, name: &str) -> Refusal {
        self.refuse(name, "is required")
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.object?.get(name)
    }

    fn typed<T>(
        &mut self,
        name: &'static str,
        wanted: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        self.known.push(name);
        match self.get(name) {
            None => Ok(None),
            Some(value) => {
                let read = read(value).map(Some);
                read.ok_or_else(|| self.refuse(name, &format!("must be {wanted}")))
            }
        }
    }
}
