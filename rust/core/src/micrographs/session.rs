//! The micrographs of one size, ready to be compared.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rustfft::num_complex::Complex32;

use super::cache::Record;
use super::fft::{Plan, Scratch, good_size, resize};
use super::flatten::taper;
use super::spectrum::{Band, RINGS, ring_power, ring_radius, rings, scale};
use crate::rows::Input;
use crate::{Monitor, Result};

/// Views have about as many pixels: 384 x 256 for a frame of 720 x 512.
const VIEW_PIXELS: f64 = 384.0 * 256.0;
/// The outer part of each side over which a micrograph fades.
const TAPER: f32 = 0.025;
/// Units of a view's int8 pixels a standard deviation.
const UNITS: f32 = 12.0;
/// The spectrum of shot noise is taken from here, cycles a reduced pixel: hardly any signal reaches so far.
const NOISE: std::ops::Range<f32> = 0.42..0.49;
/// The fixed pattern is that of so many micrographs at least, in the order given: a gain reference may change during a session.
const BLOCK: usize = 192;
/// Of fewer micrographs no pattern is taken out: their mean would hold what they show.
const LEAST_FOR_PATTERN: usize = 24;
/// So many micrographs of a block tell what power one has.
const SAMPLED: usize = 64;

/// Micrographs of one size. Each has a *view*: reduced further, its spectrum whitened and limited to the band that tells most, in int8.
#[derive(Debug)]
pub struct Session {
    /// Columns and rows of the reduced micrographs.
    pub size: (usize, usize),
    /// Columns and rows of the views.
    pub view_size: (usize, usize),
    /// Columns and rows of the small views, of two thirds of the resolution, in which peaks are sought.
    pub small_size: (usize, usize),
    /// Independent values a pixel of the view: fewer than 1, as the band is limited.
    pub independent: f64,
    /// Of each micrograph the share of its power that is not shot noise, in rings of the reduced micrograph's spectrum.
    pub signal: Vec<[f32; RINGS]>,
    cache: PathBuf,
    records: Vec<Record>,
    patterns: Vec<Vec<f32>>,
    views: Vec<i8>,
    small_views: Vec<i8>,
}

/// What one thread needs to turn micrographs into views.
pub(super) struct Workspace {
    input: Input,
    scratch: Scratch,
    bytes: Vec<u8>,
    pixels: Vec<f32>,
    image: Vec<Complex32>,
    spectrum: Vec<Complex32>,
}

/// What all threads share.
struct Views {
    plan: Plan,
    view: Plan,
    small: Plan,
    rings: Vec<u8>,
    filter: Vec<f32>,
    tapers: (Vec<f32>, Vec<f32>),
}

impl Session {
    /// Reads the micrographs at these places of a cache, all of one size, takes out what is the same in all (the fixed pattern of the gain
    /// reference), and makes their views. `band`: of the view, in cycles a reduced pixel.
    pub fn load(cache: &Path, records: &[Record], band: Band, monitor: &Monitor) -> Result<Self> {
        let size = records.first().map_or((2, 2), |record| (record.width, record.height));
        let shrink = (VIEW_PIXELS / (size.0 * size.1) as f64).sqrt().min(1.0);
        let view_size = (nearest_good(size.0 as f64 * shrink, size.0), nearest_good(size.1 as f64 * shrink, size.1));
        let plan = Plan::new(size.0, size.1);
        let views = Views {
            rings: rings(&plan),
            filter: band.filter(&plan),
            tapers: (taper(size.0, TAPER), taper(size.1, TAPER)),
            view: Plan::new(view_size.0, view_size.1),
            small: Plan::new(reduced(view_size).0, reduced(view_size).1),
            plan,
        };
        let small_size = reduced(view_size);
        let mut session = Self {
            size,
            view_size,
            small_size,
            independent: views.independent(),
            signal: Vec::new(),
            cache: cache.to_owned(),
            records: records.to_vec(),
            patterns: Vec::new(),
            views: Vec::new(),
            small_views: Vec::new(),
        };
        session.patterns = session.fixed_patterns(&views, monitor)?;
        let (length, small_length) = (view_size.0 * view_size.1, small_size.0 * small_size.1);
        let mut all = (vec![0; length * records.len()], vec![0; small_length * records.len()]);
        let signal = all
            .0
            .par_chunks_mut(length)
            .zip(all.1.par_chunks_mut(small_length))
            .enumerate()
            .map_init(
                || session.workspace(&views.plan),
                |workspace, (i, (view, small))| {
                    let workspace = workspace.as_mut().map_err(|error| crate::Error::input(error.to_string()))?;
                    monitor.advance(1)?;
                    session.read(i, workspace)?;
                    Ok(views.make(workspace, view, small))
                },
            )
            .collect::<Result<Vec<_>>>()?;
        (session.views, session.small_views) = all;
        session.signal = signal;
        Ok(session)
    }

