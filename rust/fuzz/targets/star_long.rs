//! STAR files of several spans, which threads share: a head, a unit that is repeated, and a tail, with a byte 0xff between them.
#![no_main]

/// More than the first span and one of the others.
const LENGTH: usize = 700 << 10;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(3, |&byte| byte == 0xff);
    let (head, unit, tail) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let text = [head, &unit.repeat(LENGTH / unit.len().max(4)), tail].concat();
    cryodedup_fuzz::check_star(&text);
});
