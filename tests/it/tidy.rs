//! The rules of the house, as far as a machine can check them. Each check answers what breaks the rule, one
//! line each, and is itself tried on something that does.

pub(crate) mod alerts;
mod documents;
mod imports;
mod incidents;
mod shape;
mod source;
mod writing;

/// Fails with all that breaks a rule.
fn none(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}
