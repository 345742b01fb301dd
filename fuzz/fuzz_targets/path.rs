#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| chatplug_tests::arbitrary::path(bytes));
