//! Saves how a session is screened to a directory, for other processes: the decision, and the spectra.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use super::low_resolution::{LowResolution, Threshold};
use super::screen::{Screener, Screening};
use crate::micrographs::checked_file::{CHECK, Pack, Unpack, check_size, read_part, write_part};
use crate::micrographs::session::Session;
use crate::rows::Input;
use crate::{Error, Result};

const SCREENING: &str = "screening";
const SPECTRA: &str = "spectra";

impl Screener {
    /// Adds to a directory how its session is screened.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn save(&self, directory: &Path) -> Result<()> {
        let Screening { pairs, grid, finer, pool_size, threshold, pool_threshold, decoy_pairs, predicted } = &self.screening;
        let (columns, rows) = grid.unwrap_or_default();
        let mut pack = Pack::default();
        [*pairs as usize, *decoy_pairs as usize, columns, rows, *finer, *pool_size].into_iter().for_each(|number| pack.whole(number));
        [threshold, pool_threshold].into_iter().flat_map(|one| [one.elsewhere, one.at_zero]).for_each(|height| pack.real(height.into()));
        pack.whole(predicted.len());
        for &(size, recall) in predicted {
            pack.whole(size);
            pack.real(recall);
        }
        pack.write(&directory.join(SCREENING))?;
        self.low.as_ref().map_or(Ok(()), |low| save_spectra(low, &directory.join(SPECTRA)))
    }

    /// As it was saved in a directory.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Malformed`].
    pub(super) fn open(session: &Arc<Session>, max_shift_reduced_px: Option<f64>, directory: &Path) -> Result<Self> {
        let (screening, session) = (Screening::open(directory)?, Arc::clone(session));
        let low = screening.grid.map(|_| {
            let low = LowResolution::empty(Arc::clone(&session), screening.finer, max_shift_reduced_px);
            open_spectra(low, &directory.join(SPECTRA))
        });
        Ok(Self { low: low.transpose()?, screening, session })
    }
}

impl Screening {
    /// As it was saved in a directory.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Malformed`].
    pub(super) fn open(directory: &Path) -> Result<Self> {
        let mut file = Unpack::read(&directory.join(SCREENING))?;
        let (pairs, decoy_pairs) = (file.whole()? as u64, file.whole()? as u64);
        let (columns, rows, finer, pool_size) = (file.whole()?, file.whole()?, file.whole()?, file.whole()?);
        let mut threshold = || Ok::<_, Error>(Threshold { elsewhere: file.real()? as f32, at_zero: file.real()? as f32 });
        let (threshold, pool_threshold) = (threshold()?, threshold()?);
        let predicted = (0..file.whole()?).map(|_| Ok((file.whole()?, file.real()?))).collect::<Result<_>>()?;
        let grid = (columns > 0).then_some((columns, rows));
        Ok(Self { pairs, grid, finer, pool_size, threshold, pool_threshold, decoy_pairs, predicted })
    }
}

fn save_spectra(low: &LowResolution, path: &Path) -> Result<()> {
    let mut file = File::create(path).map_err(Error::at(path))?;
    for spectrum in &low.packed {
        write_part(&mut file, &spectrum.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>(), path)?;
    }
    file.sync_all().map_err(Error::at(path))
}

fn open_spectra(mut low: LowResolution, path: &Path) -> Result<LowResolution> {
    let (input, length, n) = (Input::open(path)?, 4 * low.length(), low.session.len().div_ceil(2));
    check_size(&input, (length + CHECK) * n)?;
    let spectrum = |k: usize| {
        let bytes = read_part(&input, k * (length + CHECK), length)?;
        Ok(bytes.as_chunks().0.iter().map(|&value| i16::from_le_bytes(value)).collect())
    };
    low.packed = (0..n).map(spectrum).collect::<Result<_>>()?;
    Ok(low)
}
