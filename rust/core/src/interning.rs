//! Names to dense indices, in the order of first appearance.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// Distinct values in the order in which they first came, and their indices.
#[derive(Debug)]
pub struct Interner<T> {
    index: HashMap<T, u32, BuildHasherDefault<Fold>>,
    values: Vec<T>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { index: HashMap::default(), values: Vec::new() }
    }
}

impl<T: Hash + Eq + Clone> Interner<T> {
    /// The index of `value`; a new one if it was not seen before.
    pub fn intern<Q>(&mut self, value: &Q) -> u32
    where
        T: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = T> + ?Sized,
    {
        if let Some(&known) = self.index.get(value) {
            return known;
        }
        let new = self.values.len() as u32;
        self.values.push(value.to_owned());
        self.index.insert(value.to_owned(), new);
        new
    }

    /// The distinct values, in the order of their indices.
    pub fn into_values(self) -> Vec<T> {
        self.values
    }
}

/// Joins columns that were interned apart: maps each part's indices to those of the whole, in the order of the parts.
///
/// The result is that of interning all the rows one after the other, so it does not depend on how they were cut into parts.
pub fn join<T: Hash + Eq + Clone>(parts: Vec<(Vec<u32>, Vec<T>)>) -> (Vec<u32>, Vec<T>) {
    let mut whole = Interner::default();
    let mut indices = Vec::with_capacity(parts.iter().map(|part| part.0.len()).sum());
    for (part, values) in parts {
        let map: Vec<u32> = values.iter().map(|value| whole.intern(value)).collect();
        indices.extend(part.iter().map(|&index| map[index as usize]));
    }
    (indices, whole.into_values())
}

/// A fast hash of short keys: multiply and fold, eight bytes at a time.
///
/// The maps live for one file and hold the names of its micrographs; the table's growth, not the hash, bounds what hostile names can cost.
#[derive(Default)]
pub struct Fold(u64);

impl Fold {
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x9e37_79b9_7f4a_7c15) * 0xf39c_c060_5ced_c835;
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.mix(u64::from_le_bytes(last) ^ bytes.len() as u64);
    }

    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_parts_equal_the_whole() {
        let part = |names: &[&str]| {
            let mut interner = Interner::<String>::default();
            let indices = names.iter().map(|name| interner.intern(*name)).collect::<Vec<_>>();
            (indices, interner.into_values())
        };
        let (indices, names) = join(vec![part(&["b", "a", "b"]), part(&[]), part(&["a", "c"])]);
        assert_eq!(indices, [0, 1, 0, 1, 2]);
        assert_eq!(names, ["b", "a", "c"]);
    }
}
