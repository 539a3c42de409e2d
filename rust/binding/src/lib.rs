//! The Python module `cryodedup._core`: each function checks, releases the interpreter, calls the core, and wraps the result.
//!
//! `_core.pyi` documents the functions.

#![expect(clippy::needless_pass_by_value, reason = "Python hands over values")]

mod arrays;
mod errors;
mod listing;
mod live;
mod micrographs;
mod particles;
mod pickling;
mod preparation;
mod records;
mod rows;
mod screening;
mod session;
mod star;
mod watched;

use pyo3::prelude::*;

#[pymodule]
mod _core {
    use cryodedup_core::micrographs::{instruction_set, live, read, search, session, significance};
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::listing::write_listing;
    #[pymodule_export]
    use crate::micrographs::{Confirmed, Correlation, Matches, correlate, prepare_image};
    #[pymodule_export]
    use crate::particles::{Duplicates, HalfPairs, components, deduplicate, half_pairs, kept_at, nearest, overlaps};
    #[pymodule_export]
    use crate::preparation::{Frame, Preparation, Record, find_records, picture, read_pixels, reduce_frame, thumbnails};
    #[pymodule_export]
    use crate::records::read_records;
    #[pymodule_export]
    use crate::rows::{Part, Rewrite, Rows, line_number, split};
    #[pymodule_export]
    use crate::star::{Table, cell_spans, read_cells, scan_rows, scan_star};

    /// The number of processors that the system lets this process use, by their binding and by quotas.
    #[pyfunction]
    fn available_processors() -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }

    /// Sets how many threads `0` stands for.
    #[pyfunction]
    fn set_processors(processors: usize) {
        cryodedup_core::jobs::set_processors(processors);
    }

    #[pymodule_export]
    use crate::live::Collection;
    #[pymodule_export]
    use crate::screening::{Block, Comparisons, Decisions, Null, NullBulk, NullTail, Screening, Search};
    #[pymodule_export]
    use crate::session::Session;

    /// Finds `NumPy`'s own functions, which the first array does otherwise.
    #[pyfunction]
    fn load_numpy(py: Python<'_>) {
        drop(numpy::PyArray1::<u8>::zeros(py, 0, false));
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("FIRST_COMPARED", live::FIRST)?;
        module.add("MIN_FOR_FIXED_PATTERN", session::MIN_FOR_FIXED_PATTERN)?;
        module.add("RANDOM_PAIRS", search::RANDOM_PAIRS)?;
        module.add("DOUBTFUL_Z", significance::DOUBTFUL_Z)?;
        module.add("USUAL_MIDDLE_Z", significance::USUAL_MIDDLE_Z)?;
        module.add("MIN_FOR_NULL", significance::MIN_FOR_NULL)?;
        module.add("MIRRORED_CAUTION", significance::MIRRORED_CAUTION)?;
        module.add("NEAR_ZERO_PX", significance::NEAR_ZERO_PX)?;
        module.add("MAX_MASKED", read::MAX_MASKED)?;
        module.add("INSTRUCTION_SET", instruction_set())?;
        module.add("DEBUG_BUILD", cfg!(debug_assertions))
    }
}
