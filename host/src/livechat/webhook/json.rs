//! Reading JSON that others wrote: as little as needed, without copying, and without minding what is odd.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::Reason;

/// The longest id that is one.
const LONGEST_ID: usize = 255;

/// The fields of a JSON object in the order of the text, their values unread. Of equal names the last counts.
#[derive(Debug, Default)]
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// The fields of a body. A body of another JSON type has none.
    pub(super) fn parse(text: &'a str) -> Result<Object<'a>, Reason> {
        let not_json = |error: serde_json::Error| Reason::NotJson(error.to_string());
        match serde_json::from_str(text) {
            Ok(object) => Ok(object),
            Err(error) if error.classify() == Category::Data => match serde_json::from_str(text) {
                Ok(IgnoredAny) => Ok(Object::default()),
                Err(error) => Err(not_json(error)),
            },
            Err(error) => Err(not_json(error)),
        }
    }

    /// The fields of a value; none if it is no object.
    pub(super) fn read(text: &'a str) -> Object<'a> {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// The JSON text of a field.
    pub(super) fn raw(&self, name: &str) -> Option<&'a str> {
        self.0.iter().rev().find(|(field, _)| field == name).map(|(_, value)| value.get())
    }

    /// The fields of a field that is an object; else none.
    pub(super) fn object(&self, name: &str) -> Object<'a> {
        self.raw(name).map(Object::read).unwrap_or_default()
    }

    /// The elements of a field that is an array; else none.
    pub(super) fn array(&self, name: &str) -> Vec<&'a RawValue> {
        self.raw(name).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// A field that is text.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        string(self.raw(name)?)
    }

    /// A field that names something: short text without spaces, or a whole number.
    pub(super) fn id(&self, name: &str) -> Option<Cow<'a, str>> {
        let raw = self.raw(name)?;
        let id = string(raw).or_else(|| raw.parse::<i64>().is_ok().then_some(Cow::Borrowed(raw)))?;
        let odd = |c: char| c.is_whitespace() || c.is_control();
        (!id.is_empty() && id.len() <= LONGEST_ID && !id.contains(odd)).then_some(id)
    }

    /// Removes all fields of a name.
    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|(field, _)| field != name);
    }

    /// Names and JSON texts, in the order of the text, with repetitions.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.get()))
    }

    /// The object as compact JSON text, each name once.
    pub(super) fn to_json(&self) -> String {
        to_json(self.fields())
    }
}

/// A JSON object of names and JSON texts; of equal names the last counts.
pub(super) fn to_json<'t>(fields: impl Iterator<Item = (&'t str, &'t str)>) -> String {
    let mut text = String::with_capacity(256);
    text.push('{');
    for (name, value) in fields.collect::<BTreeMap<_, _>>() {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&quoted(name));
        text.push(':');
        text.push_str(&compact(value));
    }
    text.push('}');
    text
}

/// A JSON string literal.
pub(super) fn quoted(text: &str) -> String {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return format!("\"{text}\"");
    }
    serde_json::Value::from(text).to_string()
}

/// The text that a JSON string literal stands for.
pub(super) fn string(literal: &str) -> Option<Cow<'_, str>> {
    match literal.strip_prefix('"')?.strip_suffix('"')? {
        plain if !plain.contains('\\') => Some(Cow::Borrowed(plain)),
        _ => serde_json::from_str(literal).ok().map(Cow::Owned),
    }
}

/// JSON text without white space between its parts.
pub(super) fn compact(text: &str) -> Cow<'_, str> {
    // Inside of strings a line break is escaped.
    if !text.contains('\n') {
        return Cow::Borrowed(text);
    }
    let mut compact = String::with_capacity(text.len());
    let mut rest = 0;
    for literal in literals(text) {
        compact.extend(text[rest..literal.start].split_ascii_whitespace());
        rest = literal.end;
        compact.push_str(&text[literal]);
    }
    compact.extend(text[rest..].split_ascii_whitespace());
    Cow::Owned(compact)
}

/// Where the string literals of JSON text are, quotes included.
pub(super) fn literals(text: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + bytes.get(at..)?.iter().position(|byte| *byte == b'"')?;
        let mut end = start + 1;
        while *bytes.get(end)? != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        at = end + 1;
        Some(start..at)
    })
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut fields = Vec::with_capacity(8);
                while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    fields.push((name, value));
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_whatever_they_are() {
        let object = Object::read(r#"{"a":1,"b":"x y","c":[1,{}],"a":"id","d":{"e":null},"n":19,"f":1.5}"#);
        assert_eq!(object.id("a").as_deref(), Some("id"));
        assert_eq!(object.id("b"), None);
        assert_eq!(object.id("n").as_deref(), Some("19"));
        assert_eq!(object.id("f"), None);
        assert_eq!(object.text("b").as_deref(), Some("x y"));
        assert_eq!(object.array("c").len(), 2);
        assert_eq!(object.object("c").raw("e"), None);
        assert_eq!(object.object("d").raw("e"), Some("null"));
        assert_eq!(object.to_json(), r#"{"a":"id","b":"x y","c":[1,{}],"d":{"e":null},"f":1.5,"n":19}"#);
        assert!(Object::read("[1]").raw("a").is_none());
    }

    #[test]
    fn only_short_clean_text_is_an_id() {
        for bad in [r#""""#, r#"" ""#, r#""a\u0000""#, r#"{"id":1}"#, &format!("\"{}\"", "x".repeat(256))] {
            let text = format!("{{\"id\":{bad}}}");
            assert_eq!(Object::read(&text).id("id"), None, "{bad}");
        }
    }

    #[test]
    fn white_space_goes_but_not_from_strings() {
        let text = "{\n  \"a b\": [1,\t2],\r\n  \"c\\\" d\": \" x \"\n}";
        assert_eq!(compact(text), r#"{"a b":[1,2],"c\" d":" x "}"#);
        assert_eq!(compact(r#"{"a": 1}"#), r#"{"a": 1}"#);
    }
}
