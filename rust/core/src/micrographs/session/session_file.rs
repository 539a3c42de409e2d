//! A session in a directory, for other processes: its views are there already, the rest is added.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::Session;
use super::fixed_pattern::FixedPatterns;
use super::store::Store;
use crate::micrographs::cache::{Kind, Record};
use crate::micrographs::checked_file::{Pack, Unpack};
use crate::micrographs::kernels::rings::RINGS;
use crate::micrographs::kernels::warp::Warp;
use crate::micrographs::stored::Stored;
use crate::{Error, Result};

pub(super) const VIEWS: &str = "views";
const SESSION: &str = "session";
const PATTERNS: &str = "patterns";

impl Session {
    /// Adds what a session that was loaded into `directory` consists of besides its views. Prepared micrographs in `base` are found again if
    /// both are moved together.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn save(&self, directory: &Path, base: &Path) -> Result<()> {
        let mut pack = Pack::default();
        for (width, height) in [self.size, self.view_size, self.small_size] {
            pack.whole(width);
            pack.whole(height);
        }
        pack.real(self.independent);
        pack.whole(self.len());
        pack.bytes(&self.signal.iter().flatten().flat_map(|share| share.to_le_bytes()).collect::<Vec<u8>>());
        pack.whole(self.records.len());
        let mut before: Option<&Arc<Path>> = None;
        for Stored { path, record } in &self.records {
            // Most are of the file of the one before, which an empty name stands for.
            let name = path.strip_prefix(base).unwrap_or(path).as_os_str().as_encoded_bytes();
            pack.bytes(if before == Some(path) { &[] } else { name });
            put(&mut pack, record);
            before = Some(path);
        }
        pack.whole(self.maps.len());
        self.maps.iter().flat_map(|map| map.0.as_flattened()).for_each(|&value| pack.real(value));
        pack.write(&directory.join(SESSION))?;
        let mut pack = Pack::default();
        self.patterns()?.pack(&mut pack);
        pack.write(&directory.join(PATTERNS))
    }

    /// A session that was saved in a directory. Its views stay there.
    ///
    /// # Errors
    /// [`crate::Error::Io`], [`crate::Error::Malformed`].
    pub fn open(directory: &Path, base: &Path) -> Result<Self> {
        let mut file = Unpack::read(&directory.join(SESSION))?;
        let mut size = || Ok::<_, Error>((file.whole()?, file.whole()?));
        let (size, view_size, small_size) = (size()?, size()?, size()?);
        let (independent, n) = (file.real()?, file.whole()?);
        let signal: Vec<f32> = file.bytes()?.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        let mut path: Arc<Path> = Path::new("").into();
        let mut record = |file: &mut Unpack| {
            let name = file.bytes()?;
            if !name.is_empty() {
                path = base.join(path_of(name)).into();
            }
            Ok(Stored { path: Arc::clone(&path), record: take(file)? })
        };
        let records = (0..file.whole()?).map(|_| record(&mut file)).collect::<Result<_>>()?;
        let map = |file: &mut Unpack| Ok(Warp([[file.real()?, file.real()?], [file.real()?, file.real()?]]));
        let maps = (0..file.whole()?).map(|_| map(&mut file)).collect::<Result<_>>()?;
        Ok(Self {
            size,
            view_size,
            small_size,
            independent,
            signal: signal.as_chunks::<RINGS>().0.to_vec(),
            records,
            maps,
            patterns: OnceLock::new(),
            saved: Some(directory.to_owned()),
            store: Store::open([view_size, small_size], &directory.join(VIEWS), n)?,
        })
    }
}

fn put(pack: &mut Pack, record: &Record) {
    pack.whole(record.pixels_at as usize);
    pack.whole(record.width);
    pack.whole(record.height);
    pack.real(record.sd.into());
    pack.real(record.mean.into());
    pack.whole(record.masked as usize);
    pack.whole(record.checksum as usize);
}

fn take(file: &mut Unpack) -> Result<Record> {
    let (pixels_at, width, height) = (file.whole()? as u64, file.whole()?, file.whole()?);
    let (sd, mean) = (file.real()? as f32, file.real()? as f32);
    let (masked, checksum) = (file.whole()? as u32, file.whole()? as u32);
    Ok(Record { pixels_at, width, height, sd, mean, kind: Kind::Image, masked, checksum })
}

/// The fixed patterns of a saved session.
pub(super) fn patterns(directory: &Path) -> Result<FixedPatterns> {
    FixedPatterns::unpack(&mut Unpack::read(&directory.join(PATTERNS))?)
}

#[cfg(unix)]
fn path_of(name: &[u8]) -> &Path {
    Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(name))
}

#[cfg(not(unix))]
fn path_of(name: &[u8]) -> std::path::PathBuf {
    String::from_utf8_lossy(name).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SIZE, noise};
    use super::*;
    use crate::Monitor;
    use crate::micrographs::cache::Writer;
    use crate::micrographs::kernels::rings::Band;
    use crate::micrographs::search::{Alignment, confirm};

    #[test]
    fn a_saved_session_is_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let (caches, band) = (["one", "two"].map(|name| directory.path().join(name)), Band { highpass: 0.02, lowpass: 0.2, falloff: 0.05 });
        let writers = [0, 1].map(|k| Writer::open(&caches[k], None).unwrap());
        let record = |i: usize| {
            let pixels: Vec<f32> = noise(31)[i * 48 * 32..][..48 * 32].iter().map(|&pixel| pixel.into()).collect();
            let record = writers[i % 2].append(&[i as u8; 16], SIZE, &pixels, 18.0, 3.0, Kind::Image).unwrap();
            Stored { path: caches[i % 2].as_path().into(), record }
        };
        let records: Vec<Stored> = (0..30).map(record).collect();
        let maps: Vec<Warp> = (0..30).map(|i| Warp([[1.0 + 0.001 * f64::from(i), 0.0], [0.0, 1.0]])).collect();
        let loaded = Session::load(&records, band, maps.clone(), None, &Monitor::default()).unwrap();
        let written = Session::load(&records, band, maps, Some(directory.path()), &Monitor::default()).unwrap();
        let base = directory.path();
        written.save(base, base).unwrap();
        let opened = Session::open(base, base).unwrap();
        assert_eq!((opened.len(), opened.records(), opened.view_size), (30, &*records, loaded.view_size));
        let alignments: Vec<Alignment> = (1..30).map(|j| Alignment { pair: (0, j), shift: (3.0, -2.0), turn_deg: 0.0 }).collect();
        let confirmed = |session: &Session| confirm(session, band, &alignments, &Monitor::default()).unwrap();
        for other in [&written, &opened] {
            assert_eq!(other.signal, loaded.signal);
            assert_eq!(other.independent.to_bits(), loaded.independent.to_bits());
            for i in 0..30 {
                assert_eq!(other.view(i).unwrap().view().pixels, loaded.view(i).unwrap().view().pixels);
                assert_eq!(other.small_view(i).unwrap(), loaded.small_view(i).unwrap());
            }
            assert_eq!(confirmed(other), confirmed(&loaded));
        }
    }
}
