//! A manifest's settings schema: it comes from the plugin, before anybody has approved it, and settings are checked
//! with it on the host's own threads.

use serde_json::{Map, Value};

/// A manifest's settings schema, ready to check settings with.
#[derive(Debug)]
pub struct SettingsSchema(jsonschema::Validator);

/// Parts of a schema, references followed: checking settings may have to look at each.
const NODES_MAX: usize = 20_000;
/// References inside references.
const DEPTH_MAX: usize = 32;
/// Patterns of a schema, and what one of them may take when it is compiled, bytes.
const PATTERNS_MAX: usize = 64;
const PATTERN_BYTES_MAX: usize = 256 << 10;
/// Words by which parts of a schema get another name or another base, or lead to such. References are followed here by
/// their plain text; with these the library would follow them elsewhere.
const NAMING: [&str; 5] = ["$id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveRef"];
/// Words whose schemas look at the same value as the one around them.
const SAME_VALUE: [&str; 7] = ["allOf", "anyOf", "oneOf", "not", "if", "then", "else"];
/// The same, with a schema for each of some names.
const SAME_VALUE_BY_NAME: [&str; 2] = ["dependentSchemas", "dependencies"];
/// Words that have all that looks at the same value looked at twice: to be checked, and to say what it has seen.
const LOOKING_TWICE: [&str; 2] = ["unevaluatedProperties", "unevaluatedItems"];
/// The one language that is read. A part in another one could give itself a base for its references.
const LANGUAGE: &str = "https://json-schema.org/draft/2020-12/schema";

impl SettingsSchema {
    /// Prepares a schema. Its patterns run in linear time and take little room; one whose references multiply, lead in a
    /// circle, or are not plain is refused.
    ///
    /// # Errors
    /// A sentence for the plugin's author.
    pub fn new(schema: &Value) -> Result<SettingsSchema, String> {
        Parts { root: schema, nodes: 0, patterns: 0 }.count(schema, Followed::default())?;
        let patterns = jsonschema::PatternOptions::regex()
            .size_limit(PATTERN_BYTES_MAX)
            .dfa_size_limit(PATTERN_BYTES_MAX);
        jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .with_pattern_options(patterns)
            .build(schema)
            .map(SettingsSchema)
            .map_err(|error| format!("the settings schema is not valid: {error}"))
    }

    /// Checks settings.
    ///
    /// # Errors
    /// What is wrong with them, and where.
    pub fn check(&self, settings: &Value) -> Result<(), String> {
        match self.0.iter_errors(settings).next() {
            None => Ok(()),
            Some(error) => {
                let at = error.instance_path().to_string();
                let place = if at.is_empty() { String::new() } else { format!(" at {at}") };
                Err(format!("do not fit the plugin{place}: {error}"))
            }
        }
    }
}

/// References that were followed on the way to a part: in all, and since the settings were last gone into.
#[derive(Clone, Copy, Default)]
struct Followed {
    in_all: usize,
    at_one_value: usize,
}

/// Counts the parts of a schema as a check of settings would meet them.
struct Parts<'a> {
    root: &'a Value,
    nodes: usize,
    patterns: usize,
}

