//! The pixels of an MRC file, plain or compressed, and its bins against a plain loop.
#![no_main]

use std::io::Write;

use cryodedup_core::Monitor;
use cryodedup_core::micrographs::internals::Bins;
use cryodedup_core::micrographs::read::{Frame, Packing};
use cryodedup_fuzz::{check_error, scratch};
use half::f16;

const MODES: [(i32, usize); 6] = [(0, 1), (1, 2), (2, 4), (6, 2), (12, 2), (3, 4)];
/// Pixels whose sums do not overflow.
const LARGE: f64 = 1e30;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((head, content)) = data.split_first_chunk::<10>() else { return };
    let (mode, itemsize) = MODES[usize::from(head[0]) % MODES.len()];
    let (nx, ny) = (usize::from(u16::from_le_bytes([head[1], head[2]]) % 2048), usize::from(u16::from_le_bytes([head[3], head[4]]) % 2048));
    let (width, start) = (usize::from(head[5] % 10), usize::from(head[6]));
    let packing = [Packing::None, Packing::Gzip, Packing::Bzip2][usize::from(head[7] % 3)];
    // Packed here and then damaged, or already packed, well or badly.
    let packed = if head[8] & 1 == 1 { pack(content, packing, (head[8], head[9])) } else { content.to_vec() };
    let path = scratch("in.mrc");
    std::fs::write(&path, &packed).expect("written");
    let swapped = head[8] & 2 == 2;
    let frame = Frame { path, start: start as u64, mode, swapped, nx, ny, packing };
    match frame.reduce(width, &Monitor::default()) {
        Err(error) => {
            check_error(&error);
            let fits = mode != 3 && width > 0 && nx.min(ny) >= width && content.len() >= start + nx * ny * itemsize;
            assert!(packing != Packing::None || !fits, "{error}: the file is whole");
        }
        Ok(reduced) => {
            let (columns, rows) = (Bins::new(nx, width), Bins::new(ny, width));
            assert_eq!(reduced.means.len(), columns.count * rows.count);
            if packing == Packing::None {
                let pixels: Vec<f64> = content[start..].chunks_exact(itemsize).take(nx * ny).map(|raw| pixel(raw, mode, swapped)).collect();
                compare(&reduced.means, &pixels, (columns, rows));
            }
        }
    }
});

fn pack(content: &[u8], packing: Packing, (damage, place): (u8, u8)) -> Vec<u8> {
    let mut packed = match packing {
        Packing::None => return content.to_vec(),
        Packing::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(content).and_then(|()| encoder.finish()).expect("packed")
        }
        Packing::Bzip2 => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(content).and_then(|()| encoder.finish()).expect("packed")
        }
    };
    let at = usize::from(place) * packed.len() / 256;
    match damage >> 2 & 3 {
        1 => packed[at] ^= damage,
        2 => packed.truncate(at),
        3 => packed.extend_from_within(..at),
        _ => {}
    }
    packed
}

fn pixel(raw: &[u8], mode: i32, swapped: bool) -> f64 {
    let mut bytes = raw.to_vec();
    if swapped {
        bytes.reverse();
    }
    match (mode, &bytes[..]) {
        (0, &[byte]) => f64::from(byte as i8),
        (1, &[a, b]) => f64::from(i16::from_le_bytes([a, b])),
        (6, &[a, b]) => f64::from(u16::from_le_bytes([a, b])),
        (12, &[a, b]) => f16::from_le_bytes([a, b]).to_f64(),
        (2, &[a, b, c, d]) => f64::from(f32::from_le_bytes([a, b, c, d])),
        _ => unreachable!("no such mode"),
    }
}

fn compare(means: &[f32], pixels: &[f64], (columns, rows): (Bins, Bins)) {
    if pixels.iter().any(|pixel| pixel.is_nan() || pixel.abs() > LARGE) {
        return;
    }
    let mut means = means.iter();
    for row in 0..rows.count {
        for column in 0..columns.count {
            let (ys, xs) = (rows.span(row), columns.span(column));
            let inside: Vec<f64> = (ys.0..ys.1).flat_map(|y| (xs.0..xs.1).map(move |x| pixels[y * columns.size + x])).collect();
            let n = inside.len() as f64;
            let (mean, size) = (inside.iter().sum::<f64>() / n, inside.iter().map(|pixel| pixel.abs()).sum::<f64>() / n);
            let found = f64::from(*means.next().expect("a mean a bin"));
            assert!((found - mean).abs() <= 1e-5 * size + 1e-40, "bin {column}, {row}: found {found}, expected {mean}");
        }
    }
}
