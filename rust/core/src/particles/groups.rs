//! The particles of each group.

use std::borrow::Cow;

use rayon::prelude::*;

/// Numbers of groups up to so many times the number of particles are used as they are.
const SPARSE: usize = 4;

/// The particles ordered by group.
pub(super) struct Groups {
    /// Particle indices ordered by group; `None` if the input is in that order.
    order: Option<Vec<u32>>,
    /// First position of each group, and the end of the last.
    starts: Vec<u32>,
}

/// The particles of one group, in input order.
#[derive(Clone, Copy)]
pub(super) struct Members<'a> {
    start: u32,
    len: u32,
    list: Option<&'a [u32]>,
}

impl Members<'_> {
    pub fn len(self) -> usize {
        self.len as usize
    }

    #[inline]
    pub fn get(self, i: u32) -> u32 {
        match self.list {
            None => self.start + i,
            Some(list) => list[i as usize],
        }
    }

    pub fn iter(self) -> impl Iterator<Item = u32> {
        (0..self.len).map(move |i| self.get(i))
    }
}

impl Groups {
    /// If the particles of each group are consecutive.
    pub fn sorted(groups: Option<&[u32]>, n: usize) -> Option<Self> {
        let starts = match groups {
            None => vec![0, n as u32],
            Some(groups) => runs(groups, size(groups))?,
        };
        Some(Self { order: None, starts })
    }

    pub fn new(groups: Option<&[u32]>, n: usize) -> Self {
        Self::sorted(groups, n).unwrap_or_else(|| Self::shuffled(groups.unwrap_or_default()))
    }

    fn shuffled(groups: &[u32]) -> Self {
        let (n, size) = (groups.len(), size(groups));
        let mut starts = vec![0; size + 1];
        for &group in groups {
            starts[group as usize + 1] += 1;
        }
        for group in 0..size {
            starts[group + 1] += starts[group];
        }
        let mut next = starts.clone();
        let mut order = vec![0; n];
        for (particle, &group) in groups.iter().enumerate() {
            let position = &mut next[group as usize];
            order[*position as usize] = particle as u32;
            *position += 1;
        }
        Self { order: Some(order), starts }
    }

    fn members(&self, group: usize) -> Members<'_> {
        let (start, end) = (self.starts[group], self.starts[group + 1]);
        let list = self.order.as_ref().map(|order| &order[start as usize..end as usize]);
        Members { start, len: end - start, list }
    }

    pub fn iter(&self) -> impl Iterator<Item = Members<'_>> {
        (0..self.starts.len() - 1).map(|group| self.members(group))
    }

    pub fn par_iter(&self) -> impl ParallelIterator<Item = Members<'_>> {
        (0..self.starts.len() - 1).into_par_iter().map(|group| self.members(group))
    }
}

/// The same groups, in the same order, by numbers that are not much larger than how many there are: tables have a place for each.
pub(super) fn dense(groups: &[u32]) -> Cow<'_, [u32]> {
    if size(groups) <= SPARSE * groups.len() + 1024 {
        return Cow::Borrowed(groups);
    }
    let mut numbers = groups.to_vec();
    numbers.par_sort_unstable();
    numbers.dedup();
    Cow::Owned(groups.par_iter().map(|group| numbers.partition_point(|number| number < group) as u32).collect())
}

/// The number of possible group numbers.
fn size(groups: &[u32]) -> usize {
    groups.par_iter().max().map_or(0, |&largest| largest as usize + 1)
}

/// The starts of the runs of equal groups, if each group is a single run: the usual case, which needs no sorting.
fn runs(groups: &[u32], size: usize) -> Option<Vec<u32>> {
    let mut seen = vec![false; size];
    let mut starts = Vec::with_capacity(size + 1);
    let mut previous = None;
    for (particle, &group) in groups.iter().enumerate() {
        if previous != Some(group) {
            if std::mem::replace(&mut seen[group as usize], true) {
                return None;
            }
            starts.push(particle as u32);
            previous = Some(group);
        }
    }
    starts.push(groups.len() as u32);
    Some(starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(groups: &[u32]) -> Vec<Vec<u32>> {
        Groups::new(Some(groups), groups.len()).iter().map(|members| members.iter().collect()).collect()
    }

    #[test]
    fn members_come_in_input_order() {
        assert_eq!(listed(&[2, 2, 0, 1]), [vec![0, 1], vec![2], vec![3]]);
        assert_eq!(listed(&[2, 0, 2, 1]), [vec![1], vec![3], vec![0, 2]]);
        assert_eq!(listed(&[]), Vec::<Vec<u32>>::new());
        assert_eq!(listed(&dense(&[u32::MAX, 0, u32::MAX, 4_000_000_000])), [vec![1], vec![3], vec![0, 2]]);
        assert_eq!(Groups::new(None, 2).iter().next().map(|members| members.iter().collect()), Some(vec![0, 1]));
    }
}
