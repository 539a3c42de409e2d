//! Which micrographs of a session show one area at nearly the same place, before their fixed pattern is known.
//!
//! A pattern is what unrelated micrographs share. Exposures of one spot would make it show that spot: none of them counts in it. They
//! resemble each other in coarse detail, everywhere in the frame, each of them all the others: edges of beam and foil do so at some places,
//! textures and crystals that move in some pairs. What they have in common is a scene ([`InCommon`]). And they do not resemble themselves a
//! little farther, as lattices do.

use std::ops::Range;

use rayon::prelude::*;

use super::coarse::{Boxes, Coarse};
use super::in_common::{COARSEST, InCommon};
use super::reader::Reader;
use super::views::Views;
use crate::micrographs::stored::Source;
use crate::union_find::UnionFind;
use crate::{Error, Monitor, Result};

/// Micrographs resemble each other if their correlation in coarse detail exceeds the usual one by this, and by so many standard deviations.
const MIN_EXCESS: f64 = 0.1;
const MIN_EXCESS_SD: f64 = 5.0;
/// In an area the upper quarter of pairs share so much of their coarse signal: 0.98 or more in simulated sessions; up to 0.7 where a camera's
/// pattern is three times as strong as usual (seeds 1 and 2).
const MIN_SHARED: f64 = 0.9;
/// So many pairs of an area, or of a run, are looked at.
const LOOKED_AT: usize = 12;
/// Where the usual pair is less alike, the micrographs do not all show one place: 0.45 or more if they do, 0.28 in dim sessions.
const MIN_IN_COMMON: f64 = 0.3;
/// Fewer others that resemble it do so by chance, and hardly change a mean.
const MIN_ALIKE: usize = 4;
/// At least this share of the pairs of an area resemble each other.
const MIN_COMPLETE: f64 = 0.8;
/// A micrograph that correlates with itself so much, some boxes away or more, shows a lattice.
const PERIODIC: f64 = 0.5;
/// Most pairs may resemble each other: the usual correlation, and its standard deviation, are those of a normal distribution with these
/// quantiles, so many standard deviations below its middle.
const LOW: (f64, f64) = (0.20, 0.8416);
const LOWEST: (f64, f64) = (0.05, 1.6449);

type Pair = (usize, usize);

/// The findings about some micrographs before their fixed pattern is known.
#[derive(Debug, Default)]
pub(super) struct Resemblance {
    /// The number of the area that each shows with some others, 1 more than that of the first of them; 0: none.
    pub areas: Vec<u32>,
    /// Whether all of a run seem to show one place.
    pub show_one_area: bool,
}

/// `runs`: micrographs whose means are fitted together; one is in several.
pub(super) fn resemblance(records: &[Source], views: &Views, runs: &[Range<usize>], monitor: &Monitor) -> Result<Resemblance> {
    let width = views.plan.width;
    let read = |reader: &mut Reader, source: &Source| {
        monitor.advance(0)?;
        reader.read(source)?;
        Ok(Coarse::of(&Boxes::of(&reader.pixels, width)))
    };
    let coarse: Vec<Coarse> = records.par_iter().map_init(|| Reader::new(&views.plan), read).collect::<Result<_>>()?;
    let found = runs.par_iter().map(|run| {
        let mut reader = Reader::new(&views.plan);
        let look = |i: usize, j: usize| {
            monitor.advance(0)?;
            let two = [i, j].map(|k| &records[run.start + k]);
            for (part, source) in two.into_iter().enumerate() {
                reader.read(source)?;
                reader.fade(&views.tapers, 1.0 / source.record.sd, part);
            }
            reader.workspace.forward(&views.plan);
            Ok((
                Boxes::of(&reader.pixels, width).repeats(),
                InCommon::of(&views.rings.products(&reader.workspace.spectrum, &views.plan), &COARSEST),
            ))
        };
        resembling(&coarse[run.clone()], look)
    });
    let found: Vec<(Vec<Pair>, bool)> = found.collect::<Result<_>>()?;
    let (sets, mut areas) = (UnionFind::new(records.len()), vec![0; records.len()]);
    let alike = || runs.iter().zip(&found).flat_map(|(run, (pairs, _))| pairs.iter().map(|&(i, j)| [i, j].map(|k| run.start + k)));
    alike().for_each(|[i, j]| sets.unite(i as u32, j as u32));
    alike().flatten().for_each(|k| areas[k] = 1 + sets.root(k as u32));
    Ok(Resemblance { areas, show_one_area: found.iter().any(|&(_, one_place)| one_place) })
}

