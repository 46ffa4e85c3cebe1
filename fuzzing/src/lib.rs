//! What fuzz targets do with the bytes that they get.
//!
//! A target in `fuzz/` is a few lines that call a function of this crate, which panics when
//! something is wrong. The tests of the crate call the same functions, with bytes from a generator
//! that makes the same ones every time, so that they are part of every test run.

mod bytes;
pub mod references;