impl<'a> Parts<'a> {
    fn count(&mut self, schema: &'a Value, followed: Followed) -> Result<(), String> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(format!(
                "the settings schema is too large: with its references followed it has more than {NODES_MAX} parts"
            ));
        }
        match schema {
            Value::Array(items) => items.iter().try_for_each(|item| self.count(item, followed)),
            Value::Object(fields) => self.count_object(fields, followed),
            _ => Ok(()),
        }
    }

    fn count_object(&mut self, fields: &'a Map<String, Value>, followed: Followed) -> Result<(), String> {
        if let Some(word) = NAMING.into_iter().find(|word| fields.get(*word).is_some_and(Value::is_string)) {
            return Err(format!(
                "the settings schema has a `{word}`: name its parts under `$defs`, and refer to them as `#/$defs/NAME`"
            ));
        }
        self.check_language(fields)?;
        self.count_patterns(fields)?;
        let is_twice = LOOKING_TWICE.iter().any(|word| fields.contains_key(*word));
        for _ in 0..=usize::from(is_twice) {
            self.count_at_same_value(fields, followed)?;
        }
        let others = fields.iter().filter(|(word, _)| !is_at_same_value(word));
        let inside = Followed { at_one_value: 0, ..followed };
        others.map(|(_, field)| field).try_for_each(|field| self.count(field, inside))
    }

    fn count_at_same_value(
        &mut self,
        fields: &'a Map<String, Value>,
        followed: Followed,
    ) -> Result<(), String> {
        if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
            self.follow(reference, followed)?;
        }
        for word in SAME_VALUE {
            fields.get(word).map_or(Ok(()), |field| self.count(field, followed))?;
        }
        for word in SAME_VALUE_BY_NAME {
            let by_name = fields.get(word).and_then(Value::as_object).into_iter().flatten();
            by_name.map(|(_, field)| field).try_for_each(|field| self.count(field, followed))?;
        }
        Ok(())
    }

    fn check_language(&self, fields: &Map<String, Value>) -> Result<(), String> {
        let Some(language) = fields.get("$schema").and_then(Value::as_str) else { return Ok(()) };
        let is_root = self.root.as_object().is_some_and(|root| std::ptr::eq(root, fields));
        if is_root && language.trim_end_matches('#') == LANGUAGE {
            return Ok(());
        }
        Err(format!(
            "the settings schema has the `$schema` `{}`: it may have one at its top, which is {LANGUAGE}",
            language.escape_debug()
        ))
    }

    fn follow(&mut self, reference: &str, followed: Followed) -> Result<(), String> {
        let pointer = reference.strip_prefix('#').filter(|pointer| is_plain(pointer));
        let target = pointer.and_then(|pointer| self.root.pointer(pointer)).ok_or_else(|| {
            format!(
                "the settings schema refers to `{}`, where nothing is or which is not plain: refer to `#/$defs/NAME`, \
                 with a name of letters, digits, `_`, `-` and `.`",
                reference.escape_debug()
            )
        })?;
        if followed.at_one_value >= DEPTH_MAX {
            return Err(format!(
                "the settings schema refers to itself in a circle, or {DEPTH_MAX} deep, by `{reference}`, without going \
                 into the settings"
            ));
        }
        // One that refers to itself from inside ends here; checking ends with the settings then.
        if followed.in_all >= DEPTH_MAX {
            return Ok(());
        }
        self.count(target, Followed { in_all: followed.in_all + 1, at_one_value: followed.at_one_value + 1 })
    }

    fn count_patterns(&mut self, fields: &Map<String, Value>) -> Result<(), String> {
        let own = usize::from(fields.get("pattern").is_some_and(Value::is_string));
        let of_names = fields.get("patternProperties").and_then(Value::as_object).map_or(0, Map::len);
        self.patterns += own + of_names;
        if self.patterns > PATTERNS_MAX {
            return Err(format!(
                "the settings schema has more than {PATTERNS_MAX} patterns, with its references followed"
            ));
        }
        Ok(())
    }
}

fn is_at_same_value(word: &str) -> bool {
    SAME_VALUE.contains(&word) || SAME_VALUE_BY_NAME.contains(&word)
}