/// Pairs of micrographs of one run that show one area, and whether all seem to show one place. `look`: at two of them: the highest correlation
/// of the second with itself elsewhere, and what they have in common.
fn resembling(coarse: &[Coarse], mut look: impl FnMut(usize, usize) -> Result<(f64, InCommon)>) -> Result<(Vec<Pair>, bool)> {
    let (alike, usual) = alike_in_coarse_detail(coarse);
    let mut look_at = |set: &[usize]| {
        // Each with the one that lies half of them farther.
        let pairs = (0..set.len() / 2).step_by((set.len() / 2).div_ceil(LOOKED_AT).max(1)).map(|k| look(set[k], set[k + set.len() / 2]));
        let (repeats, found): (Vec<f64>, Vec<InCommon>) = pairs.collect::<Result<Vec<_>>>()?.into_iter().unzip();
        let of = |value: fn(&InCommon) -> f64, share: f64| quantile(found.iter().map(value).collect(), share);
        let typical =
            InCommon { fine: of(|one| one.fine, 0.5), coarse: of(|one| one.coarse, 0.5), shared: of(|one| one.shared, 0.75), ..found[0] };
        Ok::<_, Error>((quantile(repeats, 0.5), typical))
    };
    let sets = complete(alike.iter().copied(), coarse.len());
    if coarse.len() < 2 || sets.is_empty() && usual < MIN_IN_COMMON {
        return Ok((vec![], false));
    }
    let all: Vec<usize> = (0..coarse.len()).collect();
    let (repeats, of_all) = look_at(&all)?;
    let is_scene =
        |repeats: f64, one: &InCommon, usual_fine: f64| repeats <= PERIODIC && one.shared >= MIN_SHARED && !one.has_fine_detail(usual_fine);
    let mut of_areas = Vec::new();
    for set in sets {
        let (repeats, typical) = look_at(&set)?;
        if is_scene(repeats, &typical, of_all.fine) {
            of_areas.extend(set[1..].iter().map(|&k| (set[0], k)));
        }
    }
    let show_one_area = of_areas.is_empty() && is_scene(repeats, &of_all, 0.0);
    Ok((of_areas, show_one_area))
}

