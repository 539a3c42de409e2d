//! Deduplicates the particles of a table: `particles FILE.csv SEPARATION`, with columns x, y, micrograph, and if there are scores, score.
//!
//! Prints the lines that are kept. Coordinates and separation are in one unit.

use std::collections::HashMap;
use std::error::Error;

use cryodedup_core::Monitor;
use cryodedup_core::particles::{Particles, Rule, deduplicate};

fn main() -> Result<(), Box<dyn Error>> {
    let [_, path, separation] = std::env::args().collect::<Vec<_>>().try_into().map_err(|_| "usage: particles FILE.csv SEPARATION")?;
    let text = std::fs::read_to_string(path)?;
    let (head, rows) = text.split_once('\n').ok_or("no rows")?;
    let column = |name: &str| head.trim().split(',').position(|one| one.trim() == name);
    let [x, y, micrograph] = ["x", "y", "micrograph"].map(|name| column(name).ok_or(format!("no column {name}")));
    let (x, y, micrograph, score) = (x?, y?, micrograph?, column("score"));

    let (mut coordinates, mut groups, mut scores, mut number_of) = (vec![], vec![], vec![], HashMap::new());
    for row in rows.lines() {
        let cells: Vec<&str> = row.split(',').map(str::trim).collect();
        let cell = |at: usize| cells.get(at).copied().ok_or_else(|| format!("too few cells: {row}"));
        coordinates.extend([cell(x)?.parse::<f64>()?, cell(y)?.parse()?]);
        let next = number_of.len() as u32;
        groups.push(*number_of.entry(cell(micrograph)?).or_insert(next));
        if let Some(at) = score {
            scores.push(cell(at)?.parse::<f64>()?);
        }
    }
    let particles = Particles {
        coordinates: &coordinates,
        dimensions: 2,
        groups: Some(&groups),
        scores: score.is_some().then_some(&scores[..]),
        priority: None,
    };
    let found = deduplicate(&particles, separation.parse()?, Rule::KeepBest, &Monitor::default())?;
    println!("{}", head.trim_end());
    rows.lines().zip(found.kept).filter(|&(_, kept)| kept).for_each(|(row, _)| println!("{row}"));
    Ok(())
}
