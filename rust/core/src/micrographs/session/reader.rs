//! Reads micrographs from a cache into images for Fourier transforms.

use super::views::Workspace;
use crate::Result;
use crate::micrographs::kernels::fft::Plan;
use crate::micrographs::stored::Source;

/// One thread's memory to read micrographs and transform them.
pub(crate) struct Reader {
    bytes: Vec<u8>,
    pub(crate) pixels: Vec<f32>,
    pub(crate) workspace: Workspace,
}

impl Reader {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self { bytes: Vec::new(), pixels: Vec::new(), workspace: Workspace::new(plan) }
    }

    /// Reads a micrograph's pixels.
    pub(crate) fn read(&mut self, source: &Source) -> Result<()> {
        source.read(&mut self.bytes, &mut self.pixels)
    }

    /// Sets the real (0) or imaginary (1) part of the image to be transformed: the pixels multiplied by a factor, faded at their edges.
    pub(crate) fn fade(&mut self, (columns, rows): &(Vec<f32>, Vec<f32>), factor: f32, part: usize) {
        let width = columns.len();
        for ((image, pixels), row) in self.workspace.image.chunks_exact_mut(width).zip(self.pixels.chunks_exact(width)).zip(rows) {
            for ((value, pixel), column) in image.iter_mut().zip(pixels).zip(columns) {
                let faded = pixel * factor * column * row;
                if part == 0 { value.re = faded } else { value.im = faded }
            }
        }
    }
}
