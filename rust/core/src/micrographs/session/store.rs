//! The views of a session: in memory, or in a file where there are many.

use std::borrow::Cow;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::micrographs::checked_file::{CHECK, check_size, read_part, write_part};
use crate::micrographs::kernels::image::OwnedImage;
use crate::rows::Input;
use crate::{Error, Result};

/// The view of a micrograph, and its small view.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) view: Vec<i8>,
    pub(crate) small: Vec<i8>,
}

/// The views of micrographs, one after the other.
#[derive(Debug)]
pub(crate) struct Store {
    width: usize,
    /// Pixels of a view, and of a small one.
    lengths: [usize; 2],
    medium: Medium,
}

#[derive(Debug)]
enum Medium {
    Memory(Vec<Arc<(OwnedImage, Vec<i8>)>>),
    Written(BufWriter<File>, PathBuf),
    File(Input),
}

impl Store {
    /// An empty store: in a new file at `path`, or in memory. Views have `sizes[0]` columns and rows, small ones `sizes[1]`.
    pub(crate) fn new(sizes: [(usize, usize); 2], path: Option<&Path>) -> Result<Self> {
        let medium = match path {
            None => Medium::Memory(Vec::new()),
            Some(path) => Medium::Written(BufWriter::new(File::create(path).map_err(Error::at(path))?), path.to_owned()),
        };
        Ok(Self::of(sizes, medium))
    }

    /// Given views, of so many columns.
    pub(crate) fn in_memory(width: usize, all: impl Iterator<Item = Shown>) -> Self {
        let all: Vec<_> = all.map(|shown| kept(shown, width)).collect();
        let lengths = all.first().map_or([0; 2], |one| [one.0.view().pixels.len(), one.1.len()]);
        Self { width, lengths, medium: Medium::Memory(all) }
    }

    /// The views of `n` micrographs that were written to a file.
    pub(crate) fn open(sizes: [(usize, usize); 2], path: &Path, n: usize) -> Result<Self> {
        let input = Input::open(path)?;
        let found = Self::of(sizes, Medium::Memory(Vec::new()));
        check_size(&input, n * found.lengths.iter().map(|length| length + CHECK).sum::<usize>())?;
        Ok(Self { medium: Medium::File(input), ..found })
    }

    fn of(sizes: [(usize, usize); 2], medium: Medium) -> Self {
        Self { width: sizes[0].0, lengths: sizes.map(|(width, height)| width * height), medium }
    }

    /// Adds the views of the next micrograph.
    pub(crate) fn append(&mut self, shown: Shown) -> Result<()> {
        match &mut self.medium {
            Medium::Memory(all) => all.push(kept(shown, self.width)),
            Medium::Written(file, path) => {
                for pixels in [shown.view, shown.small] {
                    let bytes: Vec<u8> = pixels.into_iter().map(i8::cast_unsigned).collect();
                    write_part(file, &bytes, path)?;
                }
            }
            Medium::File(input) => return Err(Error::parameter("views", input.path().display(), "a store that is not complete")),
        }
        Ok(())
    }

    /// A store of the first views and more, which shares the memory of these.
    ///
    /// # Errors
    /// [`Error::Parameter`]: these are in a file.
    pub(crate) fn extended(&self, first: usize, more: impl IntoIterator<Item = Shown>) -> Result<Self> {
        let Medium::Memory(all) = &self.medium else {
            return Err(Error::parameter("views", "views in a file", "views in memory"));
        };
        let all = all[..first].iter().cloned().chain(more.into_iter().map(|shown| kept(shown, self.width))).collect();
        Ok(Self { medium: Medium::Memory(all), ..*self })
    }

    /// Ends the writing.
    pub(crate) fn complete(self) -> Result<Self> {
        let medium = match self.medium {
            Medium::Written(file, path) => {
                let file = file.into_inner().map_err(|error| Error::at(&path)(error.into_error()))?;
                file.sync_all().map_err(Error::at(&path))?;
                Medium::File(Input::open(&path)?)
            }
            other => other,
        };
        Ok(Self { medium, ..self })
    }

    /// The view of a micrograph.
    pub(crate) fn view(&self, i: usize) -> Result<Cow<'_, OwnedImage>> {
        match &self.medium {
            Medium::Memory(all) => Ok(Cow::Borrowed(&all[i].0)),
            _ => Ok(Cow::Owned(OwnedImage::new(self.read(i, 0)?, self.width))),
        }
    }

    /// The small view of a micrograph.
    pub(crate) fn small(&self, i: usize) -> Result<Cow<'_, [i8]>> {
        match &self.medium {
            Medium::Memory(all) => Ok(Cow::Borrowed(&all[i].1)),
            _ => self.read(i, 1).map(Cow::Owned),
        }
    }

    fn read(&self, i: usize, which: usize) -> Result<Vec<i8>> {
        let Medium::File(input) = &self.medium else {
            return Err(Error::parameter("views", "a store that is being written", "a complete one"));
        };
        let [view, small] = self.lengths;
        let start = i * (view + small + 2 * CHECK) + [0, view + CHECK][which];
        Ok(read_part(input, start, self.lengths[which])?.into_iter().map(u8::cast_signed).collect())
    }
}

fn kept(Shown { view, small }: Shown, width: usize) -> Arc<(OwnedImage, Vec<i8>)> {
    Arc::new((OwnedImage::new(view, width), small))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_the_same_as_memory() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("views");
        let sizes = [(4, 2), (3, 1)];
        let shown = |i: usize| Shown { view: (0..8).map(|k| (10 * i + k) as i8 - 20).collect(), small: vec![-(i as i8); 3] };
        let filled = |path: Option<&Path>| {
            let mut store = Store::new(sizes, path).unwrap();
            (0..5).for_each(|i| store.append(shown(i)).unwrap());
            store.complete().unwrap()
        };
        for store in [filled(None), filled(Some(&path)), Store::open(sizes, &path, 5).unwrap()] {
            for i in 0..5 {
                assert_eq!(store.view(i).unwrap().view().pixels, shown(i).view);
                assert_eq!(*store.small(i).unwrap(), shown(i).small);
            }
        }
        assert!(Store::open(sizes, &path, 6).is_err());
        let mut damaged = std::fs::read(&path).unwrap();
        damaged[19 + 2] ^= 1;
        std::fs::write(&path, damaged).unwrap();
        let store = Store::open(sizes, &path, 5).unwrap();
        assert!(store.view(0).is_ok() && store.small(1).is_ok() && store.view(1).is_err());
    }
}
