//! Looks into a component before it is compiled: what it is, what it wants, and how large its functions are.

use std::collections::BTreeSet;

use wasmparser::component_types::{ComponentEntityType, ComponentInstanceTypeId};
use wasmparser::{Parser, Payload, Validator, WasmFeatures};

use crate::grant::CAPABILITIES;
use crate::limits::Loading;

const CONTRACT: &str = "chatplug:plugin/";

/// Functions that need no grant.
const FREE: &[&str] = &[
    "http.send",
    "log.write",
    "memory.claim",
    "memory.compare-and-swap",
    "memory.delete",
    "memory.get",
    "memory.increment",
    "memory.list-keys",
    "memory.set",
    "settings.get",
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
}

/// Looks into the bytes of a file of the plugin folder.
///
/// # Errors
/// A sentence for the plugin's author that says what is wrong and what to do.
pub fn inspect(bytes: &[u8], limits: &Loading) -> Result<Inspected, String> {
    check_size(bytes.len() as u64, limits)?;
    check_kind(bytes)?;
    check_functions(bytes, limits.function_bytes)?;
    let mut validator = Validator::new_with_features(WasmFeatures::default());
    let types =
        validator.validate_all(bytes).map_err(|error| format!("it is not a valid component: {error}"))?;
    let types = types.as_ref();
    let mut wanted = Wanted::default();
    let mut is_plugin = false;
    for_each_name(bytes, |name, is_import| {
        if is_import {
            let functions = match types.component_item_for_import(name).map(|item| item.ty) {
                Some(ComponentEntityType::Instance(id)) => functions(&types, id),
                _ => Vec::new(),
            };
            wanted.import(name, &functions);
        } else if interface(name) == Some("plugin") {
            is_plugin = true;
        }
    })?;
    wanted.verdict(is_plugin)
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

fn check_functions(bytes: &[u8], bytes_max: usize) -> Result<(), String> {
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| format!("it is not a whole component: {error}"))?;
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
    Ok(())
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
    missing: BTreeSet<String>,
    other_contract: Option<String>,
}

impl Wanted {
    fn import(&mut self, name: &str, functions: &[String]) {
        if let Some(interface) = interface(name) {
            for function in functions {
                self.call(&format!("{interface}.{function}"));
            }
        } else if name.starts_with(CONTRACT) {
            self.other_contract = Some(name.to_owned());
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
        } else if !FREE.contains(&function) {
            self.missing.insert(function.to_owned());
        }
    }

    fn verdict(self, is_plugin: bool) -> Result<Inspected, String> {
        if let Some(name) = self.other_contract {
            return Err(format!(
                "it was built for `{name}`, this host offers 0.1: build it with a chatplug-sdk 0.1, or update the host"
            ));
        }
        if !self.missing.is_empty() {
            let list: Vec<&str> = self.missing.iter().map(String::as_str).collect();
            return Err(format!("it wants what this host does not offer: {}", list.join(", ")));
        }
        if !is_plugin {
            return Err(
                "it does not export `chatplug:plugin/plugin`: write `chatplug_sdk::plugin!(YourPlugin)` in lib.rs"
                    .to_owned(),
            );
        }
        Ok(Inspected { asks: self.asks, sends_http: self.sends_http })
    }
}