    /// Of views that are at hand already, one after the other: for measuring. `signal`: the share of power that is not noise.
    pub fn of_views(view_size: (usize, usize), views: Vec<i8>, signal: f32) -> Self {
        let n = views.len() / (view_size.0 * view_size.1);
        let small_size = reduced(view_size);
        let (plan, small) = (Plan::new(view_size.0, view_size.1), Plan::new(small_size.0, small_size.1));
        let mut small_views = vec![0; n * small.len()];
        let pairs = small_views.par_chunks_mut(small.len()).zip(views.par_chunks(plan.len()));
        pairs.for_each(|(out, view)| {
            let mut image: Vec<Complex32> = view.iter().map(|&pixel| Complex32::new(f32::from(pixel), 0.0)).collect();
            let mut spectrum = image.clone();
            plan.forward(&mut image, &mut spectrum, &mut plan.scratch());
            write_image(&spectrum, &plan, &small, out);
        });
        Self {
            size: view_size,
            view_size,
            small_size,
            independent: 1.0,
            signal: vec![[signal; RINGS]; n],
            cache: PathBuf::new(),
            records: vec![],
            patterns: vec![],
            views,
            small_views,
        }
    }

    /// How many micrographs.
    pub fn len(&self) -> usize {
        self.signal.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.signal.is_empty()
    }

    /// The view of a micrograph.
    pub fn view(&self, i: usize) -> &[i8] {
        let length = self.view_size.0 * self.view_size.1;
        &self.views[i * length..(i + 1) * length]
    }

    /// The small view of a micrograph.
    pub fn small_view(&self, i: usize) -> &[i8] {
        let length = self.small_size.0 * self.small_size.1;
        &self.small_views[i * length..(i + 1) * length]
    }

    pub(super) fn workspace(&self, plan: &Plan) -> Result<Workspace> {
        Ok(Workspace {
            input: Input::open(&self.cache)?,
            scratch: plan.scratch(),
            bytes: Vec::new(),
            pixels: Vec::new(),
            image: vec![Complex32::default(); plan.len()],
            spectrum: vec![Complex32::default(); plan.len()],
        })
    }

    /// Reads a micrograph without the fixed pattern into the workspace.
    fn read(&self, i: usize, workspace: &mut Workspace) -> Result<()> {
        self.records[i].read(&workspace.input, &mut workspace.bytes, &mut workspace.pixels)?;
        if let Some(pattern) = self.patterns.get(block_of(i, self.records.len())) {
            workspace.pixels.iter_mut().zip(pattern).for_each(|(pixel, pattern)| *pixel -= pattern);
        }
        Ok(())
    }

    /// A micrograph at its full reduced size, faded at its edges and filtered; around 0.
    pub(super) fn filtered(
        &self,
        i: usize,
        plan: &Plan,
        filter: &[f32],
        tapers: &(Vec<f32>, Vec<f32>),
        workspace: &mut Workspace,
    ) -> Result<Vec<f32>> {
        self.read(i, workspace)?;
        workspace.fade(tapers, plan.width);
        plan.forward(&mut workspace.image, &mut workspace.spectrum, &mut workspace.scratch);
        workspace.spectrum.iter_mut().zip(filter).for_each(|(value, filter)| *value *= filter);
        plan.inverse(&mut workspace.spectrum, &mut workspace.image, &mut workspace.scratch);
        let scale = 1.0 / plan.len() as f32;
        Ok(workspace.image.iter().map(|pixel| pixel.re * scale).collect())
    }

    /// For each block of micrographs their mean, each ring of its spectrum weighted by how far its power is above that of the mean of as many
    /// unrelated ones: of few micrographs, or where no pattern is, nothing is taken out.
    fn fixed_patterns(&self, views: &Views, monitor: &Monitor) -> Result<Vec<Vec<f32>>> {
        let n = self.records.len();
        let blocks = if n < LEAST_FOR_PATTERN { 0 } else { (n / BLOCK).max(1) };
        (0..blocks)
            .into_par_iter()
            .map(|block| {
                let members: Vec<usize> = (0..n).filter(|&i| block_of(i, n) == block).collect();
                self.fixed_pattern(&members, views, monitor)
            })
            .collect()
    }

    fn fixed_pattern(&self, members: &[usize], views: &Views, monitor: &Monitor) -> Result<Vec<f32>> {
        let mut workspace = self.workspace(&views.plan)?;
        let (mut sum, mut of_one) = (vec![0.0; views.plan.len()], [0.0; RINGS]);
        let every = members.len().div_ceil(SAMPLED);
        for (turn, &i) in members.iter().enumerate() {
            monitor.advance(0)?;
            self.read(i, &mut workspace)?;
            sum.iter_mut().zip(&workspace.pixels).for_each(|(sum, &pixel)| *sum += f64::from(pixel));
            if turn % every == 0 {
                let power = views.power(&mut workspace);
                of_one.iter_mut().zip(power).for_each(|(sum, power)| *sum += power);
            }
        }
        let (n, sampled) = (members.len() as f64, members.len().div_ceil(every) as f64);
        workspace.pixels = sum.iter().map(|sum| (sum / n) as f32).collect();
        let of_mean = views.power(&mut workspace);
        let factors = std::array::from_fn(|ring| {
            let expected = of_one[ring] / sampled / n;
            if of_mean[ring] > 0.0 { (1.0 - expected / of_mean[ring]).max(0.0) as f32 } else { 0.0 }
        });
        workspace.image.iter_mut().zip(&workspace.pixels).for_each(|(value, &pixel)| *value = Complex32::new(pixel, 0.0));
        views.plan.forward(&mut workspace.image, &mut workspace.spectrum, &mut workspace.scratch);
        scale(&mut workspace.spectrum, &views.rings, &factors, &vec![1.0; views.plan.len()]);
        views.plan.inverse(&mut workspace.spectrum, &mut workspace.image, &mut workspace.scratch);
        Ok(workspace.image.iter().map(|value| value.re / views.plan.len() as f32).collect())
    }
}

