//! Looks into a component before it is compiled: what it is, what it wants, and how large its functions are.

use std::collections::BTreeSet;

use wasmparser::component_types::{ComponentEntityType, ComponentInstanceTypeId};
use wasmparser::{Instance, InstanceSectionReader, Parser, Payload, Validator, WasmFeatures};

use super::engine::{CORE_INSTANCES_MAX, MEMORIES_MAX, TABLES_MAX};

use crate::grant::CAPABILITIES;
use crate::limits::Loading;

const CONTRACT: &str = "chatplug:plugin/";
/// The contract's version in `wit`. Components of all of 0.1 run.
const VERSION: &str = "0.1.1";

/// Functions that need no grant.
const FREE: &[&str] = &[
    "files.publish",
    "http.send",
    "livechat.call",
    "log.write",
    "memory.claim",
    "memory.compare-and-swap",
    "memory.delete",
    "memory.get",
    "memory.increment",
    "memory.list-keys",
    "memory.set",
    "settings.get",
    "timers.cancel",
    "timers.set",
];

/// What Rust's standard library may want of WASI, without files and sockets.
const WASI: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// What a component says of itself without being run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// The host functions that it calls and that need a grant.
    pub asks: BTreeSet<String>,
    /// Whether it sends requests to connections; the manifest names which.
    pub sends_http: bool,
    /// Whether it makes calls to LiveChat by their names; the manifest says which.
    pub calls_livechat: bool,
}

/// Looks into the bytes of a file of the plugin folder.
///
/// # Errors
/// A sentence for the plugin's author that says what is wrong and what to do.
pub fn inspect(bytes: &[u8], limits: &Loading) -> Result<Inspected, String> {
    check_size(bytes.len() as u64, limits)?;
    check_kind(bytes)?;
    check_contract(bytes)?;
    check_parts(bytes, limits.function_bytes)?;
    let mut validator = Validator::new_with_features(WasmFeatures::default());
    let types =
        validator.validate_all(bytes).map_err(|error| format!("it is not a valid component: {error}"))?;
    let types = types.as_ref();
    let mut wanted = Wanted::default();
    for_each_name(bytes, |name, is_import| {
        if is_import {
            let functions = match types.component_item_for_import(name).map(|item| item.ty) {
                Some(ComponentEntityType::Instance(id)) => functions(&types, id),
                _ => Vec::new(),
            };
            wanted.import(name, &functions);
        }
    })?;
    wanted.verdict()
}

/// Whether a file is small enough to be a component.
///
/// # Errors
/// A sentence for the plugin's author.
pub fn check_size(bytes: u64, limits: &Loading) -> Result<(), String> {
    if bytes > limits.component_bytes {
        return Err(format!(
            "it has {bytes} bytes, at most {} are allowed (plugins.component_bytes): build with --release",
            limits.component_bytes
        ));
    }
    Ok(())
}

fn check_kind(bytes: &[u8]) -> Result<(), String> {
    if !bytes.starts_with(b"\0asm") {
        return Err("it is not a WebAssembly file".to_owned());
    }
    if Parser::is_core_wasm(bytes) {
        return Err("it is a core module, not a component: build with --target wasm32-wasip2".to_owned());
    }
    if !Parser::is_component(bytes) {
        return Err(
            "it is a WebAssembly file of an unknown kind: build with --target wasm32-wasip2".to_owned()
        );
    }
    Ok(())
}

/// Whether it is a plugin of this contract. Asked before anything else is: what was built for another one may use
/// what this host's engine doesn't know.
fn check_contract(bytes: &[u8]) -> Result<(), String> {
    let (mut other, mut is_plugin, mut exports) = (None, false, Vec::new());
    for_each_name(bytes, |name, is_import| {
        if name.starts_with(CONTRACT) && interface(name).is_none() {
            other = Some(name.to_owned());
        }
        if !is_import {
            is_plugin |= interface(name) == Some("plugin");
            exports.push(name.escape_debug().to_string());
        }
    })?;
    if let Some(name) = other {
        return Err(format!(
            "it was built for `{}`, this host offers chatplug:plugin@{VERSION} and takes all of 0.1: build it with \
             chatplug-sdk 0.1, or update the host",
            name.escape_debug()
        ));
    }
    if !is_plugin {
        let exports = if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") };
        return Err(format!(
            "it exports {exports}, and not `chatplug:plugin/plugin@{VERSION}`: write \
             `chatplug_sdk::plugin!(YourPlugin)` in lib.rs"
        ));
    }
    Ok(())
}

