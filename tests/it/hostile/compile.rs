//! A component that takes a minute and gigabytes to compile, in a host that lets it through to the compiler and goes on
//! with its events meanwhile.

use std::fs;

use chatplug_tests::raw::{Raw, large_function};
use chatplug_tests::{Host, guest};

use super::say;

/// The config of a host that has a plugin, with limits on compiling.
fn config(limits: &str) -> String {
    format!("[plugins]\n{limits}\n[plugin.recorder]\nevents = [\"incoming_event\"]\n")
}

#[tokio::test]
async fn one_large_function_is_stopped_at_the_compilers_limits_and_the_host_goes_on() {
    let host = Host::start(&config("function_bytes = 67108864\ncompile_s = 5"), &[guest("guest_recorder")]);
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
    host.wait_until_done(21);
}
