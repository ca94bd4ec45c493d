#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vsota_fuzz::target("failing")(bytes));
