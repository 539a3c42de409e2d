//! Names to dense indices, in the order of first appearance.

use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;

/// Distinct names; the index of each is its place.
///
/// The hash is rustc's, since the standard one takes a third of the time of a scan whose rows are shuffled. It is not safe against chosen
/// names: they cost time, never a wrong result.
pub type Names = IndexSet<Vec<u8>, FxBuildHasher>;

/// The index of a name; a new one if it was not seen before.
pub fn intern(names: &mut Names, name: &[u8]) -> u32 {
    let index = names.get_index_of(name).unwrap_or_else(|| names.insert_full(name.to_owned()).0);
    index as u32
}

/// Joins columns that were interned apart: makes the indices of each part those of the whole, and returns the names of the whole.
///
/// The result is that of interning all the rows one after the other, so it does not depend on how they were cut into parts.
pub fn join<'a>(parts: impl IntoIterator<Item = (&'a mut [u32], Names)>) -> Names {
    let mut whole = Names::default();
    for (indices, names) in parts {
        let index_of: Vec<u32> = names.into_iter().map(|name| whole.insert_full(name).0 as u32).collect();
        indices.iter_mut().for_each(|index| *index = index_of[*index as usize]);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_parts_equal_the_whole() {
        let mut parts = [&["b", "a", "b"][..], &[], &["a", "c"]].map(|part| {
            let mut names = Names::default();
            let indices: Vec<u32> = part.iter().map(|name| intern(&mut names, name.as_bytes())).collect();
            (indices, names)
        });
        let names = join(parts.iter_mut().map(|(indices, names)| (&mut indices[..], std::mem::take(names))));
        assert_eq!(parts.iter().flat_map(|part| part.0.clone()).collect::<Vec<_>>(), [0, 1, 0, 1, 2]);
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["b", "a", "c"].map(|name| name.as_bytes().to_vec()));
    }
}
