//! Particles in arbitrary order of groups: collected by group before a tree is built for each.
//!
//! They are moved twice, each time within the cache of a core: to runs of several groups, then to each group. Fetching the points of
//! one group from all over the input takes twice as long.

use rayon::prelude::*;

const CHUNK: usize = 1 << 15;
/// Number of runs of groups into which a chunk is divided.
const MAX_RUNS: u32 = 512;

/// A particle that is moved.
#[derive(Clone, Copy)]
pub(super) struct Record<const D: usize> {
    pub point: [f64; D],
    pub particle: u32,
    group: u32,
}

/// Some of the particles by run, and where each run starts.
struct Chunk<const D: usize> {
    records: Vec<Record<D>>,
    starts: Vec<u32>,
}

/// All particles, by run in each chunk.
pub(super) struct Shuffled<const D: usize> {
    chunks: Vec<Chunk<D>>,
    /// A group's run is its number without this many low bits.
    shift: u32,
    pub runs: usize,
}

/// Buffer for the records of one run, or one chunk.
#[derive(Default)]
pub(super) struct Run<const D: usize> {
    records: Vec<Record<D>>,
    /// First record of each group (run), and the end of the last.
    starts: Vec<u32>,
}

impl<const D: usize> Shuffled<D> {
    pub fn new(points: &[[f64; D]], groups: &[u32]) -> Self {
        let last = groups.par_iter().copied().max().unwrap_or(0);
        let shift = (u32::BITS - (last / MAX_RUNS).leading_zeros()).min(u32::BITS - 1);
        let runs = (last >> shift) as usize + 1;
        // Ordered in a buffer of the thread, which remains in its cache, and copied: filling new memory out of order takes longer.
        let chunk = |room: &mut Run<D>, (number, groups): (usize, &[u32])| {
            let first = number * CHUNK;
            let record = |(i, &group): (usize, &u32)| Record { point: points[first + i], particle: (first + i) as u32, group };
            let records = || groups.iter().enumerate().map(record);
            distribute(groups.len(), records, |group| (group >> shift) as usize, runs, &mut room.records, &mut room.starts);
            Chunk { records: room.records.clone(), starts: room.starts.clone() }
        };
        Self { chunks: groups.par_chunks(CHUNK).enumerate().map_init(Run::default, chunk).collect(), shift, runs }
    }

    /// Calls `job` with the records of each group of a run, in input order.
    pub fn each_group<E>(&self, number: usize, run: &mut Run<D>, mut job: impl FnMut(&[Record<D>]) -> Result<(), E>) -> Result<(), E> {
        let part = |chunk: &Chunk<D>| chunk.starts[number] as usize..chunk.starts[number + 1] as usize;
        let records = || self.chunks.iter().flat_map(|chunk| &chunk.records[part(chunk)]).copied();
        let first = (number << self.shift) as u32;
        let n = self.chunks.iter().map(|chunk| part(chunk).len()).sum();
        distribute(n, records, |group| (group - first) as usize, 1 << self.shift, &mut run.records, &mut run.starts);
        run.starts
            .windows(2)
            .filter(|range| range[0] < range[1])
            .try_for_each(|range| job(&run.records[range[0] as usize..range[1] as usize]))
    }
}

/// Sorts `n` records by their keys, which are below `keys`, stably, and records where those of each key start.
fn distribute<const D: usize, I: Iterator<Item = Record<D>>>(
    n: usize,
    records: impl Fn() -> I,
    key: impl Fn(u32) -> usize,
    keys: usize,
    ordered: &mut Vec<Record<D>>,
    starts: &mut Vec<u32>,
) {
    starts.clear();
    starts.resize(keys + 1, 0);
    records().for_each(|record| starts[key(record.group) + 1] += 1);
    // The number of records before each key; as records are placed, it advances to the end of the key, the start of the next one.
    let mut before = 0;
    for start in &mut starts[1..] {
        before += std::mem::replace(start, before);
    }
    ordered.resize(n, Record { point: [0.0; D], particle: 0, group: 0 });
    // `for_each` on chained iterators runs one loop after the other; `for` checks at every step which one is active.
    records().for_each(|record| {
        let next = &mut starts[key(record.group) + 1];
        ordered[*next as usize] = record;
        *next += 1;
    });
}