/// Whether its parts are such that the host can hold and compile it.
fn check_parts(bytes: &[u8], bytes_max: usize) -> Result<(), String> {
    let (mut memories, mut tables, mut instances) = (0, 0, 0);
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| format!("it is not a whole component: {error}"))?;
        match &payload {
            Payload::MemorySection(section) => memories += section.count(),
            Payload::TableSection(section) => tables += section.count(),
            Payload::InstanceSection(section) => instances += made_of_modules(section)?,
            _ => {}
        }
        if let Payload::CodeSectionEntry(body) = payload
            && body.range().len() > bytes_max
        {
            return Err(format!(
                "one of its functions has {} bytes of code, at most {bytes_max} are allowed (plugins.function_bytes): \
                 split it",
                body.range().len()
            ));
        }
    }
    let parts = [
        ("linear memories", memories, MEMORIES_MAX),
        ("tables", tables, TABLES_MAX),
        ("module instances", instances, CORE_INSTANCES_MAX),
    ];
    match parts.into_iter().find(|(_, count, max)| count > max) {
        Some((what, count, max)) => Err(format!("it has {count} {what}, at most {max} are allowed")),
        None => Ok(()),
    }
}

/// How many of a section's instances are instances of modules; the others only give names to what there is.
fn made_of_modules(section: &InstanceSectionReader<'_>) -> Result<u32, String> {
    let mut count = 0;
    for instance in section.clone() {
        let instance = instance.map_err(|error| format!("it is not a valid component: {error}"))?;
        count += u32::from(matches!(instance, Instance::Instantiate { .. }));
    }
    Ok(count)
}

/// Calls `each` with the imports (true) and exports (false) of the outermost component.
fn for_each_name(bytes: &[u8], mut each: impl FnMut(&str, bool)) -> Result<(), String> {
    let invalid = |error| format!("it is not a valid component: {error}");
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(invalid)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) if depth > 0 => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    each(import.map_err(invalid)?.name.name, true);
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    each(export.map_err(invalid)?.name.name, false);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn functions(types: &wasmparser::types::TypesRef<'_>, id: ComponentInstanceTypeId) -> Vec<String> {
    let exports = types[id].exports.iter();
    exports
        .filter(|(_, item)| matches!(item.ty, ComponentEntityType::Func(_)))
        .map(|(name, _)| name.clone())
        .collect()
}

/// The interface of the contract that a name means, whatever its 0.1 version.
fn interface(name: &str) -> Option<&str> {
    let (interface, version) = name.strip_prefix(CONTRACT)?.split_once('@')?;
    version.starts_with("0.1.").then_some(interface)
}

/// Collects what a component wants.
#[derive(Default)]
struct Wanted {
    asks: BTreeSet<String>,
    sends_http: bool,
    calls_livechat: bool,
    missing: BTreeSet<String>,
    /// The newest contract that it imports something of which this host hasn't.
    newer: Option<String>,
}

impl Wanted {
    fn import(&mut self, name: &str, functions: &[String]) {
        if let Some(interface) = interface(name) {
            let before = self.missing.len();
            for function in functions {
                self.call(&format!("{interface}.{function}"));
            }
            if self.missing.len() > before {
                self.newer = name.split_once('@').map(|(_, version)| version.to_owned());
            }
        } else {
            let (bare, version) = name.split_once('@').unwrap_or((name, ""));
            if !WASI.contains(&bare) || !version.starts_with("0.2.") {
                self.missing.insert(name.to_owned());
            }
        }
    }

    fn call(&mut self, function: &str) {
        if CAPABILITIES.contains(&function) {
            self.asks.insert(function.to_owned());
        } else if function == "http.send" {
            self.sends_http = true;
        } else if function == "livechat.call" {
            self.calls_livechat = true;
        } else if !FREE.contains(&function) {
            self.missing.insert(function.to_owned());
        }
    }

    fn verdict(self) -> Result<Inspected, String> {
        if !self.missing.is_empty() {
            let list: Vec<&str> = self.missing.iter().map(String::as_str).collect();
            let hint = match self.newer {
                Some(version) if version != VERSION => format!(
                    "; it was built for chatplug:plugin@{version}, this host has {VERSION}: update the host, or build it \
                     with an older chatplug-sdk"
                ),
                _ => String::new(),
            };
            return Err(format!("it wants what this host does not offer: {}{hint}", list.join(", ")));
        }
        let Wanted { asks, sends_http, calls_livechat, .. } = self;
        Ok(Inspected { asks, sends_http, calls_livechat })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_contract() {
        let contract = include_str!("../../../wit/world.wit");
        assert!(contract.contains(&format!("package chatplug:plugin@{VERSION};")), "{contract}");
    }

    #[test]
    fn all_of_0_1_is_this_contract() {
        for (name, expected) in [
            ("chatplug:plugin/plugin@0.1.0", Some("plugin")),
            ("chatplug:plugin/memory@0.1.17", Some("memory")),
            ("chatplug:plugin/memory@0.2.0", None),
            ("chatplug:plugin/memory@0.10.0", None),
            ("chatplug:plugin/memory@1.1.0", None),
            ("chatplug:plugin/memory", None),
            ("chatplug:plugins/memory@0.1.0", None),
        ] {
            assert_eq!(interface(name), expected, "{name}");
        }
    }
}
