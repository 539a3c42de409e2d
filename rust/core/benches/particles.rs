//! The kernels by themselves: `cargo bench`. Against peers, and whole commands: `benches/` at the top.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use std::fmt::Write as _;
use std::io::Write as _;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use cryodedup_core::Monitor;
use cryodedup_core::particles::{Particles, Rule, deduplicate};
use cryodedup_core::rows::Input;
use cryodedup_core::star::{Wanted, scan};

/// Numbers in [0, 1) from a fixed seed.
fn numbers(n: usize) -> Vec<f64> {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    std::iter::repeat_with(next).take(n).collect()
}

fn points(n: usize, sides: &[f64]) -> Vec<f64> {
    numbers(n * sides.len()).iter().enumerate().map(|(i, number)| number * sides[i % sides.len()]).collect()
}

fn selection(criterion: &mut Criterion) {
    let n = 1_000_000;
    let frames: Vec<u32> = (0..n as u32).map(|i| i / 300).collect();
    let wide = (n as f64 / 300.0).sqrt();
    let lattice: Vec<f64> = points(n, &[200.0, 200.0]).iter().map(|x| x.floor() * 9.0).collect();
    let cases = [
        ("frames", 2, points(n, &[5760.0, 4092.0]), Some(frames.as_slice()), 24.0),
        ("one frame", 2, points(n, &[5760.0 * wide, 4092.0 * wide]), None, 24.0),
        ("lattice", 2, lattice, None, 24.0),
        ("tomogram", 3, points(n, &[10_000.0, 10_000.0, 3000.0]), None, 80.0),
    ];
    let mut group = criterion.benchmark_group("deduplicate");
    group.sample_size(10).throughput(Throughput::Elements(n as u64));
    for (name, dimensions, coordinates, groups, separation) in &cases {
        let particles = Particles { coordinates, dimensions: *dimensions, groups: *groups, ..Particles::default() };
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| deduplicate(&particles, *separation, Rule::KeepBest, &Monitor::default()));
        });
    }
}

fn star(criterion: &mut Criterion) {
    let mut text = String::from("data_particles\nloop_\n_x\n_y\n_name\n_a\n_b\n_c\n_score\n");
    for (i, number) in numbers(100_000).iter().enumerate() {
        let _ = writeln!(
            text,
            "{:12.6} {:12.6} Micrographs/m{:06}.mrc 1 0.000000 12345.678900 {number:12.6}",
            number * 5760.0,
            number * 4092.0,
            i / 300
        );
    }
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(text.as_bytes()).expect("written");
    let input = Input::open(file.path()).expect("opened");
    let wanted = Wanted { numbers: ["x", "y", "score"].map(String::from).to_vec(), names: vec!["name".into()], varying: Vec::new() };
    let mut group = criterion.benchmark_group("scan");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("100,000 rows", |bencher| bencher.iter(|| scan(&input, &wanted, &Monitor::default())));
}

criterion_group!(kernels, selection, star);
criterion_main!(kernels);
