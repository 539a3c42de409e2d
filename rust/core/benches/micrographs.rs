//! The kernels of the search for duplicate micrographs, one thread: `cargo bench --bench micrographs`.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use std::io::Write as _;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use cryodedup_core::Monitor;
use cryodedup_core::micrographs::internals::{Correlator, Image, Overlap, Table, keep, zeros};
use cryodedup_core::micrographs::read::{Frame, Packing};
use cryodedup_core::micrographs::search::Matcher;
use cryodedup_core::micrographs::{Seen, Session};
use half::f16;
use rustfft::num_complex::Complex32;

/// Pixels from a fixed seed.
fn pixels(n: usize) -> impl Iterator<Item = i8> {
    (0..n as u64).map(|i| ((i + 1).wrapping_mul(6_364_136_223_846_793_005) >> 58) as i8 - 32)
}

fn reading(criterion: &mut Criterion) {
    let (nx, ny) = (5760, 4092);
    let mut group = criterion.benchmark_group("read and reduce 5760 x 4092 by 8");
    let modes: [(&str, i32, Vec<u8>); 3] = [
        ("float32", 2, pixels(nx * ny).flat_map(|pixel| f32::from(pixel).to_le_bytes()).collect()),
        ("float16", 12, pixels(nx * ny).flat_map(|pixel| f16::from_f32(f32::from(pixel)).to_le_bytes()).collect()),
        ("int8", 0, pixels(nx * ny).map(|pixel| pixel.to_le_bytes()[0]).collect()),
    ];
    for (name, mode, bytes) in modes {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(&bytes).expect("written");
        let frame = Frame { path: file.path().to_owned(), start: 0, mode, swapped: false, nx, ny, packing: Packing::None };
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| frame.reduce(8, &Monitor::default())));
    }
}

fn correlating(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("correlate two pairs");
    group.throughput(Throughput::Elements(2));
    for (image, grid) in
        [((96.0, 72.0), (128, 96)), ((192.0, 144.0), (256, 192)), ((256.0, 162.0), (512, 324)), ((720.0, 512.0), (768, 512))]
    {
        let correlator = Correlator::new(image, grid, None, 1);
        let n = grid.0 * grid.1;
        let spectra: [Vec<i16>; 2] = [0, n].map(|start| {
            let values = pixels(3 * n).skip(start).zip(pixels(3 * n).skip(n / 2));
            let spectrum: Vec<Complex32> = values.take(n).map(|(a, b)| Complex32::new(a.into(), b.into())).collect();
            let mut out = zeros(1, n);
            keep(&spectrum, 18.0, &mut out);
            out
        });
        let mut maps = correlator.maps();
        group.bench_function(BenchmarkId::from_parameter(format!("{} x {}", grid.0, grid.1)), |bencher| {
            bencher.iter(|| correlator.highest(&spectra[0], &spectra[1], false, &mut maps));
        });
    }
}

fn overlapping(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("at one shift");
    for (width, height) in [(384, 256), (720, 512)] {
        let views: Vec<i8> = pixels(2 * width * height).collect();
        let (first, second) = views.split_at(width * height);
        let tables = [first, second].map(|pixels| Table::new(pixels, width));
        let image = |pixels, table| Image { pixels, width, table };
        let overlap = Overlap::new(image(first, &tables[0]), image(second, &tables[1]));
        group.bench_function(BenchmarkId::new("product", width), |bencher| bencher.iter(|| overlap.product((9, 7))));
        group.bench_function(BenchmarkId::new("sums of an image", width), |bencher| bencher.iter(|| Table::new(first, width)));
        group.bench_function(BenchmarkId::new("ncc", width), |bencher| bencher.iter(|| overlap.common((9, 7))));
    }
    group.finish();
    let size = (384, 256);
    let session = Session::of_views(size, &pixels(40 * size.0 * size.1).collect::<Vec<i8>>(), 0.5);
    let pairs: Vec<(u32, u32)> = (0..40).flat_map(|i| (i + 1..40).map(move |j| (i, j))).collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    let mut group = criterion.benchmark_group("match");
    group.sample_size(10).throughput(Throughput::Elements(pairs.len() as u64));
    group.bench_function("780 pairs", |bencher| {
        bencher.iter(|| pool.install(|| Matcher::new(&session, None, false).find(&pairs, Seen::default(), &Monitor::default())));
    });
}

criterion_group!(kernels, reading, correlating, overlapping);
criterion_main!(kernels);
