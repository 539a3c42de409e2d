//! Any bytes as a STAR file.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| cryodedup_fuzz::check_star(text));
