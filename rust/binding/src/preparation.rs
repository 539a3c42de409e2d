//! Reading micrographs into the cache of a session.

use std::path::PathBuf;
use std::sync::Arc;

use cryodedup_core::micrographs::cache::Record;
use cryodedup_core::micrographs::reduce::Bins;
use cryodedup_core::micrographs::{self, Frame, Packing};
use numpy::{IntoPyArray, PyArray2, PyArrayMethods, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::errors::{InputError, to_python};
use crate::particles::Shape;
use crate::watched::run;

/// Path, offset of the pixels, mode, swapped, columns, rows, packing ("", "gz", "bz2").
type AnyFrame = (PathBuf, u64, i32, bool, usize, usize, String);
/// Offset, columns, rows, standard deviation, mean, kind, masked pixels.
pub type AnyRecord = (u64, usize, usize, f32, f32, u8, u32);
/// Why it could not be read, or its record.
type AnyOutcome = (String, Option<AnyRecord>);

#[pyclass(frozen, module = "cryodedup._core")]
pub struct Preparation(Arc<micrographs::Preparation>);

#[pymethods]
impl Preparation {
    #[staticmethod]
    #[pyo3(signature = (cache, *, resume))]
    fn open(py: Python<'_>, cache: PathBuf, resume: bool) -> PyResult<Self> {
        let opened = run(py, 0, None, |monitor| micrographs::Preparation::open(&cache, resume, monitor))?;
        Ok(Self(Arc::new(opened)))
    }

    fn known(&self, keys: Vec<[u8; 16]>) -> Vec<Option<AnyRecord>> {
        keys.iter().map(|key| self.0.known(key).map(from_record)).collect()
    }

    fn damaged(&self, keys: Vec<[u8; 16]>) -> bool {
        self.0.damaged(&keys)
    }

    #[pyo3(signature = (frames, keys, *, bin, threads, progress=None))]
    fn read(
        &self,
        py: Python<'_>,
        frames: Vec<AnyFrame>,
        keys: Vec<[u8; 16]>,
        bin: usize,
        threads: usize,
        progress: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Vec<AnyOutcome>> {
        let frames: Vec<Frame> = frames.into_iter().map(to_frame).collect();
        if frames.len() != keys.len() || bin == 0 || frames.iter().any(|frame| frame.nx.min(frame.ny) < 2 * bin) {
            return Err(InputError::new_err("frames: found another number of keys, or frames of less than two bins"));
        }
        let outcomes = run(py, threads, progress.as_ref(), |monitor| self.0.read(&frames, &keys, bin, monitor))?;
        let outcome = |outcome| match outcome {
            Ok(record) => (String::new(), Some(from_record(record))),
            Err(text) => (text, None),
        };
        Ok(outcomes.into_iter().map(outcome).collect())
    }

    #[pyo3(signature = (image, key, *, bin))]
    fn add(&self, py: Python<'_>, image: PyReadonlyArray2<'_, f32>, key: [u8; 16], bin: usize) -> PyResult<AnyRecord> {
        let [rows, columns] = image.shape_of();
        if bin == 0 || rows.min(columns) < 2 * bin {
            return Err(InputError::new_err("image: found less than two bins"));
        }
        let pixels = image.as_slice()?;
        py.detach(|| self.0.add(pixels, columns, &key, bin)).map(from_record).map_err(to_python)
    }
}

fn from_record(record: Record) -> AnyRecord {
    let Record { pixels_at, width, height, sd, mean, kind, masked } = record;
    (pixels_at, width, height, sd, mean, kind as u8, masked)
}

fn to_frame((path, start, mode, swapped, nx, ny, packing): AnyFrame) -> Frame {
    let packing = match packing.as_str() {
        "gz" => Packing::Gzip,
        "bz2" => Packing::Bzip2,
        _ => Packing::None,
    };
    Frame { path, start, mode, swapped, nx, ny, packing }
}

#[pyfunction]
#[pyo3(signature = (frame, *, bin))]
pub fn reduce_frame(py: Python<'_>, frame: AnyFrame, bin: usize) -> PyResult<Bound<'_, PyArray2<f32>>> {
    let frame = to_frame(frame);
    if bin == 0 || frame.nx.min(frame.ny) < bin {
        return Err(InputError::new_err("frame: found less than one bin"));
    }
    let rows = Bins::new(frame.ny, bin).count;
    let means = run(py, 1, None, |monitor| frame.reduce(bin, monitor))?.means;
    let columns = means.len() / rows;
    means.into_pyarray(py).reshape([rows, columns])
}