/// The block of micrographs that one belongs to.
fn block_of(i: usize, n: usize) -> usize {
    i * (n / BLOCK).max(1) / n.max(1)
}

/// Two thirds of a view's size.
fn reduced((width, height): (usize, usize)) -> (usize, usize) {
    (nearest_good(width as f64 / 1.5, width), nearest_good(height as f64 / 1.5, height))
}

impl Workspace {
    /// The image to be transformed: the pixels, faded at their edges.
    fn fade(&mut self, (columns, rows): &(Vec<f32>, Vec<f32>), width: usize) {
        for ((image, pixels), row) in self.image.chunks_exact_mut(width).zip(self.pixels.chunks_exact(width)).zip(rows) {
            for ((value, pixel), column) in image.iter_mut().zip(pixels).zip(columns) {
                *value = Complex32::new(pixel * column * row, 0.0);
            }
        }
    }
}

impl Views {
    fn power(&self, workspace: &mut Workspace) -> [f64; RINGS] {
        workspace.fade(&self.tapers, self.plan.width);
        self.plan.forward(&mut workspace.image, &mut workspace.spectrum, &mut workspace.scratch);
        ring_power(&workspace.spectrum, &self.rings)
    }

    /// Makes the view of what the workspace holds; returns the share of power that is signal, ring by ring.
    fn make(&self, workspace: &mut Workspace, view: &mut [i8], small: &mut [i8]) -> [f32; RINGS] {
        let power = self.power(workspace);
        let noise = noise_floor(&power);
        let factors = power.map(|power| if power > 0.0 { (1.0 / power.sqrt()) as f32 } else { 0.0 });
        scale(&mut workspace.spectrum, &self.rings, &factors, &self.filter);
        write_image(&workspace.spectrum, &self.plan, &self.view, view);
        write_image(&workspace.spectrum, &self.plan, &self.small, small);
        power.map(|power| if power > 0.0 { (1.0 - noise / power).max(0.0) as f32 } else { 0.0 })
    }

    /// Of white noise through the filter: (Σh²)² / Σh⁴ a pixel of the view.
    fn independent(&self) -> f64 {
        let full: Vec<Complex32> = self.filter.iter().map(|&h| Complex32::new(h * h, 0.0)).collect();
        let mut kept = vec![Complex32::default(); self.view.len()];
        resize(&full, &self.plan, &mut kept, &self.view);
        let sum = |power: i32| kept.iter().map(|value| f64::from(value.re).powi(power)).sum::<f64>();
        sum(1).powi(2) / sum(2).max(f64::MIN_POSITIVE) / self.view.len() as f64
    }
}

fn noise_floor(power: &[f64; RINGS]) -> f64 {
    let rings: Vec<f64> = (0..RINGS).filter(|&ring| NOISE.contains(&ring_radius(ring))).map(|ring| power[ring]).collect();
    rings.iter().sum::<f64>() / rings.len() as f64
}

/// Writes the image of a spectrum at another size.
fn write_image(spectrum: &[Complex32], from: &Plan, to: &Plan, out: &mut [i8]) {
    let (mut resized, mut image) = (vec![Complex32::default(); to.len()], vec![Complex32::default(); to.len()]);
    resize(spectrum, from, &mut resized, to);
    to.inverse(&mut resized, &mut image, &mut to.scratch());
    quantise(&image.iter().map(|value| value.re).collect::<Vec<f32>>(), out);
}

/// To int8 of standard deviation [`UNITS`].
fn quantise(image: &[f32], out: &mut [i8]) {
    let power: f64 = image.iter().map(|&pixel| f64::from(pixel).powi(2)).sum::<f64>() / image.len() as f64;
    let factor = if power > 0.0 { f64::from(UNITS) / power.sqrt() } else { 0.0 } as f32;
    for (out, pixel) in out.iter_mut().zip(image) {
        *out = (pixel * factor).round().clamp(-127.0, 127.0) as i8;
    }
}

/// The even size of factors 2 and 3 that is nearest in ratio, but not above `most`.
pub(super) fn nearest_good(size: f64, most: usize) -> usize {
    if size >= most as f64 {
        return most;
    }
    let above = good_size(size.ceil() as usize);
    let below = (2..=above).rev().find(|&n| n as f64 <= size && good_size(n) == n).unwrap_or(2);
    (if above as f64 / size < size / below as f64 { above } else { below }).min(most)
}
