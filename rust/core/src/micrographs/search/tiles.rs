//! Data computed from micrographs to compare them, kept for tiles of neighbours while their pairs are processed.

use rayon::prelude::*;

use crate::Result;

/// Number of tiles kept: those of the first and second micrographs of the current pairs, and previous ones.
const KEPT: usize = 4;

/// Data computed from micrographs, in tiles of neighbours.
#[derive(Debug)]
pub struct Tiles<T> {
    size: usize,
    tiles: Vec<Tile<T>>,
}

#[derive(Debug)]
struct Tile<T> {
    number: usize,
    mirrored: bool,
    made: Vec<Option<T>>,
}

/// The order of pairs in which tiles are exchanged least often: indices of `pairs`.
pub fn order(pairs: &[(u32, u32)], size: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    order.sort_unstable_by_key(|&at| (of_tiles(pairs[at], size), pairs[at]));
    order
}

/// The tiles of a pair.
pub fn of_tiles((i, j): (u32, u32), size: usize) -> (usize, usize) {
    (i as usize / size, j as usize / size)
}

impl<T: Clone + Send> Tiles<T> {
    /// For tiles of `size` micrographs.
    pub fn new(size: usize) -> Self {
        Self { size, tiles: Vec::new() }
    }

    /// Computes the missing data of some micrographs of one tile, two at a time (the last one twice if the number is odd).
    pub fn fill<Thread>(
        &mut self,
        wanted: impl Iterator<Item = u32>,
        mirrored: bool,
        thread: impl Fn() -> Thread + Sync + Send,
        make: impl Fn(&mut Thread, [usize; 2]) -> Result<[T; 2]> + Sync + Send,
    ) -> Result<()> {
        let mut wanted: Vec<usize> = wanted.map(|i| i as usize).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let Some(number) = wanted.first().map(|i| i / self.size) else { return Ok(()) };
        let at = self.tiles.iter().position(|tile| (tile.number, tile.mirrored) == (number, mirrored));
        let mut tile = at.map_or_else(|| Tile { number, mirrored, made: vec![None; self.size] }, |at| self.tiles.remove(at));
        wanted.retain(|i| tile.made[i % self.size].is_none());
        let both = |two: &[usize]| [two[0], two[two.len() - 1]];
        let made: Vec<[T; 2]> = wanted.par_chunks(2).map_init(thread, |thread, two| make(thread, both(two))).collect::<Result<_>>()?;
        for (&i, made) in wanted.iter().zip(made.into_iter().flatten()) {
            tile.made[i % self.size] = Some(made);
        }
        self.tiles.insert(0, tile);
        self.tiles.truncate(KEPT);
        Ok(())
    }

    /// The data of a micrograph.
    ///
    /// # Panics
    /// If it was not requested in one of the last two calls of [`Tiles::fill`].
    pub fn of(&self, i: usize, mirrored: bool) -> &T {
        let tile = self.tiles.iter().find(|tile| (tile.number, tile.mirrored) == (i / self.size, mirrored));
        tile.and_then(|tile| tile.made[i % self.size].as_ref()).expect("filled before")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn each_is_made_once_while_its_tile_is_in_use() {
        let made = AtomicUsize::new(0);
        let mut tiles = Tiles::new(4);
        let mut fill = |wanted: &[u32], mirrored: bool| {
            let make = |(): &mut (), two: [usize; 2]| {
                made.fetch_add(1, Ordering::Relaxed);
                Ok(two.map(|i| (i, mirrored)))
            };
            tiles.fill(wanted.iter().copied(), mirrored, || (), make).unwrap();
            for &i in wanted {
                assert_eq!(*tiles.of(i as usize, mirrored), (i as usize, mirrored));
            }
            made.swap(0, Ordering::Relaxed)
        };
        assert_eq!(fill(&[4, 6, 4], false), 1);
        assert_eq!(fill(&[4, 5, 6], false), 1);
        assert_eq!(fill(&[4], true), 1);
        assert_eq!(fill(&[6, 7], false), 1);
        assert_eq!(fill(&[5], false), 0);
    }

    #[test]
    fn the_order_goes_tile_by_tile() {
        let pairs = [(0, 9), (5, 6), (1, 2), (0, 1), (4, 9)];
        assert_eq!(order(&pairs, 4), [3, 2, 0, 1, 4]);
    }
}
