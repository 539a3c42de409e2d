//! Which points stay, decided from the best to the worst.
//!
//! In a large group each thread does that in a region of its own. A point has to wait for the next, larger regions if a better one outside
//! is within the separation and open, or if one that waits is; what is decided never changes, so the outcome is that of the
//! sequential choice. (Rounds over all open points, as by Blelloch, Fineman, Shun, SPAA 2012, look at every pair several times.)

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};

use rayon::prelude::*;

use crate::kdtree::{BallVisitor, Bounds, LARGE, LEAF, Node, Tree};
use crate::particles::ranking::Ranking;
use crate::{Monitor, Result};

/// Points of the first regions of a large group, and how many times as many those of each next round have.
const REGION: usize = 1 << 13;
const GROWTH: usize = 8;

/// Squared diagonal of the narrowest regions, in squared separations: narrower ones are mostly border, where points wait.
const WIDE: f64 = 1600.0;
/// Fewer points are sorted at once.
const SORTED: usize = 4096;
/// In larger groups the best points are sorted first, one in so many.
const FIRST: usize = 16;

/// Not decided.
const OPEN: u8 = 0;
/// Not decided, and a better one within the separation waits.
const WAITING: u8 = 1;
const KEPT: u8 = 2;
const REJECTED: u8 = 3;

/// A point's rank, its number in it, and its position.
type Ranked = (u64, u32, u32);

pub(super) struct Choice<'a, const D: usize> {
    pub tree: &'a Tree<D>,
    pub limit: f64,
    pub ranking: &'a Ranking<'a>,
    states: Vec<AtomicU8>,
    /// Nodes without a point that is not decided.
    closed: Vec<AtomicBool>,
    /// Nodes without an open point.
    held: Vec<AtomicBool>,
}

impl<'a, const D: usize> Choice<'a, D> {
    pub fn new(tree: &'a Tree<D>, limit: f64, ranking: &'a Ranking) -> Self {
        let states = std::iter::repeat_with(|| AtomicU8::new(OPEN)).take(tree.len()).collect();
        let [closed, held] = std::array::from_fn(|_| std::iter::repeat_with(AtomicBool::default).take(tree.nodes().len()).collect());
        Self { tree, limit, ranking, states, closed, held }
    }

    pub fn decide(&mut self, monitor: &Monitor) -> Result<()> {
        if self.tree.len() == 0 {
            return Ok(());
        }
        let mut size = REGION;
        while self.tree.is_shared() && size < self.tree.len() {
            let regions = self.regions(size);
            size *= GROWTH;
            if regions.is_empty() {
                continue;
            }
            regions.into_par_iter().try_for_each(|region| self.decide_in(region, monitor))?;
            for state in self.states.iter_mut().map(AtomicU8::get_mut).filter(|state| **state == WAITING) {
                *state = OPEN;
            }
            self.held.iter_mut().for_each(|held| *held.get_mut() = false);
        }
        self.decide_in(0, monitor)
    }

    /// The highest nodes that are not larger than `size`, but some separations wide: of narrower ones nearly all points would wait.
    fn regions(&self, size: usize) -> Vec<usize> {
        let (mut regions, mut below) = (Vec::new(), vec![0]);
        while let Some(node) = below.pop() {
            match self.tree.below(node) {
                Some((left, right)) if self.tree.nodes()[node].len() > size => below.extend([right, left]),
                _ if self.tree.nodes()[node].bounds.diagonal() > WIDE * self.limit => regions.push(node),
                _ => {}
            }
        }
        regions
    }

    fn state(&self, position: usize) -> u8 {
        self.states[position].load(Relaxed)
    }

    pub fn is_kept(&self, position: usize) -> bool {
        self.state(position) == KEPT
    }

    pub fn is_rejected(&self, position: usize) -> bool {
        self.state(position) == REJECTED
    }

    fn is_decided(&self, position: usize) -> bool {
        self.state(position) >= KEPT
    }

    pub fn rank(&self, position: usize) -> (u64, u32) {
        self.ranking.rank(self.tree.id(position))
    }

    fn ranked(&self, position: usize) -> Ranked {
        let (rank, id) = self.rank(position);
        (rank, id, position as u32)
    }

    /// Goes through the points of a region from the best to the worst. Where they are dense most are rejected by the best few, and
    /// need not be sorted.
    fn decide_in(&self, region: usize, monitor: &Monitor) -> Result<()> {
        let range = self.tree.nodes()[region].range();
        let mut order: Vec<Ranked> = range.filter(|&position| !self.is_decided(position)).map(|position| self.ranked(position)).collect();
        loop {
            let n = order.len();
            if n <= SORTED {
                return self.decide_on_all(&mut order, region, monitor);
            }
            order.select_nth_unstable(n / FIRST);
            let mut rest = order.split_off(n / FIRST);
            self.decide_on_all(&mut order, region, monitor)?;
            rest.retain(|&(.., position)| !self.is_decided(position as usize));
            if rest.len() > n / 2 {
                return self.decide_on_all(&mut rest, region, monitor);
            }
            order = rest;
        }
    }

