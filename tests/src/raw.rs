//! Components written by hand, for what no compiler would write.

use std::fs;
use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A plugin for `incoming_event` that does nothing, but for what is put into it: WebAssembly text.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a> {
    /// The plugin's name.
    pub name: &'a str,
    /// The contract's version.
    pub contract: &'a str,
    /// Imports, and whatever else stands in a module.
    pub fields: &'a str,
    /// Memories behind the first one, which is the one that host and plugin share.
    pub memories: &'a str,
    /// What `handle` does before it returns that all is well. `$next` is where free memory begins.
    pub handle: &'a str,
    /// What is done where the host asks for memory.
    pub realloc: &'a str,
    /// The first memory, pages of 64 KiB.
    pub pages: usize,
}

impl<'a> Raw<'a> {
    /// A plugin that does nothing.
    pub fn new(name: &'a str) -> Raw<'a> {
        Raw { name, contract: "0.1.0", fields: "", memories: "", handle: "", realloc: "", pages: 32 }
    }

    /// The component.
    pub fn component(self) -> Vec<u8> {
        let text = self.module();
        let mut module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let (resolve, world) = world(self.contract);
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
            .expect("the contract can be written");
        let mut encoder = ComponentEncoder::default();
        let encoded = encoder.validate(true).module(&module).and_then(ComponentEncoder::encode);
        encoded.unwrap_or_else(|error| panic!("{}: {error:#}", self.name))
    }

    /// Results stand at 8 (that of `describe`) and at 512 (that of `handle`: zeroes, which mean "ok"), the manifest at
    /// 1,024, and what the host writes from 65,536 on.
    fn module(self) -> String {
        let Raw { name, contract, fields, memories, handle, realloc, pages } = self;
        let manifest = format!(
            r#"{{"name":"{name}","release":"1.0.0","description":"Written by hand.","events":["incoming_event"]}}"#
        );
        let escaped = manifest.replace('"', "\\22");
        let length: String =
            (manifest.len() as u32).to_le_bytes().iter().map(|b| format!("\\{b:02x}")).collect();
        format!(
            r#"(module
                {fields}
                (memory (export "memory") {pages})
                {memories}
                (global $next (mut i32) (i32.const 65536))
                (data (i32.const 8) "\00\04\00\00{length}")
                (data (i32.const 1024) "{escaped}")
                (func (export "chatplug:plugin/plugin@{contract}#describe") (result i32) (i32.const 8))
                (func (export "chatplug:plugin/plugin@{contract}#handle") (param i32) (result i32)
                    {handle}
                    (i32.const 512))
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
                    {realloc}
                    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
                    (global.set $next (i32.add (local.get $at) (local.get 3)))
                    (local.get $at)))"#
        )
    }
}

/// A component that is a plugin by what it exports, and imports an interface of which it uses nothing.
pub fn importing(interface: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
            (import "{interface}" (instance))
            (instance $i) (export "chatplug:plugin/plugin@0.1.0" (instance $i)))"#
    );
    wat::parse_str(text).unwrap_or_else(|error| panic!("{interface}: {error}"))
}

/// The world of the contract, as if it had this version.
fn world(version: &str) -> (Resolve, wit_parser::WorldId) {
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let folder = tempfile::tempdir().expect("a folder for the contract");
    for entry in fs::read_dir(&contract).expect("the contract") {
        let path = entry.expect("a file of the contract").path();
        if path.extension().is_some_and(|extension| extension == "wit") {
            let text = fs::read_to_string(&path).expect("a file of the contract");
            let text = text.replace("chatplug:plugin@0.1.1", &format!("chatplug:plugin@{version}"));
            fs::write(folder.path().join(path.file_name().expect("a name")), text).expect("a file");
        }
    }
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(folder.path()).expect("the contract is WIT");
    let world = resolve.select_world(&[package], Some("component")).expect("a world");
    (resolve, world)
}

/// A function of about so many bytes that takes a compiler long: each of its blocks needs values of all before it.
pub fn large_function(bytes: usize) -> String {
    const LOCALS: usize = 400;
    let mut body = String::with_capacity(bytes * 12);
    for block in 0..bytes / 16 {
        let (a, b, c) = (block % LOCALS, (block * 7 + 1) % LOCALS, (block * 31 + 5) % LOCALS);
        body += &format!(
            "(if (local.get {a}) (then (local.set {b} (i32.add (local.get {c}) (local.get {b})))))\n"
        );
    }
    let locals = "i32 ".repeat(LOCALS);
    format!("(func $large (export \"large\") (local {locals}) {body})")
}
