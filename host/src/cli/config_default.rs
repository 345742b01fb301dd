//! `chatplug config default`

use std::io::{self, Write};

use serde_json::json;

use super::text;
use crate::config;

/// Prints the commented default config; as JSON, an object with the text as `config`.
///
/// # Errors
/// Those of the output.
pub fn run(json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        return text::json(out, &json!({ "config": config::DEFAULT }));
    }
    out.write_all(config::DEFAULT.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_hold_the_file_byte_by_byte() {
        let mut plain = Vec::new();
        run(false, &mut plain).unwrap();
        assert_eq!(plain, config::DEFAULT.as_bytes());
        let mut document = Vec::new();
        run(true, &mut document).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&document).unwrap();
        assert_eq!(value["config"], config::DEFAULT);
    }
}