/// Whether a pointer means the same to everybody: nothing in it is escaped.
fn is_plain(pointer: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/$_-.".contains(c);
    pointer.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(schema: Value) -> String {
        SettingsSchema::new(&schema).expect_err("it is refused")
    }

    /// Twenty definitions of which each refers twice to the next one, in words of the caller's.
    fn multiplying(reference: impl Fn(usize) -> Value) -> Value {
        let definition = |number: usize| {
            (format!("a{number}"), json!({"allOf": [reference(number + 1), reference(number + 1)]}))
        };
        let mut definitions: Map<String, Value> = (0..20).map(definition).collect();
        definitions.insert("a20".into(), Value::Bool(true));
        let mut schema = reference(0);
        schema["$defs"] = definitions.into();
        schema
    }

    #[test]
    fn a_schema_whose_references_multiply_is_refused() {
        let plain = multiplying(|number| json!({"$ref": format!("#/$defs/a{number}")}));
        assert!(refused(plain).contains("too large"));
        let tree = json!({"properties": {"child": {"$ref": "#"}}});
        let tree = SettingsSchema::new(&tree).expect("it goes into the settings each time");
        tree.check(&json!({"child": {"child": {}}})).expect("they fit");
    }

    #[test]
    fn references_that_are_not_plain_are_refused() {
        for reference in [
            "#/%24defs/a0",
            "#/$defs/a~01",
            "#a0",
            "#/$defs/missing",
            "other.json",
            "https://example.com/schema",
            "",
        ] {
            let said = refused(json!({"$ref": reference, "$defs": {"a0": true, "a~1": true}}));
            assert!(said.contains("refer to `#/$defs/NAME`"), "{reference}: {said}");
        }
        assert!(
            refused(multiplying(|number| json!({"$ref": format!("#/%24defs/a{number}")}))).contains("plain")
        );
        for word in NAMING {
            let said = refused(json!({"properties": {"a": {word: "b"}}}));
            assert!(said.contains(word), "{said}");
        }
        SettingsSchema::new(&json!({"properties": {"$id": {"type": "string"}}}))
            .expect("a setting of that name");
    }

    #[test]
    fn a_circle_that_never_goes_into_the_settings_is_refused() {
        for circle in [
            json!({"$ref": "#"}),
            json!({"anyOf": [{"$ref": "#"}]}),
            json!({"$ref": "#/$defs/a", "$defs": {"a": {"not": {"$ref": "#/$defs/b"}}, "b": {"$ref": "#/$defs/a"}}}),
            json!({"properties": {"x": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"if": {"$ref": "#/$defs/a"}}}}),
            json!({"dependentSchemas": {"x": {"$ref": "#"}}}),
        ] {
            assert!(refused(circle.clone()).contains("circle"), "{circle}");
        }
    }

    #[test]
    fn what_is_looked_at_twice_counts_twice() {
        let nested = |depth: usize| {
            (0..depth).fold(json!(true), |inner, _| json!({"unevaluatedProperties": true, "allOf": [inner]}))
        };
        assert!(refused(nested(40)).contains("too large"));
        SettingsSchema::new(&nested(3)).expect("it is small").check(&json!({})).expect("they fit");
    }

    #[test]
    fn no_part_is_in_another_language() {
        let older = "http://json-schema.org/draft-04/schema#";
        for schema in [
            json!({"$schema": older}),
            json!({"allOf": [{"$schema": older, "id": "http://x/y"}]}),
            json!({"properties": {"a": {"$schema": LANGUAGE}}}),
        ] {
            assert!(refused(schema).contains("`$schema`"));
        }
        SettingsSchema::new(&json!({"$schema": LANGUAGE, "type": "object"}))
            .expect("the language that is read");
    }

    #[test]
    fn patterns_are_few_and_small() {
        let one = json!({"pattern": "^[a-z]{1,64}$"});
        let many = |count: usize| json!({"allOf": vec![one.clone(); count]});
        SettingsSchema::new(&many(PATTERNS_MAX)).expect("so many are allowed");
        assert!(refused(many(PATTERNS_MAX + 1)).contains("more than 64 patterns"));
        let names: Map<String, Value> =
            (0..=PATTERNS_MAX).map(|number| (format!("^{number}"), json!(true))).collect();
        assert!(refused(json!({"patternProperties": names})).contains("more than 64 patterns"));
        let large = r"^(?:[a-z0-9à-\uffff]{900}|y7){3}$";
        assert!(refused(json!({"pattern": large})).contains("not valid"));
    }
}
