//! A component that takes a minute and gigabytes to compile, in a host that lets it through to the compiler and goes on
//! with its events meanwhile.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use chatplug_tests::raw::{Raw, large_function};
use chatplug_tests::{Host, deliveries, guest};
use serde_json::Value;

use super::say;

/// The config of a host that has a plugin, with limits on compiling.
fn config(limits: &str) -> String {
    format!("[plugins]\n{limits}\n[plugin.recorder]\nevents = [\"incoming_event\"]\n")
}

/// The niceness of each thread of the host's children: there is none but the compiler.
fn niceness(host: &Host) -> BTreeSet<String> {
    let host = host.pid().to_string();
    // Behind the name, which may hold anything, the second field is the parent, and the 17th the niceness.
    let field = |folder: &Path, number: usize| -> Option<String> {
        let stat = fs::read_to_string(folder.join("stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(number - 1).map(str::to_owned)
    };
    let children = entries(Path::new("/proc")).filter(|child| field(child, 2).as_ref() == Some(&host));
    let threads = children.flat_map(|child| entries(&child.join("task")));
    threads.filter_map(|thread| field(&thread, 17)).collect()
}

/// What is in a folder; nothing if it is gone.
fn entries(path: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path())
}

#[tokio::test]
async fn one_large_function_is_stopped_at_the_compilers_limits_and_the_host_goes_on() {
    let host = Host::start(&config("function_bytes = 67108864\ncompile_s = 3"), &[guest("guest_recorder")]);
    host.wait_for_plugin("recorder", "active");
    let large = large_function(2 << 20);
    let component = Raw { fields: &large, ..Raw::new("large-function") }.component();
    fs::write(host.plugins().join("large.wasm"), component).expect("a file");
    let rejected = |reason: &str| {
        let is_so = |reason: &str| {
            let status = host.plugin("large.wasm")?;
            let said = status["reason"].as_str().unwrap_or_default();
            (status["state"] == "rejected" && said.contains(reason)).then_some(())
        };
        host.wait_for(&format!("large.wasm to be rejected for {reason}"), || is_so(reason));
    };
    let is_compiling = || host.plugin("large.wasm").is_some_and(|status| status["state"] == "compiling");
    host.wait_for("the compiler to have it", || is_compiling().then_some(()));
    let nice = BTreeSet::from(["5".to_owned()]);
    host.wait_for("the compiler to give way to events", || (niceness(&host) == nice).then_some(()));
    for number in 1..=20 {
        say(&host, &format!("C{number}"), "hello").await;
        host.wait_until_done(number);
    }
    host.set_config(&config("function_bytes = 4096"));
    rejected("at most 4096 are allowed (plugins.function_bytes)");
    // Each change has the file looked at again.
    host.set_config(&config("function_bytes = 67108864\ncompile_s = 1"));
    rejected("more than 1 s of CPU time (plugins.compile_s)");
    host.set_config(&config("function_bytes = 67108864\ncompile_s = 600\ncompile_memory_bytes = 268435456"));
    rejected("more than 268435456 bytes of memory (plugins.compile_memory_bytes)");
    host.set_config(&config(""));
    rejected("at most 524288 are allowed (plugins.function_bytes)");
    say(&host, "after", "hello").await;
    let events = host.wait_until_done(21);
    let well = |one: &&Value| one["state"] == "succeeded" && one["attempts"] == 1;
    let handled = events.iter().flat_map(deliveries).filter(well).count();
    assert_eq!((handled, events.len()), (21, 21), "{events:#?}");
}
