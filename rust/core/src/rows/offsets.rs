//! Ascending offsets in four bytes each.

/// Ascending offsets: of each the lower half, and where the upper half grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Offsets {
    low: Vec<u32>,
    /// The number of offsets below each multiple of 2^32 up to the last offset.
    turns: Vec<usize>,
}

impl Offsets {
    /// From lower halves, and the indices at which the upper half becomes 1, 2, and so on.
    pub(crate) fn from_halves(low: Vec<u32>, turns: Vec<usize>) -> Self {
        Self { low, turns }
    }

    /// Adds one that is not below the last.
    pub fn push(&mut self, offset: u64) {
        self.turns.resize((offset >> 32) as usize, self.low.len());
        self.low.push(offset as u32);
    }

    /// The number of offsets.
    pub fn len(&self) -> usize {
        self.low.len()
    }

    /// One of them.
    pub fn get(&self, index: usize) -> u64 {
        let high = self.turns.partition_point(|&turn| turn <= index);
        (high as u64) << 32 | u64::from(self.low[index])
    }

    /// The first index from `from` on whose offset is not below `offset`.
    pub fn first_from(&self, from: usize, offset: u64) -> usize {
        let (mut low, mut high) = (from, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.get(middle) < offset { low = middle + 1 } else { high = middle }
        }
        low
    }
}

impl FromIterator<u64> for Offsets {
    fn from_iter<I: IntoIterator<Item = u64>>(offsets: I) -> Self {
        let mut all = Self::default();
        offsets.into_iter().for_each(|offset| all.push(offset));
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn offsets_beyond_four_gigabytes_come_back(mut offsets in prop::collection::vec(0..5_u64 << 32, 0..50), wanted in 0..5_u64 << 32) {
            offsets.sort_unstable();
            let kept: Offsets = offsets.iter().copied().collect();
            prop_assert_eq!((0..kept.len()).map(|index| kept.get(index)).collect::<Vec<_>>(), &offsets[..]);
            prop_assert_eq!(kept.first_from(0, wanted), offsets.partition_point(|&offset| offset < wanted));
        }
    }
}