    fn decide_on_all(&self, order: &mut [Ranked], region: usize, monitor: &Monitor) -> Result<()> {
        if self.tree.is_shared() && region == 0 && order.len() >= LARGE {
            order.par_sort_unstable();
        } else {
            order.sort_unstable();
        }
        for points in order.chunks(1024) {
            monitor.advance(0)?;
            points.iter().for_each(|&(.., position)| self.decide_on(position as usize, region));
        }
        Ok(())
    }

    fn decide_on(&self, position: usize, region: usize) {
        let state = self.state(position);
        if state >= KEPT {
            return;
        }
        let point = self.tree.point(position);
        let ball = Bounds { low: *point, high: *point };
        if state == WAITING || self.has_better_outside(position, &ball, region) {
            // Another thread may reject it at this moment, which stays so.
            _ = self.states[position].compare_exchange(OPEN, WAITING, Relaxed, Relaxed);
            self.tree.around(&ball, self.limit, &mut Hold { choice: self, region: &self.tree.nodes()[region] });
        } else {
            self.states[position].store(KEPT, Relaxed);
            self.tree.around(&ball, self.limit, &mut Reject { choice: self });
        }
    }

    fn has_better_outside(&self, position: usize, ball: &Bounds<D>, region: usize) -> bool {
        if region == 0 {
            return false;
        }
        let mut outside = Outside { choice: self, region: &self.tree.nodes()[region], rank: self.rank(position), found: false };
        self.tree.around(ball, self.limit, &mut outside);
        outside.found
    }
}

/// Rejects what is open.
struct Reject<'a, const D: usize> {
    choice: &'a Choice<'a, D>,
}

impl<const D: usize> BallVisitor for Reject<'_, D> {
    fn skips(&self, node: usize) -> bool {
        self.choice.closed[node].load(Relaxed)
    }

    fn whole(&mut self, node: usize) {
        self.choice.tree.nodes()[node].range().for_each(|position| self.point(position));
        self.choice.closed[node].store(true, Relaxed);
    }

    fn point(&mut self, position: usize) {
        if !self.choice.is_decided(position) {
            self.choice.states[position].store(REJECTED, Relaxed);
        }
    }

    fn ascend(&mut self, node: usize) {
        let closed = match self.choice.tree.below(node) {
            Some((left, right)) => self.skips(left) && self.skips(right),
            None => self.choice.tree.nodes()[node].range().all(|position| self.choice.is_decided(position)),
        };
        if closed {
            self.choice.closed[node].store(true, Relaxed);
        }
    }
}

/// Lets what is open in a region wait. Nothing outside of it: that is not this thread's.
struct Hold<'a, const D: usize> {
    choice: &'a Choice<'a, D>,
    region: &'a Node<D>,
}

impl<const D: usize> BallVisitor for Hold<'_, D> {
    fn skips(&self, node: usize) -> bool {
        let range = self.choice.tree.nodes()[node].range();
        let is_outside = range.end <= self.region.range().start || range.start >= self.region.range().end;
        is_outside || self.choice.held[node].load(Relaxed) || self.choice.closed[node].load(Relaxed)
    }

    fn whole(&mut self, node: usize) {
        let (range, region) = (self.choice.tree.nodes()[node].range(), self.region.range());
        (range.start.max(region.start)..range.end.min(region.end)).for_each(|position| self.point(position));
    }

    fn point(&mut self, position: usize) {
        // Another thread may reject it at this moment, which stays so.
        _ = self.choice.states[position].compare_exchange(OPEN, WAITING, Relaxed, Relaxed);
    }

    fn ascend(&mut self, node: usize) {
        let (range, region) = (self.choice.tree.nodes()[node].range(), self.region.range());
        if range.start < region.start || range.end > region.end {
            return; // has points of other threads
        }
        let held = match self.choice.tree.below(node) {
            Some((left, right)) => self.skips(left) && self.skips(right),
            None => self.choice.tree.nodes()[node].range().all(|position| self.choice.state(position) != OPEN),
        };
        if held {
            self.choice.held[node].store(true, Relaxed);
        }
    }
}

/// Looks for a better point outside a region that is kept or not decided.
struct Outside<'a, const D: usize> {
    choice: &'a Choice<'a, D>,
    region: &'a Node<D>,
    rank: (u64, u32),
    found: bool,
}

impl<const D: usize> BallVisitor for Outside<'_, D> {
    fn skips(&self, node: usize) -> bool {
        let (range, region) = (self.choice.tree.nodes()[node].range(), self.region.range());
        self.found || (region.start <= range.start && range.end <= region.end)
    }

    /// One of many near points might be better: a look at all of them, for each of them, would be quadratic in clumps.
    fn whole(&mut self, node: usize) {
        let range = self.choice.tree.nodes()[node].range();
        if range.len() > LEAF {
            self.found = true;
        } else {
            range.for_each(|position| self.point(position));
        }
    }

    fn point(&mut self, position: usize) {
        self.found |= !self.choice.is_rejected(position) && self.choice.rank(position) < self.rank;
    }
}
