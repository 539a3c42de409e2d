//! A number for each particle, set by several threads.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rayon::prelude::*;

pub(super) struct Column(Vec<AtomicU32>);

impl Column {
    pub fn new(n: usize, value: impl Fn(u32) -> u32 + Sync + Send) -> Self {
        Self((0..n as u32).into_par_iter().map(|i| AtomicU32::new(value(i))).collect())
    }

    pub fn set(&self, particle: u32, value: u32) {
        self.0[particle as usize].store(value, Relaxed);
    }

    pub fn into_vec(self) -> Vec<u32> {
        self.0.into_iter().map(AtomicU32::into_inner).collect()
    }
}