/// Pairs that are more alike than the usual one, which has the camera's pattern in common; and how alike that is.
fn alike_in_coarse_detail(coarse: &[Coarse]) -> (Vec<Pair>, f64) {
    let pairs = || (0..coarse.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
    let correlations: Vec<f64> = pairs().map(|(i, j)| coarse[i].correlation(&coarse[j])).collect();
    if correlations.is_empty() {
        return (vec![], 0.0);
    }
    let low = [LOW, LOWEST].map(|(share, _)| quantile(correlations.clone(), share));
    let sd = (low[0] - low[1]) / (LOWEST.1 - LOW.1);
    let usual = low[0] + LOW.1 * sd;
    let least = usual + MIN_EXCESS.max(MIN_EXCESS_SD * sd);
    (pairs().zip(correlations).filter(|&(_, correlation)| correlation > least).map(|(pair, _)| pair).collect(), usual)
}

/// Sets of enough micrographs, of `n`, nearly all of which are paired with each other.
fn complete(pairs: impl Iterator<Item = Pair> + Clone, n: usize) -> Vec<Vec<usize>> {
    let sets = UnionFind::new(n);
    let mut numbers = vec![0; n];
    for (i, j) in pairs {
        sets.unite(i as u32, j as u32);
        numbers[i] += 1;
        numbers[j] += 1;
    }
    let mut members = vec![Vec::new(); n];
    (0..n).for_each(|i| members[sets.root(i as u32) as usize].push(i));
    let is_complete = |set: &Vec<usize>| {
        let all: usize = set.iter().map(|&i| numbers[i]).sum();
        set.len() > MIN_ALIKE && all as f64 >= MIN_COMPLETE * (set.len() * (set.len() - 1)) as f64
    };
    members.into_iter().filter(is_complete).collect()
}

fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    let at = (share * values.len() as f64) as usize;
    if at < values.len() { *values.select_nth_unstable_by(at, f64::total_cmp).1 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::micrographs::kernels::fft::Plan;
    use crate::micrographs::kernels::rings::{Rings, radii};

    const WIDTH: usize = 480;
    const HEIGHT: usize = 320;
    const CELL: usize = 16;

    /// Noise, and a share of a scene that moved by some columns.
    fn pixels(seed: u64, scene: f32, moved: usize) -> Vec<f32> {
        let noise = |seed: u64| {
            let mut state = seed + 1;
            move || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 40) as f32 / (1 << 24) as f32 - 0.5
            }
        };
        let (mut own, mut of_scene) = (noise(seed), noise(999));
        let world: Vec<f32> = (0..WIDTH * HEIGHT / CELL / CELL + WIDTH).map(|_| of_scene()).collect();
        let at = |k: usize| world[(k / WIDTH / CELL) * (WIDTH / CELL) + (k % WIDTH + moved) / CELL];
        (0..WIDTH * HEIGHT).map(|k| own() + scene * at(k)).collect()
    }

    /// The members of areas among some micrographs, and whether all show one place.
    fn found(several: &[Vec<f32>]) -> (Vec<usize>, bool) {
        let coarse: Vec<Coarse> = several.iter().map(|pixels| Coarse::of(&Boxes::of(pixels, WIDTH))).collect();
        let plan = Plan::new(WIDTH, HEIGHT);
        let (rings, mut reader) = (Rings::new(radii(&plan)), Reader::new(&plan));
        let look = |i: usize, j: usize| {
            for (part, k) in [i, j].into_iter().enumerate() {
                reader.pixels.clone_from(&several[k]);
                reader.fade(&(vec![1.0; WIDTH], vec![1.0; HEIGHT]), 1.0, part);
            }
            reader.workspace.forward(&plan);
            Ok((Boxes::of(&several[j], WIDTH).repeats(), InCommon::of(&rings.products(&reader.workspace.spectrum, &plan), &COARSEST)))
        };
        let (pairs, show_one_area) = resembling(&coarse, look).unwrap();
        let mut members: Vec<usize> = pairs.into_iter().flat_map(|(i, j)| [i, j]).collect();
        members.sort_unstable();
        members.dedup();
        (members, show_one_area)
    }

    const NONE: (Vec<usize>, bool) = (vec![], false);

    fn of_spot(alike: u64, scene: f32) -> Vec<Vec<f32>> {
        (0..40).map(|seed| pixels(seed, if seed < alike { scene } else { 0.0 }, (seed % 2) as usize)).collect()
    }

    #[test]
    fn exposures_of_one_spot_are_found_however_many_they_are() {
        for alike in [5, 10, 20, 30] {
            assert_eq!(found(&of_spot(alike, 1.5)), ((0..alike as usize).collect(), false));
        }
    }

    #[test]
    fn few_that_resemble_each_other_are_by_chance() {
        assert_eq!(found(&of_spot(4, 1.5)), NONE);
    }

    #[test]
    fn frames_of_another_gain_reference_show_no_area() {
        let pattern = pixels(0, 0.0, 0);
        let of_gain =
            |seed: u64, strength: f32| pixels(seed, 0.0, 0).iter().zip(&pattern).map(|(own, of_all)| own + strength * of_all).collect();
        let several: Vec<Vec<f32>> = (1..41).map(|seed| of_gain(seed, if seed <= 10 { 1.0 } else { 0.0 })).collect();
        assert_eq!(found(&several), NONE);
    }

    #[test]
    fn an_edge_in_some_tiles_and_a_lattice_show_no_area() {
        let with = |add: &dyn Fn(usize, usize) -> f32| -> Vec<Vec<f32>> {
            let one = |seed: u64| {
                let mut image = pixels(seed, 0.0, 0);
                let of_ten = image.iter_mut().enumerate().filter(|_| seed < 10);
                of_ten.for_each(|(k, pixel)| *pixel += add(k % WIDTH, k / WIDTH));
                image
            };
            (0..40).map(one).collect()
        };
        assert_eq!(found(&with(&|x, _| if x > 280 { 3.0 } else { 0.0 })), NONE);
        assert_eq!(found(&with(&|x, y| 2.0 * ((x as f32 / 8.0).sin() + (y as f32 / 8.0).sin()))), NONE);
    }

    #[test]
    fn half_of_a_session_with_a_smooth_pattern_shows_no_area() {
        let of_half = |seed: u64| {
            let (mut image, own) = (pixels(seed, 1.0, 0), pixels(seed + 1000, 0.0, 0));
            let scene = |k: usize| own[(k / WIDTH / CELL) * WIDTH + k % WIDTH / CELL];
            image
                .iter_mut()
                .enumerate()
                .for_each(|(k, pixel)| *pixel = if seed < 20 { *pixel } else { pixel.rem_euclid(1.0) - 0.5 } + scene(k));
            image
        };
        assert_eq!(found(&(0..40).map(of_half).collect::<Vec<_>>()), NONE);
    }

    #[test]
    fn what_all_share_is_taken_for_a_pattern_but_may_be_one_place() {
        assert_eq!(found(&(0..40).map(|seed| pixels(seed, 1.0, 0)).collect::<Vec<_>>()), (vec![], true));
        assert_eq!(found(&vec![vec![3.0; WIDTH * HEIGHT]; 30]), NONE);
        assert_eq!(found(&[]), NONE);
    }

    #[test]
    fn a_chain_of_neighbours_is_no_area() {
        let chain = (0..20).flat_map(|i| (i + 1..20.min(i + 4)).map(move |j| (i, j)));
        assert!(complete(chain, 20).is_empty());
        let two = (0..5).flat_map(|i| (0..i).map(move |j| (i, j))).flat_map(|(i, j)| [(i, j), (i + 5, j + 5)]);
        assert_eq!(complete(two, 11), [vec![0, 1, 2, 3, 4], vec![5, 6, 7, 8, 9]]);
    }
}
