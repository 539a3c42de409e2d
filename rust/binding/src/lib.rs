//! The Python module `cryodedup._core`: each function checks, releases the interpreter, calls the core, and wraps the result.
//!
//! What the functions mean is said in `_core.pyi`.

#![expect(clippy::needless_pass_by_value, reason = "Python hands over values")]

mod errors;
mod listing;
mod micrographs;
mod particles;
mod preparation;
mod records;
mod rows;
mod star;
mod watched;

use pyo3::prelude::*;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    errors::add_to(module)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("MIN_FOR_FIXED_PATTERN", cryodedup_core::micrographs::session::fixed_pattern::MIN_FOR_FIXED_PATTERN)?;
    module.add("MAX_MASKED", cryodedup_core::micrographs::read::MAX_MASKED)?;
    module.add("DEBUG_BUILD", cfg!(debug_assertions))?;
    module.add_class::<micrographs::Confirmed>()?;
    module.add_class::<micrographs::Correlation>()?;
    module.add_class::<micrographs::Leads>()?;
    module.add_class::<micrographs::Matches>()?;
    module.add_class::<micrographs::Questions>()?;
    module.add_class::<micrographs::Screening>()?;
    module.add_class::<micrographs::Session>()?;
    module.add_class::<preparation::Frame>()?;
    module.add_class::<particles::Duplicates>()?;
    module.add_class::<particles::HalfPairs>()?;
    module.add_class::<preparation::Preparation>()?;
    module.add_class::<preparation::Record>()?;
    module.add_class::<rows::Part>()?;
    module.add_class::<rows::Rewrite>()?;
    module.add_class::<rows::Rows>()?;
    module.add_class::<star::Table>()?;
    module.add_function(wrap_pyfunction!(micrographs::correlate, module)?)?;
    module.add_function(wrap_pyfunction!(micrographs::prepare_image, module)?)?;
    module.add_function(wrap_pyfunction!(preparation::picture, module)?)?;
    module.add_function(wrap_pyfunction!(preparation::read_pixels, module)?)?;
    module.add_function(wrap_pyfunction!(preparation::reduce_frame, module)?)?;
    module.add_function(wrap_pyfunction!(preparation::thumbnails, module)?)?;
    module.add_function(wrap_pyfunction!(particles::components, module)?)?;
    module.add_function(wrap_pyfunction!(particles::deduplicate, module)?)?;
    module.add_function(wrap_pyfunction!(particles::half_pairs, module)?)?;
    module.add_function(wrap_pyfunction!(particles::kept_at, module)?)?;
    module.add_function(wrap_pyfunction!(particles::nearest, module)?)?;
    module.add_function(wrap_pyfunction!(particles::overlaps, module)?)?;
    module.add_function(wrap_pyfunction!(listing::write_listing, module)?)?;
    module.add_function(wrap_pyfunction!(records::read_records, module)?)?;
    module.add_function(wrap_pyfunction!(rows::line_number, module)?)?;
    module.add_function(wrap_pyfunction!(rows::split, module)?)?;
    module.add_function(wrap_pyfunction!(star::cell_spans, module)?)?;
    module.add_function(wrap_pyfunction!(star::read_cells, module)?)?;
    module.add_function(wrap_pyfunction!(star::scan_rows, module)?)?;
    module.add_function(wrap_pyfunction!(star::scan_star, module)?)
}
