//! Finds micrographs of the same area: `micrographs BIN DIRECTORY...`, of MRC files of one size, in the order of their names.
//! Blocks of `BIN` x `BIN` pixels are averaged: 8 for frames of 4,000 pixels.
//!
//! Prints a line for each pair: names, significance, false-discovery rate, overlap, shift in pixels.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cryodedup_core::Monitor;
use cryodedup_core::micrographs::read::{Frame, Packing, Preparation};
use cryodedup_core::micrographs::search::{Limits, Search, Sensitivity, Shard};
use cryodedup_core::micrographs::significance::{Criteria, Criterion, Shots, conclude_search};
use cryodedup_core::micrographs::{Band, Session};

/// In cycles per reduced pixel: what is searched in the whitened views, and what the coefficients are measured in.
const SEARCHED: Band = Band { highpass: 0.02, lowpass: 0.0, falloff: 0.15 };
const MEASURED: Band = Band { highpass: 0.04, lowpass: 0.25, falloff: 0.05 };

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let bin: usize = arguments.next().ok_or("usage: micrographs BIN DIRECTORY...")?.parse()?;
    let mut paths: Vec<PathBuf> = vec![];
    for directory in arguments {
        for entry in std::fs::read_dir(directory)? {
            paths.push(entry?.path());
        }
    }
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "mrc"));
    paths.sort();
    let frames = paths.iter().map(|path| frame(path)).collect::<Result<Vec<_>, _>>()?;
    let keys: Vec<[u8; 16]> = (0..frames.len() as u128).map(u128::to_le_bytes).collect();

    let monitor = Monitor::default();
    let cache = std::env::temp_dir().join(format!("micrographs-{}.cache", std::process::id()));
    let prepared = Preparation::open(&cache, false, &monitor)?.read(&frames, &keys, bin, &monitor)?;
    let records = prepared.into_iter().collect::<Result<Vec<_>, _>>()?;
    let session = Arc::new(Session::load(&records, SEARCHED, vec![], None, &monitor)?);
    let limits = Limits { max_shift_reduced_px: None, turns_deg: vec![0.0], screened_turns_deg: vec![0.0] };
    let search = Search::plan(Arc::clone(&session), Sensitivity::Auto, limits, &monitor)?;
    let block = search.compare(Shard::new(0, 1)?, &monitor)?; // a cluster compares other shards elsewhere, and joins them
    let unknown = Shots::new(vec![0; paths.len()], vec![0; paths.len()]);
    let criteria = Criteria { criterion: Criterion::Fdr(0.01), band: MEASURED, from: 0, measure_all: false, share_patterns: true };
    for pair in conclude_search(&search, &block, &unknown, &criteria, &monitor)?.pairs {
        if let (true, Some(measured)) = (pair.is_accepted, pair.measured) {
            let (first, second) = pair.alignment.pair;
            let [x, y] = [measured.shift.0, measured.shift.1].map(|shift| shift * bin as f64);
            let names = [first, second].map(|i| paths[i as usize].display().to_string()).join(" ");
            println!("{names} z {:.1} q {:.1e} overlap {:.2} shift {x:.0} {y:.0}", pair.z, pair.q, measured.overlap);
        }
    }
    drop(session);
    std::fs::remove_file(cache)?;
    Ok(())
}

/// The header of an MRC file gives the number of columns and rows, the mode of the pixels, and how many bytes stand before them.
fn frame(path: &Path) -> Result<Frame, Box<dyn Error>> {
    let mut header = [0; 1024];
    std::io::Read::read_exact(&mut std::fs::File::open(path)?, &mut header)?;
    let word = |at: usize| i32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let (nx, ny, mode, extended) = (word(0) as usize, word(4) as usize, word(12), word(92) as u64);
    Ok(Frame { path: path.to_owned(), start: 1024 + extended, mode, swapped: false, nx, ny, packing: Packing::None })
}
