//! Number of pairs within a limit, for each two colours.

use super::Tree;
use super::self_join::PairVisitor;
use super::slabs::Slabs;
use crate::{Monitor, Result};

/// Number of pairs by the colours of their points; each pair is counted in either `[a][b]` or `[b][a]`.
pub(crate) type PairCounts<const C: usize> = [[u64; C]; C];

struct Counting<'a, const C: usize, const D: usize> {
    tree: &'a Tree<D>,
    limit: f64,
    /// The colour of each point, by position.
    colours: Vec<u8>,
    /// Number of points of each colour in a node.
    counts: Vec<[u32; C]>,
}

impl<const D: usize> Tree<D> {
    /// Counts the pairs whose squared distance is at most `limit`; `colour`: returns the colour of an id, below `C`.
    ///
    /// Time for n points that fill an area or a volume, k of them within the limit of each: n k^(1/2) in 2D and n k^(2/3) in 3D, leaf by
    /// leaf at the border; n k^(1/3) and n k^(1/2) where nodes of a few dozen points are small beside the limit, from a k of 2,000 and
    /// 30,000 on, see [`Slabs`]. O(n log n) where the limit is longer than the points reach; n² for a spot and a sphere round it.
    pub fn count_pairs<const C: usize>(&self, limit: f64, colour: impl Fn(u32) -> u8, monitor: &Monitor) -> Result<PairCounts<C>> {
        let colours: Vec<u8> = self.ids.iter().map(|&id| colour(id)).collect();
        let add = |position: usize, mut counts: [u32; C]| {
            counts[colours[position] as usize] += 1;
            counts
        };
        let counts = self.gather([0; C], add, |a: [u32; C], b: [u32; C]| std::array::from_fn(|colour| a[colour] + b[colour]));
        Ok(self.self_join(limit, &Counting { tree: self, limit, colours, counts }, monitor)?.counts)
    }
}

/// The counts of one thread.
pub(super) struct Counted<const C: usize, const D: usize> {
    counts: PairCounts<C>,
    slabs: Slabs<C, D>,
}

impl<const C: usize, const D: usize> Default for Counted<C, D> {
    fn default() -> Self {
        Self { counts: [[0; C]; C], slabs: Slabs::default() }
    }
}

impl<const C: usize, const D: usize> PairVisitor<D> for Counting<'_, C, D> {
    type Found = Counted<C, D>;

    fn merge(&self, found: &mut Counted<C, D>, other: Counted<C, D>) {
        found.counts.iter_mut().flatten().zip(other.counts.iter().flatten()).for_each(|(sum, count)| *sum += count);
    }

    fn within(&self, node: usize, found: &mut Counted<C, D>) {
        let counts = self.counts[node].map(u64::from);
        for one in 0..C {
            found.counts[one][one] += counts[one] * counts[one].saturating_sub(1) / 2;
            for other in one + 1..C {
                found.counts[one][other] += counts[one] * counts[other];
            }
        }
    }

    fn across(&self, a: usize, b: usize, found: &mut Counted<C, D>) {
        for one in 0..C {
            for other in 0..C {
                found.counts[one][other] += u64::from(self.counts[a][one]) * u64::from(self.counts[b][other]);
            }
        }
    }

    fn at_once(&self, a: usize, b: usize, found: &mut Counted<C, D>) -> bool {
        found.slabs.count(self.tree, &self.colours, self.limit, (a, b), &mut found.counts)
    }

    fn beside(&self, position: usize, node: usize, found: &mut Counted<C, D>) {
        for other in 0..C {
            found.counts[self.colours[position] as usize][other] += u64::from(self.counts[node][other]);
        }
    }

    #[inline]
    fn pair(&self, a: usize, b: usize, _squared: f64, found: &mut Counted<C, D>) {
        found.counts[self.colours[a] as usize][self.colours[b] as usize] += 1;
    }
}
