//! A union-find that several threads may use at once.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Elements, numbered from 0, in sets that grow.
#[derive(Debug)]
pub struct UnionFind {
    /// An element of the same set with a lower number; the lowest names itself.
    parents: Vec<AtomicU32>,
}

impl UnionFind {
    /// Each of `n` elements in a set of its own.
    pub fn new(n: usize) -> Self {
        Self { parents: (0..n as u32).map(AtomicU32::new).collect() }
    }

    /// The lowest element of a set, as it is now.
    #[inline]
    pub fn root(&self, mut of: u32) -> u32 {
        loop {
            let parent = self.parents[of as usize].load(Relaxed);
            if parent == of {
                return of;
            }
            // Halves the way for the next one; whoever writes last, it stays a way to the root.
            let next = self.parents[parent as usize].load(Relaxed);
            if next != parent {
                self.parents[of as usize].store(next, Relaxed);
            }
            of = next;
        }
    }

    /// Joins the sets of two elements.
    pub fn unite(&self, a: u32, b: u32) {
        let (mut a, mut b) = (a, b);
        loop {
            (a, b) = (self.root(a), self.root(b));
            if a == b {
                return;
            }
            let (low, high) = (a.min(b), a.max(b));
            // Only a root is given a parent: if another thread was faster, the search begins anew.
            if self.parents[high as usize].compare_exchange(high, low, Relaxed, Relaxed).is_ok() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_named_by_their_lowest_element() {
        let sets = UnionFind::new(6);
        sets.unite(5, 3);
        sets.unite(3, 4);
        sets.unite(1, 5);
        assert_eq!((0..6).map(|i| sets.root(i)).collect::<Vec<_>>(), [0, 1, 2, 1, 1, 1]);
    }

    #[test]
    fn threads_unite_a_chain() {
        let n = 10_000;
        let sets = UnionFind::new(n as usize);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let sets = &sets;
                scope.spawn(move || (0..n - 1).rev().filter(|i| i % 4 == thread).for_each(|i| sets.unite(i, i + 1)));
            }
        });
        assert!((0..n).all(|i| sets.root(i) == 0));
    }
}
