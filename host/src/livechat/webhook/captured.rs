//! A webhook as a file for tests: its body as it came, without what proved who sent it.

use super::json::{self, Object};
use super::secrets::REMOVED;
use super::{Door, PROOFS, body};

impl Door {
    /// The body of a webhook that was [received](Door::receive), with a placeholder for each secret in it, so that the
    /// format can still be told. Values stand as they came, and so do names that come twice; only the white space
    /// between the outermost fields is ours. `None` if it can't be read: then it was not received either.
    pub fn captured(&self, body: &[u8]) -> Option<String> {
        let text = body::text(body, self.json_depth).ok()?;
        let object = Object::parse(&text).ok()?;
        let is_object = text.trim_start().starts_with('{');
        let shown = if is_object { fields_in_lines(&object) } else { format!("{}\n", text.trim()) };
        Some(self.secrets.scrub(&shown))
    }
}

fn fields_in_lines(object: &Object) -> String {
    let line = |(name, value)| {
        let value = if PROOFS.contains(&name) { REMOVED } else { value };
        format!("  {}: {value}", json::quoted(name))
    };
    let lines: Vec<String> = object.fields().map(line).collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}
