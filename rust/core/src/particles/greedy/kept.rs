//! Finds what each rejected point duplicates: the nearest of the kept ones that are better.
//!
//! Looked for leaf by leaf in a tree over the kept points alone: few of them are near a leaf, however many points are in it.

use super::choice::Choice;
use super::part_of;
use crate::kdtree::{BallVisitor, Node, Tree, squared};
use crate::particles::trees::each_span;
use crate::{Monitor, Result};

/// Calls `set` with the rejected ones and what they duplicate.
pub(super) fn find<const D: usize>(choice: &Choice<D>, monitor: &Monitor, set: &(impl Fn(u32, u32) + Sync)) -> Result<()> {
    let kept: Vec<u32> = (0..choice.tree.len() as u32).filter(|&position| choice.is_kept(position as usize)).collect();
    let kept = part_of(choice.tree, &kept, monitor)?;
    each_span(choice.tree.nodes().len(), monitor, |span| {
        let mut near = Near { tree: &kept, positions: Vec::new() };
        for leaf in choice.tree.nodes()[span].iter().filter(|node| node.is_leaf()) {
            if leaf.range().any(|position| choice.is_rejected(position)) {
                near.positions.clear();
                kept.around(&leaf.bounds, choice.limit, &mut near);
                find_of(choice, leaf, &near, set);
            }
        }
    })
}

fn find_of<const D: usize>(choice: &Choice<D>, leaf: &Node<D>, near: &Near<D>, set: &impl Fn(u32, u32)) {
    for position in leaf.range().filter(|&position| choice.is_rejected(position)) {
        let rank = choice.rank(position);
        let distance = |&kept: &usize| {
            let squared = squared(choice.tree.point(position), near.tree.point(kept));
            let rank_of_kept = choice.ranking.rank(near.tree.id(kept));
            (squared <= choice.limit && rank_of_kept < rank).then_some((squared, rank_of_kept))
        };
        let nearest = near.positions.iter().filter_map(distance).min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        if let Some((_, (_, of))) = nearest {
            set(choice.tree.id(position), of);
        }
    }
}

/// Collects positions.
struct Near<'a, const D: usize> {
    tree: &'a Tree<D>,
    positions: Vec<usize>,
}

impl<const D: usize> BallVisitor for Near<'_, D> {
    fn whole(&mut self, node: usize) {
        self.positions.extend(self.tree.nodes()[node].range());
    }

    fn point(&mut self, position: usize) {
        self.positions.push(position);
    }
}
