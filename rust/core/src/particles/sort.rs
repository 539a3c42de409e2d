//! Sorting the points of one large group by all threads.

use rayon::prelude::*;

use super::grid::Key;

const CHUNK: usize = 1 << 16;
const BUCKET_BITS: u32 = 10;
/// A bucket larger than this, as of points in clusters, is itself sorted by all threads.
const LARGE_BUCKET: usize = 1 << 18;

/// One chunk's values, ordered by bucket, and where each bucket starts.
struct Chunk<K> {
    values: Vec<K>,
    starts: Vec<u32>,
}

/// Sorts values below 2^`bits`: by their highest bits into buckets that fit a core's cache, then each bucket. Half the time of a general
/// parallel sort, whose every pass goes through memory.
pub(super) fn sort<K: Key>(values: &mut [K], bits: u32) {
    let shift = bits.saturating_sub(BUCKET_BITS);
    let bucket = |value: K| (value >> shift).low(BUCKET_BITS) as usize;
    let chunks: Vec<Chunk<K>> = values.par_chunks(CHUNK).map(|values| distribute(values, bucket)).collect();

    let mut slices = Vec::with_capacity(1 << BUCKET_BITS);
    let mut rest = values;
    for number in 0..1 << BUCKET_BITS {
        let size = chunks.iter().map(|chunk| chunk.bucket(number).len()).sum();
        let (slice, after) = rest.split_at_mut(size);
        slices.push(slice);
        rest = after;
    }
    slices.into_par_iter().enumerate().for_each(|(number, slice)| {
        let mut at = 0;
        for part in chunks.iter().map(|chunk| chunk.bucket(number)) {
            slice[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        if slice.len() < LARGE_BUCKET { slice.sort_unstable() } else { slice.par_sort_unstable() }
    });
}

fn distribute<K: Key>(values: &[K], bucket: impl Fn(K) -> usize) -> Chunk<K> {
    let mut starts = vec![0; (1 << BUCKET_BITS) + 1];
    for &value in values {
        starts[bucket(value) + 1] += 1;
    }
    for number in 0..1 << BUCKET_BITS {
        starts[number + 1] += starts[number];
    }
    let mut next = starts.clone();
    let mut ordered = vec![K::from(0); values.len()];
    for &value in values {
        let place = &mut next[bucket(value)];
        ordered[*place as usize] = value;
        *place += 1;
    }
    Chunk { values: ordered, starts }
}

impl<K> Chunk<K> {
    fn bucket(&self, number: usize) -> &[K] {
        &self.values[self.starts[number] as usize..self.starts[number + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sorted_as_by_the_standard_library(mut values in prop::collection::vec(any::<u64>(), 0..500), bits in 0..64_u32) {
            values.iter_mut().for_each(|value| *value &= (1 << bits) - 1);
            let mut wide: Vec<u128> = values.iter().map(|&value| u128::from(value) << 60).collect();
            let mut expected = values.clone();
            expected.sort_unstable();
            sort(&mut values, bits);
            sort(&mut wide, bits + 60);
            prop_assert_eq!(wide, expected.iter().map(|&value| u128::from(value) << 60).collect::<Vec<_>>());
            prop_assert_eq!(values, expected);
        }
    }
}
