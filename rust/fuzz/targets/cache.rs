//! Any bytes as the file of prepared micrographs; with right checksums, too, so that what they protect is reached.
#![no_main]

use cryodedup_core::Monitor;
use cryodedup_core::micrographs::internals::{Index, Writer, index};
use cryodedup_core::micrographs::read::{Kind, Record, Stored};
use cryodedup_core::micrographs::thumbnails::thumbnails;
use cryodedup_fuzz::{check_error, scratch};

const HEAD: usize = 64;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&signed, content)) = data.split_first() else { return };
    let mut content = content.to_vec();
    if signed & 1 == 1 {
        sign(&mut content);
    }
    let path = scratch("in.cache");
    std::fs::write(&path, &content).expect("written");
    let monitor = Monitor::default();
    let Index { records, end, torn, broken } = index(&path, &monitor).map_err(|error| check_error(&error)).expect("an index");
    assert!(end <= content.len() as u64 && torn == (end < content.len() as u64));
    assert!(broken.iter().all(|key| !records.contains_key(key)));
    let stored = |record: &Record| Stored { path: path.as_path().into(), record: *record };
    let images: Vec<Stored> = records.values().filter(|record| record.kind == Kind::Image).map(stored).collect();
    for image in &images {
        let Record { width, height, .. } = image.record;
        let pixels = image.pixels(0..height).expect("its pixels are there");
        assert_eq!(pixels.len() as u128, width as u128 * height as u128);
    }
    let made = thumbnails(&images, 16, &monitor).expect("small pictures");
    assert_eq!(made.len(), images.len());

    let key = [0xa5; 16];
    let writer = Writer::open(&path, Some(end)).expect("open");
    writer.append(&key, (3, 2), &[1.0, -1.0, 0.5, 2.0, 0.0, -2.5], 1.0, 0.0, Kind::Image).expect("appended");
    let again = index(&path, &monitor).expect("an index");
    assert!(!again.torn && again.end == end + HEAD as u64 + 12 && again.records.contains_key(&key));
    assert!(records.iter().all(|(key, record)| again.records.get(key).is_some_and(|same| same.pixels_at >= record.pixels_at)));
});

/// Gives each record that fits its magic number and checksums.
fn sign(content: &mut [u8]) {
    let mut at = 0;
    while at + HEAD <= content.len() {
        content[at..at + 8].copy_from_slice(b"CRYODUP1");
        let word = |content: &[u8], place: usize| u32::from_le_bytes(content[at + place..][..4].try_into().expect("four bytes"));
        let (width, height, kind) = (word(content, 24), word(content, 28), word(content, 32));
        // As it is added in 64 bits, so that a product beyond them is tried as well.
        let bytes = if kind == 0 { u64::from(width).wrapping_mul(height.into()).wrapping_mul(2) } else { 0 };
        let end = (at + HEAD) as u64;
        let next = end.saturating_add(bytes).min(content.len() as u64) as usize;
        let sum = crc32fast::hash(&content[at + HEAD..next]);
        content[at + 36..at + 40].copy_from_slice(&sum.to_le_bytes());
        let sum = crc32fast::hash(&content[at..at + HEAD - 4]);
        content[at + HEAD - 4..at + HEAD].copy_from_slice(&sum.to_le_bytes());
        at = next;
    }
}
